"""What batch pipelines did: runs, batches, events, checkpoints, rows set aside, and the numbers for metrics.

Everything happens in the caller's transaction.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import AT_REST, RunStatus, Status
from work_data_hub.io.batch_pipelines import freeze, note
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query

# Numbers would pass for dates without hyphens.
_BEGINS_AS_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run: how it stands or ended, what it counted, in rows, and who ran it for whom."""

    id: UUID
    pipeline_id: UUID
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    rows_read: int
    rows_written: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_rescanned: int
    rows_deleted: int
    rows_dlq: int
    rows_stale: int
    error_message: str | None
    attempt: int
    trigger: str | None
    idempotency_key: str | None
    worker: str | None
    epoch: int | None
    resumed_from: UUID | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A committed batch; the rows lie behind `cursor_from`, up to and with `cursor_to`."""

    run_id: UUID
    seq: int
    cursor_from: Place | None
    cursor_to: Place | None
    rows_read: int
    rows_written: int
    rows_dlq: int
    content_hash: str | None
    epoch: int
    committed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A move of a pipeline's status, or something noted of it, from a status to the same."""

    id: int
    from_status: Status | None
    to_status: Status
    actor: str
    epoch: int | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRow:
    """A row that was set aside; fractions in its payload are Decimals, as they were written.

    It was met first at `created_at`, last at `seen_at`, in a run claimed `as_of`. Since `replayed_at` it waits no
    more: the target took it, or, where it `is_superseded`, a later row of its key came.
    """

    id: int
    run_id: UUID | None
    seq: int | None
    key: str | None
    cursor: Place | None
    payload: Mapping[str, Any]
    fingerprint: str
    sqlstate: str | None
    error: str
    attempt: int
    as_of: datetime | None
    created_at: datetime
    seen_at: datetime
    replay_requested_at: datetime | None
    replay_requested_by: str | None
    replayed_at: datetime | None
    is_superseded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """How all pipelines and runners stand at one moment.

    `pipelines` counts them by status, each status there is; `heartbeat_age_seconds` is by runner, the rest by
    pipeline. The lag of an incremental pipeline is the time since the begin of its newest run that read the source
    to its end; it has none before. The age of its checkpoint, where that is a moment, is the age of the newest row
    that was read: it grows while the source is quiet too.
    """

    pipelines: Mapping[str, int]
    oldest_request_seconds: float
    heartbeat_age_seconds: Mapping[str, float]
    dlq_open: Mapping[str, int]
    lag_seconds: Mapping[str, float]
    checkpoint_age_seconds: Mapping[str, float]

    @property
    def queue_depth(self) -> int:
        """How many pipelines wait for a runner."""
        return self.pipelines[Status.RUN_REQUESTED]

    @property
    def running(self) -> int:
        """How many pipelines a runner holds."""
        return self.pipelines[Status.RUNNING] + self.pipelines[Status.PAUSE_REQUESTED]

    @property
    def failed(self) -> int:
        """How many pipelines stand as failed."""
        return self.pipelines[Status.FAILED]


def runs_of(cursor: Cursor, id: UUID, limit: int) -> tuple[RunRow, ...]:
    """The pipeline's runs, newest first."""
    return tuple(_run(found) for found in _found(cursor, "runs", pipeline=str(id), run=None, limit=limit))


def run_of(cursor: Cursor, run_id: UUID) -> RunRow | None:
    """The run of the id; None where there is none."""
    return next((_run(found) for found in _found(cursor, "runs", pipeline=None, run=str(run_id), limit=1)), None)


def batches_of(cursor: Cursor, id: UUID, limit: int) -> tuple[BatchRow, ...]:
    """The pipeline's committed batches, of all its runs, newest first."""
    return tuple(_batch(found) for found in _found(cursor, "batches", pipeline=str(id), limit=limit))


def events_of(cursor: Cursor, id: UUID, limit: int) -> tuple[EventRow, ...]:
    """What befell the pipeline, newest first."""
    return tuple(_event(found) for found in _found(cursor, "events", pipeline=str(id), limit=limit))


def state_of(cursor: Cursor, id: UUID) -> Place | None:
    """The checkpoint that the next incremental run goes on from; None: it begins at the beginning."""
    cursor.execute(query("batch_history", "state"), {"pipeline": str(id)})
    row = cursor.fetchone()
    return Place(value=row[0], id=row[1]) if row else None


