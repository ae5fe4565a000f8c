"""Where the next run of a pipeline begins: at the beginning, or where an earlier one stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.checkpoints import checkpoint_kept, reads_other_rows
from work_data_hub.domain.batch.pipeline import Mode, Pipeline
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.batch_definitions import definition_of
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query

# What decides which rows a scan gives, in which order, and what becomes of them.
_OF_THE_SCAN = ("source_query", "tasks", "type", "python_module", "unique_key", "target_table", "deletes", "mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Where a run begins: `checkpoint` for an incremental one, `resume_at` for a scan that goes on in its middle.

    `attempt` counts the runs since the last one that succeeded, this one too. What lies before `resume_at` was
    read from `scan_began_at` on. `notes` are to be kept with the run.
    """

    attempt: int = 1
    resumed_from: UUID | None = None
    resume_at: Place | None = None
    scan_began_at: datetime | None = None
    checkpoint: Place | None = None
    notes: tuple[str, ...] = ()


def beginning_of(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline) -> Beginning:
    """Where a run of the pipeline, as it is defined now, begins; no run of it may be open."""
    last = _one(cursor, "newest_run", pipeline=str(pipeline_id))
    checkpoint = _checkpoint(cursor, pipeline_id, pipeline)
    if last is None:
        return Beginning(checkpoint=checkpoint)
    resumed_from = UUID(str(last["id"])) if _goes_on(pipeline, last) else None
    stopped = _stopped_at(cursor, resumed_from) if pipeline.mode is Mode.FULL else None
    return Beginning(
        attempt=1 if last["status"] == RunStatus.SUCCESS else last["attempt"] + 1,
        resumed_from=resumed_from,
        resume_at=Place(**stopped["cursor_to"]) if stopped else None,
        scan_began_at=stopped["began_at"] if stopped else None,
        checkpoint=checkpoint,
        notes=_notes(cursor, pipeline_id, pipeline, checkpoint=checkpoint),
    )


def _goes_on(pipeline: Pipeline, last: Mapping[str, Any]) -> bool:
    """Whether the run goes on where the last one stopped.

    A scan of everything can when its rows have an order, nothing about it has changed, and no delete depends on
    one run having seen all keys.
    """
    if last["status"] not in (RunStatus.PAUSED, RunStatus.FAILED):
        return False
    if pipeline.mode is Mode.INCREMENTAL:
        return True
    then, now = last["definition"] or {}, definition_of(pipeline)
    return pipeline.is_resumable and all(then.get(name) == now[name] for name in _OF_THE_SCAN)


def _notes(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline, *, checkpoint: Place | None) -> tuple[str, ...]:
    """That the checkpoint was made by another query, until a run has gone well with this one."""
    if checkpoint is None:
        return ()
    settled = _one(cursor, "settled_run", pipeline=str(pipeline_id))
    then = settled["definition"] if settled else None
    is_other = then is not None and reads_other_rows(then, definition_of(pipeline))
    return (checkpoint_kept(checkpoint.value),) if is_other else ()


def _stopped_at(cursor: Cursor, run_id: UUID | None) -> Mapping[str, Any] | None:
    return _one(cursor, "stopped_at", run=str(run_id)) if run_id else None


def _checkpoint(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline) -> Place | None:
    if pipeline.mode is not Mode.INCREMENTAL:
        return None
    found = _one(cursor, "checkpoint", pipeline=str(pipeline_id))
    return Place(value=found["last_processed_value"], id=found["last_processed_id"]) if found else None


def _one(cursor: Cursor, name: str, **values: Any) -> dict[str, Any] | None:
    cursor.execute(query("batch_claims", name), values)
    return next(iter(named_rows(cursor)), None)
