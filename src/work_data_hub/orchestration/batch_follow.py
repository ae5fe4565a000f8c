"""A pipeline's run requested, and followed to its end by somebody who only watches; a runner does the work."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from uuid import UUID

from work_data_hub.domain.batch.run import Counts
from work_data_hub.domain.batch.status import AT_REST, RunStatus, Status
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import BatchError, UsageError, WarehouseError
from work_data_hub.io.batch_history import RunRow, runs_of, snapshot_of_metrics
from work_data_hub.io.batch_pipelines import PipelineRow, find_by_name, find_pipeline, list_pipelines
from work_data_hub.io.batch_requests import request_run
from work_data_hub.io.postgres import Cursor, connect, transaction, warehouse_errors
from work_data_hub.orchestration.batch_place import BatchPlace

# One request is served by one run, or by a few where runners stop under it.
_NEWEST_RUNS = 50
_NO_RUNNER = "start one with `wdh pipelines runner`; the request stands, and the first that comes takes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """Which pipeline to run, for whom, and how patiently to watch it.

    The same `key` again asks for nothing new and watches the same run. `wait_seconds` is how long nobody may work
    on it: before a runner takes it, after its runner died, or while the database is away. A request that
    `keeps_pause` asks for nothing where somebody paused the pipeline, or wants to.
    """

    pipeline: str
    key: str
    trigger: str
    wait_seconds: float = 60.0
    poll_seconds: float = 1.0
    keeps_pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How it ended: the runs that served the request, oldest first, and why it did not succeed (None: it did).

    There are several where a runner stopped and another went on; `skipped` says why nothing was asked for.
    """

    row: PipelineRow
    runs: tuple[RunRow, ...] = ()
    error: BatchError | None = None
    skipped: str | None = None

    @property
    def counts(self) -> Counts:
        """What all these runs read, and what became of it."""
        return sum((_counts(run) for run in self.runs), Counts())

    @property
    def seconds(self) -> float:
        """From the first run's begin to the last one's end, by the database's clock."""
        ends = [run.finished_at for run in self.runs if run.finished_at]
        return (ends[-1] - self.runs[0].started_at).total_seconds() if ends else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How a pipeline stood at one moment; `runs` are those of the request, `is_alive` the runner of the last."""

    row: PipelineRow
    runs: tuple[RunRow, ...]
    is_alive: bool


def request_and_follow(request: FollowRequest, place: BatchPlace, *, tell: Callable[[str], None]) -> Followed:
    """Ask for a run and watch it until it ends, or nobody works on it; `tell` hears of every step.

    What runs already, or waits to, is watched instead. Whoever watches may go away: the run does not notice.
    Raises UsageError where there is no such pipeline or it is disabled, WarehouseError when the database stays away.
    """
    watch = _Watch(request, place, tell=tell)
    followed = watch.ask() or watch.look()
    while followed is None:
        time.sleep(request.poll_seconds)
        followed = watch.look()
    return followed


def pause_kept(place: BatchPlace, name: str) -> str | None:
    """Why a request that keeps pauses would ask for nothing now; None: it would ask, whatever comes of that.

    Raises WarehouseError where the database does not answer.
    """
    with _cursor_of(place) as cursor:
        row = find_by_name(cursor, name)
    return _pause_of(row) if row else None


class _Watch:
    """The state of one watching."""

    def __init__(self, request: FollowRequest, place: BatchPlace, *, tell: Callable[[str], None]) -> None:
        self._request, self._place, self._tell = request, place, tell
        self._id = UUID(int=0)
        self._older: frozenset[UUID] = frozenset()
        self._active_at = time.monotonic()
        self._told = ""
        self._told_rows = 0

    def ask(self) -> Followed | None:
        """Write the request, and note which runs are older than it; what is left alone is done with."""
        with _cursor_of(self._place) as cursor:
            row = _known(cursor, self._request.pipeline)
            # Held until the request is committed: no run begins or ends, and nobody pauses, between looking and asking.
            row = find_pipeline(cursor, row.id, for_change=True) or row
            if self._request.keeps_pause and (skipped := _pause_of(row)):
                return Followed(row=row, skipped=skipped)
            older = [run for run in runs_of(cursor, row.id, _NEWEST_RUNS) if run.status is not RunStatus.RUNNING]
            requested = request_run(
                cursor,
                row.id,
                actor=self._place.actor,
                key=self._request.key,
                trigger=self._request.trigger,
                lease_seconds=self._place.lease_seconds,
            )
        if requested.refusal:
            hint = f"change the pipeline, or do not request it; `wdh pipelines show {row.pipeline.name}`"
            raise UsageError(requested.refusal, field="pipeline", input_data=row.pipeline.name, hint=hint)
        self._id = row.id
        self._older = frozenset(run.id for run in older if run.idempotency_key != self._request.key)
        return None

    def look(self) -> Followed | None:
        """How it ended; None while it goes on."""
        try:
            with _cursor_of(self._place, is_look=True) as cursor:
                seen = self._seen(cursor)
        except WarehouseError as error:
            if self._is_too_long():
                raise
            self._tell_once(f"the database does not answer, asking again: {error.message}")
            return None
        self._report(seen)
        if seen.runs and seen.runs[-1].status is RunStatus.SUCCESS:
            return Followed(row=seen.row, runs=seen.runs)
        if seen.row.status in AT_REST:
            return self._ended(seen, BatchError(_why_at_rest(seen), hint=_hint(seen)))
        if seen.is_alive:
            self._active_at = time.monotonic()
            return None
        return self._ended(seen, self._nobody(seen)) if self._is_too_long() else None

    def _seen(self, cursor: Cursor) -> _Look:
        row = find_pipeline(cursor, self._id)
        if row is None:
            raise BatchError(f"pipeline {self._request.pipeline!r} was deleted meanwhile")
        runs = self._runs(cursor)
        is_running = bool(runs) and runs[-1].status is RunStatus.RUNNING
        ages = snapshot_of_metrics(cursor).heartbeat_age_seconds if is_running else {}
        age = ages.get(runs[-1].worker or "") if runs else None
        return _Look(row=row, runs=runs, is_alive=age is not None and age <= self._place.lease_seconds)

    def _runs(self, cursor: Cursor) -> tuple[RunRow, ...]:
        """The runs of the request, up to the one that succeeded."""
        newer = [run for run in reversed(runs_of(cursor, self._id, _NEWEST_RUNS)) if run.id not in self._older]
        ends = [place for place, run in enumerate(newer) if run.status is RunStatus.SUCCESS]
        return tuple(newer[: ends[0] + 1] if ends else newer)

    def _report(self, seen: _Look) -> None:
        """Tell what is new; rows only when they have doubled, so that a long run is no long story."""
        self._tell_once(_standing(seen))
        rows = seen.runs[-1].rows_read if seen.runs else 0
        if rows > 2 * self._told_rows:
            self._told_rows = rows
            self._tell(f"rows read {rows:,}, written {seen.runs[-1].rows_written:,}")

    def _tell_once(self, words: str) -> None:
        if words != self._told:
            self._told, self._told_rows = words, 0
            self._tell(words)

    def _is_too_long(self) -> bool:
        return time.monotonic() - self._active_at > self._request.wait_seconds

    def _nobody(self, seen: _Look) -> BatchError:
        waited = f"within {self._request.wait_seconds:g} s"
        if seen.runs:
            return BatchError(
                f"the runner of {self._request.pipeline!r} stopped, and none went on {waited}", hint=_NO_RUNNER
            )
        return BatchError(f"no runner took {self._request.pipeline!r} {waited}", hint=_NO_RUNNER)

    def _ended(self, seen: _Look, error: BatchError) -> Followed:
        return Followed(row=seen.row, runs=seen.runs, error=error)


@contextmanager
def _cursor_of(place: BatchPlace, *, is_look: bool = False) -> Iterator[Cursor]:
    """A transaction of its own connection, so that a server that restarts ends nothing; a look sees one moment."""
    with closing(connect(place.database_url, application_name="wdh pipelines follow")) as connection:
        if is_look:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with warehouse_errors(), transaction(connection), connection.cursor() as cursor:
            yield cursor


def _pause_of(row: PipelineRow) -> str | None:
    if row.status not in (Status.PAUSED, Status.PAUSE_REQUESTED):
        return None
    name = row.pipeline.name
    return f"{name!r} stands as {row.status}, and its schedule leaves it so; `wdh pipelines run {name}` goes on"


def _known(cursor: Cursor, name: str) -> PipelineRow:
    row = find_by_name(cursor, name)
    if row is None:
        names = [one.pipeline.name for one in list_pipelines(cursor)]
        raise UsageError(
            f"there is no pipeline {name!r}",
            field="pipeline",
            input_data=name,
            hint=did_you_mean(name, names) or "create it with `wdh pipelines apply FILE.yml`",
        )
    return row


def _standing(seen: _Look) -> str:
    if not seen.runs:
        return "requested; waiting for a runner"
    run = seen.runs[-1]
    if run.status is RunStatus.RUNNING:
        return f"run {run.id} goes on at {run.worker}" if seen.is_alive else f"run {run.id}: {run.worker} is silent"
    return f"run {run.id} ended as {run.status}: {run.error_message or 'nothing went wrong'}"


def _why_at_rest(seen: _Look) -> str:
    name, run = seen.row.pipeline.name, seen.runs[-1] if seen.runs else None
    if run is None:
        return f"{name!r} stands as {seen.row.status}, and no runner took the request"
    told = f": {run.error_message}" if run.error_message else ""
    how = "was paused" if seen.row.status is Status.PAUSED else "failed"
    return f"the run of {name!r} {how} after {run.rows_read:,} rows{told}"


def _hint(seen: _Look) -> str:
    again = f"`wdh pipelines run {seen.row.pipeline.name}`"
    return f"{again} goes on" if seen.row.status is Status.PAUSED else f"mend what it names, then {again}"


def _counts(run: RunRow) -> Counts:
    return Counts(
        read=run.rows_read,
        written=run.rows_written,
        inserted=run.rows_inserted,
        updated=run.rows_updated,
        unchanged=run.rows_unchanged,
        rescanned=run.rows_rescanned,
        deleted=run.rows_deleted,
        dlq=run.rows_dlq,
        stale=run.rows_stale,
    )
