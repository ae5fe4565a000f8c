"""规模明细, cell by cell: what refining keeps, mends and rejects."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.errors import WrongMonth

pytestmark = pytest.mark.unit


def gold(column: str, **cells: Any) -> list[Any]:
    values = refined(performance_rows(**cells)).gold[column]
    return [None if pd.isna(value) else value for value in values]


def rules(**cells: Any) -> list[str]:
    return list(refined(performance_rows(**cells)).rejects["rule"])


def test_every_row_is_in_gold_or_in_rejects() -> None:
    outcome = refined(performance_rows(供款=[1.0, "x", None], 当期收益率=[0.1, 99.0, 0.2]))

    assert (outcome.rows_read, len(outcome.gold), outcome.rows_rejected) == (3, 2, 1)
    assert set(outcome.gold["_source_row"]) | set(outcome.rejects["_source_row"]) == {2, 3, 4}


def test_unknown_and_blank_branches_become_head_office_and_are_counted() -> None:
    outcome = refined(performance_rows(机构名称=["北京", "火星", None, "(空白)", "内蒙"]))

    assert outcome.gold["机构代码"].tolist() == ["G01", "G00", "G00", "G00", "G31"]
    counts = {count.name: count.rows for count in outcome.counts}
    assert (counts["blank 机构名称"], counts["unknown 机构名称"]) == (2, 1)


def test_unknown_business_is_kept_without_a_product_line() -> None:
    assert gold("产品线代码", 业务类型=["企年受托", "火星业务", None]) == ["PL202", None, None]


@pytest.mark.parametrize(
    ("plan_type", "plan_code", "expected"),
    [
        ("集合计划", None, "AN001"),
        ("单一计划", " ", "AN002"),
        ("单一计划", "N/A", "AN002"),
        ("单一计划", "（空白）", "AN002"),
        ("单一计划", "1P0290", "P0290"),
        ("单一计划", "ｘｎｐ－466", "XNP466"),
        ("单一计划", "000123", "000123"),  # leading zeros stay
    ],
)
def test_plan_codes(plan_type: str, plan_code: str | None, expected: str) -> None:
    assert gold("计划代码", 计划类型=plan_type, 计划代码=plan_code) == [expected]


def test_a_row_without_plan_code_and_default_is_rejected() -> None:
    assert rules(计划类型="职业年金", 计划代码=None) == ["WDH-V303"]


@pytest.mark.parametrize(
    ("business", "plan_type", "portfolio", "expected"),
    [
        ("企年受托", "集合计划", "F001", "001"),
        ("企年受托", "集合计划", "12345", "12345"),
        ("职年受托", "单一计划", None, "QTAN003"),
        ("企年受托", "集合计划", None, "QTAN001"),
        ("企年受托", "集合计划", "无", "QTAN001"),
        ("企年受托", "集合计划", "FN/A", "QTAN001"),
        ("企年受托", "单一计划", None, "QTAN002"),
        ("企年受托", "职业年金", None, "QTAN003"),
    ],
)
def test_portfolio_codes(business: str, plan_type: str, portfolio: str | None, expected: str) -> None:
    assert gold("组合代码", 业务类型=business, 计划类型=plan_type, 组合代码=portfolio) == [expected]


def test_one_leading_c_goes_and_a_blank_number_stays_blank() -> None:
    assert gold("集团企业客户号", 集团企业客户号=["C10001", "CC12", "nan", None, "0012"]) == [
        "10001",
        "C12",
        None,
        None,
        "0012",
    ]


def test_the_account_name_is_the_customer_as_delivered() -> None:
    outcome = refined(performance_rows(客户名称=" 中国平安-已转出 "))

    assert outcome.gold["年金账户名"].tolist() == ["中国平安-已转出"]
    assert outcome.gold["客户名称"].tolist() == ["中国平安"]


def test_amounts_in_every_written_form_are_exact() -> None:
    written = ["1,234.50", "１，２３４．５", "1.5亿", "(100)", "-", None, 0.1, "5万元"]

    assert gold("供款", 供款=written) == [
        Decimal("1234.5"),
        Decimal("1234.5"),
        Decimal(150_000_000),
        Decimal(-100),
        None,
        None,
        Decimal("0.1"),
        Decimal(50_000),
    ]


def test_a_rate_of_550_percent_stays_and_15000_percent_is_rejected() -> None:
    assert gold("当期收益率", 当期收益率=[5.5, "5.36%", -1.0]) == [Decimal("5.5"), Decimal("0.0536"), Decimal(-1)]
    assert rules(当期收益率=[150.0, "250000%"]) == ["WDH-V202", "WDH-V202"]


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"月度": None}, "WDH-V102"),
        ({"月度": "十月"}, "WDH-V101"),
        ({"供款": "一百"}, "WDH-V201"),
        ({"供款": 1e15}, "WDH-V203"),
        ({"供款": "99999999999999999999"}, "WDH-V203"),
        ({"计划名称": "长" * 256}, "WDH-V301"),
        ({"计划名称": "a\0b"}, "WDH-V302"),
    ],
)
def test_bad_cells_are_rejected_with_their_rule(cells: dict[str, Any], rule: str) -> None:
    outcome = refined(performance_rows(**{name: [value, _usual(name)] for name, value in cells.items()}))

    assert outcome.rejects["rule"].tolist() == [rule]
    assert outcome.rejects["cell"].tolist() == [f"{_letter(next(iter(cells)))}2"]
    assert len(outcome.gold) == 1


def _usual(name: str) -> Any:
    return {"月度": "202410", "供款": 1.0}.get(name, "x")


def _letter(name: str) -> str:
    return performance_rows(**{name: None}).letters[name]


@pytest.mark.parametrize(
    ("found", "rule"), [("#N/A", "WDH-V401"), ("formula without a value", "WDH-V402"), ("TRUE", "WDH-V403")]
)
def test_broken_cells_reject_their_row(found: str, rule: str) -> None:
    broken = pd.DataFrame({"position": [0], "column": ["投资收益"], "found": [found]})
    outcome = refined(replace(performance_rows(), broken=broken))

    assert outcome.rejects[["column", "value", "rule"]].values.tolist() == [["投资收益", found, rule]]


def test_another_month_refuses_the_file_and_names_both() -> None:
    with pytest.raises(WrongMonth, match=r"month.xlsx › 规模明细!A3.*2024-09.*2024-10"):
        refined(performance_rows(月度=["202410", "2024年9月"]))


def test_a_month_to_come_refuses_the_file() -> None:
    with pytest.raises(WrongMonth, match="a month to come"):
        refined(performance_rows(月度="202501"), today=date(2024, 12, 1))
    with pytest.raises(WrongMonth, match="a month to come"):
        refined(performance_rows(月度="202501"), period="202501", today=date(2024, 12, 1))


def test_without_a_period_the_rows_say_the_month() -> None:
    assert str(refined(performance_rows(月度=["2024-09", "202409"]), period=None).period) == "2024-09"


def test_company_ids_keep_their_source() -> None:
    outcome = refined(
        performance_rows(
            计划代码=["FP0001", "S1", "S2", "S3"],
            客户名称=["甲公司", "乙公司", "丙公司", None],
            公司代码=[None, "612345678", None, None],
        )
    )

    assert outcome.gold["_identity_source"].tolist() == ["plan_override", "existing_id", "temporary_id", "unresolved"]
    assert outcome.gold["company_id"].tolist()[:2] == ["614810477", "612345678"]
    assert outcome.gold["company_id"].isna().tolist() == [False, False, False, True]


def test_sums_are_those_of_the_accepted_rows() -> None:
    outcome = refined(performance_rows(期末资产规模=[0.1, 0.2, "bad"]))

    assert outcome.sums["期末资产规模"] == Decimal("0.3")


def test_refining_twice_gives_the_same() -> None:
    rows = performance_rows(供款=["1万", None], 机构名称=["北京", "火星"])

    pd.testing.assert_frame_equal(refined(rows).gold, refined(rows).gold)
