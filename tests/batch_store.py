"""Pipelines, runners and time for tests of the batch store: made, moved and looked at in a few words."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Mode, Pipeline
from work_data_hub.domain.batch.run import Claim, Column, Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_claims import (
    Recovered,
    batch_application,
    claim_next,
    close_run,
    forget_worker,
    hold,
    register_worker,
    sweep,
)
from work_data_hub.io.batch_ledger import record_batch
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.batch_requests import request_pause, request_run
from work_data_hub.io.postgres import Connection, connect, transaction

LEASE_SECONDS = 30
MAX_RECOVERIES = 3
FULL = Pipeline(name="films", target_table="analytics.film_dim", source_query="select film_id, title from films")
INCREMENTAL = Pipeline(
    name="films_inc",
    target_table="analytics.film_dim",
    source_query="select film_id, title, updated_at from films",
    mode=Mode.INCREMENTAL,
    incremental_key="updated_at",
    incremental_id_key="film_id",
)


def ask(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the statement answers, in a transaction of its own."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def add(connection: Connection, pipeline: Pipeline = FULL) -> UUID:
    with transaction(connection), connection.cursor() as cursor:
        return create_pipeline(cursor, pipeline, actor="tester").id


def request(connection: Connection, id: UUID, *, key: str | None = None, trigger: str = "api") -> Status | None:
    with transaction(connection), connection.cursor() as cursor:
        asked = request_run(cursor, id, actor="tester", key=key, trigger=trigger, lease_seconds=LEASE_SECONDS)
    return asked.row.status if asked.row else None


def pause(connection: Connection, id: UUID) -> Status | None:
    with transaction(connection), connection.cursor() as cursor:
        asked = request_pause(cursor, id, actor="tester")
    return asked.row.status if asked.row else None


def status_of(connection: Connection, id: UUID) -> Status:
    ((status,),) = ask(connection, "select status from etl.etl_pipelines where id = %s", str(id))
    return Status(status)


def register(connection: Connection, *workers: str) -> None:
    with transaction(connection), connection.cursor() as cursor:
        for pid, worker in enumerate(workers):
            register_worker(cursor, worker, host="here", pid=pid, version="1")


def forget(connection: Connection, worker: str) -> None:
    with transaction(connection), connection.cursor() as cursor:
        forget_worker(cursor, worker)


def silence(connection: Connection, worker: str, *, seconds: float = LEASE_SECONDS + 1) -> None:
    """Let the worker's last sign of life lie so far back."""
    ask(
        connection,
        "update etl.etl_workers set heartbeat_at = clock_timestamp() - make_interval(secs => %s) where worker_id = %s",
        seconds,
        worker,
    )


def claim(connection: Connection, worker: str = "one") -> Claim | None:
    with transaction(connection), connection.cursor() as cursor:
        return claim_next(cursor, worker)


def claimed(connection: Connection, id: UUID, worker: str = "one", **request_values: Any) -> Claim:
    """The claim of the pipeline by a worker, who is registered for it where he is not."""
    ask(
        connection,
        "insert into etl.etl_workers (worker_id, host, pid, version) values (%s, 'here', 1, '1')"
        " on conflict (worker_id) do update set heartbeat_at = clock_timestamp()",
        worker,
    )
    request(connection, id, **request_values)
    found = claim(connection, worker)
    assert found is not None
    assert found.pipeline_id == id
    return found


def close(connection: Connection, held: Claim, status: RunStatus, to: Status, *, error: str | None = None) -> Status:
    with transaction(connection), connection.cursor() as cursor:
        return close_run(cursor, held, status=status, to=to, error=error)


def swept(connection: Connection, *, lease_seconds: float = LEASE_SECONDS) -> tuple[Recovered, ...]:
    with transaction(connection), connection.cursor() as cursor:
        return sweep(cursor, lease_seconds=lease_seconds, max_recoveries=MAX_RECOVERIES)


def page(rows: int = 2, *, until: Place | None = None) -> Page:
    records = tuple(f"({row},film)" for row in range(rows))
    columns = (Column(name="film_id", type="integer"), Column(name="title", type="text"))
    return Page(columns=columns, rows_read=rows, records=records, cursor=until)


def written(rows: int = 2, *dead: DeadLetter) -> Written:
    counts = Counts(read=rows, written=rows - len(dead), inserted=rows - len(dead), dlq=len(dead))
    return Written(counts=counts, dead=dead)


def batch(
    connection: Connection, held: Claim, seq: int = 0, *, until: Place | None = None, before: Place | None = None
) -> None:
    """Commit a batch of two rows."""
    with transaction(connection), connection.cursor() as cursor:
        hold(cursor, held)
        record_batch(cursor, held, seq=seq, page=page(until=until), written=written(), before=before)


def runs(connection: Connection, columns: str, id: UUID) -> list[tuple[Any, ...]]:
    """Columns of the pipeline's runs, oldest first."""
    statement = f"select {columns} from etl.etl_runs where pipeline_id = %s order by started_at"
    return ask(connection, statement, str(id))


@contextmanager
def session_of(url: str, worker: str) -> Iterator[Connection]:
    """A connection as the worker's batches have it."""
    with closing(connect(url, application_name=batch_application(worker))) as connection:
        yield connection


def begin_as(connection: Connection, id: UUID, status: Status) -> Claim:
    """A claim whose pipeline was asked to stand there since."""
    held = claimed(connection, id)
    if status is Status.PAUSE_REQUESTED:
        pause(connection, id)
    return held


def lease_of(connection: Connection, id: UUID) -> tuple[Any, ...]:
    (lease,) = ask(connection, "select owner, epoch, recoveries from etl.etl_leases where pipeline_id = %s", str(id))
    return lease


def is_held(connection: Connection, held: Claim) -> bool:
    try:
        with transaction(connection), connection.cursor() as cursor:
            hold(cursor, held)
    except LeaseLost:
        return False
    return True
