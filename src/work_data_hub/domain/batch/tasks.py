"""The tasks of a pipeline: one SQL reader first, Python transforms after it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from work_data_hub.domain.batch.transforms import is_transform


class TaskType(StrEnum):
    """A query, or a transform of rows."""

    SQL = "SQL"
    PYTHON = "PYTHON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One step: the text of a query, or the name of a transform; only the last may name a target of its own."""

    order_index: int
    task_type: TaskType
    body: str
    target_table: str | None = None


def task_problems(tasks: Sequence[Task]) -> tuple[tuple[str, str], ...]:
    """Each rule that the tasks break, as (field, message); in any order of the tasks."""
    ordered = sorted(tasks, key=lambda task: task.order_index)
    return tuple((f"tasks[{index}]", message) for index, message in _problems(ordered))


def _problems(ordered: Sequence[Task]) -> Iterator[tuple[int, str]]:
    for before, task in pairwise(ordered):
        if before.order_index == task.order_index:
            yield task.order_index, "two tasks have the same order_index"
    for place, task in enumerate(ordered):
        yield from ((task.order_index, message) for message in _faults(task, place, is_last=place == len(ordered) - 1))


def _faults(task: Task, place: int, *, is_last: bool) -> Iterator[str]:
    if not task.body.strip():
        yield "the body is blank"
    elif place == 0 and task.task_type is not TaskType.SQL:
        yield "the first task must be SQL: it is the reader"
    elif place > 0 and task.task_type is not TaskType.PYTHON:
        yield "only the first task may be SQL; the others are PYTHON"
    elif place > 0 and not is_transform(task.body):
        yield f"{task.body.strip()!r} is not a registered transform"
    if task.target_table is not None and not is_last:
        yield "only the last task may name a target_table"
