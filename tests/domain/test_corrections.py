"""Corrected cells and given-up rows, put into a sheet by their place."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.bronze import Bronze, rows_kept
from work_data_hub.domain.corrections import Corrections, apply, corrections, positions_of, rows_in

pytestmark = pytest.mark.unit

SHAS = {"month.xlsx": "aa"}
SHEET = "规模明细"


def cells(*given: tuple[int, str, str | None], sheet: str = SHEET, file: str = "aa") -> pd.DataFrame:
    rows = [(file, sheet, row, column, value, "before") for row, column, value in given]
    return pd.DataFrame(rows, columns=["file_sha256", "sheet", "row", "column", "value", "found"])


def rows(*numbers: int) -> pd.DataFrame:
    return pd.DataFrame(
        [("aa", SHEET, number, "too old") for number in numbers], columns=["file_sha256", "sheet", "row", "reason"]
    )


def corrected(bronze: Bronze, *given: tuple[int, str, str | None]) -> Bronze:
    return apply(bronze, corrections(cells=cells(*given)), sha_by_label=SHAS).bronze


def test_a_text_stands_in_its_column_and_nothing_else_changes() -> None:
    bronze = performance_rows(客户名称=["甲", "乙", "丙"], 供款=[1.0, 2.0, 3.0])

    done = corrected(bronze, (3, "客户名称", "丁"), (4, "客户名称", None))

    assert done.frame["客户名称"].fillna("").tolist() == ["甲", "丁", ""]
    assert done.frame["客户名称"].dtype == bronze.frame["客户名称"].dtype
    pd.testing.assert_frame_equal(done.frame.drop(columns="客户名称"), bronze.frame.drop(columns="客户名称"))


@pytest.mark.parametrize(
    ("before", "value", "loaded"),
    [
        ("一百", "100", "100.0000"),
        (7.0, "0.30000000000000004", "0.3000"),
        (7.0, "1.5万", "15000.0000"),
        (7.0, None, "<NA>"),
    ],
)
def test_an_amount_is_read_from_the_text_of_its_correction(before: Any, value: str | None, loaded: str) -> None:
    done = corrected(performance_rows(供款=[1.0, before]), (3, "供款", value))

    assert [str(amount) for amount in refined(done).gold["供款"]] == ["1.0000", loaded]


def test_what_was_broken_about_a_corrected_cell_is_gone() -> None:
    broken = pd.DataFrame({"position": [0, 1], "column": ["供款", "供款"], "found": ["#REF!", "#REF!"]})
    bronze = replace(performance_rows(供款=[float("nan")] * 2), broken=broken)

    done = corrected(bronze, (2, "供款", "5"))

    assert done.broken["position"].tolist() == [1]
    assert refined(done).rejects["position"].tolist() == [1]


def test_cells_that_are_not_there_are_counted_and_left_out() -> None:
    bronze = performance_rows(供款=1.0)
    lost = [cells((99, "供款", "1")), cells((2, "没有", "1")), cells((2, "供款", "1"), file="bb")]

    done = apply(bronze, corrections(cells=pd.concat(lost)), sha_by_label=SHAS)

    (count,) = done.counts
    assert (count.name, count.rows) == ("corrections without their cell", 3)
    assert f"{SHEET}!99 供款" in count.values
    assert done.bronze.frame["供款"].tolist() == [1.0]


def test_nothing_sent_back_leaves_the_sheet_itself() -> None:
    bronze = performance_rows()

    assert apply(bronze, corrections(), sha_by_label=SHAS).bronze is bronze


def test_rows_left_out_take_their_texts_and_broken_cells_along() -> None:
    broken = pd.DataFrame({"position": [0, 2], "column": ["投资收益", "投资收益"], "found": ["#REF!", "#N/A"]})
    bronze = replace(performance_rows(供款=[1.0, "x", "y"]), broken=broken)

    kept = rows_kept(bronze, np.array([False, True, True]))

    assert kept.frame["_source_row"].tolist() == [3, 4]
    assert kept.texts[["position", "text"]].values.tolist() == [[0, "x"], [1, "y"]]
    assert kept.broken[["position", "found"]].values.tolist() == [[1, "#N/A"]]


def test_rows_are_found_by_file_sheet_and_number() -> None:
    bronze = performance_rows(供款=[1.0, 2.0, 3.0])
    others = rows(3).assign(sheet="另一张")

    assert positions_of(bronze, rows(4, 2, 77), sha_by_label=SHAS).tolist() == [0, 2]
    assert positions_of(bronze, others, sha_by_label=SHAS).tolist() == []
    assert rows_in(rows(2, 3), rows(3)).tolist() == [False, True]


def both(first: Corrections, second: Corrections) -> Corrections:
    return first.then(second)


def test_the_later_correction_of_a_cell_wins() -> None:
    done = both(
        corrections(cells=cells((2, "供款", "1"), (3, "供款", "1"))), corrections(cells=cells((2, "供款", "2")))
    )

    assert sorted(done.cells[["row", "value"]].values.tolist()) == [[2, "2"], [3, "1"]]


def test_a_row_corrected_later_is_no_longer_given_up() -> None:
    first = corrections(waived=rows(2, 3))

    assert both(first, corrections(cells=cells((2, "供款", "1")))).waived["row"].tolist() == [3]
    assert both(corrections(cells=cells((2, "供款", "1"))), first).waived["row"].tolist() == [2, 3]


def test_the_digest_tells_values_and_rows_but_not_order_or_what_was_found() -> None:
    base = corrections(cells=cells((2, "供款", "1"), (3, "供款", None)), waived=rows(9))
    same = corrections(cells=cells((3, "供款", None), (2, "供款", "1")).assign(found="?"), waived=rows(9))
    others = [
        corrections(cells=cells((2, "供款", "1"), (3, "供款", "")), waived=rows(9)),
        corrections(cells=cells((2, "供款", "1"), (3, "供款", None)), waived=rows(8)),
        corrections(cells=cells((2, "供款", "1"), (3, "供款", None))),
    ]

    assert corrections().digest == ""
    assert base.digest == same.digest
    assert len({base.digest, *(other.digest for other in others)}) == 4
