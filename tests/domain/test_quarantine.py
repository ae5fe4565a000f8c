"""Rejected rows as their owner reads them."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.quarantine import (
    REASONS,
    describe,
    first_reject_facts,
    marked_cells,
    quarantine_rows,
    rejected_rows,
    row_reasons,
)

pytestmark = pytest.mark.unit

ROWS = performance_rows(供款=[1.0, "一百", "1,000"], 投资收益=[1.0, "x", 2.0])


def test_rows_carry_their_original_cells_and_reasons() -> None:
    rows = rejected_rows(ROWS, refined(ROWS).rejects)

    assert rows["行 · row"].tolist() == [3]
    assert rows[["供款", "投资收益"]].values.tolist() == [["一百", "x"]]
    assert rows[REASONS].str.count("WDH-V201").tolist() == [2]


def test_each_bad_cell_is_named() -> None:
    assert list(marked_cells(refined(ROWS).rejects)[1]) == ["供款", "投资收益"]


def test_a_broken_cell_shows_what_was_found() -> None:
    broken = replace(performance_rows(), broken=pd.DataFrame({"position": [0], "column": ["供款"], "found": ["#REF!"]}))
    broken = replace(broken, frame=broken.frame.assign(供款=float("nan")))

    assert rejected_rows(broken, refined(broken).rejects)["供款"].tolist() == ["#REF!"]


def test_one_line_says_place_value_rule_and_hint() -> None:
    line = describe(refined(ROWS).rejects.iloc[0])

    for part in ("WDH-V201", "month.xlsx › 规模明细!J3", "一百", "规则", "hint:"):
        assert part in line
    assert first_reject_facts(refined(ROWS).rejects)["row_number"] == 3


def test_a_blank_cell_is_called_blank() -> None:
    blank = performance_rows(月度=[None])

    rejects = refined(blank).rejects

    assert "'空白 · blank'" in describe(rejects.iloc[0])
    assert first_reject_facts(rejects)["input_data"] == "空白 · blank"


def test_the_owner_reads_what_is_wrong_what_is_asked_and_what_to_do() -> None:
    rejects = refined(ROWS).rejects

    words = marked_cells(rejects)[1]["供款"]
    assert set(marked_cells(rejects)) == set(row_reasons(rejects)) == {1}
    for part in ("WDH-V201 金额无法识别", "required: a number;", "what to do: type the amount as a number"):
        assert part in words
    assert row_reasons(rejects)[1].count("WDH-V201") == 2


def test_the_warehouse_keeps_each_rejected_or_given_up_row_once() -> None:
    bronze = performance_rows(供款=[1.0, "一\0百"], 投资收益=["x", "y"], 月度=["202410", None])
    waived = pd.DataFrame({"file_sha256": ["aa", "aa"], "sheet": ["规模明细"] * 2, "row": [3, 9]})

    kept = quarantine_rows(refined(bronze).rejects, waived=waived, sha_by_label={"month.xlsx": "aa"})

    assert kept[["file", "row_number", "status"]].values.tolist() == [
        ["month.xlsx", 2, "open"],
        ["month.xlsx", 3, "open"],
        ["month.xlsx", 9, "waived"],
    ]
    assert json.loads(kept["cells"][0]) == [{"column": "投资收益", "cell": "I2", "value": "x", "rule": "WDH-V201"}]
    assert [cell["value"] for cell in json.loads(kept["cells"][1])] == [None, "一␀百", "y"]
