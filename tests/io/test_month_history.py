"""The month before, as the warehouse holds it, and what a load is found to have put in."""

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.anomalies import month_figures
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.control_totals import compare
from work_data_hub.domain.total_rows import set_totals_aside
from work_data_hub.io.control_totals import loaded_sums
from work_data_hub.io.copying import copy_frame, table_identifier
from work_data_hub.io.month_history import figures_of_month_before
from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration

PERFORMANCE = DOMAINS["annuity_performance"]
OCTOBER = date(2024, 10, 1)


def store(warehouse: Connection, gold: pd.DataFrame, *, load_id: int = 1) -> None:
    with warehouse.cursor() as cursor:
        copy_frame(cursor, gold.assign(_load_id=load_id), into=table_identifier(PERFORMANCE.table))


def month(period: str, **cells: Any) -> pd.DataFrame:
    return refined(PERFORMANCE, rows(PERFORMANCE, 月度=period, **cells), period=period).gold


def test_the_figures_are_those_that_the_rows_have(warehouse: Connection) -> None:
    gold = month("202409", 计划代码=["S0001", "S0001", "P0290"], 供款=[0.1, "0.2", None], 组合名称=[None, None, "一"])
    store(warehouse, gold)
    store(warehouse, month("202408"))
    store(warehouse, month("202410"))

    with warehouse.cursor() as cursor:
        assert figures_of_month_before(cursor, PERFORMANCE, month=OCTOBER) == month_figures(PERFORMANCE, gold)


def test_there_may_be_no_month_before(warehouse: Connection) -> None:
    store(warehouse, month("202408"))

    with warehouse.cursor() as cursor:
        assert figures_of_month_before(cursor, PERFORMANCE, month=OCTOBER) is None


def test_a_loads_sums_are_those_between_its_totals(warehouse: Connection) -> None:
    labels = ["202410", "202410", "小计", "202410", "小计", "合计"]
    kept = [None if label.endswith("计") else "S0001" for label in labels]
    names = ["平安" if code else None for code in kept]
    texts: dict[str, Any] = dict.fromkeys(("客户名称", "业务类型", "计划类型", "机构名称"), names)
    amounts = [1.0, 2.5, 3.5, 4.0, 4.0, 7.5]
    bronze, totals = set_totals_aside(
        PERFORMANCE, rows(PERFORMANCE, 月度=labels, 计划代码=kept, 期末资产规模=amounts, **texts)
    )
    outcome = refined(PERFORMANCE, bronze)
    controls = compare(totals, domain=PERFORMANCE, bronze=bronze, outcome=outcome, tolerance=Decimal(0)).compared
    store(warehouse, outcome.gold, load_id=7)
    store(warehouse, outcome.gold, load_id=8)

    with warehouse.cursor() as cursor:
        sums = loaded_sums(cursor, PERFORMANCE, month=OCTOBER, load_id=7, controls=controls)
        nothing = loaded_sums(cursor, PERFORMANCE, month=OCTOBER, load_id=9, controls=controls)

    by_place = {(control.total.row, control.column): total for control, total in zip(controls, sums, strict=True)}
    assert [by_place[(row, "期末资产规模")] for row in (4, 6, 7)] == [Decimal("3.5"), Decimal(4), Decimal("7.5")]
    assert sums == tuple(control.cleaned for control in controls)
    assert set(nothing) == {Decimal(0)}


def test_without_controls_nothing_is_asked(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        assert loaded_sums(cursor, PERFORMANCE, month=OCTOBER, load_id=7, controls=()) == ()
        assert cursor.statusmessage is None
