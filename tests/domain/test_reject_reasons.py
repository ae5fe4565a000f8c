"""Why rows were rejected, in lines that a reader understands before opening any workbook."""

import pandas as pd
import pytest

from work_data_hub.domain.reject_reasons import reasons_table, reject_reasons

pytestmark = pytest.mark.unit


def rejects(*cells: tuple[int, str, str, str]) -> pd.DataFrame:
    """Offending cells: position, column, rule and cell, of one sheet."""
    return pd.DataFrame(cells, columns=["position", "column", "rule", "cell"]).assign(
        value="见附件", _source_file="202410/V2/月|报_1.xlsx", _source_sheet="规模明细", _source_row=7
    )


def test_reasons_are_counted_by_rows_with_their_first_cell_most_rows_first() -> None:
    found = reject_reasons(
        rejects(
            (3, "月度", "WDH-V102", "A5"),
            (4, "供款", "WDH-V201", "P6"),
            (9, "供款", "WDH-V201", "P11"),
            (9, "流失", "WDH-V201", "Q11"),
        )
    )

    assert [(one.column, one.code, one.rows) for one in found] == [
        ("供款", "WDH-V201", 2),
        ("月度", "WDH-V102", 1),
        ("流失", "WDH-V201", 1),
    ]
    assert found[0].first == "月|报_1.xlsx › 规模明细!P6"


def test_no_rejects_have_no_reasons() -> None:
    assert reject_reasons(rejects()) == ()


def test_the_table_says_rule_meaning_remedy_rows_and_place_and_keeps_its_shape() -> None:
    heading, _, line = reasons_table(reject_reasons(rejects((4, "供款", "WDH-V201", "P6")))).splitlines()

    assert heading == "| rule | column | what it means | what to do | rows | first cell |"
    assert line.startswith("| WDH-V201 金额无法识别 · number not recognised | 供款 | a number;")
    assert line.endswith("| type the amount as a number | 1 | 月\\|报\\_1.xlsx › 规模明细!P6 |")


def test_more_reasons_than_a_page_holds_are_counted() -> None:
    many = reject_reasons(rejects(*((at, f"列{at}", "WDH-V201", f"P{at}") for at in range(23))))

    assert reasons_table(many).endswith("… and 3 more reasons")
