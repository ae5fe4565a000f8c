"""What totals state against their rows: what agrees, what is explained, and what is refused."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.bronze import Bronze, joined
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.control_totals import Controls, ControlTotal, compare, loaded, refuse
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.total_rows import set_totals_aside
from work_data_hub.errors import TotalsDiffer

pytestmark = pytest.mark.unit

PERFORMANCE, AWARD = DOMAINS["annuity_performance"], DOMAINS["annual_award"]
TRUSTEE = DOMAINS["sandbox_trustee_performance"]
CENT = Decimal("0.01")


def sheet(*amounts: Any, total: Any, label: str = "合计") -> Bronze:
    """规模明细 with one row an amount of 供款, no other amounts, and a total."""
    count = len(amounts)
    kept = {
        "业务类型": "企年受托",
        "计划类型": "单一计划",
        "计划代码": "S0001",
        "客户名称": "平安科技",
        "机构名称": "北京",
    }
    texts: dict[str, Any] = {name: [value] * count + [None] for name, value in kept.items()}
    none = dict.fromkeys(("期初资产规模", "期末资产规模", "投资收益"), [None] * (count + 1))
    return rows(PERFORMANCE, **{"月度": ["202410"] * count + [label], **texts, **none, "供款": [*amounts, total]})


def compared(bronze: Bronze, *, tolerance: Decimal = CENT) -> Controls:
    left, totals = set_totals_aside(PERFORMANCE, bronze)
    outcome = refined(PERFORMANCE, left)
    return compare(totals, domain=PERFORMANCE, bronze=left, outcome=outcome, tolerance=tolerance)


def only(bronze: Bronze, *, tolerance: Decimal = CENT) -> ControlTotal:
    (control,) = compared(bronze, tolerance=tolerance).compared
    return control


def test_a_total_that_is_its_rows_agrees() -> None:
    control = only(sheet(0.1, 0.2, "1,000.50", total=1000.8))

    assert (control.stated, control.parsed, control.cleaned) == (
        Decimal("1000.8"),
        Decimal("1000.8"),
        Decimal("1000.8"),
    )
    assert (control.explanation, control.is_refused, control.rows, control.loaded) == ("", False, 3, None)


def test_a_total_typed_as_text_is_read_exactly() -> None:
    assert only(sheet(1234.5, total="1,234.50")).difference == 0


@pytest.mark.parametrize(
    ("stated", "tolerance", "is_refused"),
    [
        (3.0101, "0.01", False),  # two rows may each be half of 0.0001 off
        (3.0102, "0.01", True),
        (2.9899, "0.01", False),
        (2.9898, "0.01", True),
        (3.0001, "0", False),
        (3.0002, "0", True),
        (1000.0, "1000", False),
    ],
)
def test_the_tolerance_is_the_domains_and_half_a_stored_unit_a_row(
    stated: float, tolerance: str, is_refused: bool
) -> None:
    assert only(sheet(1.0, 2.0, total=stated), tolerance=Decimal(tolerance)).is_refused == is_refused


def test_digits_that_excel_does_not_keep_are_no_difference() -> None:
    assert not only(sheet("6172839506172.84", "6172839506172.83", total=12345679012345.7)).is_refused
    assert only(sheet("6172839506172.84", "6172839506172.83", total=12345679012345.8)).is_refused


def test_a_total_that_is_off_is_refused_with_its_cell() -> None:
    controls = compared(sheet(1.0, 2.0, total=1003.0))

    with pytest.raises(TotalsDiffer) as refused:
        refuse(controls.compared, domain="annuity_performance")

    error = refused.value
    assert (error.exit_code, error.file, error.sheet, error.row_number) == (4, "month.xlsx", "规模明细", 4)
    assert (error.cell, error.field, error.input_data) == ("J4", "供款", "1003.0")
    assert "合计 states 1,003.00 元, its 2 rows (row 2 to 3) add up to 3.00 元" in error.message
    assert "a difference of 1,000.00 元" in error.message
    assert "0.0101 元" in str(error.rule)
    assert "totals_tolerance" in str(error.hint)


def test_amounts_that_cannot_be_read_explain_a_difference() -> None:
    control = only(sheet(1.0, "待确认", total=5.0))

    assert (control.unreadable, control.is_refused) == (1, False)
    assert control.explanation == "1 of its cells cannot be read, so the difference cannot be verified"


def test_a_difference_that_cannot_be_verified_is_shown() -> None:
    controls = compared(sheet(1.0, "待确认", total=5001.0))

    assert "difference 5,000.00 — 1 of its cells cannot be read, so the difference cannot be" in controls.lines()[1]
    (facts,) = controls.as_json()["control_totals"]
    assert (facts["difference"], facts["verified"]) == ("5000.0000", False)


def test_a_readable_difference_is_verified_although_a_cell_cannot_be_read() -> None:
    (facts,) = compared(sheet(1.0, "2.00", "待确认", total=1.0)).as_json()["control_totals"]

    assert facts["verified"]


def test_what_cannot_be_verified_is_told_before_what_is_explained() -> None:
    explained, unverified = only(sheet(1.0, "2.00", total=1.0)), only(sheet(1.0, "待确认", total=5.0))

    lines = Controls(compared=(*[explained] * 11, unverified)).lines()

    assert "cannot be verified" in lines[0]


@pytest.mark.parametrize(
    ("counts", "total", "differs"), [([1, 1, 0], 2, "0"), ([1, 1, 0], 3, "1"), ([1, 0.5, 0], 1.5, "0.5")]
)
def test_counts_are_compared_to_the_last_one(counts: list[float], total: float, differs: str) -> None:
    blank: dict[str, Any] = {name: [*["受托"] * 3, None] for name in ("业务类型", "计划类型", "机构名称", "年金计划号")}
    named: dict[str, Any] = {"上报客户名称": ["甲公司", "乙公司", "丙公司", "合计"], "计划规模": None, "年缴规模": None}
    bronze = rows(AWARD, **blank, **named, 考核有效=[*counts, total])
    left, totals = set_totals_aside(AWARD, bronze)

    (control,) = compare(
        totals, domain=AWARD, bronze=left, outcome=refined(AWARD, left), tolerance=Decimal("0.01")
    ).compared

    assert (control.column, control.difference, control.is_kept) == ("考核有效", Decimal(differs), True)
    assert control.is_refused == (differs == "1")
    assert control.allowed == 0


def test_a_count_has_no_unit_and_no_decimals() -> None:
    control = replace(only(sheet(1.0, 2.0, total=1203.0)), unit="")

    assert control.said(control.stated) == "1,203"


def test_a_cell_of_a_total_that_cannot_be_read_is_told() -> None:
    bronze = sheet(1.0, 2.0, total=None)
    found = {"position": [2, 2], "column": ["供款", "投资收益"], "found": ["#REF!", "=SUM(I2:I3)"]}

    controls = compared(replace(bronze, broken=pd.DataFrame(found)))

    cell = f"{bronze.letters['投资收益']}4"
    assert (
        f"not compared: 规模明细!{cell} 投资收益 cannot be read (its formula was never calculated)" in controls.lines()
    )
    assert "not compared: 规模明细!J4 供款 cannot be read (#REF!)" in controls.lines()
    told = [facts for facts in controls.as_json()["totals_not_compared"] if facts["column"] == "供款"]
    assert [(facts["sheet"], facts["row"], facts["cell"], facts["why"]) for facts in told] == [
        ("规模明细", 4, "J4", "cannot be read (#REF!)")
    ]


def test_every_total_stands_in_the_report_without_amounts_too() -> None:
    controls = compared(sheet(1.0, 2.0, total=None))

    assert controls.compared == ()
    assert controls.as_json()["totals_set_aside"] == [
        {"file": "month.xlsx", "sheet": "规模明细", "row": 4, "label": "合计", "kind": "grand"}
    ]


def test_a_data_row_called_as_a_total_is_told() -> None:
    names: dict[str, Any] = {"客户名称": ["平安", "共计"], "计划代码": ["S0001", None], "月度": "202410"}
    controls = compared(rows(PERFORMANCE, **names))

    assert controls.set_aside == ()
    (line,) = controls.lines()
    assert line.startswith("row 3 of 规模明细 is called 共计 and was taken for a data row: 业务类型、计划类型")
    (facts,) = controls.as_json()["rows_called_totals"]
    assert (facts["row"], facts["label"], facts["filled"]) == (3, "共计", ["业务类型", "计划类型", "机构名称"])


def test_an_amount_that_is_rejected_but_can_be_read_explains_nothing() -> None:
    named: dict[str, Any] = {name: ["1", "2", None] for name in ("plan_code", "company_code")}
    bronze = rows(TRUSTEE, **named, 年=["2024", "2024", "合计"], fund_scale=[10.0, -5.0, 9.0], net_asset_value=None)
    left, totals = set_totals_aside(TRUSTEE, bronze)

    (control,) = compare(totals, domain=TRUSTEE, bronze=left, outcome=refined(TRUSTEE, left), tolerance=CENT).compared

    assert (control.parsed, control.cleaned, control.unreadable) == (Decimal(5), Decimal(10), 0)
    assert control.is_refused


def test_rows_rejected_for_another_column_may_be_left_out_of_a_total() -> None:
    bronze = sheet(1.0, 2.0, total=1.0)
    bronze.frame.loc[1, "月度"] = "no month"

    control = only(bronze)

    assert (control.parsed, control.rejected, control.cleaned) == (Decimal(3), Decimal(2), Decimal(1))
    assert (control.explanation, control.is_refused) == ("leaves out the rejected rows", False)


def test_rejected_rows_that_the_total_holds_agree() -> None:
    bronze = sheet(1.0, 2.0, total=3.0)
    bronze.frame.loc[1, "月度"] = "no month"

    assert only(bronze).explanation == ""


def test_amounts_typed_as_text_may_be_left_out_as_excel_does() -> None:
    control = only(sheet(1.0, "2.00", total=1.0))

    assert control.explanation == "leaves out the amounts typed as text, as Excel's SUM does"
    assert not control.is_refused


def test_amounts_that_cleaning_lost_are_refused() -> None:
    left, totals = set_totals_aside(PERFORMANCE, sheet(1.0, 2.0, total=3.0))
    outcome = refined(PERFORMANCE, left)
    less = _without_a_row(outcome)

    controls = compare(totals, domain=PERFORMANCE, bronze=left, outcome=less, tolerance=CENT)

    with pytest.raises(TotalsDiffer, match=r"3\.00 元 as parsed and 1\.00 元 as cleaned"):
        refuse(controls.compared, domain="annuity_performance")


def test_each_sheet_is_compared_with_its_own_total() -> None:
    blank = dict.fromkeys(("年缴规模", "年金计划号", "计划类型", "机构名称"))
    names: dict[str, Any] = {"上报客户名称": ["甲公司", "乙公司", "合计"], **blank}
    bronze = joined(
        [
            rows(AWARD, sheet="受托", 计划规模=[1.0, 2.0, 3.0], **names),
            rows(AWARD, sheet="投资", 计划规模=[0.5, 0.25, 0.8], **names),
        ]
    )
    left, totals = set_totals_aside(AWARD, bronze)

    controls = compare(totals, domain=AWARD, bronze=left, outcome=refined(AWARD, left), tolerance=Decimal("0.0001"))

    assert [(c.total.sheet, c.difference, c.is_refused) for c in controls.compared] == [
        ("受托", Decimal(0), False),
        ("投资", Decimal("0.05"), True),
    ]


def test_the_warehouse_must_hold_what_was_cleaned() -> None:
    controls = compared(sheet(1.0, 2.0, total=3.0)).compared

    (known,) = loaded(controls, [Decimal("3.0000")], domain="annuity_performance")
    assert known.loaded == Decimal(3)

    with pytest.raises(TotalsDiffer, match=r"would hold 2\.9999 元 where 3\.00 元 were cleaned"):
        loaded(controls, [Decimal("2.9999")], domain="annuity_performance")


def test_without_totals_there_is_nothing_to_say() -> None:
    controls = compared(rows(PERFORMANCE))

    assert (controls, controls.lines()) == (Controls(), [])


def test_the_lines_name_what_was_set_aside_and_what_differs() -> None:
    lines = compared(sheet(1.0, "2.00", total=1.0)).lines()

    assert lines[0] == "1 row of totals set aside: row 4 合计"
    assert lines[1].startswith("row 4 合计: 供款 states 1.00 元, its 2 rows have 3.00 parsed, 3.00 cleaned")


def test_of_many_differences_the_first_ten_are_told() -> None:
    control = only(sheet(1.0, total=5.0))

    lines = Controls(set_aside=(control.total,), compared=(control,) * 13).lines()

    assert (len(lines), lines[-1]) == (12, "and 3 more")


def test_a_subtotal_above_its_rows_is_named_and_not_compared() -> None:
    named: dict[str, Any] = {"计划代码": [None, "S0001"], "客户名称": [None, "平安"], "业务类型": [None, "企年受托"]}
    named |= {"计划类型": [None, "单一计划"], "机构名称": [None, "北京"]}

    controls = compared(rows(PERFORMANCE, **named, 月度=["小计", "202410"]))

    assert controls.compared == ()
    assert controls.lines()[-1] == "not compared, no rows above them: row 2 小计"
    (facts,) = controls.as_json()["totals_not_compared"]
    assert (facts["row"], facts["cell"], facts["why"]) == (2, None, "no rows above it")


def test_the_report_has_decimals_as_text() -> None:
    facts = only(sheet(1.0, 2.0, total="3.000")).as_json()

    assert {name: facts[name] for name in ("label", "sheet", "row", "cell", "column", "loaded")} == {
        "label": "合计",
        "sheet": "规模明细",
        "row": 4,
        "cell": "J4",
        "column": "供款",
        "loaded": None,
    }
    assert (facts["stated"], facts["parsed"], facts["cleaned"], facts["difference"]) == (
        "3.000",
        "3.0000",
        "3.0000",
        "0.0000",
    )


def _without_a_row(outcome: Outcome) -> Outcome:
    return Outcome(
        gold=outcome.gold.iloc[:1],
        rejects=pd.DataFrame(columns=outcome.rejects.columns),
        rows_read=outcome.rows_read,
        period=outcome.period,
    )
