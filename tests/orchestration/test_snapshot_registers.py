"""Awards and losses whose load no hook followed: what later refreshes make of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract_facts import Fact, asked, put_month, ran
from tests.snapshot_rows import (
    AWARDS,
    LOSSES,
    STATUS_RULES,
    everything,
    loaded,
    note_load,
    numbers,
    period,
    put_report,
    refresh,
    rows,
    sync,
    working_place,
)

from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.io.snapshot_store import RegisterLoad
from work_data_hub.orchestration.customer_snapshots import refresh_snapshots
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.snapshot_months import Due

A = "600000001"
MONTHS = ["2024-02", "2024-03", "2024-04", "2025-01"]


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def put_loss(warehouse: Connection, month: str) -> None:
    """A loss and its load, without what follows a load."""
    put_report(warehouse, LOSSES, month, A)
    note_load(warehouse, "annual_loss", month)


def lost(warehouse: Connection) -> list[bool]:
    return [is_lost for *_, is_lost in rows(warehouse, "is_loss_reported")]


@pytest.mark.integration
def test_a_loss_that_no_hook_followed_is_seen_by_the_next_refresh(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, MONTHS, Fact(company=A))
    put_loss(warehouse, "2024-03")

    planned, done = refresh(place, "2025-01", dry_run=True), refresh(place, "2025-01")

    assert done.warnings == ("annual_loss 2024-03 was loaded since; made anew as well",)
    assert (done.notes["months"], numbers(done)) == (3, [0, 2, 0, 1])
    assert lost(warehouse) == [False, True, True, False]
    assert replace(planned, status="done") == done


@pytest.mark.integration
def test_a_load_that_was_seen_is_not_looked_at_again(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, MONTHS, Fact(company=A))
    put_loss(warehouse, "2024-03")
    refresh(place, "2025-01")
    before = everything(warehouse)

    again = refresh(place, "2025-01")

    assert (again.status, again.warnings, again.notes["months"]) == ("unchanged", (), 1)
    assert everything(warehouse) == before


@pytest.mark.integration
def test_a_dry_run_notes_no_load(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, MONTHS, Fact(company=A))
    put_loss(warehouse, "2024-03")
    before = everything(warehouse)

    refresh(place, "2025-01", dry_run=True)

    assert everything(warehouse) == before


@pytest.mark.integration
def test_awards_taken_back_by_a_later_load_are_gone(place: Workplace, warehouse: Connection) -> None:
    put_report(warehouse, AWARDS, "2024-03", A)
    note_load(warehouse, "annual_award", "2024-03")
    loaded(warehouse, place, MONTHS, Fact(company=A))
    assert [is_won for *_, is_won in rows(warehouse, "is_winning_this_year")] == [False, True, True, False]
    ran(warehouse, "delete from customer.中标客户明细")
    note_load(warehouse, "annual_award", "2024-03")

    done = refresh(place, "2025-01")

    assert done.warnings == ("annual_award 2024-03 was loaded since; made anew as well",)
    assert not any(is_won for *_, is_won in rows(warehouse, "is_winning_this_year"))


@pytest.mark.integration
def test_months_that_are_made_anyway_need_no_warning(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, MONTHS, Fact(company=A))
    put_loss(warehouse, "2024-03")

    done = refresh(place, "2024-03")

    assert (done.warnings, done.notes["months"]) == ((), 3)
    assert refresh(place, "2025-01").notes["months"] == 1


@pytest.mark.integration
def test_a_register_loaded_before_its_months_is_in_them(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-02"], Fact(company=A))
    put_loss(warehouse, "2024-03")
    refresh(place, "2024-02")
    put_month(warehouse, "2024-04", [Fact(company=A)])
    sync(place, "2024-04")

    done = refresh(place, "2024-04")

    assert (done.warnings, lost(warehouse)) == ((), [False, True])
    seen = asked(warehouse, "select domain, period::text from customer.register_loads")
    assert seen == [("annual_loss", "2024-03-01")]


@pytest.mark.integration
def test_whoever_refreshes_what_changed_takes_them_along(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, MONTHS, Fact(company=A))
    put_loss(warehouse, "2024-04")

    with transaction(warehouse), warehouse.cursor() as cursor:
        done = refresh_snapshots(cursor, since=None, status_rules=STATUS_RULES, write=True)

    assert list(done.by_month) == [period("2024-04")]
    assert done.warnings == ("annual_loss 2024-04 was loaded since; made anew as well",)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("months", "told"),
    [
        ([1, 2], "annual_loss 2024-01, annual_loss 2024-02 were loaded since; made anew as well"),
        (range(1, 8), "7 registers of awards and losses from 2024-01 to 2024-07 were loaded since; made anew as well"),
    ],
)
def test_many_loads_are_told_in_one_line(months: list[int], told: str) -> None:
    january = month_number(period("2024-01").first_day)
    loads = tuple(RegisterLoad(domain="annual_loss", month=january + month - 1, load_id=month) for month in months)

    due = Due(months=[], kept=frozenset(), emptied=[], registers=loads, unasked=loads)

    assert due.warnings == (told,)
