"""Definitions of batch pipelines as they are kept: read from rows, and frozen as JSON in the run that uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from work_data_hub.domain.batch.pipeline import Deletes, Mode, NullKey, Pipeline, PipelineType, Strategy
from work_data_hub.domain.batch.tasks import Task, TaskType

_READ: Mapping[str, type] = {
    "type": PipelineType,
    "mode": Mode,
    "strategy": Strategy,
    "null_key": NullKey,
    "deletes": Deletes,
    "overlap_seconds": Decimal,
    "dlq_max_ratio": Decimal,
}
COLUMNS = tuple(one.name for one in fields(Pipeline) if one.name != "tasks")
"""What of a pipeline is a column of etl_pipelines; its tasks are rows of their own."""


def pipeline_of(row: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Pipeline:
    """The pipeline of a row of etl_pipelines and of its tasks' rows; other columns of them are left out.

    What `definition_of` made is such a row, and its `tasks` are such rows.
    """
    values = {name: _read(name, row[name]) for name in COLUMNS if name in row}
    ordered = sorted(tasks, key=lambda task: int(task["order_index"]))
    return Pipeline(**values, tasks=tuple(_task_of(task) for task in ordered))


def definition_of(pipeline: Pipeline) -> dict[str, Any]:
    """The definition in values that JSON has; numbers with a point are texts, so that they stay exact."""
    tasks = [{one.name: _plain(getattr(task, one.name)) for one in fields(Task)} for task in pipeline.tasks]
    return {name: _plain(getattr(pipeline, name)) for name in COLUMNS} | {"tasks": tasks}


def _task_of(row: Mapping[str, Any]) -> Task:
    return Task(
        order_index=row["order_index"],
        task_type=TaskType(row["task_type"]),
        body=row["body"],
        target_table=row.get("target_table"),
    )


def _read(name: str, value: Any) -> Any:
    made = _READ.get(name)
    return made(value) if made else value


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    return str(value) if isinstance(value, Decimal) else value
