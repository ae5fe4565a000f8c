"""Pipelines for tests of the runner: put there as the API does, executed by stand-ins, and watched to their end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.patience import until
from work_data_hub.domain.batch.run import Claim
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.io.batch_claims import close_run
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.orchestration.batch_metrics import BatchMetrics
from work_data_hub.orchestration.batch_place import BatchPlace

_ADD = """
    insert into etl.etl_pipelines (name, source_query, target_table, unique_key, batch_size, throttle_ms)
    values (%s, 'select id as film_id, title, rating from content.film_work', 'analytics.film_dim', 'film_id', %s, %s)
"""
_FILMS = """
    insert into content.film_work (id, title, rating)
    select md5(number::text)::uuid, 'Film ' || number, number %% 10 from generate_series(1, %s) as number
"""
_REQUEST = "update etl.etl_pipelines set status = 'RUN_REQUESTED' where name = any(%s) or %s::text[] is null"


def do(warehouse: Connection, statement: str, *values: object) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)


def ask(warehouse: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def add_pipelines(warehouse: Connection, *names: str, batch_size: int = 10, throttle_ms: int = 0) -> None:
    """Pipelines that copy films by their key."""
    for name in names:
        do(warehouse, _ADD, name, batch_size, throttle_ms)


def add_films(warehouse: Connection, number: int) -> None:
    do(warehouse, _FILMS, number)


def request(warehouse: Connection, *names: str) -> None:
    """Request runs of these pipelines, or of all."""
    do(warehouse, _REQUEST, list(names) or None, list(names) or None)


def statuses(warehouse: Connection) -> dict[str, str]:
    return dict(ask(warehouse, "select name, status from etl.etl_pipelines"))


def runs(warehouse: Connection, name: str) -> list[tuple[Any, ...]]:
    """Status, worker and error of each run, oldest first."""
    return ask(
        warehouse,
        "select run.status, run.worker, run.error_message from etl.etl_runs as run"
        " join etl.etl_pipelines as pipeline on pipeline.id = run.pipeline_id where name = %s order by run.epoch",
        name,
    )


def workers(warehouse: Connection) -> list[str]:
    return [worker for (worker,) in ask(warehouse, "select worker_id from etl.etl_workers order by started_at")]


def owners(warehouse: Connection) -> list[str]:
    return [owner for (owner,) in ask(warehouse, "select owner from etl.etl_leases where owner is not null")]


def until_run(warehouse: Connection, name: str, *, number: int = 1) -> None:
    """Wait until the pipeline is idle after so many runs."""
    until(lambda: statuses(warehouse)[name] == "IDLE" and len(runs(warehouse, name)) == number)


def cut(warehouse: Connection, application: str) -> int:
    """End the sessions whose name begins so; returns how many there were."""
    found = ask(
        warehouse,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where starts_with(application_name, %s) and datname = current_database() and pid <> pg_backend_pid()",
        application,
    )
    return len(found)


@contextmanager
def held_row(url: str, statement: str) -> Iterator[None]:
    """A session of somebody else that keeps the rows locked."""
    with closing(connect(url, application_name="wdh tests holder")) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield


@dataclass(frozen=True, slots=True)
class StandIn:
    """Executes claims without reading or writing rows; `work` is what each does, and may raise or wait."""

    work: Callable[[Claim, threading.Event, threading.Event], RunStatus | None] = lambda claim, stop, lost: (
        RunStatus.SUCCESS
    )
    claims: list[Claim] = field(default_factory=list)

    def __call__(
        self, claim: Claim, place: BatchPlace, *, stop: threading.Event, lost: threading.Event, metrics: BatchMetrics
    ) -> RunStatus | None:
        self.claims.append(claim)
        status = self.work(claim, stop, lost)
        ends = {
            RunStatus.SUCCESS: Status.IDLE,
            RunStatus.FAILED: Status.FAILED,
            RunStatus.PAUSED: Status.RUN_REQUESTED,
        }
        if status is not None:
            with (
                closing(connect(place.database_url)) as connection,
                transaction(connection),
                connection.cursor() as cursor,
            ):
                close_run(cursor, claim, status=status, to=ends[status])
        return status
