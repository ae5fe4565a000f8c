"""Reference rows follow from facts."""

import pandas as pd
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.catalog.annuity_performance import CUSTOMERS, PLANS
from work_data_hub.domain.references import candidates

pytestmark = pytest.mark.unit


def test_a_plan_takes_its_branch_from_the_largest_assets() -> None:
    gold = refined(
        performance_rows(计划代码="S1", 机构名称=["北京", "上海", "天津"], 期末资产规模=[1.0, 3.0, None])
    ).gold

    plans = candidates(PLANS, gold)

    assert plans["主拓代码"].tolist() == ["G02"]
    assert plans["主拓机构"].tolist() == ["上海"]


def test_qualifications_are_distinct_sorted_and_joined() -> None:
    gold = refined(performance_rows(计划代码="S1", 业务类型=["企年投资", "企年受托", "企年投资", None])).gold

    assert candidates(PLANS, gold)["管理资格"].tolist() == ["企年受托+企年投资"]


def test_the_first_non_blank_value_counts() -> None:
    gold = refined(performance_rows(计划代码="S1", 计划名称=[None, "甲计划", "乙计划"])).gold

    assert candidates(PLANS, gold)["计划全称"].tolist() == ["甲计划"]


def test_temporary_ids_are_no_customers() -> None:
    gold = refined(performance_rows(计划代码=["S1", "S2"], 公司代码=["600000001", None])).gold

    customers = candidates(CUSTOMERS, gold)

    assert customers["company_id"].tolist() == ["600000001"]
    assert customers["关联计划数"].tolist() == [1]


def test_no_rows_give_no_candidates() -> None:
    gold = refined(performance_rows()).gold.iloc[:0]

    assert candidates(CUSTOMERS, gold).empty
    assert isinstance(candidates(PLANS, gold), pd.DataFrame)
