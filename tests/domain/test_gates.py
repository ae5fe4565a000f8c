"""The verdicts on a load, by what its report says."""

from dataclasses import replace

import pytest

from work_data_hub.domain.gates import (
    COMPANIES,
    GATES,
    MAPPINGS,
    REJECTS,
    ROWS,
    SHRINK,
    TOTALS,
    USABLE,
    judged,
)
from work_data_hub.domain.report import DomainReport, TableEffect
from work_data_hub.errors import (
    DataError,
    NoDataRows,
    RowsNotKept,
    ShrinkRefused,
    TotalsDiffer,
    WarehouseError,
    WorkDataHubError,
)

pytestmark = pytest.mark.unit

TABLE = TableEffect(table="business.t", deleted=10, inserted=10, unchanged=90)
LOADED = DomainReport(
    domain="annual_award",
    period="202410",
    status="loaded",
    load_id=1,
    rows_read=103,
    rows_rejected=3,
    rows_loaded=100,
    tables=(TABLE,),
)


def failed(report: DomainReport) -> dict[str, bool]:
    """The gates that were not passed, and whether each of them stops."""
    return {gate.name: gate.stops for gate in judged(report) if not gate.passed}


def test_a_load_meets_every_gate_but_bears_its_rejects() -> None:
    assert {gate.name for gate in judged(LOADED)} == set(GATES)
    assert failed(LOADED) == {REJECTS: False}
    assert failed(replace(LOADED, rows_read=100, rows_rejected=0)) == {}


@pytest.mark.parametrize(
    ("report", "name", "stops"),
    [
        (replace(LOADED, rows_rejected=0, rows_loaded=102), ROWS, True),
        (replace(LOADED, rows_rejected=0, rows_loaded=104), ROWS, True),
        (replace(LOADED, rows_read=100, rows_rejected=0, unresolved=2), COMPANIES, False),
        (
            replace(LOADED, rows_read=100, rows_rejected=0, quality={"unknown 机构": {"rows": 2, "values": {}}}),
            MAPPINGS,
            False,
        ),
        (
            replace(
                LOADED, rows_read=100, rows_rejected=0, tables=(replace(TABLE, deleted=100, inserted=10, unchanged=0),)
            ),
            SHRINK,
            False,
        ),
    ],
)
def test_what_is_amiss_is_on_its_gate_alone(report: DomainReport, name: str, stops: bool) -> None:
    assert failed(report) == {name: stops}


def test_a_month_may_lose_almost_a_third() -> None:
    lost = replace(TABLE, deleted=30, inserted=0, unchanged=70)

    assert SHRINK not in failed(replace(LOADED, tables=(lost,)))
    assert SHRINK in failed(replace(LOADED, tables=(replace(lost, deleted=31, unchanged=69),)))


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (DataError("too many"), REJECTS),
        (TotalsDiffer("not the sum"), TOTALS),
        (ShrinkRefused("too few"), SHRINK),
        (RowsNotKept("one is missing"), ROWS),
        (NoDataRows("empty"), USABLE),
    ],
)
def test_a_refusal_is_the_one_verdict_and_in_its_own_words(error: WorkDataHubError, name: str) -> None:
    (gate,) = judged(replace(LOADED, status="failed", load_id=None, error=error))

    assert (gate.name, gate.passed, gate.stops, gate.text) == (name, False, True, str(error))


def test_a_warehouse_that_is_gone_is_no_verdict_on_the_month() -> None:
    assert judged(replace(LOADED, status="failed", load_id=None, error=WarehouseError("gone"))) == ()


def test_a_load_without_facts_says_nothing_of_their_rows() -> None:
    report = replace(LOADED, skips_facts=True, rows_loaded=0, tables=(TableEffect(table="business.t"),))

    assert {gate.name for gate in judged(report)} == set(GATES) - {ROWS, SHRINK}


def test_a_plan_has_no_verdict_and_an_unchanged_month_has_its_workbook() -> None:
    assert judged(replace(LOADED, status="planned", load_id=None)) == ()
    assert [gate.name for gate in judged(replace(LOADED, status="unchanged"))] == [USABLE]
