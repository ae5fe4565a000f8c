"""The rows of a sheet that are totals: recognised, set aside, and read for what they state."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.spec import Column, Domain, Kind
from work_data_hub.domain.text import is_blank, narrow
from work_data_hub.errors import NoDataRows

_LABEL = re.compile(
    r"(?P<group>.*?)"
    r"(?P<word>合\s*计|小\s*计|总\s*合\s*计|总\s*计|汇\s*总|sub\s*-?\s*total|grand\s*total|(?<![a-z])total)"
    r"\s*(?:\([^()]{0,8}\))?\s*:?",
    re.IGNORECASE | re.DOTALL,
)
_SHORT_GROUP, _SPACED_GROUP, _LONGEST_LABEL = 12, 60, 100
_WHOLE_SHEET = re.compile(r"(?:全部|全国|全表|全公司|本表|本月|当月|[0-9年月份./-]+)?")
# What can be a label or a placeholder at all, in Arrow's regular expressions.
_MAYBE_LABEL = r"[计总LlＬｌ)）][\s\p{Z}\p{Cf}:：]*$"
_MAYBE_BLANK = r"^[^\pL\pN]*(?i:n/?a|null|none|nan|无|暂无|空白)?[^\pL\pN]*$"
_PART, _GROUP, _SHEET, _EVERYTHING = 10, 20, 30, 40


class TotalKind(StrEnum):
    """Whether a total stands for a part of its sheet or for the sheet."""

    SUB = "sub"
    GRAND = "grand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a cell such as 北京小计 says: the words of it, and how high the total stands."""

    text: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """One total of a sheet and the rows it stands for.

    `stated` is the exact amount of each money column that has a readable one, `cells` its address.
    `first_row` and `last_row` are the Excel rows of the first and the last data row it stands for,
    both 0 where there is none.
    """

    label: str
    kind: TotalKind
    file: str
    sheet: str
    row: int
    stated: Mapping[str, Decimal]
    cells: Mapping[str, str]
    first_row: int = 0
    last_row: int = 0


def set_totals_aside(domain: Domain, bronze: Bronze) -> tuple[Bronze, tuple[TotalRow, ...]]:
    """The sheets without their totals, and the totals in the order of their rows.

    A total is a row with a label in a text cell (合计, 小计, 总合计, 总计, 汇总, total, subtotal; spaces, a
    colon or a bracket behind it do not count, and a short group may stand before it: 北京小计), unless
    its other cells make it a data row: a code that is no label, or a value in every column that may
    never be blank. Raises NoDataRows where nothing else is left.
    """
    labels = _labelled(domain, bronze.frame)
    if not labels:
        return bronze, ()
    places = np.fromiter(labels, dtype="int64")
    kept = np.ones(len(bronze.frame), dtype=bool)
    kept[places] = False
    if not kept.any():
        raise _nothing_but_totals(bronze, places)
    totals = tuple(_covered(bronze.frame, labels, kept, rows=_read_rows(domain, bronze, labels)))
    return _without(bronze, kept), totals


def read_label(text: str) -> Label | None:
    """The label that the text is; None for any other text."""
    written = narrow(text).strip()
    found = _LABEL.fullmatch(written) if len(written) <= _LONGEST_LABEL else None
    if found is None:
        return None
    group, word = found["group"], re.sub(r"[\s-]", "", found["word"]).lower()
    longest = _SPACED_GROUP if group[-1:].isspace() else _SHORT_GROUP
    if len(group.strip()) > longest:
        return None
    return Label(text=written.rstrip(": "), rank=_rank(group.strip(), word))


def _rank(group: str, word: str) -> int:
    if word in ("小计", "subtotal"):
        return _PART
    if not _WHOLE_SHEET.fullmatch(group):
        return _GROUP
    return _SHEET if word in ("合计", "total") else _EVERYTHING


# -- which rows


