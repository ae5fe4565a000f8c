"""What an operator reads of a plan: rows by table, sums before and after, and the command that loads it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from work_data_hub.domain.report import DomainReport, ReferenceEffect, TableEffect
from work_data_hub.orchestration.plan_shown import differences_line, differences_table

pytestmark = pytest.mark.unit

PLANNED = DomainReport(
    domain="annuity_performance",
    period="202410",
    status="planned",
    tables=(TableEffect(table="business.规模明细", deleted=13, inserted=12, unchanged=1_287),),
    references=(
        ReferenceEffect(table="mapping.组合计划", inserted=1),
        ReferenceEffect(table="mapping.产品线", inserted=0),
    ),
    sums={"供款": Decimal("345606847.8298"), "流失": Decimal("5"), "投资收益": Decimal("1.5")},
    replaced_sums={"供款": Decimal("345706847.8298"), "流失": Decimal("5"), "投资收益": Decimal(0)},
)


def test_the_line_says_what_changes_and_how_to_load_it() -> None:
    assert differences_line(PLANNED) == (
        "planned, nothing was written. business.规模明细: 12 rows in, 13 out, 1,287 stay; "
        "供款 −100,000.00; 投资收益 +1.50. To load it: Materialize the month, "
        "or wdh etl --domains annuity_performance --period 202410 --execute"
    )


def test_the_table_holds_every_sum_and_only_tables_that_change() -> None:
    assert differences_table(PLANNED).splitlines() == [
        "| table | in | out | changed | unchanged |",
        "|--|--:|--:|--:|--:|",
        "| business.规模明细 | 12 | 13 | 0 | 1,287 |",
        "| mapping.组合计划 | 1 | 0 | 0 | 0 |",
        "",
        "| sum | loaded until now | this workbook | difference |",
        "|--|--:|--:|--:|",
        "| 供款 | 345,706,847.8298 | 345,606,847.8298 | −100,000.00 |",
        "| 流失 | 5.00 | 5.00 | = |",
        "| 投资收益 | 0.00 | 1.50 | +1.50 |",
    ]


def test_a_load_says_what_it_did_and_a_repeat_that_there_is_nothing_to_do() -> None:
    loaded = replace(PLANNED, status="loaded", load_id=4, sums=PLANNED.replaced_sums)

    assert differences_line(loaded) == "business.规模明细: 12 rows in, 13 out, 1,287 stay; no sum changes"
    assert differences_line(replace(loaded, status="unchanged")) == "nothing to do: load 4 is of the same workbook"


def test_without_a_warehouse_there_is_nothing_to_compare() -> None:
    alone = replace(PLANNED, tables=(), replaced_sums={})

    assert (differences_line(alone), differences_table(alone)) == ("", "")
