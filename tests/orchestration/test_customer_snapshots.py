"""Monthly snapshots: made from what is synced, and made again when a month changes."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.contract_facts import Fact, asked, put_month, put_months, ran
from tests.snapshot_rows import (
    AWARDS,
    LOSSES,
    PLANS,
    STATUS_RULES,
    counts,
    everything,
    loaded,
    numbers,
    period,
    put_report,
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

A, B, C = "600000001", "600000002", "600000003"


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def test_a_synced_month_has_a_row_a_company_and_line(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A, aum="1.0001"), Fact(company=A, aum="2", plan="P0002")])
    sync(place, "2024-10")

    done = refresh(place, "2024-10")

    assert (done.status, done.period, done.warnings) == ("done", "2024-10", ())
    assert (numbers(done), numbers(done, PLANS)) == ([1, 0, 0, 0], [2, 0, 0, 0])
    assert rows(warehouse, "aum_balance, plan_count") == [("2024-10-31", A, Decimal("3.0001"), 2)]


def test_the_same_again_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A), Fact(company=B))
    before = everything(warehouse)

    done = refresh(place, "2024-10")

    assert (done.status, numbers(done)) == ("unchanged", [0, 0, 0, 4])
    assert everything(warehouse) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A), Fact(company=B))
    put_month(warehouse, "2024-11", [Fact(company=A, aum="7"), Fact(company=C)])
    sync(place, "2024-11")
    before = everything(warehouse)
    runs = asked(warehouse, "select count(*) from public.pipeline_executions")

    planned = refresh(place, "2024-10", dry_run=True)

    assert planned.status == "planned"
    assert everything(warehouse) == before
    assert asked(warehouse, "select count(*) from public.pipeline_executions") == runs
    assert replace(planned, status="done") == refresh(place, "2024-10")
    # B left in November and stays in the picture of the year.
    assert numbers(planned) == [1, 2, 0, 2]


def test_a_dry_run_knows_which_customers_nobody_would_know_any_more(place: Workplace, warehouse: Connection) -> None:
    ran(
        warehouse,
        "insert into customer.客户明细 (company_id, 客户名称, _source) values (%s, '客户', 'auto_derived')",
        C,
    )
    put_report(warehouse, AWARDS, "2024-10", C)
    loaded(warehouse, place, ["2024-10"], Fact(company=A))
    assert rows(warehouse, "is_award_only") == [("2024-10-31", A, False), ("2024-10-31", C, True)]
    ran(warehouse, "delete from customer.中标客户明细")

    planned, done = refresh(place, "2024-10", dry_run=True), refresh(place, "2024-10")

    assert planned.tables == done.tables
    assert (counts(done).deleted, counts(done, "customer.客户明细").deleted) == (1, 1)


def test_a_corrected_month_changes_its_picture_and_those_after(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-09", "2024-10", "2024-11"], Fact(company=A), Fact(company=B))
    put_month(warehouse, "2024-10", [Fact(company=A)])
    sync(place, "2024-10")

    done = refresh(place, "2024-11")

    assert done.notes["months"] == 2
    assert numbers(done) == [0, 1, 0, 3]
    churned = [("2024-09-30", False), ("2024-10-31", True), ("2024-11-30", False)]
    assert [(month, is_churned) for month, who, is_churned in rows(warehouse, "is_churned_this_year") if who == B] == (
        churned
    )


def test_past_months_keep_what_they_were(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2023-12", "2024-01"], Fact(company=A, aum="600000000"))
    past = rows(warehouse, "is_strategic, is_existing, aum_balance")[:1]
    put_month(warehouse, "2024-02", [Fact(company=A, aum="0")])
    sync(place, "2024-02")
    refresh(place, "2023-12")

    assert rows(warehouse, "is_strategic, is_existing, aum_balance")[:1] == past


def test_a_month_that_is_gone_takes_its_snapshot_along(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A))
    ran(warehouse, "delete from business.规模明细 where 月度 = '2024-10-01'")
    sync(place, "2024-11")

    planned, done = refresh(place, "2024-11", dry_run=True), refresh(place, "2024-11")

    assert (numbers(planned), numbers(planned, PLANS)) == (numbers(done), numbers(done, PLANS))
    assert counts(done).deleted == counts(done, PLANS).deleted == 1
    assert {month for month, *_ in rows(warehouse, "plan_count")} == {"2024-11-30"}


def test_an_award_is_seen_from_its_month_on_to_december(place: Workplace, warehouse: Connection) -> None:
    months = ["2024-10", "2024-11", "2024-12", "2025-01"]
    loaded(warehouse, place, months, Fact(company=A))
    put_report(warehouse, AWARDS, "2024-11", A)

    refresh(place, "2024-11")

    found = [is_winning for *_, is_winning in rows(warehouse, "is_winning_this_year")]
    assert found == [False, True, True, False]


def test_an_award_gets_its_rows_once_its_company_is_known(place: Workplace, warehouse: Connection) -> None:
    put_report(warehouse, AWARDS, "2024-10", C)
    loaded(warehouse, place, ["2024-09", "2024-10", "2024-11"], Fact(company=A))
    ran(warehouse, "insert into customer.客户明细 (company_id, 客户名称) values (%s, '客户')", C)

    done = refresh(place, "2024-11")

    assert done.notes["months"] == 2
    assert [month for month, who, _ in rows(warehouse, "is_award_only") if who == C] == ["2024-10-31", "2024-11-30"]
    assert refresh(place, "2024-11").notes["months"] == 1


def test_an_award_or_loss_before_its_months_facts_does_not_fail(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-12"], Fact(company=A))
    put_report(warehouse, LOSSES, "2024-11", A)

    done = refresh(place, "2024-11")

    assert done.warnings == ("no snapshot of 2024-11 yet: its performance facts are not loaded",)
    assert (done.status, numbers(done)) == ("done", [0, 1, 0, 0])
    assert rows(warehouse, "is_loss_reported") == [("2024-10-31", A, False), ("2024-12-31", A, True)]


def test_a_month_loaded_and_not_synced_is_told_apart(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])

    done = refresh(place, "2024-10")

    assert (done.status, done.warnings) == (
        "unchanged",
        ("no snapshot of 2024-10 yet: its contracts are not synced",),
    )


def test_a_person_who_asks_for_an_unsynced_month_is_refused(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10"], Fact(company=A))

    with pytest.raises(UsageError, match="2024-12 is not synced: run wdh customer-mdm sync --period 202412") as refused:
        make_snapshots(period("2024-12"), place, status_rules=STATUS_RULES)

    assert refused.value.exit_code == 2
    recorded = asked(warehouse, "select status from public.pipeline_executions order by started_at desc limit 1")
    assert recorded == [("failed",)]


def test_without_any_synced_month_the_command_says_so(place: Workplace) -> None:
    with pytest.raises(UsageError, match="no month is synced"):
        make_snapshots(None, place, status_rules=STATUS_RULES)


def test_without_a_period_the_newest_synced_month_is_taken(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A))

    done = make_snapshots(None, place, status_rules=STATUS_RULES)

    assert (done.period, done.notes["months"]) == ("2024-11", 1)
    assert done.warnings == ("no period was given: 2024-11 is the newest month that is synced",)


def test_without_a_database_nothing_can_be_made(place: Workplace) -> None:
    with pytest.raises(UsageError, match="no database"):
        refresh(replace(place, database_url=None), "2024-10")


def test_awards_that_reach_no_row_are_counted_once_a_year(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2023-12", "2024-01", "2024-02"], [Fact(company=A)])
    put_report(warehouse, AWARDS, "2023-12", "IN" + "B" * 16)
    put_report(warehouse, AWARDS, "2024-01", "IN" + "B" * 16)
    sync(place, "2024-02")

    done = refresh(place, "2023-12")

    unreached = {reason: rows for reason, rows in done.notes.items() if reason != "months"}
    assert sum(unreached.values()) == 2
    assert len(unreached) == 1
