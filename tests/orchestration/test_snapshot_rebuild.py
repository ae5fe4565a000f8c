"""All snapshots made again, and what becomes of those whose facts are gone."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract_facts import Fact, asked, put_months, ran
from tests.snapshot_rows import (
    LINES,
    PLANS,
    STATUS_RULES,
    everything,
    loaded,
    numbers,
    period,
    refresh,
    rows,
    sync,
    working_place,
)

from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.customer_snapshots import make_snapshots
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

A, B = "600000001", "600000002"
MONTHS = ["2023-12", "2024-01", "2024-02"]


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


@pytest.fixture
def winter(place: Workplace, warehouse: Connection) -> Workplace:
    """Three months synced, their snapshots made."""
    loaded(warehouse, place, MONTHS, Fact(company=A))
    return place


def forget_facts(warehouse: Connection, *, marks: bool) -> None:
    ran(warehouse, "delete from business.规模明细")
    if marks:
        ran(warehouse, "delete from customer.customer_plan_contract")
        ran(warehouse, "delete from customer.contract_periods")


def test_a_rebuild_makes_every_synced_month_again(winter: Workplace, warehouse: Connection) -> None:
    was = rows(warehouse, "is_new")
    ran(warehouse, f"update {LINES} set is_new = not is_new where snapshot_month = '2023-12-31'")
    assert make_snapshots(None, winter, status_rules=STATUS_RULES).status == "unchanged"

    planned = make_snapshots(None, winter, status_rules=STATUS_RULES, rebuild=True, dry_run=True)
    done = make_snapshots(None, winter, status_rules=STATUS_RULES, rebuild=True)

    assert (done.period, done.warnings, done.notes["months"]) == ("2023-12", (), 3)
    assert numbers(done) == [0, 1, 0, 2]
    assert replace(planned, status="done") == done
    assert rows(warehouse, "is_new") == was


def test_a_rebuild_takes_no_period(winter: Workplace) -> None:
    with pytest.raises(UsageError, match="--rebuild makes all synced months again") as refused:
        make_snapshots(period("2024-01"), winter, status_rules=STATUS_RULES, rebuild=True)

    assert refused.value.exit_code == 2


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("is_synced", [False, True])
def test_without_any_facts_snapshots_go_and_none_is_made(
    winter: Workplace, warehouse: Connection, *, rebuild: bool, is_synced: bool
) -> None:
    forget_facts(warehouse, marks=is_synced)

    planned = make_snapshots(None, winter, status_rules=STATUS_RULES, rebuild=rebuild, dry_run=True)
    done = make_snapshots(None, winter, status_rules=STATUS_RULES, rebuild=rebuild)

    assert done.warnings == ("no snapshot any more: no month that has facts is synced",)
    assert (done.status, done.period, done.notes["months"]) == ("done", None, 0)
    assert (numbers(done), numbers(done, PLANS)) == ([0, 0, 3, 0], [0, 0, 3, 0])
    assert replace(planned, status="done") == done
    assert rows(warehouse, "plan_count") == rows(warehouse, "contract_status", table=PLANS) == []


def test_a_month_named_goes_when_its_facts_went(winter: Workplace, warehouse: Connection) -> None:
    ran(warehouse, "delete from business.规模明细 where 月度 = '2024-02-01'")

    done = make_snapshots(period("2024-02"), winter, status_rules=STATUS_RULES)

    assert done.warnings == ("no snapshot of 2024-02 any more: its performance facts are not loaded",)
    assert numbers(done) == [0, 0, 1, 0]
    with pytest.raises(UsageError, match="2024-02 is not synced"):
        make_snapshots(period("2024-02"), winter, status_rules=STATUS_RULES)


def test_months_without_facts_are_left_alone_by_the_next_refresh(winter: Workplace, warehouse: Connection) -> None:
    ran(warehouse, "delete from business.规模明细 where 月度 = '2024-01-01'")
    first = refresh(winter, "2023-12")
    before = everything(warehouse)

    again = refresh(winter, "2023-12")

    assert numbers(first)[2] == 1
    assert (again.status, again.notes["months"]) == ("unchanged", 2)
    assert everything(warehouse) == before


def test_facts_that_return_have_their_snapshots_again(winter: Workplace, warehouse: Connection) -> None:
    was = rows(warehouse, "is_existing, aum_balance")
    ran(warehouse, "create temporary table kept as select * from business.规模明细")
    forget_facts(warehouse, marks=False)
    refresh(winter, "2024-02")
    ran(warehouse, "insert into business.规模明细 overriding system value select * from kept")
    sync(winter, "2024-02")

    refresh(winter, "2024-02")

    assert rows(warehouse, "is_existing, aum_balance") == was


def test_without_facts_and_snapshots_there_is_nothing_to_make(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, MONTHS, [Fact(company=A)])
    sync(place, "2024-02")
    forget_facts(warehouse, marks=False)

    with pytest.raises(UsageError, match="no month is synced"):
        make_snapshots(None, place, status_rules=STATUS_RULES)

    assert asked(warehouse, f"select count(*) from {LINES}") == [(0,)]
