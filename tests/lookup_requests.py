"""Requests of the lookup queue for tests: put there as a load does, moved through time, and watched."""

from pathlib import Path
from typing import Any

import pandas as pd

from tests.hub import PROJECT
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.temporary import temporary_id
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.io.lookup_queue import enqueue
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.orchestration.requests import Workplace

SALT = "test"

# Every change of status, by whom, in the order in which it was committed to.
_AUDIT = """
    create table public.queue_audit (
      seq bigint generated always as identity, request_id bigint, was text, became text, worker text
    );
    create function public.note_queue_change() returns trigger language plpgsql as $$
    begin
      insert into public.queue_audit (request_id, was, became, worker)
      values (new.id, old.status, new.status, coalesce(new.claimed_by, old.claimed_by));
      return new;
    end $$;
    create trigger queue_audit after update on enterprise.enrichment_requests
    for each row when (old.status is distinct from new.status) execute function public.note_queue_change()
"""


def unknown_names(*names: str) -> pd.DataFrame:
    """What a load hands to the queue, one row a name."""
    forms = [normalise_name(name) for name in names]
    ids = [temporary_id(form, salt=SALT) for form in forms]
    frame = pd.DataFrame({"normalized_name": forms, "raw_name": names, "temp_id": ids})
    return frame.astype("string").assign(rows=1)


def queue_names(warehouse: Connection, *names: str) -> int:
    """Queue the names as a load does."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        return enqueue(cursor, unknown_names(*names), load_id=None, searched_days=30)


def change(warehouse: Connection, statement: str) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement)


def ask_database(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def let_rests_end(warehouse: Connection) -> None:
    """Make every resting request ready."""
    change(warehouse, "update enterprise.enrichment_requests set next_retry_at = now() where status = 'pending'")


def let_leases_end(warehouse: Connection) -> None:
    """Make every lease one that is over."""
    change(warehouse, "update enterprise.enrichment_requests set lease_until = now() where status = 'processing'")


def watch_queue(warehouse: Connection) -> None:
    """Note every change of a request's status in public.queue_audit."""
    change(warehouse, _AUDIT)


def queue_place(url: str, home: Path, *, faults: Faults = NO_FAULTS) -> Workplace:
    """The place a worker works in."""
    return Workplace(
        data_root=home,
        config_dir=PROJECT / "config",
        home=home,
        database_url=url,
        alias_salt=SALT,
        actor="tester",
        faults=faults,
    )
