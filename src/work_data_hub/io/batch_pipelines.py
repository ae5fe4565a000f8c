"""Batch pipelines as they are declared in PostgreSQL: found, created, and changed where nothing runs.

Everything happens in the caller's transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2 import errors
from psycopg2.extras import execute_values

from work_data_hub.domain.batch.pipeline import Pipeline, Strategy
from work_data_hub.domain.batch.status import AT_REST, Status
from work_data_hub.domain.batch.tasks import Task
from work_data_hub.io.batch_definitions import COLUMNS, definition_of, pipeline_of
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query

AT_REST_WORDS = sorted(status.value for status in AT_REST)


class DuplicatePipeline(ValueError):
    """Another pipeline has the name already; the transaction can only be rolled back."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a pipeline {name!r} already; choose another name")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRow:
    """A pipeline as it is stored: what it is, and where it stands."""

    id: UUID
    pipeline: Pipeline
    status: Status
    created_at: datetime
    updated_at: datetime


def list_pipelines(cursor: Cursor) -> tuple[PipelineRow, ...]:
    """All pipelines with their tasks, by name."""
    return _rows(cursor)


def find_pipeline(cursor: Cursor, id: UUID, *, for_change: bool = False) -> PipelineRow | None:
    """The pipeline of the id; None where there is none.

    `for_change`: nobody moves or changes it before this transaction ends, so what is made of it is not stale.
    """
    if for_change:
        freeze(cursor, id)
    return next(iter(_rows(cursor, id=id)), None)


def find_by_name(cursor: Cursor, name: str) -> PipelineRow | None:
    """The pipeline of the name; None where there is none."""
    return next(iter(_rows(cursor, name=name)), None)


def create_pipeline(cursor: Cursor, pipeline: Pipeline, *, actor: str) -> PipelineRow:
    """Store a new pipeline with its tasks; it is idle. Raises DuplicatePipeline; checks no other rule."""
    act_as(cursor, actor, reason="created")
    with _one_of_a_name(pipeline.name):
        cursor.execute(query("batch_pipelines", "create"), definition_of(pipeline))
    ((found,),) = cursor.fetchall()
    id = UUID(str(found))
    _store_tasks(cursor, id, pipeline.tasks)
    return _stored(cursor, id)


def update_pipeline(
    cursor: Cursor, id: UUID, pipeline: Pipeline, *, actor: str, drops_checkpoint: bool = False
) -> PipelineRow | None:
    """Make the pipeline, tasks and all, what is given; None where there is none, or it runs or waits to.

    The event says which fields changed. A checkpoint goes when the order of rows or the target is another, or where
    `drops_checkpoint`: rows are then read again rather than left out. Raises DuplicatePipeline; checks no other rule.
    """
    before = find_pipeline(cursor, id, for_change=True)
    if before is None or before.status not in AT_REST:
        return None
    changed = _changed(before.pipeline, pipeline)
    if not changed:
        return before
    with _one_of_a_name(pipeline.name):
        cursor.execute(
            query("batch_pipelines", "change"), {**definition_of(pipeline), "id": str(id), "at_rest": AT_REST_WORDS}
        )
    if "tasks" in changed:
        _store_tasks(cursor, id, pipeline.tasks)
    reason = f"changed: {', '.join(changed)}"
    is_misfit = drops_checkpoint or _order_of_rows(before.pipeline) != _order_of_rows(pipeline)
    if is_misfit and _drop_checkpoint(cursor, id):
        reason += "; its checkpoint is dropped"
    note(cursor, id, actor=actor, reason=reason)
    return _stored(cursor, id)


def replace_tasks(cursor: Cursor, id: UUID, tasks: Sequence[Task], *, actor: str) -> PipelineRow | None:
    """Give the pipeline these tasks and no others; None as for `update_pipeline`."""
    held = find_pipeline(cursor, id, for_change=True)
    if held is None:
        return None
    return update_pipeline(cursor, id, replace(held.pipeline, tasks=tuple(tasks)), actor=actor)


def freeze(cursor: Cursor, id: UUID) -> Status | None:
    """Where the pipeline stands, and stays until this transaction ends; None where there is none."""
    cursor.execute(query("batch_pipelines", "freeze"), {"id": str(id)})
    row = cursor.fetchone()
    return Status(row[0]) if row else None


def act_as(cursor: Cursor, actor: str, *, reason: str) -> None:
    """Sign the moves that follow in this transaction."""
    cursor.execute(query("batch_pipelines", "as_actor"), {"actor": actor, "reason": reason})


def note(cursor: Cursor, id: UUID, *, actor: str, reason: str) -> None:
    """Keep an event that moves nothing: from the present status to the same."""
    cursor.execute(query("batch_pipelines", "note"), {"id": str(id), "actor": actor, "reason": reason})


def _rows(cursor: Cursor, *, id: UUID | None = None, name: str | None = None) -> tuple[PipelineRow, ...]:
    cursor.execute(query("batch_pipelines", "rows"), {"id": str(id) if id else None, "name": name})
    return tuple(_row(found) for found in named_rows(cursor))


def _row(found: dict[str, Any]) -> PipelineRow:
    return PipelineRow(
        id=UUID(str(found["id"])),
        pipeline=pipeline_of(found, found["tasks"]),
        status=Status(found["status"]),
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )


def _stored(cursor: Cursor, id: UUID) -> PipelineRow:
    (row,) = _rows(cursor, id=id)
    return row


def _ordered(tasks: Sequence[Task]) -> tuple[Task, ...]:
    return tuple(sorted(tasks, key=lambda task: task.order_index))


def _changed(before: Pipeline, after: Pipeline) -> list[str]:
    changed = [name for name in COLUMNS if getattr(before, name) != getattr(after, name)]
    return changed if _ordered(before.tasks) == _ordered(after.tasks) else [*changed, "tasks"]


def _drop_checkpoint(cursor: Cursor, id: UUID) -> bool:
    cursor.execute(query("batch_pipelines", "drop_checkpoint"), {"id": str(id)})
    return cursor.rowcount > 0


def _order_of_rows(pipeline: Pipeline) -> tuple[object, ...]:
    # A checkpoint says how far rows in one order were brought to one target; it says nothing of any other.
    is_by_version = pipeline.strategy is Strategy.XMIN
    return pipeline.incremental_key, pipeline.incremental_id_key, is_by_version, pipeline.target


def _store_tasks(cursor: Cursor, id: UUID, tasks: Sequence[Task]) -> None:
    cursor.execute(query("batch_pipelines", "drop_tasks"), {"id": str(id)})
    rows = [(str(id), task.order_index, task.task_type.value, task.body, task.target_table) for task in tasks]
    execute_values(cursor, query("batch_pipelines", "add_tasks"), rows)


@contextmanager
def _one_of_a_name(name: str) -> Iterator[None]:
    try:
        yield
    except errors.UniqueViolation as error:
        raise DuplicatePipeline(name) from error
