"""Reference rows follow from facts."""

from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import CONFIG
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.placeholders import blank_mask
from work_data_hub.domain.reference_rules import Aggregate, Given, Reference, ReferenceColumn
from work_data_hub.domain.references import candidates, compacted, tag_text
from work_data_hub.domain.text import PLACEHOLDERS, is_blank
from work_data_hub.io.foreign_keys import load_references

pytestmark = pytest.mark.unit

RULES = {rule.table: rule for rule in load_references(CONFIG, DOMAINS)["annuity_performance"]}
PLANS, CUSTOMERS = RULES["mapping.年金计划"], RULES["customer.客户明细"]
TAG = ReferenceColumn(target="tags", source="月度", how=Aggregate.TAG, date_format="yyMM", suffix="新建")


def gold(**cells: Any) -> pd.DataFrame:
    return refined(performance_rows(**({"公司代码": "600000001"} | cells))).gold


def rule(*columns: ReferenceColumn, **changes: Any) -> Reference:
    """A rule by plan, with these columns."""
    usual = Reference(domain="d", name="r", table="a.b", key="年金计划号", source="计划代码", columns=columns)
    return replace(usual, **changes)


def value(column: ReferenceColumn, **cells: Any) -> object:
    """What `column` says of the one plan of these rows."""
    made = candidates(rule(column), gold(**cells))
    assert len(made) == 1
    found = made[column.target].iloc[0]
    return None if pd.isna(found) else found


def test_a_plan_takes_its_branch_from_the_largest_assets() -> None:
    plans = candidates(PLANS, gold(计划代码="S1", 机构名称=["北京", "上海", "天津"], 期末资产规模=[1.0, 3.0, None]))

    assert plans["主拓代码"].tolist() == ["G02"]
    assert plans["主拓机构"].tolist() == ["上海"]


@pytest.mark.parametrize(
    ("names", "amounts", "found"),
    [
        (["北京", "上海"], [2.0, 2.0], "北京"),  # the first of equals
        (["北京", "上海"], [None, None], "北京"),  # nothing to compare
        ([None, "上海"], [2.0, 1.0], "上海"),  # the largest says nothing
        (["北京", "上海"], [-2.0, -1.0], "上海"),
    ],
)
def test_the_value_at_the_largest_amount(names: list[str | None], amounts: list[float | None], found: str) -> None:
    column = ReferenceColumn(target="x", source="机构名称", how=Aggregate.MAX_BY, by="期末资产规模")

    assert value(column, 机构名称=names, 期末资产规模=amounts) == found


def test_amounts_compare_exactly() -> None:
    column = ReferenceColumn(target="x", source="机构名称", how=Aggregate.MAX_BY, by="期末资产规模")

    # As doubles these are equal, and the first would win.
    assert value(column, 机构名称=["北京", "上海"], 期末资产规模=["90071992547409.92", "90071992547409.9201"]) == "上海"


def test_the_first_value_that_is_not_blank_counts() -> None:
    column = ReferenceColumn(target="x", source="计划名称")

    assert value(column, 计划名称=[None, "（空白）", "甲计划", "乙计划"]) == "甲计划"
    assert value(column, 计划名称=[None, "无"]) is None


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, "企年受托+企年投资"),
        ({"separator": "/"}, "企年受托/企年投资"),
        ({"is_sorted": False}, "企年投资+企年受托"),
    ],
)
def test_values_are_distinct_and_joined(options: dict[str, Any], found: str) -> None:
    column = ReferenceColumn(target="x", source="业务类型", how=Aggregate.CONCAT_DISTINCT, **options)

    assert value(column, 业务类型=["企年投资", "企年受托", "企年投资", None]) == found


def test_the_order_of_sight_is_the_keys_own() -> None:
    column = ReferenceColumn(target="x", source="机构名称", how=Aggregate.CONCAT_DISTINCT, is_sorted=False)
    rows = gold(计划代码=["S1", "S2", "S2"], 机构名称=["上海", "北京", "上海"])

    assert candidates(rule(column), rows)["x"].tolist() == ["上海", "北京+上海"]


def test_nothing_to_join_is_null() -> None:
    assert value(ReferenceColumn(target="x", source="组合类型", how=Aggregate.CONCAT_DISTINCT)) is None