def set_state(cursor: Cursor, id: UUID, state: Place | None, *, actor: str) -> bool:
    """Put the checkpoint elsewhere, None or an empty one: to the beginning; an event says from where to where.

    False, and nothing is changed, where there is no such pipeline or it runs or waits to.
    """
    if freeze(cursor, id) not in AT_REST:
        return False
    before, after = state_of(cursor, id), state if state != Place() else None
    if after is None:
        cursor.execute(query("batch_history", "drop_state"), {"pipeline": str(id)})
    else:
        cursor.execute(query("batch_history", "set_state"), {"pipeline": str(id), "value": after.value, "id": after.id})
    note(cursor, id, actor=actor, reason=f"checkpoint set from {_told(before)} to {_told(after)}")
    return True


def dead_letters(
    cursor: Cursor, id: UUID, *, limit: int, replayed: bool = False, ids: Sequence[int] | None = None
) -> tuple[DeadLetterRow, ...]:
    """The pipeline's rows that are set aside and wait, oldest first; `replayed`: those that wait no more, instead.

    `ids` narrows them down to some. To write them again, hold the pipeline first with `freeze`.
    """
    given = {"pipeline": str(id), "limit": limit, "replayed": replayed, "ids": None if ids is None else list(ids)}
    return tuple(_dead_letter(found) for found in _found(cursor, "dead_letters", **given))


def mark_replayed(cursor: Cursor, id: UUID, ids: Sequence[int], *, superseded: bool = False) -> int:
    """Note that the pipeline's rows of these ids are taken now, or overtaken; returns how many of them waited."""
    given = {"pipeline": str(id), "ids": list(ids), "superseded": superseded}
    cursor.execute(query("batch_history", "mark_replayed"), given)
    return cursor.rowcount


def snapshot_of_metrics(cursor: Cursor) -> MetricsSnapshot:
    """The numbers that only the database knows."""
    cursor.execute(query("batch_history", "metrics_pipelines"))
    pipelines = cursor.fetchall()
    cursor.execute(query("batch_history", "metrics_workers"))
    statuses = Counter(Status(row[1]) for row in pipelines)
    waits = [row[2] for row in pipelines if row[1] == Status.RUN_REQUESTED and row[2] is not None]
    ages = {name: _age_seconds(value, now) for name, *_, value, _, now in pipelines}
    return MetricsSnapshot(
        pipelines={status.value: statuses[status] for status in Status},
        oldest_request_seconds=max(waits, default=0.0),
        heartbeat_age_seconds=dict(cursor.fetchall()),
        dlq_open={row[0]: row[3] for row in pipelines},
        lag_seconds={name: lag for name, *_, lag, _ in pipelines if lag is not None},
        checkpoint_age_seconds={name: age for name, age in ages.items() if age is not None},
    )


def _found(cursor: Cursor, name: str, **given: Any) -> list[dict[str, Any]]:
    cursor.execute(query("batch_history", name), given)
    return named_rows(cursor)


def _run(found: dict[str, Any]) -> RunRow:
    ids = {name: _uuid(found[name]) for name in ("id", "pipeline_id", "resumed_from")}
    return RunRow(**found | ids | {"status": RunStatus(found["status"]), "warnings": tuple(found["warnings"])})


def _batch(found: dict[str, Any]) -> BatchRow:
    places = {name: _place(found[name]) for name in ("cursor_from", "cursor_to")}
    return BatchRow(**found | places | {"run_id": _uuid(found["run_id"])})


def _event(found: dict[str, Any]) -> EventRow:
    before = Status(found["from_status"]) if found["from_status"] else None
    return EventRow(**found | {"from_status": before, "to_status": Status(found["to_status"])})


def _dead_letter(found: dict[str, Any]) -> DeadLetterRow:
    # The driver would read fractions as floats; what was set aside is written again as it was.
    payload = json.loads(found["payload"], parse_float=Decimal)
    places = {"run_id": _uuid(found["run_id"]), "cursor": _place(found["cursor"])}
    return DeadLetterRow(**found | places | {"payload": payload})


def _uuid(value: object) -> UUID | None:
    return None if value is None else UUID(str(value))


def _place(value: Mapping[str, str | None] | None) -> Place | None:
    return None if value is None else Place(value=value.get("value"), id=value.get("id"))


def _told(place: Place | None) -> str:
    return "the beginning" if place is None else f"({place.value}, {place.id})"


def _age_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds since the moment that a checkpoint names; without a zone it is of UTC. None: it names none."""
    if value is None or not _BEGINS_AS_DATE.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
