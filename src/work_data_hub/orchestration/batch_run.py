"""One claimed run, from its first page to its end: read, transform, write, commit with the checkpoint, obey."""

import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from types import TracebackType

from work_data_hub.domain.batch.failures import LOST_ATTEMPTS
from work_data_hub.domain.batch.pipeline import Mode, Pipeline, problems_of
from work_data_hub.domain.batch.run import Claim, Column, Counts, Page
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import InvalidPipeline, LeaseLost, SourceLost, WorkDataHubError
from work_data_hub.io.batch_deletes import delete_unseen
from work_data_hub.io.batch_reader import READER_NAME, reader_connection
from work_data_hub.io.batch_source import Source, open_source
from work_data_hub.io.batch_text import prepared
from work_data_hub.io.postgres import Cursor
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_metrics import BatchMetrics
from work_data_hub.orchestration.batch_patience import Ask, Halted, Patience
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_sinks import Refined, choose_end
from work_data_hub.orchestration.batch_writer import BatchWriter

log = get_logger(__name__)
_LOOK_SECONDS = 0.5
_ENDS = {Ask.PAUSE: Status.PAUSED, Ask.STOP: Status.RUN_REQUESTED}


def run_claim(
    claim: Claim,
    place: BatchPlace,
    *,
    stop: threading.Event,
    lost: threading.Event,
    metrics: BatchMetrics | None = None,
) -> RunStatus | None:
    """Execute a claim to its end and close its run; returns how it ended, None when another runner holds it by now.

    `stop` asks it to end after its batch and leave the rest to others; `lost` tells that its lease may be gone.
    A failure that has words of its own closes the run as FAILED and is not raised; any other does both.
    """
    with ExitStack() as at_the_end:
        run = _Run(claim, place, stop=stop, lost=lost, metrics=metrics or BatchMetrics())
        at_the_end.callback(run.close)
        at_the_end.push(run.closed_as_failed)
        return run.execute()


