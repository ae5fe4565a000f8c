"""Where the next run of a pipeline begins: at the beginning, or where an earlier one stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Deletes, Mode, Pipeline
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

    `attempt` counts the runs since the last one that succeeded, this one too.
    """

    attempt: int = 1
    resumed_from: UUID | None = None
    resume_at: Place | None = None
    checkpoint: Place | None = None


def beginning_of(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline) -> Beginning:
    """Where a run of the pipeline, as it is defined now, begins; no run of it may be open."""
    last = _one(cursor, "newest_run", pipeline=str(pipeline_id))
    if last is None:
        return Beginning(checkpoint=_checkpoint(cursor, pipeline_id, pipeline))
    resumed_from = UUID(str(last["id"])) if _goes_on(pipeline, last) else None
    return Beginning(
        attempt=1 if last["status"] == RunStatus.SUCCESS else last["attempt"] + 1,
        resumed_from=resumed_from,
        resume_at=_stopped_at(cursor, resumed_from) if pipeline.mode is Mode.FULL else None,
        checkpoint=_checkpoint(cursor, pipeline_id, pipeline),
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
    is_unchanged = all(then.get(name) == now[name] for name in _OF_THE_SCAN)
    return pipeline.unique_key is not None and pipeline.deletes is Deletes.IGNORE and is_unchanged


def _stopped_at(cursor: Cursor, run_id: UUID | None) -> Place | None:
    found = _one(cursor, "stopped_at", run=str(run_id)) if run_id else None
    return Place(**found["cursor_to"]) if found else None


def _checkpoint(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline) -> Place | None:
    if pipeline.mode is not Mode.INCREMENTAL:
        return None
    found = _one(cursor, "checkpoint", pipeline=str(pipeline_id))
    return Place(value=found["last_processed_value"], id=found["last_processed_id"]) if found else None


def _one(cursor: Cursor, name: str, **values: Any) -> dict[str, Any] | None:
    cursor.execute(query("batch_claims", name), values)
    return next(iter(named_rows(cursor)), None)
