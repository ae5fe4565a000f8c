"""Rows as the documents of an index: JSON text that holds exactly what the row holds, or a dead letter."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from work_data_hub.domain.batch.run import DeadLetter
from work_data_hub.domain.batch.targets import IndexTarget

MOST_ID_BYTES = 512
"""Elasticsearch refuses a whole request for one longer `_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A row as an index takes it: its `_id`, its JSON text in UTF-8, the row it is made of, and where that stood."""

    id: str
    source: bytes
    row: Mapping[str, Any]
    place: int | None = None


def document_of(row: Mapping[str, Any], *, target: IndexTarget, place: int | None = None) -> Document | DeadLetter:
    """The document of a row, of the target's columns alone; a dead letter says what no document can hold.

    A column that the row lacks is not in the document. UUIDs, dates and times become text, decimals numbers where
    the mapping has numbers and text elsewhere. NaN and infinity are no JSON, and no null either.
    """
    try:
        key = _id_of(row, target=target)
        if missing := [name for name in target.required if name not in row]:
            raise ValueError(f"the row has no {', '.join(missing)}")
        fields = {name: _field(name, row[name], target=target) for name in target.columns if name in row}
        return Document(id=key, source=_json(fields), row=row, place=place)
    except (ValueError, TypeError) as error:
        return dead_letter(row, error=str(error), target=target, place=place)


def dead_letter(row: Mapping[str, Any], *, error: str, target: IndexTarget, place: int | None = None) -> DeadLetter:
    """The row set aside, in texts that PostgreSQL and its JSON can hold whatever was in it."""
    key = row.get(target.key)
    payload = {str(name): _kept(value) for name, value in row.items()}
    return DeadLetter(payload=payload, error=_kept(error), key=None if key is None else str(_kept(key)), place=place)


def _id_of(row: Mapping[str, Any], *, target: IndexTarget) -> str:
    value = row.get(target.key)
    if value is None:
        raise ValueError(f"{target.key} is null, and a document needs an id")
    key = str(_plain(value))
    if not 1 <= len(key.encode()) <= MOST_ID_BYTES:
        raise ValueError(f"{target.key} is no id: it must have 1 to {MOST_ID_BYTES} bytes")
    return key


def _field(name: str, value: Any, *, target: IndexTarget) -> Any:
    try:
        return _READERS.get(str(target.mapping.get(name, {}).get("type")), _plain)(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _number(value: Any) -> Any:
    return _plain(float(value)) if isinstance(value, Decimal) else _plain(value)


def _whole(value: Any) -> Any:
    if not isinstance(value, Decimal | float):
        return _plain(value)
    if not math.isfinite(value):
        raise ValueError("NaN and infinity cannot be indexed")
    if value != int(value):
        raise ValueError("not a whole number")
    return int(value)


def _plain(value: Any) -> Any:
    """The value as JSON has it; raises ValueError or TypeError where JSON has nothing like it."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError("NaN and infinity cannot be indexed")
        return float(value) if isinstance(value, float) else str(value)
    if isinstance(value, date | time) and value == value:
        return value.isoformat()
    return _nested(value)


def _nested(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    raise TypeError(f"a value of type {type(value).__name__} cannot be indexed")


def _kept(value: Any) -> Any:
    """The value as JSON can keep it for a look and a replay; a decimal that a float would change stays text."""
    if isinstance(value, Decimal) and value.is_finite() and Decimal(repr(float(value))) == value:
        return float(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _kept(item) for name, item in value.items()}
    try:
        return _plain(value)
    except (ValueError, TypeError):
        return str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "float": _number,
    "double": _number,
    "integer": _whole,
    "long": _whole,
}
