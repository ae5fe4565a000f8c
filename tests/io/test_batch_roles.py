"""What each role of the pipelines may do, in the database's own judgement."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import psycopg2
import pytest
from tests.batch_roles import Logins, logins_of
from tests.batch_store import INCREMENTAL, add, ask, batch, claimed, register

from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.batch_claims import claim_next
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.batch_reader import reader_connection
from work_data_hub.io.batch_requests import request_run
from work_data_hub.io.batch_watermark import safe_watermark
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.io.roles import BATCH_API, BATCH_READER, BATCH_WRITER, MIGRATOR, make_roles
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_run import run_claim

pytestmark = pytest.mark.integration

PROGRAMS = (BATCH_API, BATCH_WRITER, "wdh_app")
QUERY = "select id as film_id, title, rating, updated_at from content.film_work"


@pytest.fixture
def logins(warehouse: Connection, warehouse_url: str) -> Iterator[Logins]:
    with logins_of(warehouse, warehouse_url) as found:
        yield found


def refusal(connection: Connection, statement: str) -> type[psycopg2.Error] | None:
    """What the statement is refused with; None where it is not, and then it is rolled back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.Error as error:
        return type(error)
    finally:
        connection.rollback()
    return None


@pytest.mark.parametrize("role", PROGRAMS)
def test_programs_add_to_the_trail_and_change_nothing_of_it(warehouse: Connection, logins: Logins, role: str) -> None:
    held = claimed(warehouse, add(warehouse))
    batch(warehouse, held)
    with closing(logins.enter(role)) as connection:
        for table, change in (("etl_batches", "rows_read = 0"), ("etl_events", "actor = 'x'")):
            for statement in (f"update etl.{table} set {change}", f"delete from etl.{table}", f"truncate etl.{table}"):
                assert refusal(connection, statement) is psycopg2.errors.InsufficientPrivilege, statement
        for statement in (
            "delete from etl.etl_dlq",
            "delete from etl.etl_runs",
            "delete from etl.etl_pipelines",
            "truncate etl.etl_runs, etl.etl_batches, etl.etl_dlq, etl.etl_seen_keys",
            "truncate etl.etl_pipelines cascade",
        ):
            assert refusal(connection, statement) is psycopg2.errors.InsufficientPrivilege, statement
        added = (
            "insert into etl.etl_events (pipeline_id, to_status, actor) select id, status, 'x' from etl.etl_pipelines"
        )
        assert refusal(connection, added) is None


def test_readers_see_sources_and_nothing_else(logins: Logins) -> None:
    with closing(logins.enter(BATCH_READER)) as reader:
        for source in ("content.film_work", "ugc.ratings"):
            assert refusal(reader, f"select 1 from {source}") is None
            assert refusal(reader, f"delete from {source}") is psycopg2.errors.InsufficientPrivilege
        for other in ('business."规模明细"', "customer.contract_years", 'mapping."产品线"', "analytics.film_dim",
                      "etl.etl_pipelines", "ledger.loads"):  # fmt: skip
            assert refusal(reader, f"select 1 from {other}") is psycopg2.errors.InsufficientPrivilege, other


def test_readers_see_since_when_others_write_and_not_what(warehouse: Connection, logins: Logins) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("select now(), pg_backend_pid(), 'secret-canary'")
        ((stamped, pid, _),) = cursor.fetchall()
    reader, _ = reader_connection(
        logins.url,
        reader_url=logins.url_of(BATCH_READER),
        may_read_as_anyone=False,
        statement_timeout_seconds=30,
        application_name="wdh batch reader tests",
    )
    with closing(reader):
        mark = safe_watermark(reader, key_type="timestamp with time zone", prepared_seconds=Decimal(60))
        with reader.cursor() as cursor:
            cursor.execute("select query, xact_start from pg_stat_activity where pid = %s", (pid,))
            seen = cursor.fetchone()

    assert mark.at == stamped
    assert seen == ("<insufficient privilege>", None)


def test_who_cannot_see_the_sessions_of_others_does_not_pass_for_alone(warehouse: Connection, logins: Logins) -> None:
    ask(warehouse, f"revoke pg_read_all_stats from {MIGRATOR}")
    with closing(logins.enter(BATCH_READER)) as reader:
        hidden = ask(reader, "select bool_or(is_hidden) from etl.open_transactions('wdh batch reader ')")

    assert hidden == [(True,)]


def test_only_who_reads_sources_asks_for_open_transactions(logins: Logins) -> None:
    asked = "select * from etl.open_transactions('x')"
    with closing(logins.enter(BATCH_READER)) as reader, closing(logins.enter(BATCH_API)) as api:
        assert refusal(reader, asked) is None
        assert refusal(api, asked) is psycopg2.errors.InsufficientPrivilege


def test_what_was_granted_once_and_is_not_needed_is_taken_back(warehouse: Connection, logins: Logins) -> None:
    for grant in (
        f"grant usage on schema business to {BATCH_READER}",
        f"grant select on all tables in schema business to {BATCH_READER}",
        f"alter default privileges for role {MIGRATOR} in schema mapping grant select on tables to {BATCH_READER}",
        f"grant update, delete on etl.etl_events to {BATCH_WRITER}",
        f"grant delete on etl.etl_dlq to {', '.join(PROGRAMS)}",
        f"grant pg_read_all_stats to {BATCH_READER}",
    ):
        ask(warehouse, grant)

    make_roles(warehouse, passwords={})

    ask(warehouse, f"set role {MIGRATOR}; create table mapping.made_later (a int); reset role")
    asked = """
        select has_schema_privilege(%s, 'business', 'usage'), has_table_privilege(%s, 'business."规模明细"', 'select'),
               has_table_privilege(%s, 'mapping.made_later', 'select'), pg_has_role(%s, 'pg_read_all_stats', 'member'),
               has_table_privilege(%s, 'etl.etl_events', 'update')
    """
    assert ask(warehouse, asked, *[BATCH_READER] * 4, BATCH_WRITER) == [(False,) * 5]
    for role in PROGRAMS:
        letters = (
            "select has_table_privilege(%s, 'etl.etl_dlq', 'delete'), has_table_privilege(%s, 'etl.etl_dlq', 'update')"
        )
        assert ask(warehouse, letters, role, role) == [(False, True)]


def test_every_role_can_do_its_part_of_a_run(warehouse: Connection, logins: Logins) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        seed_films(cursor, scale=0)
    with closing(logins.enter(BATCH_API)) as api, transaction(api), api.cursor() as cursor:
        id = create_pipeline(cursor, replace(INCREMENTAL, source_query=QUERY), actor="api").id
        request_run(cursor, id, actor="api", key="once", lease_seconds=30)
    with closing(logins.enter(BATCH_WRITER)) as runner:
        register(runner, "one")
        with transaction(runner), runner.cursor() as cursor:
            claim = claim_next(cursor, "one")
    assert claim is not None
    place = BatchPlace(
        database_url=logins.url_of(BATCH_WRITER), reader_url=logins.url_of(BATCH_READER), may_read_as_anyone=False
    )

    assert run_claim(claim, place, stop=threading.Event(), lost=threading.Event()) is RunStatus.SUCCESS

    assert ask(warehouse, "select count(*) from analytics.film_dim") == [(10,)]
    assert ask(warehouse, "select rows_written::int, warnings from etl.etl_runs") == [(10, [])]
