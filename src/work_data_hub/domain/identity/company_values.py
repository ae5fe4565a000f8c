"""One field of the registry's JSON, read into what its column holds."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.identity.company_fields import Field, Kind
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.text import is_blank, narrow

Payload: TypeAlias = Mapping[str, Any]
Value: TypeAlias = str | int | float | Decimal | date | None

_WORDS = "人民币元|人民币|新加坡元|新台币|港币|港元|美元|欧元|日元|英镑|澳元|加元|韩元|瑞士法郎|澳门元"
_CODES = "RMB|CNY|USD|HKD|EUR|JPY|GBP|SGD|TWD|AUD|CAD|KRW|CHF|MOP"
_CURRENCY = re.compile(rf"\((?P<inside>{_WORDS}|{_CODES})\)|(?P<bare>{_WORDS}|{_CODES})", re.IGNORECASE)
_WITHHELD = re.compile("不公示|未公示|不公开")
_UNENDING = re.compile("长期|永久|永续|无固定期限|不约定期限|无期限")
_STAFF = re.compile(
    r"(?:少于|不足|超过|大于|多于|至少|约)?(?P<least>[0-9][0-9,]*万?)(?:人?(?:-|~|至|—|–)[0-9][0-9,]*万?)?人?(?:以上|以下|左右)?"
)
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_YEARS = range(1800, 10_000)  # 9999-12-31 stands for no end
_CENT = Decimal("0.01")
_MOST_AMOUNT = Decimal("999999999999999999.99")
_MOST_COUNT = 2**31 - 1


class Cleansing(StrEnum):
    """How a field came out; the words of `_cleansing_status`."""

    CLEANSED = "cleansed"
    NULL_INPUT = "null_input"
    PARSE_FAILED = "parse_failed"
    NO_RULES = "no_rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a field came to; where it failed, the rule it breaks."""

    value: Value
    status: Cleansing
    written: str = ""
    rule: str = ""


NOTHING = Reading(value=None, status=Cleansing.NULL_INPUT)


def read_field(field: Field, payload: Payload) -> Reading:
    """Return the field's value; null where the payload gives none, or one that its column cannot hold.

    A text that says there is no value (企业选择不公示, 长期) is null with `null_input`; one that cannot be
    read or is too long is null with `parse_failed`: nothing is cut.
    """
    found = first_said(payload, field.keys)
    if found is None:
        return NOTHING
    try:
        written = as_text(found)
        value = _READERS[field.kind](written)
        _refuse_long(value, field.length)
    except ValueError as broken:
        return Reading(value=None, status=Cleansing.PARSE_FAILED, written=str(found), rule=str(broken))
    if value is None:
        return Reading(value=None, status=Cleansing.NULL_INPUT, written=written)
    status = Cleansing.NO_RULES if field.kind is Kind.TEXT else Cleansing.CLEANSED
    return Reading(value=value, status=status, written=written)


def first_said(payload: Payload, keys: Iterable[str]) -> Any:
    """The first value that says something, under the keys in their order; None where none does."""
    found = (payload.get(key) for key in keys)
    return next((value for value in found if not (value is None or (isinstance(value, str) and is_blank(value)))), None)


def currency_beside(amount: str) -> str | None:
    """The currency that stands beside an amount, as written there: 500万美元 → 美元."""
    beside = _CURRENCY.search(narrow(amount))
    return (beside["inside"] or beside["bare"]) if beside else None


def storable_text(text: str) -> str:
    """The text without what PostgreSQL cannot hold: NUL and halves of surrogate pairs."""
    return _NOT_STORABLE.sub("", text)


def as_text(value: Any) -> str:
    """The text, trimmed, or the number as text; raises ValueError for anything else."""
    if isinstance(value, str):
        return storable_text(value).strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(int(value) if isinstance(value, bool) else value)
    raise ValueError("a text or a number")


def _refuse_long(value: Value, length: int | None) -> None:
    if length is not None and isinstance(value, str) and len(value) > length:
        raise ValueError(f"at most {length} characters")


def _text(written: str) -> str | None:
    return written or None


def _day(written: str) -> date | None:
    if _WITHHELD.search(written) or _UNENDING.fullmatch(written):
        return None
    return parse_day(written, serials=False, years=_YEARS)


def _amount(written: str) -> Decimal | None:
    """The amount in 元 of its currency, to the cent."""
    if _WITHHELD.search(written):
        return None
    if "%" in narrow(written):
        raise ValueError("an amount, not a share")
    number = parse_number(_CURRENCY.sub("", narrow(written), count=1))
    if number is None:
        return None
    if not 0 <= number <= _MOST_AMOUNT:
        raise ValueError("an amount of at least 0 and at most 18 digits before the point")
    return number.quantize(_CENT, rounding=ROUND_HALF_UP)


def _staff(written: str) -> int | None:
    if _WITHHELD.search(written):
        return None
    said = _STAFF.fullmatch("".join(narrow(written).split()))
    if said is None:
        raise ValueError("a number of people such as 120人, 少于50人 or 100-499人")
    return _count(said["least"])


def _count(written: str) -> int | None:
    number = parse_number(written)
    if number is None:
        return None
    if number != int(number) or abs(number) > _MOST_COUNT:
        raise ValueError(f"a whole number up to {_MOST_COUNT:,}")
    return int(number)


def _score(written: str) -> float | None:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


_READERS: Mapping[Kind, Callable[[str], Value]] = {
    Kind.TEXT: _text,
    Kind.DAY: _day,
    Kind.AMOUNT: _amount,
    Kind.STAFF: _staff,
    Kind.COUNT: _count,
    Kind.SCORE: _score,
}
