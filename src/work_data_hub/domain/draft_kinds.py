"""What kind a sample's column is likely to be: by the words of its heading and by how its cells read."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from unicodedata import normalize

import pandas as pd

from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.text import fold, is_blank, narrow

MOST_VALUES = 2_000
READABLE_SHARE = 0.9
READABLE_DAYS_SHARE = 0.75
MONEY_DIGITS = 14
_LENGTHS = (50, 100, 255, 500, 1000, 2000, 4000)
_USUAL_LENGTH = 255

BRACKETS = re.compile(r"[(\[【〔<《]([^)\]】〕>》]*)[)\]】〕>》]")
UNIT = re.compile(r"(?:单位[::])?((?:百|千|万|十万|百万|千万|亿)?元|万|亿)")
_CODE = re.compile(r"(代码|编码|编号|账号|帐号|号码|代号|号)$|(^|_)(id|code|no)$")
_IDENTITY = re.compile(r"[账帐]号|[账帐]户$|电话|手机|传真|证件|身份证|邮编|phone|mobile|fax")
_AMOUNT = re.compile(r"规模|费(?!率)|[金余]额|额$|amount")
_RATE = re.compile(r"率|占比|比例|比重|percent|rate|yield")
_COUNT = re.compile(r"(人|户|笔|个|家|次|天|件)数|数量|^(年|月|年份|年度)$|count")
_NAMED_DAY = re.compile(r"日期|日$|date|day")
_DAY = re.compile(r"日期|时间|日$|月$|月份|月度|date|day|month")
_CHINESE = re.compile(r"[㐀-鿿]")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_LONG_DIGITS = re.compile(r"[0-9]{16,}")
_EIGHT_DIGITS = re.compile(r"[0-9]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a column's distinct values read; placeholders and blanks are no values, but `has_blanks` tells of them.

    `day_cells` is the share of the cells with such a value that are days.
    """

    values: tuple[str, ...]
    numbers: tuple[Decimal, ...]
    days: tuple[date, ...]
    has_blanks: bool
    day_cells: float

    @property
    def longest(self) -> int:
        return max((len(value) for value in self.values), default=0)

    def share(self, readable: Sequence[object]) -> float:
        """Which share of the values is readable."""
        return len(readable) / len(self.values) if self.values else 0.0


def look_at(cells: pd.Series) -> Look:
    """How the cells read: their distinct values, at most MOST_VALUES of them, by the parsers of a load."""
    distinct = [str(value) for value in cells.dropna().unique()]
    given = [value for value in distinct if not is_blank(value)][:MOST_VALUES]
    values = tuple(value.strip() for value in given)
    return Look(
        values=values,
        numbers=tuple(_read(values, parse_number)),
        days=tuple(_read(values, parse_day)),
        has_blanks=bool(cells.isna().any()) or any(is_blank(value) for value in distinct),
        day_cells=_day_share(cells, given),
    )


def _day_share(cells: pd.Series, given: list[str]) -> float:
    days = [value for value in given if _read((value.strip(),), parse_day)]
    return float(cells.isin(days).sum() / cells.isin(given).sum()) if given else 0.0


def guess(name: str, heading: str, look: Look) -> tuple[str, dict[str, Any], str]:
    """Constructor, options and remark of a column: the first reading that fits heading and cells."""
    bare = bare_heading(heading)
    if not look.values:
        return "text", {}, f"{name} has no value in the sample; it is taken as text"
    if _is_code(heading, look):
        return "code", _never_blank(look) | {"length": _length(look)}, ""
    if _is_day(bare, look):
        return _day(name, bare, look)
    is_identity = _names_identity(heading)
    if is_identity and _is_plain(look):
        return "code", _never_blank(look) | {"length": _length(look)}, ""
    if not is_identity and look.share(look.numbers) >= READABLE_SHARE:
        function, options, remark = _number(name, heading, look)
        return function, {"required": True} | options, remark or _unreadable(name, look, look.numbers, what="numbers")
    length = None if look.longest > _LENGTHS[-1] else max(_length(look), _USUAL_LENGTH)
    return "text", _never_blank(look) | ({} if length == _USUAL_LENGTH else {"length": length}), ""


def _names_amount(heading: str) -> bool:
    """Whether the heading names an amount: 电话费 and 账户金额 do, 收费电话 does not; nor does what ends in 号."""
    bare = bare_heading(heading)
    return not _CODE.search(bare) and (bool(unit_of(heading)) or _last(_AMOUNT, bare) > _last(_IDENTITY, bare))


