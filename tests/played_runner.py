"""A runner played by a test: it claims what is requested, and each run becomes what the test says."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import TypeAlias

from work_data_hub.domain.batch.run import Claim, Counts, Page, Written
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.io.batch_claims import claim_next, close_run, forget_worker, register_worker, sweep
from work_data_hub.io.batch_ledger import record_batch
from work_data_hub.io.batch_requests import request_pause
from work_data_hub.io.postgres import Connection, Cursor, connect, transaction

Act: TypeAlias = Callable[[Cursor, Claim], object]
WORKER = "played"


@contextmanager
def played_runner(url: str, *acts: Act) -> Iterator[None]:
    """A runner that claims what is requested, and does with its first claim the first act, and so on."""
    stop = Event()
    thread = Thread(target=play, args=(url, acts, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def play(url: str, acts: tuple[Act, ...], stop: Event) -> None:
    """Do one act a claim; ends before its time when told to stop."""
    with closing(connect(url, application_name="wdh tests runner")) as connection:
        for act in acts:
            with transaction(connection), connection.cursor() as cursor:
                cursor.execute("delete from etl.etl_workers where worker_id = %s", (WORKER,))
                register_worker(cursor, WORKER, host="here", pid=1, version="0")
            if claim := _claim(connection, stop):
                with transaction(connection), connection.cursor() as cursor:
                    act(cursor, claim)


def _claim(connection: Connection, stop: Event) -> Claim | None:
    while not stop.wait(0.01):
        with transaction(connection), connection.cursor() as cursor:
            if claim := claim_next(cursor, WORKER):
                return claim
    return None


def copy(cursor: Cursor, claim: Claim, *, rows: int) -> None:
    page = Page(columns=(), rows_read=rows, records=("(1)",) * rows)
    counts = Counts(read=rows, written=rows - 1, inserted=rows - 2, unchanged=1, dlq=1)
    record_batch(cursor, claim, seq=0, page=page, written=Written(counts=counts), before=None)


def succeed(cursor: Cursor, claim: Claim) -> None:
    copy(cursor, claim, rows=10)
    close_run(cursor, claim, status=RunStatus.SUCCESS, to=Status.IDLE, warnings=["lag"])


def fail(cursor: Cursor, claim: Claim) -> None:
    copy(cursor, claim, rows=4)
    close_run(cursor, claim, status=RunStatus.FAILED, to=Status.FAILED, error="division by zero")


def pause(cursor: Cursor, claim: Claim) -> None:
    request_pause(cursor, claim.pipeline_id, actor="somebody")
    copy(cursor, claim, rows=6)
    close_run(cursor, claim, status=RunStatus.PAUSED, to=Status.PAUSED)


def leave(cursor: Cursor, claim: Claim) -> None:
    copy(cursor, claim, rows=3)
    close_run(cursor, claim, status=RunStatus.PAUSED, to=Status.RUN_REQUESTED, error="the runner was stopped")


def die(cursor: Cursor, claim: Claim) -> None:
    copy(cursor, claim, rows=5)
    forget_worker(cursor, claim.worker_id)


def die_and_be_swept(cursor: Cursor, claim: Claim) -> None:
    die(cursor, claim)
    assert len(sweep(cursor, lease_seconds=600, max_recoveries=3)) == 1
