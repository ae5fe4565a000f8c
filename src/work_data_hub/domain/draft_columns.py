"""What a sample's column is likely to be: its kind by how the cells read, its name by its heading."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from unicodedata import normalize

import pandas as pd

from work_data_hub.domain.columns import Column, code, count, day, money, month, rate, text
from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.python_text import Call
from work_data_hub.domain.text import fold, is_blank, narrow
from work_data_hub.domain.total_rows import read_label

CONSTRUCTORS: dict[str, Callable[..., Column]] = {
    "code": code,
    "count": count,
    "day": day,
    "money": money,
    "month": month,
    "rate": rate,
    "text": text,
}
MOST_VALUES = 2_000
READABLE_SHARE = 0.9
LONGEST_NAME_BYTES = 63
_LENGTHS = (50, 100, 255, 500, 1000, 2000, 4000)
_USUAL_LENGTH = 255
# The table's own columns, PostgreSQL's, and words that tests use for the rows as a whole.
_RESERVED = frozenset(
    {"id", "created_at", "updated_at", "domain", "sheet", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"}
)

_BRACKETS = re.compile(r"[(\[【〔<《]([^)\]】〕>》]*)[)\]】〕>》]")
_UNIT = re.compile(r"(?:单位[::])?((?:百|千|万|十万|百万|千万|亿)?元|万|亿)")
_CODE = re.compile(r"(代码|编码|编号|账号|帐号|号码|代号|号)$|(^|_)(id|code|no)$")
_RATE = re.compile(r"率|占比|比例|比重|percent|rate|yield")
_COUNT = re.compile(r"(人|户|笔|个|家|次|天|件)数|数量|^(年|月|年份|年度)$|count")
_DAY = re.compile(r"日期|时间|日$|月$|月份|月度|date|day|month")
_CHINESE = re.compile(r"[㐀-鿿]")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_LONG_DIGITS = re.compile(r"[0-9]{16,}")
_EIGHT_DIGITS = re.compile(r"[0-9]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumn:
    """One column of a sample sheet: heading, the sheet's letter, and its cells as text, blank ones null."""

    heading: str
    letter: str
    cells: pd.Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sheet to draft from: every column with a heading, in the order of the sheet."""

    file: str
    sheet: str
    columns: tuple[SampleColumn, ...]

    def named(self, headings: Iterable[str]) -> SampleColumn | None:
        """The column whose heading is the first of these that the sheet has; brackets do not count."""
        by_bare = {bare_heading(column.heading): column for column in reversed(self.columns)}
        return next((by_bare[bare] for name in headings if (bare := bare_heading(name)) in by_bare), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftColumn:
    """One column of a draft and the call that declares it; `remark` is what a human must decide.

    `heading`, `letter` and `example` are blank for a computed column.
    """

    name: str
    call: Call
    heading: str = ""
    letter: str = ""
    example: str = ""
    remark: str = ""

    @property
    def column(self) -> Column:
        made: Column = self.call.made(CONSTRUCTORS)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a column's distinct values read; placeholders and blanks are no values, but `has_blanks` tells of them."""

    values: tuple[str, ...]
    numbers: tuple[Decimal, ...]
    days: tuple[date, ...]
    has_blanks: bool

    @property
    def longest(self) -> int:
        return max((len(value) for value in self.values), default=0)

    def share(self, readable: Sequence[object]) -> float:
        """Which share of the values is readable."""
        return len(readable) / len(self.values) if self.values else 0.0


def data_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of a sheet that are no totals: 合计 or 小计 in the first cell, or beside a blank one."""
    labels = pd.DataFrame({name: cells[name].isin(_labels(cells[name])) for name in cells.columns}, index=cells.index)
    total = labels.iloc[:, 0] | (labels.any(axis=1) & cells.isna().any(axis=1))
    return cells[~total].reset_index(drop=True)


def _labels(cells: pd.Series) -> list[str]:
    return [value for value in cells.dropna().unique() if read_label(value)]


def look_at(cells: pd.Series) -> Look:
    """How the cells read: their distinct values, at most MOST_VALUES of them, by the parsers of a load."""
    distinct = [str(value) for value in cells.dropna().unique()]
    values = tuple(value.strip() for value in distinct if not is_blank(value))[:MOST_VALUES]
    return Look(
        values=values,
        numbers=tuple(_read(values, parse_number)),
        days=tuple(_read(values, parse_day)),
        has_blanks=bool(cells.isna().any()) or any(is_blank(value) for value in distinct),
    )


def draft_column(sample: SampleColumn, *, name: str, headings: tuple[str, ...] | None = None) -> DraftColumn:
    """The column as it probably is; `headings` are the headings to declare instead of the sample's own."""
    look = look_at(sample.cells)
    function, options, remark = _guess(name, sample.heading, look)
    declared = headings or (sample.heading,)
    named = {} if [fold(heading) for heading in declared] == [fold(name)] else {"headings": declared}
    return DraftColumn(
        name=name,
        call=Call(function=function, args=(name,), options=named | options),
        heading=sample.heading,
        letter=sample.letter,
        example=look.values[0] if look.values else "",
        remark=remark,
    )