def test_distinct_values_are_counted_without_blanks() -> None:
    column = ReferenceColumn(target="x", source="机构名称", how=Aggregate.COUNT_DISTINCT)

    assert value(column, 机构名称=["北京", "上海", "北京", None, "(空白)"]) == 2
    assert value(column, 机构名称=None) == 0


@pytest.mark.parametrize(
    ("template", "found"),
    [("新客", "新客"), ("{计划代码}·{计划名称}", "S0001·甲计划"), ("{{{计划代码}}}", "{S0001}"), ("{组合类型}!", None)],
)
def test_a_template_is_filled_by_first_values(template: str, found: str | None) -> None:
    column = ReferenceColumn(target="x", how=Aggregate.TEMPLATE, template=template)

    assert value(column, 计划名称=[None, "甲计划"]) == found


@pytest.mark.parametrize(("form", "found"), [("yyMM", "2410新建"), ("yyyyMM", "202410新建"), ("yyyy", "2024新建")])
def test_a_tag_is_a_month_and_a_suffix_in_a_list(form: str, found: str) -> None:
    column = replace(TAG, date_format=form, given=Given.FIRST_MONTH)

    assert value(column) == f'["{found}"]'
    assert tag_text(column, date(2024, 10, 1)) == found


def test_without_a_date_there_is_no_tag() -> None:
    assert value(TAG, 月度=["202410"]) == '["2410新建"]'
    rows = gold().assign(月度=pd.Series([None], dtype=gold()["月度"].dtype))
    assert candidates(rule(TAG), rows)["tags"].tolist() == ["[]"]


@pytest.mark.parametrize(
    "how", [Aggregate.FIRST, Aggregate.MAX_BY, Aggregate.CONCAT_DISTINCT, Aggregate.COUNT_DISTINCT]
)
def test_an_optional_column_that_is_missing_is_null(how: Aggregate) -> None:
    column = ReferenceColumn(target="x", source="没有", how=how, by="期末资产规模", optional=True)

    assert value(column) is None
    with pytest.raises(KeyError, match="没有"):
        value(replace(column, optional=False))


def test_key_plan_and_main_branch_are_not_repeated_among_the_others() -> None:
    customers = candidates(
        CUSTOMERS,
        gold(
            计划代码=["S1", "S2", "S3", "S2"],
            机构名称=["北京", "上海", "北京", None],
            期末资产规模=[1.0, 3.0, 2.0, 0.0],
        ),
    )

    row = customers.iloc[0]
    assert (row["关键年金计划"], row["其他年金计划"], row["关联计划数"]) == ("S2", "S1,S3", 3)
    assert (row["主拓机构"], row["其他开拓机构"], row["关联机构数"]) == ("上海", "北京", 2)


def test_a_customer_with_one_plan_has_no_others() -> None:
    assert candidates(CUSTOMERS, gold())["其他年金计划"].isna().tolist() == [True]


def test_temporary_ids_are_no_customers_unless_asked_for() -> None:
    rows = gold(计划代码=["S1", "S2"], 客户名称=["甲公司", "乙公司"], 公司代码=["600000001", None])

    assert candidates(CUSTOMERS, rows)["company_id"].tolist() == ["600000001"]
    assert candidates(CUSTOMERS, rows)["关联计划数"].tolist() == [1]
    assert len(candidates(CUSTOMERS, rows, include_temporary=True)) == 2


def test_placeholders_are_keys_only_where_the_rule_lets_them() -> None:
    rows = gold(组合代码=["001", "002", "003"])
    rows["组合代码"] = pd.Series(["001", "（空白）", None], dtype="string")
    portfolios = rule(source="组合代码", key="组合代码")

    assert candidates(portfolios, rows)["组合代码"].tolist() == ["001", "（空白）"]
    assert candidates(replace(portfolios, skip_blank_values=True), rows)["组合代码"].tolist() == ["001"]


def test_keys_that_the_rule_skips_make_no_row() -> None:
    rows = gold(组合代码=["001", "002", "003"])
    portfolios = rule(source="组合代码", key="组合代码", skip_values=("002", "004"))

    assert candidates(portfolios, rows)["组合代码"].tolist() == ["001", "003"]


