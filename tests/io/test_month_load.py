"""A month's rows in the warehouse: counted by content, replaced whole, references beside them."""

from datetime import date
from typing import Any

import pytest
from psycopg2.errors import CheckViolation
from tests.domain.domain_rows import CONFIG
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.loads import LoadEffects
from work_data_hub.domain.plans import LoadMode, LoadPlan, ReferencePlan
from work_data_hub.errors import ShrinkRefused
from work_data_hub.io.faults import NO_FAULTS
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.month_load import count_effects, publish
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration


def plan(*, mode: LoadMode = LoadMode.DELETE_INSERT, scope: tuple[str, ...] = (), **cells: Any) -> LoadPlan:
    gold = refined(performance_rows(**cells)).gold
    references = tuple(
        ReferencePlan.of(reference, gold) for reference in load_references(CONFIG, DOMAINS)[ANNUITY_PERFORMANCE.name]
    )
    return LoadPlan(
        domain=ANNUITY_PERFORMANCE, period=date(2024, 10, 1), gold=gold, references=references, mode=mode, scope=scope
    )


def load(warehouse: Connection, asked: LoadPlan) -> LoadEffects:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return publish(cursor, asked, load_id=1, faults=NO_FAULTS)


def numbers(effects: LoadEffects) -> tuple[int, int, int]:
    return effects.facts.deleted, effects.facts.inserted, effects.facts.unchanged


def fetched(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_a_plan_and_a_load_count_alike(warehouse: Connection) -> None:
    load(warehouse, plan(供款=[1.0, 2.0, 3.0, 4.0]))
    corrected = plan(供款=[1.0, 2.0, 3.5])

    planned = count_effects(warehouse, corrected)

    assert numbers(planned) == (2, 1, 2)
    assert fetched(warehouse, "select count(*) from business.规模明细") == [(4,)]
    done = load(warehouse, corrected)
    assert (numbers(done), done.references) == (numbers(planned), planned.references)


def test_equal_rows_count_as_often_as_they_stand_there(warehouse: Connection) -> None:
    load(warehouse, plan(供款=[1.0, 1.0, 1.0]))

    assert numbers(load(warehouse, plan(供款=[1.0, 1.0, 2.0]))) == (1, 1, 2)


def test_null_equals_null(warehouse: Connection) -> None:
    load(warehouse, plan(供款=[None, 1.0]))

    assert numbers(load(warehouse, plan(供款=[None, 1.0]))) == (0, 0, 2)


def test_text_and_null_and_quotes_arrive_as_written(warehouse: Connection) -> None:
    load(warehouse, plan(计划名称=['a"b,c', "换\n行", None, "\\N", "%s"]))

    names = fetched(warehouse, "select 计划名称 from business.规模明细 order by _source_row")
    assert [name for (name,) in names] == ['a"b,c', "换\n行", None, "\\N", "%s"]


def test_rows_keep_their_provenance(warehouse: Connection) -> None:
    load(warehouse, plan())

    assert fetched(
        warehouse, "select _load_id, _source_file, _source_sheet, _source_row, _identity_source from business.规模明细"
    ) == [(1, "month.xlsx", "规模明细", 2, "temporary_id")]


def test_a_shrunken_month_is_refused_by_plan_and_load(warehouse: Connection) -> None:
    load(warehouse, plan(供款=[1.0] * 10))

    with pytest.raises(ShrinkRefused, match="has 10 rows to replace for 2024-10, the file has 6"):
        count_effects(warehouse, plan(供款=[1.0] * 6))
    with pytest.raises(ShrinkRefused):
        load(warehouse, plan(供款=[1.0] * 6))
    assert fetched(warehouse, "select count(*) from business.规模明细") == [(10,)]
    assert numbers(load(warehouse, plan(供款=[1.0] * 7))) == (3, 0, 7)


def test_a_narrow_scope_leaves_other_combinations(warehouse: Connection) -> None:
    load(warehouse, plan(业务类型=["企年受托", "企年投资", None], 供款=[1.0, 2.0, 3.0]))

    narrow = plan(scope=("月度", "业务类型"), 业务类型=["企年受托", None], 供款=[9.0, 3.0])
    assert numbers(count_effects(warehouse, narrow)) == (1, 1, 1)
    assert numbers(load(warehouse, narrow)) == (1, 1, 1)

    assert fetched(warehouse, "select sum(供款) from business.规模明细") == [(14,)]


def test_a_narrow_scope_never_leaves_its_month(warehouse: Connection) -> None:
    load(warehouse, plan(供款=[1.0, 2.0]))
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("update business.规模明细 set 月度 = '2024-09-01' where 供款 = 2")

    assert numbers(load(warehouse, plan(scope=("计划代码",), 供款=[3.0]))) == (1, 1, 0)

    assert fetched(warehouse, "select 月度::text, 供款::int from business.规模明细 order by 1") == [
        ("2024-09-01", 2),
        ("2024-10-01", 3),
    ]


def test_append_adds(warehouse: Connection) -> None:
    load(warehouse, plan())

    assert numbers(load(warehouse, plan(mode=LoadMode.APPEND))) == (0, 1, 0)
    assert fetched(warehouse, "select count(*) from business.规模明细") == [(2,)]


def test_references_are_added_once_and_never_overwritten(warehouse: Connection) -> None:
    first = load(warehouse, plan(计划代码="S9", 计划名称="甲", 公司代码="600000009"))
    again = load(warehouse, plan(计划代码="S9", 计划名称="乙", 公司代码="600000009"))

    assert {r.table: r.inserted for r in first.references}["mapping.年金计划"] == 1
    assert {r.inserted for r in again.references} == {0}
    assert fetched(
        warehouse,
        "select 计划全称, _source, _needs_review, _derived_from_domain from mapping.年金计划 where 年金计划号 = 'S9'",
    ) == [("甲", "auto_derived", True, "annuity_performance")]


def test_placeholders_and_seeds_are_not_derived(warehouse: Connection) -> None:
    effects = load(warehouse, plan(计划代码=None, 机构名称=None))

    inserted = {r.table: r.inserted for r in effects.references}
    assert inserted == {
        "mapping.年金计划": 0,
        "mapping.组合计划": 0,
        "mapping.产品线": 0,
        "mapping.组织架构": 0,
        "customer.客户明细": 0,
    }


def test_a_refused_reference_takes_the_facts_back(warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("alter table mapping.年金计划 add constraint refuse check (年金计划号 <> 'S9')")

    with pytest.raises(CheckViolation):
        load(warehouse, plan(计划代码="S9"))

    assert fetched(warehouse, "select count(*) from business.规模明细") == [(0,)]


def test_the_sql_of_a_plan_is_shown_with_quoted_names(warehouse: Connection) -> None:
    statements = count_effects(warehouse, plan()).sql

    assert statements[0] == """delete from "business"."规模明细" as fact where fact."月度" = '2024-10-01'::date"""
    assert statements[1].startswith('copy "business"."规模明细" ("月度", "业务类型"')
