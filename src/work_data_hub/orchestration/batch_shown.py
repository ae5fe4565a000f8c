"""Pipelines and their history as JSON shows them: the same from the API and from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.io.batch_definitions import definition_of
from work_data_hub.io.batch_history import BatchRow, DeadLetterRow, EventRow, RunRow
from work_data_hub.io.batch_pipelines import PipelineRow

Shown: TypeAlias = dict[str, Any]
_NUMBERS = ("overlap_seconds", "dlq_max_ratio")


def shown_definition(pipeline: Pipeline) -> Shown:
    """What was declared."""
    shown = definition_of(pipeline)
    return shown | {name: float(shown[name]) for name in _NUMBERS}


def shown_pipeline(row: PipelineRow) -> Shown:
    """A pipeline as it is stored."""
    head = {"id": row.id, "name": row.pipeline.name, "status": row.status}
    moments = {"created_at": row.created_at, "updated_at": row.updated_at}
    shown: Shown = _plain(head) | shown_definition(row.pipeline) | _plain(moments)
    return shown


def shown_change(row: PipelineRow, notes: Sequence[str]) -> Shown:
    """A pipeline that was made or changed; with `notes` where whoever did so should know something."""
    return shown_pipeline(row) | ({"notes": list(notes)} if notes else {})


def shown_row(row: RunRow | BatchRow | EventRow | DeadLetterRow) -> Shown:
    """A run, a batch, an event or a dead letter; without the pipeline's id, which the asker knows."""
    return {one.name: _plain(getattr(row, one.name)) for one in fields(row) if one.name != "pipeline_id"}


def shown_state(state: Place | None) -> Shown:
    """A checkpoint; both are null at the beginning."""
    place = state or Place()
    return {"last_processed_value": place.value, "last_processed_id": place.id}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Place):
        return value.as_json()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | Decimal):
        return str(value)
    return [_plain(inner) for inner in value] if _is_list(value) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
