"""What may be said to a target: NAME=… BATCH=… and so on, from the environment that make gives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from work_data_hub.domain.batch.pipeline import IDENTIFIER, NAME, Mode
from work_data_hub.errors import UsageError

_ANYTHING = re.compile(r".*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of the document, with its defaults; `id` is a pipeline's id or its name."""

    name: str = "film_dim_sql"
    batch: int = 100
    mode: str = "full"
    key: str = "updated_at"
    sleep: float = 0.2
    delay: float = 1.0
    dt: float = 0.2
    n: int = 50
    id: str = ""
    inc_id_key: str = "film_id"
    scale: int = 0


_ALLOWED: Mapping[str, tuple[re.Pattern[str], str]] = {
    "name": (NAME, "3 to 64 letters, digits, _ and -"),
    "mode": (re.compile("|".join(Mode)), " or ".join(Mode)),
    "key": (IDENTIFIER, "a column: letters, digits and _, no digit first"),
    "inc_id_key": (IDENTIFIER, "a column: letters, digits and _, no digit first"),
}


def variables_of(environment: Mapping[str, str]) -> Variables:
    """The variables as the environment gives them, empty ones left out; raises UsageError for what they cannot be."""
    given = {one.name: environment.get(one.name.upper(), "") for one in fields(Variables)}
    return replace(Variables(), **{name: _read(name, text) for name, text in given.items() if text})


def _read(name: str, text: str) -> Any:
    default = getattr(Variables(), name)
    try:
        number = type(default)(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number", field=name.upper(), hint=f"{name.upper()}={default}") from None
    if not isinstance(number, str) and not 0 <= number < float("inf"):
        raise UsageError("a number from 0 on is needed", field=name.upper(), hint=f"{name.upper()}={default}")
    pattern, rule = _ALLOWED.get(name, (_ANYTHING, ""))
    if not pattern.fullmatch(text):
        raise UsageError(
            "not a value it can have", field=name.upper(), input_data=text, rule=rule, hint=f"{name.upper()}={default}"
        )
    return number