@pytest.mark.parametrize("around", ["", " ", "\u3000", "\u200b", "\u2003", "\ufeff"])
def test_placeholders_among_many_texts_are_those_that_stand_for_nothing(around: str) -> None:
    wide = [text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}) for text in PLACEHOLDERS]
    texts = [
        *PLACEHOLDERS,
        *wide,
        *map(str.upper, PLACEHOLDERS),
        "甲",
        "0",
        "nancy",
        "-1",
        "（甲）",
        "无锡",
        "nA",
        ".",
        "·",
    ]
    given = pd.Index(pd.array([f"{around}{text}{around}" for text in texts], dtype="string"))

    assert blank_mask(given).tolist() == [is_blank(text) for text in given]
    assert 0 < blank_mask(given).sum() < len(given)


def test_no_rows_give_no_candidates() -> None:
    none = gold().iloc[:0]

    assert candidates(CUSTOMERS, none).empty
    assert candidates(PLANS, none).columns.tolist()[0] == "年金计划号"
    assert compacted(CUSTOMERS.without_tags, none, month="月度").empty


# -- facts of all months, compacted


def compact(*frames: pd.DataFrame) -> pd.DataFrame:
    return compacted(CUSTOMERS.without_tags, pd.concat(frames, ignore_index=True), month="月度")


def in_month(rows: pd.DataFrame, month: str) -> pd.DataFrame:
    months = pd.Series([date.fromisoformat(month)] * len(rows), dtype=rows["月度"].dtype)
    return rows.assign(月度=months)


def test_equal_facts_become_one_with_the_largest_amount_and_the_newest_month() -> None:
    october = gold(机构名称=["北京", "北京", "上海"], 期末资产规模=[5.0, 7.0, 1.0])
    november = in_month(gold(机构名称="北京", 期末资产规模=[6.0]), "2024-11-01")

    found = compact(october, november)

    assert found["机构名称"].tolist() == ["北京", "上海"]
    assert found["期末资产规模"].astype(float).tolist() == [7.0, 1.0]
    assert found["月度"].astype(str).tolist() == ["2024-11-01", "2024-10-01"]


def test_facts_compacted_in_any_order_and_in_parts_say_the_same() -> None:
    october = gold(
        机构名称=["北京", "上海", "天津"], 客户名称=["乙公司", "甲公司", None], 期末资产规模=[5.0, 5.0, None]
    )
    november = in_month(gold(机构名称=["上海", "北京"], 计划代码=["S2", "S1"], 期末资产规模=[5.0, 4.0]), "2024-11-01")

    whole = compact(october, november)

    assert compact(november.iloc[::-1], october.iloc[::-1]).equals(whole)
    assert compact(compact(november), october).equals(whole)
    assert compact(compact(october), compact(november)).equals(whole)


def test_ties_go_to_the_newer_month_and_then_to_the_text() -> None:
    october = gold(机构名称=["北京", "上海"], 期末资产规模=[5.0, 5.0])
    november = in_month(gold(机构名称=["天津"], 期末资产规模=[5.0]), "2024-11-01")

    assert candidates(CUSTOMERS.without_tags, compact(october))["主拓机构"].tolist() == ["北京"]
    assert candidates(CUSTOMERS.without_tags, compact(october, november))["主拓机构"].tolist() == ["天津"]


def test_many_different_facts_are_told_apart() -> None:
    # Seven columns of 4,095 values: a number of 64 bits for each combination would forget the first column.
    count = 4095
    names = ("company_id", "客户名称", "机构代码", "机构名称", "业务类型", "计划类型", "计划代码")
    texts = {name: pd.array([f"{name}{at}" for at in range(count)], dtype="string") for name in names}
    rows = gold().iloc[[0] * count].reset_index(drop=True).assign(**texts)
    other = rows.iloc[[0]].assign(company_id="company_id1")

    assert len(compact(rows, other, rows)) == count + 1


def test_placeholder_plans_are_no_plan_of_a_customer() -> None:
    plans = ["AN001", "S0001", "AN002", "P0001"]
    gold = refined(performance_rows(公司代码="600000001", 计划代码=plans, 期末资产规模=[9.0, 3.0, 8.0, 1.0])).gold
    only = refined(performance_rows(公司代码="600000001", 计划代码="AN002")).gold

    row, alone = candidates(CUSTOMERS, gold).iloc[0], candidates(CUSTOMERS, only).iloc[0]

    assert (row["关键年金计划"], row["其他年金计划"], row["关联计划数"]) == ("S0001", "P0001", 2)
    assert (alone["关联计划数"], alone["关键年金计划"] is pd.NA) == (0, True)