class _Run:
    """The state of one execution."""

    def __init__(
        self,
        claim: Claim,
        place: BatchPlace,
        *,
        stop: threading.Event,
        lost: threading.Event,
        metrics: BatchMetrics,
    ) -> None:
        self._claim, self._place, self._metrics = claim, place, metrics
        self._log = log.bind(pipeline=claim.pipeline.name, run=str(claim.run_id), worker=claim.worker_id)
        self._writer = BatchWriter(claim, place, metrics=metrics)
        self._patience = Patience(
            stop=stop,
            lost=lost,
            is_pause_wanted=self._writer.is_pause_wanted,
            base_seconds=place.retry_backoff_seconds,
            attempts=place.retry_attempts,
        )
        self._sink: Refined | None = None
        self._told: tuple[str, ...] = ()

    def execute(self) -> RunStatus | None:
        """Copy everything there is, or as much as is asked for."""
        self._log.info("run.began", epoch=self._claim.epoch)
        try:
            self._refuse_problems()
            return self._copy()
        except Halted as halted:
            return self._leave(halted.ask)
        except LeaseLost:
            return self._leave(Ask.LOST)
        except WorkDataHubError as error:
            return self._fail(str(error))

    def closed_as_failed(
        self, kind: type[BaseException] | None, bug: BaseException | None, _: TracebackType | None
    ) -> None:
        """A fault of the program closes the run too; it goes on to whoever called."""
        if kind is not None:
            self._fail(f"[UNEXPECTED] {kind.__name__} | hint: the runner's log says where, with ETL_LOG_TRACEBACKS")

    def close(self) -> None:
        """Close what is open."""
        if self._sink is not None:
            self._sink.close()
        self._writer.close()

    def _copy(self) -> RunStatus | None:
        """Read to the end, once more from where the run stands whenever the source breaks off."""
        failed = 0
        while True:
            began_behind = self._writer.place
            try:
                return self._copy_once()
            except SourceLost as error:
                has_come_further = self._claim.pipeline.is_resumable and self._writer.place != began_behind
                failed = 1 if has_come_further else failed + 1
                self._log.warning("source.lost", attempt=failed, error=error.message)
                if failed >= LOST_ATTEMPTS:
                    raise
                self._patience.before_try(failed)
                if not self._claim.pipeline.is_resumable:
                    self._writer.begin_again(patience=self._patience)

    def _copy_once(self) -> RunStatus | None:
        with self._source() as source:
            sink = self._sink_for(source.columns)
            with closing(_read_ahead(source, self._patience)) as pages:
                for page in pages:
                    self._writer.commit(page, sink, patience=self._patience)
                    self._warn_once(sink.notes)
                    if ask := self._patience.asked():
                        return self._leave(ask)
                    self._patience.wait(self._claim.pipeline.throttle_ms / 1000)
        self._writer.finish(self._deleted, patience=self._patience)
        return self._ended(RunStatus.SUCCESS)

    @contextmanager
    def _source(self) -> Iterator[Source]:
        """The source, read from where the run stands."""
        pipeline = self._claim.pipeline
        connection, warning = reader_connection(
            self._place.database_url,
            reader_url=self._place.reader_url,
            may_read_as_anyone=self._place.may_read_as_anyone,
            statement_timeout_seconds=self._place.statement_timeout_seconds,
            application_name=READER_NAME + self._claim.worker_id,
        )
        self._warn((warning,) if warning else ())
        with closing(connection):
            is_full = pipeline.mode is Mode.FULL
            source = open_source(
                connection,
                pipeline,
                checkpoint=None if is_full else self._writer.place,
                resume_at=self._writer.place if is_full and pipeline.unique_key else None,
                as_records=not pipeline.transforms and not pipeline.is_index,
            )
            with closing(source):
                self._warn(source.notes)
                if is_full and self._writer.place is not None:
                    self._warn((self._two_moments(source, behind=self._writer.place),))
                yield source

    def _two_moments(self, source: Source, *, behind: Place) -> str:
        """What a scan that goes on in its middle has to say: no one moment of the source looked like its result."""
        began = self._claim.scan_began_at or self._claim.claimed_at
        return (
            f"the rows are of two moments of the source: those up to {self._claim.pipeline.unique_key} {behind.id} "
            f"were read from {_told(began)} on, those behind it as of {_told(source.moment)}; "
            "a change between them may be half in the target until the next full run"
        )

    def _sink_for(self, columns: tuple[Column, ...]) -> Refined:
        if self._sink is None:
            pipeline, run_id = self._claim.pipeline, self._claim.run_id
            end = choose_end(pipeline, columns, run_id=run_id, place=self._place, patience=self._patience)
            self._sink = Refined(self._claim, end)
        return self._sink

    def _deleted(self, cursor: Cursor) -> Counts:
        """What the source does not have any more, once all of it was read."""
        pipeline = self._claim.pipeline
        target = TARGETS[pipeline.target]
        if not isinstance(target, TableTarget):
            return Counts()
        return Counts(deleted=delete_unseen(cursor, self._claim.run_id, target, deletes=pipeline.deletes))

    def _warn(self, notes: Sequence[str]) -> None:
        """Keep with the run what its source or target has to say."""
        for note in notes:
            self._log.warning("run.noted", note=note)
        if notes:
            self._writer.warn(notes, patience=self._patience)

    def _warn_once(self, notes: tuple[str, ...]) -> None:
        if notes != self._told:
            self._warn(notes)
            self._told = notes

    def _refuse_problems(self) -> None:
        _refuse(self._claim.pipeline, [problem.message for problem in problems_of(self._claim.pipeline)])

    def _leave(self, ask: Ask) -> RunStatus | None:
        """End before the last page: paused, or left to another runner; a lost lease is another runner's already."""
        if ask is Ask.LOST:
            self._metrics.fenced()
            self._log.warning("run.fenced")
            return None
        return self._close(RunStatus.PAUSED, _ENDS[ask], error=ask if ask is Ask.STOP else None)

    def _fail(self, error: str) -> RunStatus | None:
        self._log.error("run.failed", error=error)
        return self._close(RunStatus.FAILED, Status.FAILED, error=error)

    def _close(self, status: RunStatus, to: Status, *, error: str | None = None) -> RunStatus | None:
        """Close the run; a runner that is asked to end, or lost the lease, leaves that to the next sweep."""
        try:
            self._writer.close_run(status, to, patience=self._patience, error=error)
        except (Halted, LeaseLost):
            return self._leave(Ask.LOST)
        return self._ended(status)

    def _ended(self, status: RunStatus) -> RunStatus:
        counts = self._writer.counts
        self._metrics.run_ended(status)
        self._log.info(
            "run.ended", status=status, rows_read=counts.read, rows_written=counts.written, rows_dlq=counts.dlq
        )
        return status


def _read_ahead(source: Source, patience: Patience) -> Generator[Page, None, None]:
    """The pages of a source, the next one read while one is written. Raises Halted where a slow one is given up."""
    pages = iter(source.pages())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch-reader") as reader:
        coming = reader.submit(_next, pages)
        try:
            while (page := _awaited(coming, patience)) is not None:
                coming = reader.submit(_next, pages)
                yield page
        finally:
            # Whoever stops half-way must not wait for a slow query.
            if not coming.done():
                source.close()


def _next(pages: Iterator[Page]) -> Page | None:
    page = next(pages, None)
    return None if page is None else prepared(page)


def _awaited(coming: "Future[Page | None]", patience: Patience) -> Page | None:
    """The page once it is read; raises Halted as soon as the run is asked to end, however slow the query."""
    while not wait([coming], timeout=_LOOK_SECONDS).done:
        if ask := patience.asked():
            raise Halted(ask)
    return coming.result()


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="seconds")


def _refuse(pipeline: Pipeline, problems: list[str]) -> None:
    if problems:
        raise InvalidPipeline(
            "; ".join(problems), operation=pipeline.name, hint="change the definition, then request the run again"
        )
