"""JSON of a server that is not ours: read only where it is an object of sane depth, and made fit to be stored."""

import json
import math
from collections.abc import Mapping
from typing import Any

from work_data_hub.domain.identity.company_values import storable_text

DEEPEST = 40


def read_json(body: bytes) -> Mapping[str, Any] | None:
    """The object the text holds; None where it is no JSON, no object, or nested deeper than `DEEPEST`.

    What PostgreSQL's jsonb refuses is left out: NUL and half surrogates in texts, NaN and infinite numbers.
    """
    try:
        value = _storable(json.loads(body), DEEPEST)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


def _storable(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {storable_text(key): _storable(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner, depth - 1) for inner in value]
    if isinstance(value, str):
        return storable_text(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
