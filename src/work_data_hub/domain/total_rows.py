"""The rows of a sheet that are totals: recognised, set aside, and read for what they state."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze, rows_kept
from work_data_hub.domain.spec import Column, Domain, Kind
from work_data_hub.domain.stated_totals import TotalKind, TotalRow, read_rows
from work_data_hub.domain.text import is_blank
from work_data_hub.domain.total_labels import MAYBE_LABEL, SHEET, Label, read_label
from work_data_hub.errors import NoDataRows

__all__ = [
    "LabelledRow",
    "TotalKind",
    "TotalRow",
    "data_rows_called_totals",
    "read_label",
    "set_totals_aside",
    "sheet_starts",
]

# What can be a placeholder at all, in Arrow's regular expressions.
_MAYBE_BLANK = r"^[^\pL\pN]*(?i:n/?a|null|none|nan|无|暂无|空白)?[^\pL\pN]*$"
_NAME_OF_AN_ID = re.compile(r"代码|编码|编号|号$|(?<![a-z])(?:id|code|no)$", re.IGNORECASE)
_MOST_GROUPS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRow:
    """A row that is called as a total is and was taken for a data row; `filled` are the columns that make it one."""

    label: str
    file: str
    sheet: str
    row: int
    filled: tuple[str, ...]

    def as_json(self) -> dict[str, str | int | list[str]]:
        """Where the row stands, what it is called and what makes it a data row."""
        return {
            "file": self.file,
            "sheet": self.sheet,
            "row": self.row,
            "label": self.label,
            "filled": list(self.filled),
        }

    def sentence(self) -> str:
        """The same as a sentence."""
        filled = f"{'、'.join(self.filled)} filled" if self.filled else "nothing else filled"
        return f"row {self.row} of {self.sheet} is called {self.label} and was taken for a data row: {filled}"


def set_totals_aside(domain: Domain, bronze: Bronze) -> tuple[Bronze, tuple[TotalRow, ...]]:
    """The sheets without their totals, and the totals in the order of their rows.

    A total is a row with a label in a text cell (合计, 小计, 总合计, 总计, 共计, 总和, 总额, 汇总, total, subtotal;
    spaces, a colon or a bracket behind it do not count, and a short group may stand before a Chinese one:
    北京小计) that says little else: no code and no id, the month and at most one other text (the group).
    Every other row is a data row. Raises NoDataRows where nothing else is left.
    """
    labels = {at: label for at, (label, filled) in _labelled(domain, bronze).items() if _is_total(domain, filled)}
    if not labels:
        return bronze, ()
    places = np.fromiter(labels, dtype="int64")
    kept = np.ones(len(bronze.frame), dtype=bool)
    kept[places] = False
    if not kept.any():
        raise _nothing_but_totals(bronze, places)
    totals = tuple(_covered(bronze.frame, labels, kept, rows=read_rows(domain, bronze, labels)))
    return rows_kept(bronze, kept), totals


def data_rows_called_totals(domain: Domain, bronze: Bronze) -> tuple[LabelledRow, ...]:
    """The rows without their codes that have a label and are data rows all the same; totals must be set aside."""
    places = bronze.frame[[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]]
    return tuple(
        LabelledRow(label=label.text, file=file, sheet=sheet, row=int(row), filled=filled)
        for at, (label, filled) in _labelled(domain, bronze).items()
        for file, sheet, row in [places.iloc[at]]
    )


# -- which rows


def _is_total(domain: Domain, filled: tuple[str, ...]) -> bool:
    return len(filled) <= _MOST_GROUPS and not any(_identifies(domain.by_name[name]) for name in filled)


def _identifies(column: Column) -> bool:
    """Whether a value of the column says which plan, portfolio or company a row is about."""
    names = (column.name, *column.headings)
    return column.kind is Kind.CODE or any(_NAME_OF_AN_ID.search(name) for name in names)


def _labelled(domain: Domain, bronze: Bronze) -> dict[int, tuple[Label, tuple[str, ...]]]:
    """The label of each row that could be a total, by position, in order, and its other filled text columns."""
    frame = bronze.frame
    columns = [column for column in domain.read if column.name in frame.columns and not column.is_number]
    possible = np.flatnonzero(~_complete(columns, frame))
    found: dict[int, Label] = {}
    for column in columns:
        cells = _arrow(frame[column.name]).take(pa.array(possible))
        maybe = np.flatnonzero(_matches(cells, MAYBE_LABEL))
        for at, text in zip(maybe, cells.take(pa.array(maybe)).to_pylist(), strict=True):
            label = read_label(text)
            if label is not None:
                found.setdefault(int(possible[at]), label)
    places = sorted(found)
    filled = _filled(bronze, places, names=[column.name for column in columns if column.name not in _months(domain)])
    return {at: (found[at], names) for at, names in zip(places, filled, strict=True)}


def _filled(bronze: Bronze, places: list[int], *, names: list[str]) -> Iterator[tuple[str, ...]]:
    """Which of the named columns say something in each of those rows; an Excel error does."""
    broken = set(bronze.broken[["position", "column"]].itertuples(index=False, name=None)) if places else set()
    rows = bronze.frame[names].iloc[places].itertuples(index=False, name=None)
    for at, cells in zip(places, rows, strict=True):
        said = zip(names, cells, strict=True)
        yield tuple(name for name, cell in said if _says_something(cell) or (at, name) in broken)


def _months(domain: Domain) -> set[str]:
    """The columns that name the month of a row: that of the load rule, and those that a step reads for it."""
    month = domain.load.column
    return {month, *(name for step in domain.steps if month in step.writes for name in step.reads)}


def _complete(columns: list[Column], frame: pd.DataFrame) -> np.ndarray:
    """The rows in which every column that may never be blank, the month apart, says something."""
    needed = [column.name for column in columns if not column.nullable and column.kind is not Kind.MONTH]
    complete = np.full(len(frame), bool(needed))
    for name in needed:
        cells = _arrow(frame[name])
        empty = ~np.asarray(cells.is_valid())
        maybe = np.flatnonzero(_matches(cells, f"{_MAYBE_BLANK}|{MAYBE_LABEL}"))
        texts = cells.take(pa.array(maybe)).to_pylist()
        empty[maybe] = [not _says_something(text) for text in texts]
        complete &= ~empty
    return complete


def _says_something(cell: Any) -> bool:
    return not pd.isna(cell) and not is_blank(cell) and read_label(cell) is None


def _arrow(cells: pd.Series) -> pa.ChunkedArray | pa.Array:
    return pa.array(cells, type=pa.large_string(), from_pandas=True)


def _matches(cells: pa.Array, pattern: str) -> np.ndarray:
    found = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
    return np.asarray(found, dtype=bool)


# -- what they state, and for which rows


def _covered(
    frame: pd.DataFrame, labels: Mapping[int, Label], kept: np.ndarray, *, rows: Iterator[TotalRow]
) -> Iterator[TotalRow]:
    """The totals with the rows they stand for.

    A total stands for the data rows since the last total that ranks as high (小计 below 北京合计 below
    合计 below 总计); the only one of a sheet for the whole sheet, wherever it stands. A total directly
    below another ranks above that one.
    """
    numbers, data = frame[SOURCE_ROW].to_numpy(dtype="int64"), np.flatnonzero(kept)
    starts = sheet_starts(frame)
    sheets = np.searchsorted(starts, list(labels), side="right") - 1
    grand = np.bincount(sheets, weights=[label.rank >= SHEET for label in labels.values()])
    standing: list[tuple[int, int]] = []
    sheet_before = -1
    for (at, label), sheet, row in zip(labels.items(), sheets, rows, strict=True):
        if sheet != sheet_before:
            standing, sheet_before = [(1_000, int(starts[sheet]) - 1)], int(sheet)
        begin = _begin(standing, at=at, rank=label.rank)
        alone = label.rank >= SHEET and grand[sheet] == 1
        bounds = (starts[sheet], starts[sheet + 1]) if alone else (begin, at)
        first, end = np.searchsorted(data, bounds)
        if first < end:
            yield replace(row, first_row=int(numbers[data[first]]), last_row=int(numbers[data[end - 1]]))
        else:
            # The only total of a sheet without rows must state nothing but zeros.
            yield replace(row, first_row=row.row, last_row=row.row) if alone else row


def _begin(standing: list[tuple[int, int]], *, at: int, rank: int) -> int:
    """Where the rows of a total begin: behind the last one that ranks as high; it then stands itself."""
    above_rank, above_at = standing[-1]
    if above_at == at - 1 and len(standing) > 1 and above_rank >= rank:
        rank = above_rank + 1
    while standing[-1][0] < rank:
        standing.pop()
    begin = standing[-1][1] + 1
    standing.append((rank, at))
    return begin


def sheet_starts(frame: pd.DataFrame) -> np.ndarray:
    """The position of each sheet's first row, and behind the last one the number of rows."""
    files, sheets = frame[SOURCE_FILE], frame[SOURCE_SHEET]
    begins = (files.ne(files.shift()) | sheets.ne(sheets.shift())).to_numpy(dtype=bool, na_value=True)
    return np.append(np.flatnonzero(begins), len(frame))


def _nothing_but_totals(bronze: Bronze, places: np.ndarray) -> NoDataRows:
    first = bronze.frame.iloc[int(places[0])]
    return NoDataRows(
        "the sheet has totals only",
        file=str(first[SOURCE_FILE]),
        sheet=str(first[SOURCE_SHEET]),
        row_number=int(first[SOURCE_ROW]),
        hint="check that this is the right sheet and the final file",
    )
