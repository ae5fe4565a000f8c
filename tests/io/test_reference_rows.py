"""Reference rows in the warehouse: added, filled, and brought up to date from the facts of all months and domains."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pandas as pd
import pytest
from psycopg2.errors import CheckViolation
from tests.reference_months import (
    AWARD,
    DESCRIPTION,
    INCOME,
    LOSS,
    PERFORMANCE,
    customers,
    effect,
    load,
    month_of,
    run,
    tags,
)

from work_data_hub.domain.plans import LoadMode, LoadPlan, ReferencePlan
from work_data_hub.domain.reference_rules import Mode
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import DataError
from work_data_hub.io.faults import NO_FAULTS
from work_data_hub.io.month_load import count_effects, publish
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.reference_rows import lock_references

pytestmark = pytest.mark.integration

A, B = "600000001", "600000002"


# -- customers described by facts


def test_a_new_customer_is_described_marked_and_tagged(warehouse: Connection) -> None:
    done = load(warehouse, month_of(PERFORMANCE, A, 计划代码=["S1", "S2"], 期末资产规模=[1.0, 2.0]))

    assert effect(done) == (1, 0)
    assert customers(warehouse, f"{DESCRIPTION}, tags, _source, _needs_review, _derived_at is not null as dated") == {
        A: {
            "客户名称": "平安科技有限公司",
            "年金客户类型": "新客",
            "关键年金计划": "S2",
            "其他年金计划": "S1",
            "关联计划数": 2,
            "主拓机构": "北京",
            "管理资格": "企年受托",
            "_derived_from_domain": "annuity_performance",
            "tags": ["2410新建"],
            "_source": "auto_derived",
            "_needs_review": True,
            "dated": True,
        }
    }


def test_the_same_month_again_changes_nothing(warehouse: Connection) -> None:
    asked = month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"])
    load(warehouse, asked)
    before = customers(warehouse, "客户明细::text as all_of_it")

    assert effect(load(warehouse, asked)) == (0, 0)
    assert customers(warehouse, "客户明细::text as all_of_it") == before


def test_a_customer_is_described_by_all_months_and_new_only_once(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1", 期末资产规模=9.0, 业务类型="企年投资"))
    done = load(warehouse, month_of(PERFORMANCE, A, period="202411", 计划代码="S2", 期末资产规模=1.0))

    found = customers(warehouse, f"{DESCRIPTION}, tags")[A]
    assert effect(done) == (0, 1)
    assert (found["关键年金计划"], found["其他年金计划"], found["关联计划数"]) == ("S1", "S2", 2)
    assert (found["管理资格"], found["tags"]) == ("企年受托+企年投资", ["2410新建"])


def test_the_newest_name_counts_whichever_month_loads_last(warehouse: Connection) -> None:
    months = [
        month_of(PERFORMANCE, A, 客户名称="旧名有限公司"),
        month_of(PERFORMANCE, A, period="202411", 客户名称="新名有限公司"),
    ]

    for order in (months, months[::-1]):
        run(warehouse, "truncate business.规模明细, customer.客户明细 cascade")
        for month in order:
            load(warehouse, month)
        assert customers(warehouse)[A]["客户名称"] == "新名有限公司"


@pytest.mark.parametrize("names", [["北京", "上海"], ["上海", "北京"]])
def test_a_tie_is_decided_alike_in_whatever_order_rows_come(warehouse: Connection, names: list[str]) -> None:
    load(warehouse, month_of(PERFORMANCE, A, period="202409", 机构名称="天津"))
    load(warehouse, month_of(PERFORMANCE, A, 机构名称=names))

    # Equal amounts: the newer month goes before, then the text; code and name are of one row.
    assert customers(warehouse, "主拓机构代码, 主拓机构") == {A: {"主拓机构代码": "G01", "主拓机构": "北京"}}


def test_a_correction_reaches_the_customer(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, A, B], 计划代码=["S1", "S2", "S3"]))

    done = load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S3"]))

    assert effect(done) == (0, 1)
    assert {company: row["关联计划数"] for company, row in customers(warehouse).items()} == {A: 1, B: 1}


def test_customers_that_are_not_touched_are_left(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"]))
    run(warehouse, "update customer.客户明细 set 关联计划数 = 7")

    done = load(warehouse, month_of(PERFORMANCE, A, period="202411"))

    assert effect(done) == (0, 1)
    assert {company: row["关联计划数"] for company, row in customers(warehouse).items()} == {A: 2, B: 7}


def test_companies_without_an_id_of_their_own_are_no_customers(warehouse: Connection) -> None:
    for domain in (PERFORMANCE, INCOME, AWARD, LOSS):
        assert effect(
            load(
                warehouse,
                month_of(domain, None, 年金计划号="S9") if domain in (AWARD, LOSS) else month_of(domain, None),
            )
        ) == (0, 0)

    assert customers(warehouse) == {}


# -- several domains


def all_domains() -> list[LoadPlan]:
    """One customer that all know, and one each that it alone knows."""
    return [
        month_of(PERFORMANCE, [A, "600000010"], 计划代码=["S1", "S10"], 客户名称="甲有限公司"),
        month_of(PERFORMANCE, [A, "600000020"], 计划代码=["S2", "S20"], period="202409"),
        month_of(INCOME, [A, B, "600000011"], 计划代码=["S3", "S4", "S11"], 客户名称="乙有限公司"),
        month_of(AWARD, [A, B, "600000012"], 年金计划号=["S5", "S6", "S12"]),
        month_of(LOSS, [A, B, "600000013"], 年金计划号=["S7", "S8", "S13"]),
    ]


def orders(*, every: int) -> list[tuple[LoadPlan, ...]]:
    """Orders of the domains: each of them first and last once and each two of them either way, or many more."""
    given = all_domains()
    if every:
        return list(permutations(given))[::every]
    return [*((*given[at:], *given[:at]) for at in range(len(given))), tuple(reversed(given))]


@pytest.mark.parametrize("every", [0, pytest.param(7, marks=pytest.mark.chaos)])
def test_the_strongest_domain_describes_whatever_the_order(warehouse: Connection, every: int) -> None:
    seen = []
    for order in orders(every=every):
        run(warehouse, "truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细")
        run(warehouse, "truncate customer.客户明细 cascade")
        for plan in order:
            load(warehouse, plan)
        seen.append(customers(warehouse, f"{DESCRIPTION}, 年金计划类型, 关联机构数, 其他开拓机构"))

    assert all(found == seen[0] for found in seen)
    assert {company: row["_derived_from_domain"] for company, row in seen[0].items()} == {
        A: "annuity_performance",
        B: "annuity_income",
        "600000010": "annuity_performance",
        "600000011": "annuity_income",
        "600000012": "annual_award",
        "600000013": "annual_loss",
        "600000020": "annuity_performance",
    }
    assert seen[0][A]["关联计划数"] == 2
    assert {row["年金客户类型"] for row in seen[0].values()} == {"新客", "新客*", "中标客户", "流失客户"}


def test_income_and_performance_give_the_same_master_either_way(warehouse: Connection) -> None:
    performance = month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"])
    income = month_of(INCOME, [B, "600000003"], 计划代码=["S2", "S3"])
    masters = []
    for order in ((performance, income), (income, performance)):
        run(warehouse, "truncate business.规模明细, business.收入明细, customer.客户明细 cascade")
        for plan in order:
            load(warehouse, plan)
        masters.append(customers(warehouse, f"{DESCRIPTION}, tags, 主拓机构代码, 年金计划类型, _source, _needs_review"))

    assert masters[0] == masters[1]
    assert len(masters[0]) == 3


def test_a_customer_that_leaves_a_domain_is_described_by_the_next(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"]))
    load(warehouse, month_of(INCOME, A, 计划代码="S3"))

    done = load(warehouse, month_of(PERFORMANCE, B, 计划代码="S2"))

    found = customers(warehouse)[A]
    assert effect(done) == (0, 1)
    # What only performance tells goes with its facts.
    assert (found["关键年金计划"], found["管理资格"]) == ("S3", None)
    assert found["_derived_from_domain"] == "annuity_income"


def test_a_column_is_described_by_the_strongest_domain_that_fills_it(warehouse: Connection) -> None:
    income, award = month_of(INCOME, A, 计划代码="S3"), month_of(AWARD, A, 年金计划号="S5")
    for order in ((income, award), (award, income)):
        run(warehouse, "truncate business.收入明细, customer.中标客户明细, customer.客户明细 cascade")
        for plan in order:
            load(warehouse, plan)

        found = customers(warehouse)[A]
        # What a sheet of income does not have follows from the award.
        assert (found["关键年金计划"], found["管理资格"]) == ("S3", "企年受托")
        assert (found["_derived_from_domain"], found["年金客户类型"]) == ("annuity_income", "新客*")

    assert effect(load(warehouse, month_of(AWARD, B, 年金计划号="S6"))) == (1, 1)
    assert customers(warehouse)[A]["管理资格"] is None


AGGREGATED = "年金客户类型, 年金计划类型, 关键年金计划, 其他年金计划, 主拓机构代码, 主拓机构, 其他开拓机构, 管理资格"


def test_a_customer_without_any_fact_loses_what_facts_gave_and_is_to_be_reviewed(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"]))
    run(warehouse, "update customer.客户明细 set _needs_review = false")

    done = load(warehouse, month_of(PERFORMANCE, B, 计划代码="S2"))

    assert effect(done) == (0, 1)
    assert customers(warehouse, "客户名称, tags, _derived_from_domain, _source, _needs_review")[A] == {
        "客户名称": "平安科技有限公司",
        "tags": [],
        "_derived_from_domain": "annuity_performance",
        "_source": "auto_derived",
        "_needs_review": True,
    }
    assert set(customers(warehouse, AGGREGATED)[A].values()) == {None}
    assert customers(warehouse, "关联计划数, 关联机构数")[A] == {"关联计划数": 0, "关联机构数": 0}
    assert customers(warehouse, "关联计划数, _needs_review")[B] == {"关联计划数": 1, "_needs_review": False}


def test_a_customer_without_any_fact_is_left_alone_until_facts_come_back(warehouse: Connection) -> None:
    both, one = month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"]), month_of(PERFORMANCE, B, 计划代码="S2")
    load(warehouse, both)
    before = customers(warehouse, f"{DESCRIPTION}, tags, {AGGREGATED}")
    load(warehouse, one)

    assert effect(load(warehouse, one)) == (0, 0)
    assert effect(load(warehouse, both)) == (0, 1)
    assert customers(warehouse, f"{DESCRIPTION}, tags, {AGGREGATED}") == before


def test_a_customer_of_awards_alone_goes_with_them(warehouse: Connection) -> None:
    load(warehouse, month_of(AWARD, [A, B], 年金计划号=["S1", "S2"]))

    done = load(warehouse, month_of(AWARD, B, 年金计划号="S2"))

    assert effect(done) == (0, 1)
    found = customers(warehouse, "tags, 年金客户类型, 关键年金计划, 关联计划数, _needs_review")[A]
    assert found == {"tags": [], "年金客户类型": None, "关键年金计划": None, "关联计划数": 0, "_needs_review": True}


def test_a_customer_of_another_month_still_has_facts(warehouse: Connection) -> None:
    load(warehouse, month_of(INCOME, A, 计划代码="S3"))
    load(warehouse, month_of(PERFORMANCE, [A, B], period="202409", 计划代码=["S1", "S2"]))
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S4", "S2"]))

    load(warehouse, month_of(PERFORMANCE, B, 计划代码="S2"))

    assert customers(warehouse)[A]["关键年金计划"] == "S1"


def test_a_row_that_was_lost_is_made_again_by_the_strongest_domain(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1"))
    run(warehouse, "delete from customer.客户明细")

    assert effect(load(warehouse, month_of(INCOME, A, 计划代码="S3"))) == (1, 0)
    assert customers(warehouse)[A]["_derived_from_domain"] == "annuity_performance"


# -- tags of a month


def test_tags_follow_the_facts_of_their_month(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"]))
    load(warehouse, month_of(AWARD, A, period="202409"))
    assert effect(load(warehouse, month_of(AWARD, [A, B, "600000003"]))) == (1, 2)
    assert tags(warehouse) == {
        A: ["2409中标", "2410中标", "2410新建"],
        B: ["2410中标", "2410新建"],
        "600000003": ["2410中标"],
    }

    assert effect(load(warehouse, month_of(AWARD, [B, "600000003"]))) == (0, 1)

    assert tags(warehouse) == {A: ["2409中标", "2410新建"], B: ["2410中标", "2410新建"], "600000003": ["2410中标"]}


def test_the_tag_of_the_first_month_follows_the_facts_of_either_domain(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A, period="202411"))
    load(warehouse, month_of(AWARD, B))
    assert tags(warehouse) == {A: ["2411新建"], B: ["2410中标"]}

    assert effect(load(warehouse, month_of(INCOME, [A, B], period="202409"))) == (0, 2)
    assert tags(warehouse) == {A: ["2409新建"], B: ["2409新建", "2410中标"]}

    assert effect(load(warehouse, month_of(INCOME, "600000003", period="202409"))) == (1, 2)
    assert tags(warehouse) == {A: ["2411新建"], B: ["2410中标"], "600000003": ["2409新建"]}


def test_the_tag_of_the_first_month_is_one_beside_those_of_people(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A))
    run(warehouse, """update customer.客户明细 set tags = '["重点", {"新建": "2410新建"}, "2410新建", "2411新建"]'""")

    load(warehouse, month_of(PERFORMANCE, A, period="202408"))

    assert tags(warehouse)[A] == ["2408新建", {"新建": "2410新建"}, "重点"]


def test_a_row_that_was_lost_gets_all_its_tags_again(warehouse: Connection) -> None:
    for plan in (month_of(PERFORMANCE, A), month_of(INCOME, A, period="202409"), month_of(AWARD, A)):
        load(warehouse, plan)
    load(warehouse, month_of(LOSS, A, period="202411"))
    before = tags(warehouse)
    run(warehouse, "delete from customer.客户明细")

    load(warehouse, month_of(AWARD, A, period="202412"))

    assert before == {A: ["2409新建", "2410中标", "2411流失"]}
    assert tags(warehouse) == {A: ["2409新建", "2410中标", "2411流失", "2412中标"]}


def test_tags_that_people_gave_stay(warehouse: Connection) -> None:
    load(warehouse, month_of(AWARD, A))
    run(warehouse, """update customer.客户明细 set tags = '["重点", {"by": "hand"}, "2410中标", "2410流失"]'""")

    load(warehouse, month_of(AWARD, B))

    assert tags(warehouse)[A] == ["重点", {"by": "hand"}, "2410流失"]


@pytest.mark.parametrize("written", ['{"by": "hand"}', '"2410中标"', "null"])
def test_a_list_that_is_none_is_left(warehouse: Connection, written: str) -> None:
    load(warehouse, month_of(PERFORMANCE, A))
    run(warehouse, "update customer.客户明细 set tags = %s", written)

    assert effect(load(warehouse, month_of(AWARD, A))) == (0, 0)
    assert effect(load(warehouse, month_of(AWARD, B))) == (1, 0)


# -- authoritative rows


def test_an_authoritative_row_keeps_what_others_deliver_and_its_names(warehouse: Connection) -> None:
    run(
        warehouse,
        "insert into customer.客户明细 (company_id, 客户名称, 关键年金计划, 管理资格, 关联计划数)"
        " values (%s, '本名', 'X', '旧', 9)",
        A,
    )
    plan = month_of(PERFORMANCE, A, 计划代码=["S1", "S2"], 期末资产规模=[2.0, 1.0])
    kept = tuple(replace(reference, kept=frozenset({"关键年金计划"})) for reference in plan.references)

    assert effect(load(warehouse, replace(plan, references=kept))) == (0, 1)

    found = customers(
        warehouse, "客户名称, 关键年金计划, 关联计划数, 管理资格, 主拓机构, _source, _derived_from_domain"
    )[A]
    assert found == {
        "客户名称": "本名",
        "关键年金计划": "X",
        "关联计划数": 2,
        "管理资格": "企年受托",
        "主拓机构": "北京",
        "_source": "authoritative",
        "_derived_from_domain": None,
    }


def test_an_authoritative_row_keeps_what_a_weaker_domain_does_not_know(warehouse: Connection) -> None:
    run(warehouse, "insert into customer.客户明细 (company_id, 管理资格) values (%s, '人工')", A)

    load(warehouse, month_of(INCOME, A, 计划代码="S3"))

    found = customers(warehouse)[A]
    assert (found["管理资格"], found["关键年金计划"], found["客户名称"]) == ("人工", "S3", "平安科技有限公司")


def test_an_authoritative_row_without_any_fact_keeps_what_facts_never_gave(warehouse: Connection) -> None:
    run(
        warehouse,
        "insert into customer.客户明细 (company_id, 客户名称, 主拓机构, 管理资格) values (%s, '本名', '天津', '人工')",
        A,
    )

    def income(*companies: str) -> LoadPlan:
        plan = month_of(INCOME, list(companies), 计划代码=[f"S{company}" for company in companies])
        kept = tuple(replace(reference, kept=frozenset({"主拓机构"})) for reference in plan.references)
        return replace(plan, references=kept)

    load(warehouse, income(A, B))
    assert effect(load(warehouse, income(B))) == (0, 1)

    columns = "客户名称, 主拓机构, 管理资格, 关键年金计划, 年金客户类型, 关联计划数, _source, _needs_review"
    assert customers(warehouse, columns)[A] == {
        "客户名称": "本名",
        "主拓机构": "天津",
        "管理资格": "人工",
        "关键年金计划": None,
        "年金客户类型": None,
        "关联计划数": 0,
        "_source": "authoritative",
        "_needs_review": False,
    }


# -- how a month is loaded


def test_added_rows_stand_beside_the_month(warehouse: Connection) -> None:
    load(warehouse, month_of(AWARD, A, 年金计划号="S1"))

    load(warehouse, replace(month_of(AWARD, [A, B], 年金计划号=["S2", "S3"]), mode=LoadMode.APPEND))

    assert customers(warehouse)[A]["关联计划数"] == 2
    assert tags(warehouse) == {A: ["2410中标"], B: ["2410中标"]}


def test_a_narrow_scope_takes_only_its_rows_away(warehouse: Connection) -> None:
    load(warehouse, month_of(AWARD, [A, A, B], 业务类型=["受托", "投资", "受托"], 年金计划号=["S1", "S2", "S3"]))

    narrow = month_of(AWARD, "600000003", 业务类型="受托", 年金计划号="S4")
    load(warehouse, replace(narrow, scope=("上报月份", "业务类型")))

    assert customers(warehouse)[A]["关键年金计划"] == "S2"
    assert tags(warehouse) == {A: ["2410中标"], B: [], "600000003": ["2410中标"]}


def test_an_upsert_overwrites_the_rows_of_its_keys(warehouse: Connection) -> None:
    keyed = replace(AWARD, unique_key=("上报月份", "年金计划号"))
    run(warehouse, "create unique index on customer.中标客户明细 (上报月份, 年金计划号)")
    load(warehouse, month_of(AWARD, [A, A], 年金计划号=["S1", "S2"]))

    upsert = month_of(AWARD, [B], 年金计划号=["S2"])
    load(warehouse, replace(upsert, domain=keyed, mode=LoadMode.UPSERT))

    assert {company: row["关联计划数"] for company, row in customers(warehouse).items()} == {A: 1, B: 1}
    assert tags(warehouse) == {A: ["2410中标"], B: ["2410中标"]}


def test_references_alone_are_added_without_facts(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1"))

    done = load(warehouse, replace(month_of(PERFORMANCE, B, 计划代码="S2"), skip_facts=True))

    assert effect(done) == (1, 0)
    assert set(customers(warehouse)) == {A, B}
    assert effect(load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1"))) == (0, 0)


def test_a_load_that_fails_leaves_the_references_out(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1"))
    before = customers(warehouse, "客户明细::text as all_of_it")

    run(warehouse, "alter table mapping.组合计划 add constraint refuse check (组合代码 <> '9')")
    with pytest.raises(CheckViolation):
        load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S8", "S9"], 组合代码="9"))

    assert customers(warehouse, "客户明细::text as all_of_it") == before


def test_loads_that_recompute_one_table_wait_for_each_other(warehouse: Connection, warehouse_url: str) -> None:
    other = connect(warehouse_url, application_name="other")
    with transaction(warehouse), warehouse.cursor() as cursor:
        publish(cursor, month_of(PERFORMANCE, A), load_id=1, faults=NO_FAULTS)
        with other.cursor() as others:
            others.execute("select count(*) from pg_locks where locktype = 'advisory' and granted")
            assert others.fetchone() == (1,)
    with transaction(other), other.cursor() as cursor:
        lock_references(cursor, month_of(INCOME, A))
    other.close()


# -- the other modes


def test_blanks_of_rows_that_are_there_are_filled_and_none_is_added(warehouse: Connection) -> None:
    run(
        warehouse,
        "insert into mapping.年金计划 (年金计划号, 计划全称, 计划类型) values ('S1', null, '别的'), ('S2', '乙', null)",
    )
    plan = month_of(PERFORMANCE, A, 计划代码=["S1", "S2", "S3"], 计划名称=["甲计划", None, "丙计划"])
    rule = replace(plan.references[0].reference, mode=Mode.FILL_NULL_ONLY)
    filling = replace(plan, references=(ReferencePlan.of(rule, plan.gold),))

    assert rule.table == "mapping.年金计划"
    assert effect(load(warehouse, filling), rule.table) == (0, 2)
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(
            "select 年金计划号, 计划全称, 计划类型 from mapping.年金计划 where 年金计划号 like 'S%' order by 1"
        )
        assert cursor.fetchall() == [("S1", "甲计划", "别的"), ("S2", "乙", "单一计划")]
    assert effect(load(warehouse, filling), rule.table) == (0, 0)


def test_a_placeholder_is_no_branch(warehouse: Connection) -> None:
    plan = month_of(PERFORMANCE, A)
    rule = next(r.reference for r in plan.references if r.reference.name == "fk_organization")
    gold = plan.gold.assign(机构代码=pd.array(["(空白)"], dtype="string"))

    done = load(warehouse, replace(plan, gold=gold, references=(ReferencePlan.of(rule, gold),)))

    assert effect(done, "mapping.组织架构") == (0, 0)


@pytest.mark.parametrize("domain", [PERFORMANCE, INCOME], ids=lambda domain: domain.name)
def test_codes_that_stand_in_for_a_missing_one_make_no_row_even_unseeded(warehouse: Connection, domain: Domain) -> None:
    run(warehouse, "truncate mapping.年金计划, mapping.组合计划")
    blanks: dict[str, Any] = {
        "业务类型": ["企年受托", "企年受托", "职年受托"],
        "计划类型": ["集合计划", "单一计划", "职业年金"],
    }
    plan = month_of(domain, A, 计划代码=[None, None, "Z1"], 组合代码=[None, None, None], **blanks)
    assert set(plan.gold["计划代码"]) == {"AN001", "AN002", "Z1"}
    assert set(plan.gold["组合代码"].dropna()) == {"QTAN001", "QTAN002", "QTAN003"}

    done = load(warehouse, plan)

    assert (effect(done, "mapping.年金计划"), effect(done, "mapping.组合计划")) == ((1, 0), (0, 0))


def test_plans_and_portfolios_come_from_either_domain_and_stay(warehouse: Connection) -> None:
    first = load(warehouse, month_of(INCOME, A, 计划代码="S9", 组合代码="0009"))
    again = load(warehouse, month_of(PERFORMANCE, A, 计划代码="S9", 组合代码="0009"))

    for table in ("mapping.年金计划", "mapping.组合计划"):
        assert (effect(first, table), effect(again, table)) == ((1, 0), (0, 0))


def test_the_sql_of_a_plan_says_what_becomes_of_the_references(warehouse: Connection) -> None:
    statements = count_effects(warehouse, month_of(PERFORMANCE, A)).sql

    assert any(text.startswith('insert into "mapping"."年金计划" ("年金计划号", "计划全称"') for text in statements)
    assert any(text.startswith('update "customer"."客户明细" set … where facts differ') for text in statements)


# -- texts that are too long


def refused(warehouse: Connection, plan: LoadPlan) -> DataError:
    """The error of the load, which a plan must have raised too."""
    with pytest.raises(DataError) as planned:
        count_effects(warehouse, plan)
    with pytest.raises(DataError) as done, transaction(warehouse), warehouse.cursor() as cursor:
        publish(cursor, plan, load_id=1, faults=NO_FAULTS)
    assert str(done.value) == str(planned.value)
    assert customers(warehouse, "company_id") == {}
    return done.value


def narrow_plans(warehouse: Connection) -> None:
    """Make the plan master hold shorter texts than the facts do."""
    run(warehouse, "drop view bi.fct_customer_plan_monthly_summary; truncate mapping.年金计划")
    run(warehouse, "alter table mapping.年金计划 alter 计划全称 type varchar(5), alter 年金计划号 type varchar(5)")


def test_a_text_that_is_too_long_to_be_added_is_refused_with_its_place(warehouse: Connection) -> None:
    narrow_plans(warehouse)
    error = refused(warehouse, month_of(PERFORMANCE, A, 计划代码=["S1", "S2"], 计划名称=["短", "长的计划名称"]))

    assert error.message == "6 characters do not fit mapping.年金计划.计划全称 of 5, for 年金计划号 S2"
    assert (error.exit_code, error.field, error.input_data) == (4, "mapping.年金计划.计划全称", "长的计划名称")
    assert (error.file, error.sheet, error.row_number) == ("month.xlsx", "规模明细", 3)
    assert error.rule == "fk_plan: 计划全称 holds at most 5 characters"


def test_a_text_that_is_too_long_to_describe_a_customer_is_refused(warehouse: Connection) -> None:
    plans = [f"S{at:03}" for at in range(3)]
    plan = month_of(PERFORMANCE, A, 计划代码=plans, 业务类型=["企年受托"] * 3)
    gold = plan.gold.assign(业务类型=pd.array([name * 100 for name in "甲乙丙"], dtype="string"))
    customer = tuple(ReferencePlan.of(r.reference, gold) for r in plan.references if r.reference.mode is Mode.RECOMPUTE)

    error = refused(warehouse, replace(plan, gold=gold, references=customer))

    assert error.field == "customer.客户明细.管理资格"
    assert error.message.endswith(f"of 255, for company_id {A}")
    assert error.row_number == 2


def test_a_key_that_is_too_long_is_refused(warehouse: Connection) -> None:
    narrow_plans(warehouse)

    error = refused(warehouse, month_of(PERFORMANCE, A, 计划代码=["S1", "S23456"], 计划名称="短"))

    assert (error.field, error.row_number) == ("mapping.年金计划.年金计划号", 3)


def test_a_text_is_never_too_long_where_it_is_not_written(warehouse: Connection) -> None:
    narrow_plans(warehouse)
    load(warehouse, month_of(PERFORMANCE, A, 计划代码="S1", 计划名称="短"))

    names = ["长的计划名称", "五字的名称"]
    done = load(warehouse, month_of(PERFORMANCE, A, 计划代码=["S1", "S2"], 计划名称=names))

    assert effect(done, "mapping.年金计划") == (1, 0)


def test_a_filled_text_is_too_long_only_where_it_fills(warehouse: Connection) -> None:
    narrow_plans(warehouse)
    plan = month_of(PERFORMANCE, A, 计划代码=["S1", "S2"], 计划名称="长的计划名称")
    rule = replace(plan.references[0].reference, mode=Mode.FILL_NULL_ONLY)
    filling = replace(plan, references=(ReferencePlan.of(rule, plan.gold),))
    run(warehouse, "insert into mapping.年金计划 (年金计划号, 计划全称) values ('S1', '甲')")
    count_effects(warehouse, filling)

    run(warehouse, "insert into mapping.年金计划 (年金计划号) values ('S2')")

    assert refused(warehouse, filling).message.endswith("年金计划号 S2")
