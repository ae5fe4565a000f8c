"""The batches of one run: written, recorded and committed together, tried again, and never taken twice."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import psycopg2

from work_data_hub.domain.batch.failures import LOST_ATTEMPTS, Failure, failure_of, is_lost
from work_data_hub.domain.batch.run import Claim, Counts, Page, Written
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import (
    BatchError,
    LeaseLost,
    MalformedUrl,
    SinkUnavailable,
    TooManyDeadLetters,
    WarehouseError,
)
from work_data_hub.io.batch_claims import batch_application, close_run, hold, requested_status
from work_data_hub.io.batch_ledger import add_warning, begin_scan, is_recorded, record_batch
from work_data_hub.io.postgres import Connection, Cursor, connect, driver_message, limit_session, transaction
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_metrics import BatchMetrics
from work_data_hub.orchestration.batch_patience import Patience
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_sinks import End

log = get_logger(__name__)
LOCK_WAIT_SECONDS = 10
# A share of a handful of rows says nothing.
_RATIO_COUNTS_FROM_ROWS = 100
_MOST_ERROR_LETTERS = 2000
Done = TypeVar("Done")
_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError, WarehouseError)


class BatchWriter:
    """The writing side of one run: one connection, made again when it breaks.

    `counts` adds up what was committed since the scan began, `place` is the source's place after it.
    """

    def __init__(self, claim: Claim, at: BatchPlace, *, metrics: BatchMetrics) -> None:
        self._claim, self._at, self._metrics = claim, at, metrics
        self._connection: Connection | None = None
        self._seq = 0
        self.counts = Counts()
        self.place: Place | None = claim.checkpoint or claim.resume_at

    def commit(self, page: Page, end: End, *, patience: Patience) -> None:
        """Write the page and its record in one transaction; transient failures are tried again after a wait.

        Raises LeaseLost when another runner holds the pipeline, BatchError or MalformedUrl when trying again does
        not help, and Halted when the run is asked to end while it waits.
        """

        def work(failed: int) -> Written:
            return Written(counts=Counts()) if failed and self._stands() else self._written(page, end)

        began = time.monotonic()
        written = self._tried(work, patience=patience)
        self._pass(page, written)
        self._metrics.batch_written(written.counts, seconds=time.monotonic() - began)
        self._at.faults.reach("after_commit")

    def is_pause_wanted(self) -> bool:
        """Whether a pause stands in the database; no when it cannot be asked. Raises LeaseLost."""
        try:
            with self._transaction() as cursor:
                asked = requested_status(cursor, self._claim)
        except _LOST:
            return False
        if asked not in (Status.RUNNING, Status.PAUSE_REQUESTED):
            raise LeaseLost(f"the pipeline is {asked} by now", operation=self._claim.pipeline.name)
        return asked is Status.PAUSE_REQUESTED

    def begin_again(self, *, patience: Patience) -> None:
        """Begin the scan anew: what was counted so far counts no more, and the place is the first one."""
        self._surely(lambda cursor: begin_scan(cursor, self._claim), patience=patience)
        self.counts, self.place = Counts(), self._claim.checkpoint or self._claim.resume_at

    def warn(self, texts: Sequence[str], *, patience: Patience) -> None:
        """Keep sentences with the run."""

        def work(cursor: Cursor) -> None:
            for text in texts:
                add_warning(cursor, self._claim, text)

        self._surely(work, patience=patience)

    def finish(self, last: Callable[[Cursor], Counts], *, patience: Patience) -> None:
        """Close the run as a success in one transaction with what `last` still does, and counts."""

        def work(cursor: Cursor) -> None:
            hold(cursor, self._claim)
            done = last(cursor)
            if done != Counts():
                self._record(cursor, Page(columns=(), rows_read=0, cursor=self.place), Written(counts=done))
            self._at.faults.reach("in_finalise")
            close_run(cursor, self._claim, status=RunStatus.SUCCESS, to=Status.IDLE)

        self._surely(work, patience=patience)

    def close_run(self, status: RunStatus, to: Status, *, patience: Patience, error: str | None = None) -> None:
        """Close the run and free the lease; raises LeaseLost when another runner holds it."""

        def work(cursor: Cursor) -> None:
            if to is Status.PAUSED:
                self._at.faults.reach("in_pause")
            text = error[:_MOST_ERROR_LETTERS] if error else None
            close_run(cursor, self._claim, status=status, to=to, error=text)

        self._surely(work, patience=patience)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.closed:
            self._connection.close()

    def _surely(self, work: Callable[[Cursor], None], *, patience: Patience) -> None:
        """Do the work in one transaction; transient failures are tried again as those of a batch are."""

        def in_one(_: int) -> None:
            with self._transaction() as cursor:
                work(cursor)

        self._tried(in_one, patience=patience)

    def _tried(self, work: Callable[[int], Done], *, patience: Patience) -> Done:
        """What the work gives, which is told how many tries have failed; transient failures are tried again."""
        failed = 0
        while True:
            try:
                return work(failed)
            except MalformedUrl:
                raise
            except (psycopg2.Error, SinkUnavailable, WarehouseError) as error:
                failed += 1
                self._refuse_hopeless(error, failed, attempts=patience.attempts)
                patience.before_try(failed)

    def _written(self, page: Page, end: End) -> Written:
        """Write and commit; nothing of it stands when this raises, unless only the answer to the commit was lost."""
        with self._transaction() as cursor:
            hold(cursor, self._claim)
            written = end.write(cursor, page, seq=self._seq, as_of=self._claim.claimed_at)
            self._refuse_too_many(written)
            self._record(cursor, page, written)
            self._at.faults.reach("before_commit")
        return written

    def _record(self, cursor: Cursor, page: Page, written: Written) -> None:
        record_batch(cursor, self._claim, seq=self._seq, page=page, written=written, before=self.place)

    def _stands(self) -> bool:
        """Whether the batch was committed although no answer came; waits for a transaction that still ends."""
        with self._transaction() as cursor:
            cursor.execute(
                "select from etl.etl_leases where pipeline_id = %s for update", (str(self._claim.pipeline_id),)
            )
            return is_recorded(cursor, self._claim.run_id, self._seq)

    def _pass(self, page: Page, written: Written) -> None:
        self._seq += 1
        self.counts += written.counts
        self.place = page.cursor or self.place

    def _refuse_too_many(self, written: Written) -> None:
        """A run whose rows are mostly poison has another fault than its rows."""
        pipeline, so_far = self._claim.pipeline, self.counts + written.counts
        is_too_large_a_share = (
            so_far.read >= _RATIO_COUNTS_FROM_ROWS and so_far.dlq > pipeline.dlq_max_ratio * so_far.read
        )
        if so_far.dlq <= pipeline.dlq_max_rows and not is_too_large_a_share:
            return
        first = written.dead[0].error if written.dead else ""
        raise TooManyDeadLetters(
            f"{so_far.dlq:,} of {so_far.read:,} rows would be set aside: {first}",
            operation=pipeline.name,
            rule=f"at most {pipeline.dlq_max_rows:,} rows and {pipeline.dlq_max_ratio:%} of them",
            hint="correct the source or the query; `wdh pipelines dlq` lists what was set aside before",
        )

    def _refuse_hopeless(self, error: Exception, failed: int, *, attempts: int) -> None:
        """Raise what the run ends with, unless trying again may help; the connection is then made anew."""
        sqlstate = error.pgcode if isinstance(error, psycopg2.Error) else None
        failure = failure_of(sqlstate, is_target=True)
        self._metrics.retried(failure)
        log.warning("batch.failed", pipeline=self._claim.pipeline.name, attempt=failed, sqlstate=sqlstate)
        is_gone = not isinstance(error, BatchError) and is_lost(sqlstate)
        if failure is not Failure.TRANSIENT or failed >= (LOST_ATTEMPTS if is_gone else attempts):
            raise _final(error, pipeline=self._claim.pipeline.name, tries=failed) from error
        if is_gone:
            self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with transaction(self._connected()) as connection, connection.cursor() as cursor:
            yield cursor

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._at.database_url, application_name=batch_application(self._claim.worker_id))
            longest = self._at.statement_timeout_seconds
            limit_session(connection, statement_seconds=longest, lock_seconds=LOCK_WAIT_SECONDS, idle_seconds=longest)
            self._connection = connection
        return self._connection


def _final(error: Exception, *, pipeline: str, tries: int) -> BatchError:
    """What the run ends with: the server's words, and what to do next."""
    if isinstance(error, BatchError):
        return error
    words = driver_message(error) if isinstance(error, psycopg2.Error) else str(error)
    return SinkUnavailable(
        f"{words} (tried {tries} times)" if tries > 1 else words,
        operation=pipeline,
        hint="see that the database and the target are there, then request the run again",
    )
