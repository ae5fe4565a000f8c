"""Cells read in blocks of rows: values, findings and counts are those of the whole sheet."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pandas.testing import assert_frame_equal
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.bronze import Bronze, joined, row_blocks
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.cell_blocks import parse_cells
from work_data_hub.domain.columns import Column, code, count, day, money, month, rate, text
from work_data_hub.domain.findings import Counted, Rejected, added_up, reject_table
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.spreading import SERIAL, Mapper, Serial

pytestmark = pytest.mark.unit

COLUMNS = (
    text("name", length=4),
    code("plan", length=5),
    month("month"),
    day("due"),
    day("seen", lenient=True),
    money("amount", lowest=Decimal(0)),
    money("in_ten_thousands", unit="万元", scale=2),
    rate("share"),
    count("people"),
)
_DAYS = ["202410", "2024年10月", "2024/11/3", "13/13/13"]
TEXTS = some.sampled_from([None, "", " ", "短", "长长长长长长", "a\0b", "ｘ－12", "000123", *_DAYS])
NUMBERS = some.one_of(
    some.none(),
    some.sampled_from([0.0, -1.0, 0.00005, 1.5, 2.675, 1e15, 1e30, 12.0, 99.0]),
    some.floats(-1e200, 1e200),
    some.sampled_from(["1,234.5", "x", "12%", "3万", "1e3", "-", "5"]),
)


def bronze_of(cells: list[list[Any]], broken: list[tuple[int, int, str]]) -> Bronze:
    """A sheet of `COLUMNS`, one list of cells a row, put apart as the reader does."""
    by_column = list(zip(*cells, strict=True))
    frame, texts = {}, []
    for column, written in zip(COLUMNS, by_column, strict=True):
        frame[column.name] = _column(column, written)
        texts += [(at, column.name, w) for at, w in enumerate(written) if column.is_number and isinstance(w, str)]
    found = sorted({(at % len(cells), COLUMNS[name].name, what) for at, name, what in broken})
    place: dict[str, Any] = {"_source_file": "a.xlsx", "_source_sheet": "S", "_source_row": range(2, len(cells) + 2)}
    return Bronze(
        frame=pd.DataFrame(frame).assign(**place),
        texts=_cells(texts, "text"),
        broken=_cells(found, "found"),
        letters={},
    )


def _column(column: Column, written: tuple[Any, ...]) -> Any:
    if column.is_number:
        return np.array([np.nan if w is None or isinstance(w, str) else w for w in written], dtype="float64")
    return pd.array(list(written), dtype="string")


def _cells(cells: list[tuple[int, str, str]], value: str) -> pd.DataFrame:
    frame = pd.DataFrame(sorted(cells), columns=["position", "column", value])
    return frame.astype({"position": "int64", "column": "string", value: "string"})


SHEETS = some.builds(
    bronze_of,
    some.lists(
        some.tuples(*(NUMBERS if column.is_number else TEXTS for column in COLUMNS)).map(list), min_size=1, max_size=12
    ),
    some.lists(some.tuples(some.integers(0, 11), some.integers(0, len(COLUMNS) - 1), some.sampled_from(["#N/A", ""]))),
)


def parsed(bronze: Bronze, mapper: Mapper) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Counted, ...]]:
    values, findings = parse_cells(COLUMNS, bronze, mapper=mapper)
    rejects = reject_table([found for found in findings if isinstance(found, Rejected)])
    return pd.DataFrame(values), rejects, added_up(found for found in findings if isinstance(found, Counted))


@settings(deadline=None, max_examples=60)
@given(bronze=SHEETS, block_rows=some.integers(1, 13))
def test_blocks_of_any_size_give_what_the_whole_sheet_gives(bronze: Bronze, block_rows: int) -> None:
    values, rejects, counts = parsed(bronze, SERIAL)
    in_blocks = parsed(bronze, Serial(block_rows=block_rows))

    assert_frame_equal(in_blocks[0], values, check_exact=True, check_index_type="equiv")
    assert_frame_equal(in_blocks[1], rejects, check_exact=True)
    assert [list(count.values.items()) for count in in_blocks[2]] == [list(count.values.items()) for count in counts]
    assert in_blocks[2] == counts


@settings(deadline=None, max_examples=60)
@given(bronze=SHEETS, block_rows=some.integers(1, 13))
def test_blocks_put_together_are_the_sheet(bronze: Bronze, block_rows: int) -> None:
    again = joined(list(row_blocks(bronze, block_rows)))

    assert_frame_equal(again.frame, bronze.frame)
    assert_frame_equal(again.texts, bronze.texts, check_dtype=False)
    assert_frame_equal(again.broken, bronze.broken, check_dtype=False)


def test_unread_days_are_counted_over_the_whole_sheet() -> None:
    written = [f"day {at % 30}" for at in range(90)]
    bronze = bronze_of([["a", "P1", "202410", None, day_, 1.0, 1.0, 0.5, 1.0] for day_ in written], [])

    (count,) = parsed(bronze, Serial(block_rows=7))[2]

    assert (count.name, count.rows, len(count.values), set(count.values.values())) == ("unreadable seen", 90, 20, {3})


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_comes_to_the_same_outcome(name: str) -> None:
    domain = DOMAINS[name]
    odd = [1.0, "x", None, "1,2", 1e30, 0.5, 0.5]
    cells: dict[str, Any] = {column.name: odd for column in domain.read if column.is_number}
    bronze = rows(domain, **cells)

    whole, in_blocks = refined(domain, bronze), refined(domain, bronze, mapper=Serial(block_rows=2))

    assert whole.rows_rejected > 0
    assert_same(whole, in_blocks)


def assert_same(one: Outcome, other: Outcome) -> None:
    for field in fields(Outcome):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(ours, pd.DataFrame):
            assert_frame_equal(theirs, ours, check_exact=True)
        elif field.name == "identified":
            assert (theirs is None) == (ours is None)
        else:
            assert theirs == ours
