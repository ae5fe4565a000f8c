"""Contracts follow the facts: by a command that may be repeated, killed, run twice at once, or looked at only."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tests.contract_facts import Fact, asked, contracts, day, put_month, put_months, ran
from tests.hub import PROJECT
from tests.patience import PATIENT_SECONDS, until_gone
from tests.snapshot_rows import working_place

from work_data_hub.domain.customers.report import CustomerReport, TableCounts
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError, DataError, LoadLocked, UsageError, WarehouseError
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, connect, read_only, transaction
from work_data_hub.orchestration.contract_months import Reach
from work_data_hub.orchestration.customer_contracts import (
    ThreadedContracts,
    rethread_contracts,
    sync_contract_status,
)
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

RULES = CustomerRules(whitelist_top_n=0)
A, B, NOBODY = "600000001", "600000002", "IN" + "A" * 16
OPEN = "9999-12-31"
CONTRACTS, MONTHS = "customer.customer_plan_contract", "customer.contract_periods"
LINES, CUSTOMERS = "mapping.产品线", "customer.客户明细"
ONE_SYNC = """
import os, sys
from pathlib import Path
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.period import Period
from work_data_hub.io.faults import Faults
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.requests import Workplace
config, url, period = sys.argv[1:]
place = Workplace(
    data_root=Path("."), config_dir=Path(config), home=Path("."), database_url=url, alias_salt="s", actor="tester",
    faults=Faults.parse(os.environ.get("WDH_FAULT")),
)
print(sync_contract_status(Period.parse(period), place, rules=CustomerRules(whitelist_top_n=0)).status)
"""


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def sync(place: Workplace, month: str | None, **options: Any) -> CustomerReport:
    period = Period.of(day(month)) if month else None
    return sync_contract_status(period, place, **{"rules": RULES} | options)


def counts(report: CustomerReport | ThreadedContracts, table: str = CONTRACTS) -> TableCounts:
    return next(one for one in report.tables if one.table == table)


def bookkeeping(warehouse: Connection) -> list[tuple[Any, ...]]:
    """Everything about the rows that a write would change, transaction ids included."""
    found = asked(warehouse, "select xmin::text, id, updated_at from customer.customer_plan_contract order by id")
    return found + asked(warehouse, "select xmin::text, * from customer.contract_periods order by period")


def process(place: Workplace, month: str, *, fault: str | None = None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "WDH_FAULT"}
    return subprocess.Popen(
        [sys.executable, "-c", ONE_SYNC, str(place.config_dir), str(place.database_url), month.replace("-", "")],
        env=environment | ({"WDH_FAULT": fault} if fault else {}),
        cwd=place.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sound(warehouse: Connection) -> None:
    """No overlap, at most one open version a key; said by SQL of its own."""
    overlaps = asked(
        warehouse,
        "select count(*) from customer.customer_plan_contract as one join customer.customer_plan_contract as two"
        " on one.id < two.id and (one.company_id, one.plan_code, one.product_line_code)"
        " = (two.company_id, two.plan_code, two.product_line_code)"
        " and one.valid_from < two.valid_to and two.valid_from < one.valid_to",
    )
    assert overlaps == [(0,)]


def test_a_first_sync_opens_a_contract_a_key(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A), Fact(company=A, plan="P0002"), Fact(company=B, paid="0")])
    report = sync(place, "2024-10")
    assert contracts(warehouse) == [
        (A, "P0001", "PL202", "2024-10-31", OPEN, "正常", False, False, 2024),
        (A, "P0002", "PL202", "2024-10-31", OPEN, "正常", False, False, 2024),
        (B, "P0001", "PL202", "2024-10-31", OPEN, "停缴", False, False, 2024),
    ]
    assert (report.status, report.period, counts(report)) == (
        "done",
        "2024-10",
        TableCounts(table=CONTRACTS, inserted=3),
    )


def test_the_same_sync_again_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-09", "2024-10"], [Fact(company=A), Fact(company=B)])
    sync(place, "2024-10")
    before = bookkeeping(warehouse)
    again = sync(place, "2024-10")
    assert (again.status, counts(again)) == ("unchanged", TableCounts(table=CONTRACTS, skipped=2))
    assert bookkeeping(warehouse) == before


def test_a_contract_that_changes_or_vanishes_is_closed(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A), Fact(company=B)])
    sync(place, "2024-10")
    put_month(warehouse, "2024-11", [Fact(company=A, aum="0")])
    report = sync(place, "2024-11")
    assert [(row[0], *row[3:6]) for row in contracts(warehouse)] == [
        (A, "2024-10-31", "2024-11-30", "正常"),
        (A, "2024-11-30", OPEN, "停缴"),
        (B, "2024-10-31", "2024-11-30", "正常"),
    ]
    assert counts(report) == TableCounts(table=CONTRACTS, inserted=1, closed=2)


def test_the_turn_of_the_year_follows_from_december(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-12", "2025-01"], [Fact(company=A, aum="500000000")])
    sync(place, "2025-01")
    assert [row[3:] for row in contracts(warehouse)] == [
        ("2024-12-31", "2025-01-01", "正常", False, True, 2024),
        ("2025-01-01", OPEN, "正常", True, True, 2025),
    ]


def test_a_dry_run_shows_the_same_counts_and_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A, line="PL999"), Fact(company=B), Fact(company=None)])
    before = asked(warehouse, "select count(*) from public.pipeline_executions")
    planned = sync(place, "2024-10", dry_run=True)
    assert planned.status == "planned"
    assert contracts(warehouse) == []
    assert asked(warehouse, "select count(*) from customer.客户明细") == [(0,)]
    assert asked(warehouse, "select count(*) from public.pipeline_executions") == before
    done = sync(place, "2024-10")
    assert (planned.tables, planned.notes, planned.warnings) == (done.tables, done.notes, done.warnings)
    assert planned.notes == {"facts without a company": 1}


def test_a_dry_run_works_while_another_run_holds_the_lock(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])
    with transaction(warehouse), warehouse.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=0)
        assert counts(sync(place, "2024-10", dry_run=True)).inserted == 1
        with pytest.raises(LoadLocked):
            sync(place, "2024-10", lock_wait_seconds=0)


def test_without_a_period_the_newest_month_is_taken_and_said(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-09", "2024-10"], [Fact(company=A)])
    report = sync(place, None)
    assert report.period == "2024-10"
    assert "no period was given: 2024-10 is the newest month that has facts" in report.warnings


@pytest.mark.parametrize(("month", "said"), [("2024-12", "no facts of 2024-12"), (None, "no month has facts")])
def test_a_month_without_facts_is_refused(place: Workplace, month: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        sync(place, month)
    assert "wdh etl --domains annuity_performance" in str(refused.value)


def test_a_run_without_a_database_is_refused(place: Workplace) -> None:
    with pytest.raises(UsageError, match="no database"):
        sync(replace(place, database_url=None), "2024-10")


def test_a_year_of_a_what_if_run_is_never_written(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2023-12", "2024-10"], [Fact(company=A)])
    what_if = replace(RULES, status_year=2024)
    with pytest.raises(ConfigError, match=r"customer_mdm\.yaml"):
        sync(place, "2024-10", rules=what_if)
    assert sync(place, "2024-10", rules=what_if, dry_run=True).status == "planned"
    assert contracts(warehouse) == []


def test_a_december_that_is_not_loaded_is_said(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])
    assert any(said.startswith("2023-12 is not loaded") for said in sync(place, "2024-10").warnings)
    put_month(warehouse, "2023-12", [Fact(company=A)])
    assert not any(said.startswith("2023-12") for said in sync(place, "2024-10").warnings)


def test_every_run_is_on_record(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])
    sync(place, "2024-10")
    with pytest.raises(UsageError):
        sync(place, "2024-11")
    assert asked(
        warehouse,
        "select status, rows_output, error_message like '%%no facts of 2024-11%%' from public.pipeline_executions"
        " where pipeline_name = 'customer-mdm sync' order by started_at",
    ) == [("success", 1, None), ("failed", 0, True)]


def test_what_the_facts_lack_is_no_reason_to_stop(place: Workplace, warehouse: Connection) -> None:
    rows = [
        Fact(company=A),
        Fact(company=None),
        Fact(company=""),
        Fact(company="无"),
        Fact(company=NOBODY),
        Fact(company=B, line=None),
        Fact(company=B, plan=""),
        Fact(company=B, line="PL999", kind="养老金"),
    ]
    put_month(warehouse, "2024-10", rows)
    report = sync(place, "2024-10")
    assert [row[:3] for row in contracts(warehouse)] == [(A, "P0001", "PL202"), (B, "P0001", "PL999")]
    assert report.notes == {
        "facts without a company": 3,
        "facts without a plan": 1,
        "facts without a product line": 1,
        "temporary ids": 1,
    }
    assert (counts(report, LINES).inserted, counts(report, CUSTOMERS).inserted) == (1, 2)
    assert asked(warehouse, "select 产品线 from mapping.产品线 where 产品线代码 = 'PL999'") == [("养老金",)]
    added = asked(warehouse, "select company_id, 客户名称, _source from customer.客户明细 order by 1")
    assert added == [(A, A, "auto_derived"), (B, B, "auto_derived")]


def test_a_month_loaded_without_sync_is_picked_up_by_the_next(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-08", [Fact(company=A)])
    sync(place, "2024-08")
    put_month(warehouse, "2024-09", [Fact(company=B)])
    put_month(warehouse, "2024-10", [Fact(company=A)])
    report = sync(place, "2024-10")
    assert [(row[0], *row[3:5]) for row in contracts(warehouse)] == [
        (A, "2024-08-31", "2024-09-30"),
        (A, "2024-10-31", OPEN),
        (B, "2024-09-30", "2024-10-31"),
    ]
    assert "loaded or taken away since the last sync, made anew as well: 2024-09" in report.warnings


def test_facts_after_the_month_asked_for_wait(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-09", [Fact(company=A)])
    put_month(warehouse, "2024-10", [Fact(company=B)])
    sync(place, "2024-09")
    assert [(row[0], row[4]) for row in contracts(warehouse)] == [(A, OPEN)]
    assert asked(warehouse, "select period::text from customer.contract_periods") == [("2024-09-01",)]


def test_a_month_whose_facts_went_is_forgotten(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-08", "2024-09", "2024-10", "2024-11"], [Fact(company=A)])
    put_month(warehouse, "2024-09", [Fact(company=A), Fact(company=B)])
    sync(place, "2024-11")
    put_month(warehouse, "2024-09", [])
    report = sync(place, "2024-11")
    assert [(row[0], *row[3:5]) for row in contracts(warehouse)] == [(A, "2024-08-31", OPEN)]
    assert counts(report, MONTHS) == TableCounts(table=MONTHS, deleted=1, skipped=3)


@pytest.mark.parametrize(("month", "rebuild"), [(None, False), (None, True), ("2024-09", False), ("2024-08", True)])
def test_where_no_facts_are_left_the_contracts_go(
    place: Workplace, warehouse: Connection, month: str | None, rebuild: bool
) -> None:
    put_months(warehouse, ["2024-08", "2024-09"], [Fact(company=A), Fact(company=B, line="PL999")])
    sync(place, "2024-09")
    ran(warehouse, "delete from business.规模明细")
    planned = sync(place, month, rebuild=rebuild, dry_run=True)
    assert len(contracts(warehouse)) == 2
    done = sync(place, month, rebuild=rebuild)
    assert (contracts(warehouse), asked(warehouse, "select * from customer.contract_periods")) == ([], [])
    assert asked(warehouse, "select count(*) from customer.客户明细") == [(0,)]
    assert (planned.tables, planned.warnings, done.status) == (done.tables, done.warnings, "done")
    assert (counts(done).deleted, counts(done, MONTHS).deleted) == (2, 2)
    assert "no synced month has facts any more" in done.warnings[0]
    with pytest.raises(UsageError, match="no facts of 2024-09"):
        sync(place, "2024-09")


def test_a_noted_month_without_facts_may_be_named(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-08", "2024-09"], [Fact(company=A)])
    sync(place, "2024-09")
    ran(warehouse, "delete from business.规模明细 where 月度 = '2024-09-01'")
    report = sync(place, "2024-09")
    assert [(row[0], *row[3:5]) for row in contracts(warehouse)] == [(A, "2024-08-31", OPEN)]
    assert (report.status, counts(report, MONTHS).deleted) == ("done", 1)
    with pytest.raises(UsageError, match="no facts of 2024-09"):
        sync(place, "2024-09")


def test_a_threshold_that_rises_during_a_year_downgrades_nothing(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-01", "2024-02"], [Fact(company=A, aum="500000000")])
    sync(place, "2024-02")
    put_month(warehouse, "2024-03", [Fact(company=A, aum="500000000")])
    higher = replace(RULES, strategic_threshold=Decimal(700_000_000))
    sync(place, "2024-03", rules=higher)
    assert [(*row[3:5], row[7]) for row in contracts(warehouse)] == [("2024-01-31", OPEN, True)]
    assert counts(sync(place, "2024-03", rules=higher)).changes == 0
    sync(place, "2024-03", rules=higher, rebuild=True)
    assert [(*row[3:5], row[7]) for row in contracts(warehouse)] == [("2024-01-31", OPEN, False)]


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("update business.规模明细 set 期末资产规模 = 'NaN' where company_id = %s", "期末资产规模"),
        ("update business.规模明细 set 期末资产规模 = 99999999999999.9999 where company_id = %s", "期末资产规模"),
        ("update business.规模明细 set 月度 = '2024-10-15' where company_id = %s", "月度"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_impossible_facts_are_refused_by_name(
    place: Workplace, warehouse: Connection, statement: str, field: str, dry_run: bool
) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A), *[Fact(company=B)] * 10])
    ran(warehouse, statement, B)
    with pytest.raises(DataError, match=f"company {B}, plan P0001, product line PL202") as refused:
        sync(place, "2024-10", dry_run=dry_run)
    assert (refused.value.field, refused.value.exit_code) == (field, 4)
    assert contracts(warehouse) == []


def test_a_corrected_month_outdates_the_snapshots_from_there_on(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-08", "2024-09", "2024-10"], [Fact(company=A)])
    sync(place, "2024-10")
    ran(warehouse, "update customer.contract_periods set snapshot_is_current = true")
    put_month(warehouse, "2024-09", [Fact(company=A, aum="200")])
    report = sync(place, "2024-10")
    current = asked(warehouse, "select period::text from customer.contract_periods where snapshot_is_current")
    assert (current, counts(report).changes, report.status) == ([("2024-08-01",)], 0, "done")


def test_a_temporary_company_that_the_master_gets_to_know_is_threaded_late(
    place: Workplace, warehouse: Connection
) -> None:
    put_months(warehouse, ["2024-08", "2024-09"], [Fact(company=A), Fact(company=NOBODY)])
    sync(place, "2024-09")
    ran(warehouse, "insert into customer.客户明细 (company_id) values (%s)", NOBODY)
    sync(place, "2024-09")
    assert [row[3] for row in contracts(warehouse) if row[0] == NOBODY] == ["2024-08-31"]


MONTHS_OF_A_STORY = [f"{year}-{month:02d}" for year in (2023, 2024) for month in range(1, 13)] + ["2025-01", "2025-02"]


def story(seed: int) -> Iterator[tuple[str, list[Fact]]]:
    """Months of a few contracts that come, go, grow, pause; some months are never there."""
    chance = random.Random(seed)
    for month in MONTHS_OF_A_STORY:
        if chance.random() < 0.15:
            continue
        yield (
            month,
            [
                Fact(
                    company=f"60000000{company}",
                    plan=chance.choice(("P0001", "P0002")),
                    aum=chance.choice(("0", "100", "600000000")),
                    paid=chance.choice(("0", "0", "5")),
                    branch=chance.choice(("G01", None)),
                )
                for company in range(4)
                if chance.random() < 0.7
            ],
        )


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.chaos), pytest.param(3, marks=pytest.mark.chaos)]
)
def test_months_in_any_order_and_corrected_equal_a_rebuild(place: Workplace, warehouse: Connection, seed: int) -> None:
    chance, months = random.Random(seed), dict(story(seed))
    wrong = {month: facts for month, facts in story(seed + 100) if month in months and facts}
    order = chance.sample(sorted(months), len(months))
    for month in order:
        given = wrong.get(month, months[month]) if chance.random() < 0.3 else months[month]
        put_month(warehouse, month, given)
        if given and chance.random() < 0.7:
            sync(place, month)
    for month in order:
        put_month(warehouse, month, months[month])
    sync(place, next(month for month in order if months[month]))
    sync(place, None)
    threaded = contracts(warehouse)
    rebuilt = sync(place, None, rebuild=True)
    assert (rebuilt.status, counts(rebuilt).changes) == ("unchanged", 0)
    ran(warehouse, "truncate customer.customer_plan_contract, customer.contract_periods")
    sync(place, None, rebuild=True)
    assert contracts(warehouse) == threaded
    assert len(threaded) > 10


def test_two_syncs_at_once_leave_one_history(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-09", "2024-10", "2024-11"], [Fact(company=A), Fact(company=B, aum="0")])
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda month: sync(place, month), ["2024-11", "2024-10", "2024-11", "2024-09"]))
    assert sum(counts(report).inserted for report in reports) == 2
    assert [row[4] for row in contracts(warehouse)] == [OPEN, OPEN]
    sound(warehouse)


def test_two_processes_at_once_leave_one_history(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-09", "2024-10"], [Fact(company=A), Fact(company=B)])
    running = [process(place, "2024-10"), process(place, "2024-10")]
    answers = [run.communicate(timeout=PATIENT_SECONDS) for run in running]
    assert [run.returncode for run in running] == [0, 0], answers
    assert sorted(stdout.strip() for stdout, _ in answers) == ["done", "unchanged"]
    assert len(contracts(warehouse)) == 2
    sound(warehouse)


@pytest.mark.parametrize("point", ["after_contract_lock", "inside_contracts", "before_contract_commit"])
def test_a_sync_that_is_killed_leaves_everything_as_it_was(place: Workplace, warehouse: Connection, point: str) -> None:
    put_month(warehouse, "2024-09", [Fact(company=A), Fact(company=B)])
    sync(place, "2024-09")
    put_month(warehouse, "2024-10", [Fact(company=A, aum="0"), Fact(company="600000003", line="PL999")])
    before = bookkeeping(warehouse)
    killed = process(place, "2024-10", fault=point)
    killed.communicate(timeout=PATIENT_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    until_gone(warehouse, "wdh customer-mdm")
    assert bookkeeping(warehouse) == before
    assert asked(warehouse, "select count(*) from mapping.产品线 where 产品线代码 = 'PL999'") == [(0,)]
    assert sync(place, "2024-10").status == "done"
    assert len([row for row in contracts(warehouse) if row[4] == OPEN]) == 2
    sound(warehouse)
    assert asked(
        warehouse,
        "select count(*) from public.pipeline_executions where status = 'running' and pipeline_name like 'customer%%'",
    ) == [(0,)]


def rethread(connection: Connection, month: str) -> ThreadedContracts:
    with transaction(connection), connection.cursor() as cursor:
        return rethread_contracts(
            cursor, period=Period.of(day(month)), rules=RULES, config_dir=PROJECT / "config", write=True
        )


def test_threading_inside_another_transaction_stays_within_the_synced_months(
    place: Workplace, warehouse: Connection
) -> None:
    put_months(warehouse, ["2024-08", "2024-09", "2024-10"], [Fact(company=A)])
    assert rethread(warehouse, "2024-08") == ThreadedContracts()
    sync(place, "2024-09")
    ran(warehouse, "update business.规模明细 set company_id = %s where 月度 > '2024-08-01'", B)
    done = rethread(warehouse, "2024-09")
    assert [(row[0], *row[3:5]) for row in contracts(warehouse)] == [
        (A, "2024-08-31", "2024-09-30"),
        (B, "2024-09-30", OPEN),
    ]
    assert (str(done.since), str(done.through)) == ("2024-09", "2024-09")


def test_a_year_that_is_opened_early_turns_before_any_month_of_it(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-12", [Fact(company=A)])
    sync(place, "2024-12")
    with read_only(warehouse), warehouse.cursor() as cursor:
        planned = rethread_contracts(
            cursor,
            period=Period(2024, 12),
            rules=RULES,
            config_dir=PROJECT / "config",
            write=False,
            reach=Reach(cut_over=2025),
        )
    ran(warehouse, "insert into customer.contract_years (status_year, actor) values (2025, 'tester')")
    done = rethread(warehouse, "2024-12")
    assert planned.tables == done.tables
    assert [(*row[3:5], row[6], row[8]) for row in contracts(warehouse)] == [
        ("2024-12-31", "2025-01-01", False, 2024),
        ("2025-01-01", OPEN, True, 2025),
    ]
    put_month(warehouse, "2025-01", [Fact(company=A)])
    assert counts(sync(place, "2025-01")).changes == 0


def test_a_plan_cannot_write(warehouse: Connection, warehouse_url: str) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])
    reach = Reach(month=Period(2024, 10))
    given: dict[str, Any] = {"rules": RULES, "config_dir": PROJECT / "config", "reach": reach}
    with closing(connect(warehouse_url)) as connection, read_only(connection), connection.cursor() as cursor:
        planned = rethread_contracts(cursor, period=reach.month, write=False, **given)
        assert counts(planned).inserted == 1
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            rethread_contracts(cursor, period=reach.month, write=True, **given)


def test_a_failure_in_the_middle_rolls_everything_back(place: Workplace, warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=A)])
    ran(warehouse, "alter table customer.customer_plan_contract add constraint no_more check (company_id = 'nobody')")
    with pytest.raises(WarehouseError):
        sync(place, "2024-10")
    assert asked(warehouse, "select count(*) from customer.客户明细") == [(0,)]
    assert asked(warehouse, "select count(*) from customer.contract_periods") == [(0,)]


def test_fault_points_of_customers_are_known() -> None:
    assert Faults.parse("inside_contracts").point == "inside_contracts"