def column_name(heading: str, *, taken: Collection[str]) -> str:
    """A name for the warehouse: the heading without its unit and signs, at most 63 bytes, not among `taken`.

    `费用（万元）` → `费用`, `流失(含待遇支付)` → `流失_含待遇支付`.
    """
    narrowed = normalize("NFKC", heading)
    plain = _BRACKETS.sub(lambda found: "" if _UNIT.fullmatch(found[1]) else f"_{found[1]}_", narrowed)
    joined = re.sub(r"\s+", "", re.sub(r"(?<=[0-9A-Za-z])\s+(?=[0-9A-Za-z])", "_", plain))
    name = re.sub(r"_+", "_", re.sub(r"\W+", "_", joined)).strip("_") or "column"
    candidates = (_cut(name, tail) for tail in ("", *(f"_{number}" for number in range(2, 10_000))))
    return next(one for one in candidates if one not in taken and one.lower() not in _RESERVED)


def bare_heading(heading: str) -> str:
    """The heading as words are looked for: folded, and without what stands in brackets."""
    return _BRACKETS.sub("", fold(heading))


def unit_of(heading: str) -> str:
    """The unit of money that the heading names, or nothing."""
    written = normalize("NFKC", heading)
    inside = [found for part in _BRACKETS.findall(written) if (found := _UNIT.fullmatch(part))]
    if not inside:
        return ""
    return inside[0][1] if inside[0][1].endswith("元") else f"{inside[0][1]}元"


def _cut(name: str, tail: str) -> str:
    kept = name.encode()[: LONGEST_NAME_BYTES - len(tail)].decode(errors="ignore")
    return kept + tail


def _read(values: Sequence[str], parse: Callable[[str], Any]) -> list[Any]:
    read = []
    for value in values:
        try:
            read.append(parse(value))
        except ValueError:
            continue
    return read


def _guess(name: str, heading: str, look: Look) -> tuple[str, dict[str, Any], str]:
    """Constructor, options and remark: the first reading that fits."""
    bare = bare_heading(heading)
    if not look.values:
        return "text", {}, f"{name} has no value in the sample; it is taken as text"
    if _is_code(bare, look):
        return "code", _never_blank(look) | {"length": _length(look)}, ""
    if _is_day(bare, look):
        return "day", _never_blank(look), _unreadable(name, look, look.days, what="days")
    if look.share(look.numbers) >= READABLE_SHARE:
        function, options, remark = _number(name, heading, look)
        return function, {"required": True} | options, remark or _unreadable(name, look, look.numbers, what="numbers")
    length = None if look.longest > _LENGTHS[-1] else max(_length(look), _USUAL_LENGTH)
    return "text", _never_blank(look) | ({} if length == _USUAL_LENGTH else {"length": length}), ""


def _is_code(bare: str, look: Look) -> bool:
    if any(_CHINESE.search(value) for value in look.values):
        return False
    digits = any(_LEADING_ZERO.fullmatch(narrow(v)) or _LONG_DIGITS.fullmatch(narrow(v)) for v in look.values)
    return digits or (_CODE.search(bare) is not None and look.longest <= _USUAL_LENGTH)


def _is_day(bare: str, look: Look) -> bool:
    if _DAY.search(bare) and look.share(look.days) >= READABLE_SHARE:
        return True
    whole = look.share(look.days) == 1.0
    return whole and (not look.numbers or all(_EIGHT_DIGITS.fullmatch(value) for value in look.values))


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
    return "money", {"unit": unit} if (unit := unit_of(heading)) else {}, ""


def _never_blank(look: Look) -> dict[str, Any]:
    return {} if look.has_blanks else {"required": True, "nullable": False}


def _length(look: Look) -> int:
    """Twice the longest value, rounded up to a usual length."""
    return next((length for length in _LENGTHS if length >= 2 * look.longest), _LENGTHS[-1])


def _unreadable(name: str, look: Look, readable: Sequence[object], *, what: str) -> str:
    missing = len(look.values) - len(readable)
    return f"{missing} of {len(look.values)} values of {name} are no {what}; their rows are rejected" if missing else ""