def _names_identity(heading: str) -> bool:
    """Whether the heading names what is told apart by it, however much it looks like a number."""
    bare = bare_heading(heading)
    if _CODE.search(bare):
        return True
    is_number = _names_amount(heading) or _COUNT.search(bare) or _RATE.search(bare)
    return bool(_IDENTITY.search(bare)) and not is_number


def _last(words: re.Pattern[str], bare: str) -> int:
    return max((found.end() for found in words.finditer(bare)), default=0)


def _is_plain(look: Look) -> bool:
    return look.longest <= _USUAL_LENGTH and not any(_CHINESE.search(value) for value in look.values)


def _is_code(heading: str, look: Look) -> bool:
    if _names_amount(heading) or any(_CHINESE.search(value) for value in look.values):
        return False
    digits = any(_LEADING_ZERO.fullmatch(narrow(v)) or _LONG_DIGITS.fullmatch(narrow(v)) for v in look.values)
    return digits or (_CODE.search(bare_heading(heading)) is not None and _is_plain(look))


def _is_day(bare: str, look: Look) -> bool:
    if _NAMED_DAY.search(bare) and max(look.day_cells, look.share(look.days)) >= READABLE_DAYS_SHARE:
        return True
    if _DAY.search(bare) and look.share(look.days) >= READABLE_SHARE:
        return True
    whole = look.share(look.days) == 1.0
    return whole and (not look.numbers or all(_EIGHT_DIGITS.fullmatch(value) for value in look.values))


def _day(name: str, bare: str, look: Look) -> tuple[str, dict[str, Any], str]:
    """A day named as one loses what cannot be read, and not the row."""
    missing = len(look.values) - len(look.days)
    if missing and _NAMED_DAY.search(bare):
        remark = f"{missing} of {len(look.values)} values of {name} are no days; they become null and are counted"
        return "day", {"lenient": True}, remark
    return "day", _never_blank(look), _unreadable(name, look, look.days, what="days")


def _number(name: str, heading: str, look: Look) -> tuple[str, dict[str, Any], str]:
    bare, low, high = bare_heading(heading), min(look.numbers), max(look.numbers)
    if _RATE.search(bare) or all("%" in narrow(value) for value in look.values):
        if low < -1 or high > 10:
            return "money", {"unit": "%"}, f"{name} goes to {high}, too far for a fraction; it is taken as a number"
        doubt = f"{name} goes to {high}: a fraction, or per cent written without its sign?" if high > 1 else ""
        return "rate", {}, doubt
    whole = all(number == number.to_integral_value() for number in look.numbers)
    marks = set(look.numbers) == {Decimal(0), Decimal(1)}
    if marks or (_COUNT.search(bare) and whole and max(abs(low), abs(high)) < 10**9):
        return "count", {}, ""
    return "money", {"unit": unit} if (unit := unit_of(heading)) else {}, _too_long(name, look)


def _too_long(name: str, look: Look) -> str:
    long = sum(abs(number) >= 10**MONEY_DIGITS for number in look.numbers)
    if not long:
        return ""
    return f"{long} values of {name} have more than {MONEY_DIGITS} digits: a load rejects their rows; are they amounts?"


def _never_blank(look: Look) -> dict[str, Any]:
    return {} if look.has_blanks else {"required": True, "nullable": False}


def _length(look: Look) -> int:
    """Twice the longest value, rounded up to a usual length."""
    return next((length for length in _LENGTHS if length >= 2 * look.longest), _LENGTHS[-1])


def _unreadable(name: str, look: Look, readable: Sequence[object], *, what: str) -> str:
    missing = len(look.values) - len(readable)
    return f"{missing} of {len(look.values)} values of {name} are no {what}; their rows are rejected" if missing else ""


def bare_heading(heading: str) -> str:
    """The heading as words are looked for: folded, and without what stands in brackets."""
    return BRACKETS.sub("", fold(heading))


def unit_of(heading: str) -> str:
    """The unit of money that the heading names, or nothing."""
    written = normalize("NFKC", heading)
    inside = [found for part in BRACKETS.findall(written) if (found := UNIT.fullmatch(part))]
    if not inside:
        return ""
    return inside[0][1] if inside[0][1].endswith("元") else f"{inside[0][1]}元"


def _read(values: Sequence[str], parse: Callable[[str], Any]) -> list[Any]:
    read = []
    for value in values:
        try:
            read.append(parse(value))
        except ValueError:
            continue
    return read
