"""Rejected rows as their owner reads them."""

from dataclasses import replace

import pandas as pd
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.quarantine import REASONS, describe, first_reject_facts, rejected_cells, rejected_rows

pytestmark = pytest.mark.unit

ROWS = performance_rows(供款=[1.0, "一百", "1,000"], 投资收益=[1.0, "x", 2.0])


def test_rows_carry_their_original_cells_and_reasons() -> None:
    rows = rejected_rows(ROWS, refined(ROWS).rejects)

    assert rows["行 · row"].tolist() == [3]
    assert rows[["供款", "投资收益"]].values.tolist() == [["一百", "x"]]
    assert rows[REASONS].str.count("WDH-V201").tolist() == [2]


def test_each_bad_cell_is_named() -> None:
    assert set(rejected_cells(refined(ROWS).rejects)) == {(0, "供款"), (0, "投资收益")}


def test_a_broken_cell_shows_what_was_found() -> None:
    broken = replace(performance_rows(), broken=pd.DataFrame({"position": [0], "column": ["供款"], "found": ["#REF!"]}))
    broken = replace(broken, frame=broken.frame.assign(供款=float("nan")))

    assert rejected_rows(broken, refined(broken).rejects)["供款"].tolist() == ["#REF!"]


def test_one_line_says_place_value_rule_and_hint() -> None:
    line = describe(refined(ROWS).rejects.iloc[0])

    for part in ("WDH-V201", "month.xlsx › 规模明细!J3", "一百", "规则", "hint:"):
        assert part in line
    assert first_reject_facts(refined(ROWS).rejects)["row_number"] == 3
