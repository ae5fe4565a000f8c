"""Text as PostgreSQL reads it, one reader a column type."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import partial

from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.numbers import parse_number

_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_TEXT = re.compile(r"(?:character varying|character|text)(?:\((?P<length>\d+)\))?")
_NUMERIC = re.compile(r"numeric(?:\((?P<precision>\d+),(?P<scale>\d+)\))?")
_MOMENT = re.compile(r"timestamp(?:\(\d\))? with(?:out)? time zone")
_YES, _NO = frozenset({"true", "t", "yes", "是", "1"}), frozenset({"false", "f", "no", "否", "0"})


def reader_of(kind: str) -> Callable[[str], str | None]:
    """Return what turns text into PostgreSQL's text of the type, None for no value, ValueError for what does not fit.

    The text holds no NUL; no type takes one.
    A type that is not known here takes any text; PostgreSQL has the last word.
    """
    if found := _TEXT.fullmatch(kind):
        return partial(_short_text, length=int(found["length"] or 0))
    if kind in _LIMITS:
        return partial(_whole, limit=_LIMITS[kind])
    if found := _NUMERIC.fullmatch(kind):
        digits = (int(found["precision"]), int(found["scale"])) if found["scale"] else None
        return partial(_decimal, digits=digits)
    if _MOMENT.fullmatch(kind):
        return _moment
    return _READERS.get(kind, str)


def rule_of(kind: str) -> str:
    """Return what a value of the type looks like, in words."""
    if found := _TEXT.fullmatch(kind):
        return f"at most {found['length']} characters" if found["length"] else "text"
    if _MOMENT.fullmatch(kind):
        return "a moment such as 2025-10-15 08:30:00"
    return _RULES.get(kind, f"a value of type {kind}")


def _short_text(text: str, *, length: int) -> str:
    if length and len(text) > length:
        raise ValueError("too long")
    return text


def _whole(text: str, *, limit: int) -> str | None:
    number = parse_number(text)
    if number is None:
        return None
    if number != int(number) or not -limit <= number < limit:
        raise ValueError("not a whole number that fits")
    return str(int(number))


def _decimal(text: str, *, digits: tuple[int, int] | None) -> str | None:
    number = parse_number(text)
    if number is None or digits is None:
        return None if number is None else f"{number:f}"
    precision, scale = digits
    largest = Decimal(10) ** (precision - scale)
    if abs(number) >= largest:
        raise ValueError("too large")
    wide = Context(prec=precision + 1)
    rounded = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP, context=wide)
    if abs(rounded) >= largest:
        raise ValueError("too large once rounded")
    return f"{rounded:f}"


def _float(text: str) -> str | None:
    number = parse_number(text)
    return None if number is None else repr(float(number))


def _day(text: str) -> str | None:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        day = parse_day(text)
        return day.isoformat() if day else None


def _moment(text: str) -> str | None:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return _day(text)


def _switch(text: str) -> str | None:
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError("neither yes nor no")
    return "true" if word in _YES else "false"


def _json(text: str) -> str:
    written = json.dumps(json.loads(text, parse_constant=_no_constant), ensure_ascii=False)
    if "\\u0000" in written:
        raise ValueError("NUL")
    return written


def _no_constant(word: str) -> None:
    raise ValueError(word)


_READERS: dict[str, Callable[[str], str | None]] = {
    "date": _day,
    "boolean": _switch,
    "jsonb": _json,
    "json": _json,
    "real": _float,
    "double precision": _float,
}
_RULES = {
    "smallint": "a whole number that fits smallint",
    "integer": "a whole number that fits integer",
    "bigint": "a whole number that fits bigint",
    "date": "a date such as 2025-10-15",
    "boolean": "true or false",
    "jsonb": "JSON without NUL",
    "json": "JSON without NUL",
}
