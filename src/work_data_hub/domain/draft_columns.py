"""What a sample's column is likely to be: its kind by how the cells read, its name by its heading."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from unicodedata import normalize

import pandas as pd

from work_data_hub.domain.columns import Column, code, count, day, money, month, rate, text
from work_data_hub.domain.draft_kinds import BRACKETS, UNIT, bare_heading, guess, look_at
from work_data_hub.domain.python_text import Call
from work_data_hub.domain.text import fold
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
LONGEST_NAME_BYTES = 63
# The table's own columns, PostgreSQL's, and words that tests use for the rows as a whole.
_RESERVED = frozenset(
    {"id", "created_at", "updated_at", "domain", "sheet", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"}
)


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


def data_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of a sheet that are no totals: 合计 or 小计 in the first cell, or beside a blank one."""
    labels = pd.DataFrame({name: cells[name].isin(_labels(cells[name])) for name in cells.columns}, index=cells.index)
    total = labels.iloc[:, 0] | (labels.any(axis=1) & cells.isna().any(axis=1))
    return cells[~total].reset_index(drop=True)


def _labels(cells: pd.Series) -> list[str]:
    return [value for value in cells.dropna().unique() if read_label(value)]


def draft_column(sample: SampleColumn, *, name: str, headings: tuple[str, ...] | None = None) -> DraftColumn:
    """The column as it probably is; `headings` are the headings to declare instead of the sample's own."""
    look = look_at(sample.cells)
    function, options, remark = guess(name, sample.heading, look)
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
    plain = BRACKETS.sub(lambda found: "" if UNIT.fullmatch(found[1]) else f"_{found[1]}_", narrowed)
    joined = re.sub(r"\s+", "", re.sub(r"(?<=[0-9A-Za-z])\s+(?=[0-9A-Za-z])", "_", plain))
    name = re.sub(r"_+", "_", re.sub(r"\W+", "_", joined)).strip("_") or "column"
    candidates = (_cut(name, tail) for tail in ("", *(f"_{number}" for number in range(2, 10_000))))
    return next(one for one in candidates if one not in taken and one.lower() not in _RESERVED)


def _cut(name: str, tail: str) -> str:
    kept = name.encode()[: LONGEST_NAME_BYTES - len(tail)].decode(errors="ignore")
    return kept + tail
