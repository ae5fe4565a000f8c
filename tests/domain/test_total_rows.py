"""Which rows are totals, what they state, and for which rows they stand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import rows

from work_data_hub.domain.bronze import Bronze, joined
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.stated_totals import UnreadAmount
from work_data_hub.domain.total_rows import (
    TotalKind,
    TotalRow,
    data_rows_called_totals,
    read_label,
    set_totals_aside,
)
from work_data_hub.errors import NoDataRows

pytestmark = pytest.mark.unit

PERFORMANCE, AWARD = DOMAINS["annuity_performance"], DOMAINS["annual_award"]
TRUSTEE = DOMAINS["sandbox_trustee_performance"]


def sheet(*labels: str | None, **cells: Any) -> Bronze:
    """规模明细 with a data row for each None and a total for each label, which stands where the month belongs."""
    usual = {
        "业务类型": "企年受托",
        "计划类型": "单一计划",
        "计划代码": "S0001",
        "客户名称": "平安科技",
        "机构名称": "北京",
    }
    blanks = {name: [None if label else value for label in labels] for name, value in usual.items()}
    return rows(PERFORMANCE, **{"月度": [label or "202410" for label in labels], **blanks, **cells})


def totals_of(bronze: Bronze) -> tuple[TotalRow, ...]:
    return set_totals_aside(PERFORMANCE, bronze)[1]


def spans(*labels: str | None) -> dict[int, tuple[int, int]]:
    return {total.row: (total.first_row, total.last_row) for total in totals_of(sheet(*labels))}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "合计",
            "小计",
            "总计",
            "总合计",
            "汇总",
            "合 计",
            "合　计",
            "合计：",
            "小计:",
            " 合计 ",
            "合计（元）",
            "合计(亿元):",
        ),
        *("共计", "总和", "总额", "共 计：", "合計", "小計", "總計", "總合計", "北京小計", "企年受托共计", "全国总额"),
        *("TOTAL", "Total:", "subtotal", "Sub-total", "Grand Total", "ＴＯＴＡＬ", "Total（元）"),
        *("北京小计", "企年受托合计", "2024年10月合计", "单一计划 小计", "某某科技股份有限公司上海分公司 汇总"),
    ],
)
def test_a_label_is_read(text: str) -> None:
    assert read_label(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("合计科技有限公司", "某某集团总计划", "集合计划", "单一计划", "汇总表", "小计算机公司", "计", ""),
        *("新疆维吾尔自治区叁号职业年金计划合计", "Teetotal", "Total AG", "totals", "合计5", "小计" * 60),
        *("上海道达尔TOTAL", "道达尔 Total", "Beijing Total", "Beijing Grand Total", "北京subtotal"),
        *("总额度", "总和科技有限公司", "共计算"),
    ],
)
def test_another_text_is_no_label(text: str) -> None:
    assert read_label(text) is None


def test_totals_leave_the_rows_and_the_rest_keeps_its_places() -> None:
    bronze = sheet(None, "小计", None, "合计", 供款=["1", "2", "x", "4"])

    left, totals = set_totals_aside(PERFORMANCE, bronze)

    assert left.frame["_source_row"].tolist() == [2, 4]
    assert left.frame.index.tolist() == [0, 1]
    assert left.texts.to_dict("records") == [
        {"position": 0, "column": "供款", "text": "1"},
        {"position": 1, "column": "供款", "text": "x"},
    ]
    assert [(total.row, total.label, total.kind) for total in totals] == [
        (3, "小计", TotalKind.SUB),
        (5, "合计", TotalKind.GRAND),
    ]


def test_a_sheet_without_totals_is_the_same_object() -> None:
    bronze = sheet(None, None)

    assert set_totals_aside(PERFORMANCE, bronze) == (bronze, ())


@pytest.mark.parametrize(
    "cells",
    [
        {"客户名称": "合计"},
        {"机构名称": "北京小计"},
        {"计划代码": "合计"},
        {"计划代码": "-", "计划名称": "合计"},
        {"月度": "202410", "业务类型": "企年受托", "机构名称": "小计"},
    ],
    ids=str,
)
def test_a_row_that_names_no_plan_is_a_total(cells: dict[str, str]) -> None:
    assert [total.row for total in totals_of(rows(PERFORMANCE, **_second(cells)))] == [3]


@pytest.mark.parametrize(
    "cells",
    [
        {"计划代码": "S0001", "客户名称": "合计"},
        {"计划代码": "S0001", "计划名称": "年金合计"},
        {"计划代码": "S0001", "月度": "合计"},
        {"客户名称": "合计科技有限公司"},
        {"计划名称": "某某集团总计划"},
        {"客户名称": "北京信息汇总", "业务类型": "企年受托", "计划类型": "单一计划"},
        {"客户名称": "北京信息汇总", "机构名称": "北京", "月度": "202410", "计划名称": "年金"},
        {"客户名称": "北京信息汇总", "组合代码": "F001"},
        {"客户名称": "北京信息汇总", "公司代码": "600000001"},
        {"客户名称": "北京信息汇总", "集团企业客户号": "C1"},
        {"客户名称": "北京信息汇总", "子企业号": "1"},
        {"客户名称": "上海道达尔TOTAL"},
    ],
    ids=str,
)
def test_a_row_that_names_a_plan_or_no_label_stays(cells: dict[str, str]) -> None:
    assert totals_of(rows(PERFORMANCE, **_second(cells))) == ()


@pytest.mark.parametrize(
    ("cells", "is_total"),
    [
        ({"上报客户名称": "合计"}, True),
        ({"上报月份": "合计", "业务类型": None, "上报客户名称": None}, True),
        ({"上报客户名称": None, "机构名称": "北京小计"}, True),
        ({"上报客户名称": "合计", "年金计划号": "P9001"}, False),
        ({"上报客户名称": "合计", "机构名称": "北京"}, False),
        ({"上报客户名称": "合计", "业务类型": None, "delivered_company_id": "600000001"}, False),
        ({"机构名称": "合计"}, False),
        ({"备注": "合计"}, False),
    ],
    ids=str,
)
def test_a_reported_win_is_a_row_when_all_that_may_not_be_blank_is_there(cells: dict[str, Any], is_total: bool) -> None:
    blank = {"年金计划号": None, "计划类型": None, "机构名称": None}
    given: dict[str, Any] = {name: [_usual(name), value] for name, value in (blank | cells).items()}
    bronze = rows(AWARD, **given)

    assert bool(set_totals_aside(AWARD, bronze)[1]) == is_total


def test_stated_amounts_are_exact_and_have_their_cells() -> None:
    bronze = sheet(
        None,
        "合计",
        期初资产规模=[1.0, 0.1],
        期末资产规模=[1.0, "1,234.50"],
        投资收益=[1.0, " 见附件 "],
        供款=[1.0, None],
        流失=[1.0, "-"],
    )

    (total,) = totals_of(bronze)

    assert total.stated == {"期初资产规模": Decimal("0.1"), "期末资产规模": Decimal("1234.50")}
    assert total.cells == {name: f"{bronze.letters[name]}3" for name in total.stated}
    assert total.unread == (
        UnreadAmount(column="投资收益", cell=f"{bronze.letters['投资收益']}3", why="见附件 is no number"),
    )


def test_the_months_parts_are_no_group_of_a_total() -> None:
    cells: dict[str, Any] = {name: ["S1", "合计"] for name in ("plan_code", "company_code")}
    bronze = rows(TRUSTEE, **cells, 年=["2024", "2024"], 月=["10", "10"])

    assert [total.row for total in set_totals_aside(TRUSTEE, bronze)[1]] == [3]


@pytest.mark.parametrize("found", ["#N/A", "=VLOOKUP(A1,B:C,2,0)"])
def test_a_code_that_cannot_be_read_makes_a_data_row(found: str) -> None:
    bronze = rows(PERFORMANCE, **_second({"客户名称": "北京信息汇总"}))
    broken = pd.DataFrame({"position": [1], "column": ["计划代码"], "found": [found]})

    assert totals_of(replace(bronze, broken=broken)) == ()


def test_a_data_row_that_is_called_a_total_is_named() -> None:
    bronze = rows(PERFORMANCE, **_second({"客户名称": "共计", "业务类型": "企年受托", "计划类型": "单一计划"}))

    (row,) = data_rows_called_totals(PERFORMANCE, bronze)

    assert (row.label, row.sheet, row.row, row.filled) == ("共计", "规模明细", 3, ("业务类型", "计划类型"))


def test_counts_are_stated_and_rates_are_not() -> None:
    blank: dict[str, Any] = dict.fromkeys(("上报月份", "业务类型", "计划类型", "机构名称", "年金计划号"))
    cells: dict[str, Any] = {name: [_usual(name) or "x", None] for name in blank}
    bronze = rows(AWARD, **cells, 上报客户名称=["甲", "合计"], 考核有效=[1.0, 2.0], 计划规模=None, 年缴规模=None)
    assert set_totals_aside(AWARD, bronze)[1][0].stated == {"考核有效": Decimal("2.0")}

    (total,) = totals_of(sheet(None, "合计", 当期收益率=[0.01, 0.01]))
    assert "当期收益率" not in total.stated


@pytest.mark.parametrize(
    ("found", "why"),
    [("#N/A", "#N/A"), ("TRUE", "TRUE"), ("=SUM(K2:K5)", "its formula was never calculated"), ("", "its formula")],
)
def test_a_broken_cell_states_nothing_and_is_told(found: str, why: str) -> None:
    bronze = sheet(None, "合计")
    broken = pd.DataFrame({"position": [1], "column": ["期末资产规模"], "found": [found]})
    spoilt = Bronze(frame=bronze.frame, texts=bronze.texts, broken=broken, letters=bronze.letters)

    left, (total,) = set_totals_aside(PERFORMANCE, spoilt)

    assert "期末资产规模" not in total.stated
    ((column, cell, told),) = [(unread.column, unread.cell, unread.why) for unread in total.unread]
    assert (column, cell) == ("期末资产规模", f"{bronze.letters['期末资产规模']}3")
    assert told.startswith(why)
    assert left.broken.empty


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([None, None, "小计", None, "小计", "合计"], {4: (2, 3), 6: (5, 5), 7: (2, 5)}),
        ([None, "合计", None, "合计"], {3: (2, 2), 5: (4, 4)}),
        ([None, "合计", None, "合计", "总计"], {3: (2, 2), 5: (4, 4), 6: (2, 4)}),
        ([None, "合计", None, "合计", "合计"], {3: (2, 2), 5: (4, 4), 6: (2, 4)}),
        (["合计", None, None], {2: (3, 4)}),
        ([None, "合计", None], {3: (2, 4)}),
        (
            [None, "小计", None, "小计", "北京小计", None, "小计", "上海小计", "合计"],
            {3: (2, 2), 5: (4, 4), 6: (2, 4), 8: (7, 7), 9: (7, 7), 10: (2, 7)},
        ),
        ([None, "小计", None, "小计", "北京合计", None, "上海合计"], {3: (2, 2), 5: (4, 4), 6: (2, 4), 8: (7, 7)}),
        (["小计", None], {2: (0, 0)}),
    ],
    ids=str,
)
def test_a_total_stands_for_the_rows_since_the_last_as_high(
    labels: list[str | None], expected: dict[int, tuple[int, int]]
) -> None:
    assert spans(*labels) == expected


def test_each_sheet_has_totals_of_its_own() -> None:
    blank = dict.fromkeys(("年金计划号", "计划类型", "机构名称"))
    cells: dict[str, Any] = {"上报客户名称": ["甲", "乙", "合计"], **blank}
    bronze = joined([rows(AWARD, sheet="受托", **cells), rows(AWARD, sheet="投资", **cells)])

    _, totals = set_totals_aside(AWARD, bronze)

    assert [(t.sheet, t.row, t.first_row, t.last_row) for t in totals] == [("受托", 4, 2, 3), ("投资", 4, 2, 3)]


def test_a_sheet_of_totals_only_is_refused() -> None:
    with pytest.raises(NoDataRows, match="totals only"):
        set_totals_aside(PERFORMANCE, sheet("小计", "合计"))


def _second(cells: dict[str, str]) -> dict[str, Any]:
    """Cells of a second row, blank but for those given; the first row is a usual one."""
    names = {**dict.fromkeys(["月度", "业务类型", "计划类型", "计划代码", "客户名称", "机构名称"]), **cells}
    return {name: [_usual(name), cells.get(name)] for name in names}


def _usual(name: str) -> str | None:
    usual = {"月度": "202410", "上报月份": "202410", "业务类型": "受托", "计划代码": "S0001", "上报客户名称": "甲公司"}
    return usual.get(name)