def _labelled(domain: Domain, frame: pd.DataFrame) -> dict[int, Label]:
    """The label of each row that is a total, by position, in order."""
    columns = [column for column in domain.read if column.name in frame.columns and not column.is_number]
    possible = np.flatnonzero(~_complete(columns, frame))
    found: dict[int, Label] = {}
    for column in columns:
        cells = _arrow(frame[column.name]).take(pa.array(possible))
        maybe = np.flatnonzero(_matches(cells, _MAYBE_LABEL))
        for at, text in zip(maybe, cells.take(pa.array(maybe)).to_pylist(), strict=True):
            label = read_label(text)
            if label is not None:
                found.setdefault(int(possible[at]), label)
    codes = [column.name for column in columns if column.kind is Kind.CODE]
    return {at: found[at] for at in sorted(found) if not any(_says_something(frame[name].iloc[at]) for name in codes)}


def _complete(columns: list[Column], frame: pd.DataFrame) -> np.ndarray:
    """The rows in which every column that may never be blank, the month apart, says something."""
    needed = [column.name for column in columns if not column.nullable and column.kind is not Kind.MONTH]
    complete = np.full(len(frame), bool(needed))
    for name in needed:
        cells = _arrow(frame[name])
        empty = ~np.asarray(cells.is_valid())
        maybe = np.flatnonzero(_matches(cells, f"{_MAYBE_BLANK}|{_MAYBE_LABEL}"))
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


def _read_rows(domain: Domain, bronze: Bronze, labels: Mapping[int, Label]) -> Iterator[TotalRow]:
    """The totals as they stand, what they stand for not known yet."""
    names = [column.name for column in domain.stored if column.kind is Kind.MONEY and column.name in bronze.frame]
    places = bronze.frame.iloc[list(labels)]
    written = bronze.texts[bronze.texts["position"].isin(list(labels))]
    texts = {(at, name): text for at, name, text in written[["position", "column", "text"]].itertuples(index=False)}
    spoilt = bronze.broken[bronze.broken["position"].isin(list(labels))]
    broken = set(spoilt[["position", "column"]].itertuples(index=False, name=None))
    numbers = places[names].to_numpy(dtype="float64")
    provenance = places[[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].itertuples(index=False, name=None)
    for (at, label), amounts, (file, sheet, row) in zip(labels.items(), numbers, provenance, strict=True):
        cells = [(name, texts.get((at, name), number)) for name, number in zip(names, amounts, strict=True)]
        stated = {name: _amount(cell) for name, cell in cells if (at, name) not in broken}
        letters = bronze.letters_of(file, sheet)
        readable = {name: amount for name, amount in stated.items() if amount is not None}
        yield TotalRow(
            label=label.text,
            kind=TotalKind.GRAND if label.rank >= _SHEET else TotalKind.SUB,
            file=file,
            sheet=sheet,
            row=int(row),
            stated=readable,
            cells={name: f"{letters.get(name, '')}{row}" for name in readable},
        )


def _amount(cell: str | float) -> Decimal | None:
    if not isinstance(cell, str):
        return None if np.isnan(cell) else Decimal(repr(float(cell)))
    try:
        return parse_number(cell)
    except ValueError:
        return None


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
    grand = np.bincount(sheets, weights=[label.rank >= _SHEET for label in labels.values()])
    standing: list[tuple[int, int]] = []
    sheet_before = -1
    for (at, label), sheet, row in zip(labels.items(), sheets, rows, strict=True):
        if sheet != sheet_before:
            standing, sheet_before = [(1_000, int(starts[sheet]) - 1)], int(sheet)
        begin = _begin(standing, at=at, rank=label.rank)
        alone = label.rank >= _SHEET and grand[sheet] == 1
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


def _without(bronze: Bronze, kept: np.ndarray) -> Bronze:
    moved = np.cumsum(kept) - 1

    def remaining(cells: pd.DataFrame) -> pd.DataFrame:
        at = cells["position"].to_numpy(dtype="int64")
        stays: pd.DataFrame = cells.assign(position=moved[at])[kept[at]]
        return stays.reset_index(drop=True)

    frame = bronze.frame[kept].reset_index(drop=True)
    return replace(bronze, frame=frame, texts=remaining(bronze.texts), broken=remaining(bronze.broken))


def _nothing_but_totals(bronze: Bronze, places: np.ndarray) -> NoDataRows:
    first = bronze.frame.iloc[int(places[0])]
    return NoDataRows(
        "the sheet has totals only",
        file=str(first[SOURCE_FILE]),
        sheet=str(first[SOURCE_SHEET]),
        row_number=int(first[SOURCE_ROW]),
        hint="check that this is the right sheet and the final file",
    )
