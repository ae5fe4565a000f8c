"""Runs that make snapshots: one at a time, whole or not at all, on record; and what others ask of them."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract_facts import Fact, asked, day, put_months, ran
from tests.snapshot_rows import (
    LINES,
    PLANS,
    STATUS_RULES,
    everything,
    loaded,
    period,
    refresh,
    rows,
    sync,
    working_place,
)

from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.errors import LoadLocked, UsageError
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.postgres import Connection, connect, read_only, transaction
from work_data_hub.orchestration.customer_snapshots import draw_snapshots, refresh_snapshots, snapshot_differences
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

A, B = "600000001", "600000002"
ONE_SNAPSHOT = """
import os, sys
from pathlib import Path
from work_data_hub.domain.period import Period
from work_data_hub.io.faults import Faults
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.requests import Workplace
config, url, period = sys.argv[1:]
place = Workplace(
    data_root=Path("."), config_dir=Path(config), home=Path("."), database_url=url, alias_salt="s", actor="tester",
    faults=Faults.parse(os.environ.get("WDH_FAULT")),
)
rules = load_status_rules(Path(config))
print(refresh_monthly_snapshot(Period.parse(period), place, status_rules=rules).status)
"""


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def test_a_run_is_on_record_with_its_rows(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10"], Fact(company=A), Fact(company=B))

    found = asked(
        warehouse,
        "select status, rows_input, rows_output from public.pipeline_executions"
        " where pipeline_name = 'customer-mdm snapshot'",
    )
    assert found == [("success", 4, 4)]


def test_one_run_at_a_time_writes(place: Workplace, warehouse: Connection, warehouse_url: str) -> None:
    loaded(warehouse, place, ["2024-10"], Fact(company=A))
    with closing(connect(warehouse_url)) as other, other.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=0)

        with pytest.raises(LoadLocked):
            refresh(place, "2024-10", lock_wait_seconds=0)
        assert refresh(place, "2024-10", dry_run=True).status == "planned"


def test_two_runs_at_once_leave_what_one_does(place: Workplace, warehouse: Connection) -> None:
    put_months(warehouse, ["2024-10", "2024-11"], [Fact(company=A), Fact(company=B)])
    sync(place, "2024-11")
    done: list[CustomerReport] = []
    threads = [threading.Thread(target=lambda: done.append(refresh(place, "2024-10"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(report.status for report in done) == ["done", "unchanged"]
    assert len(rows(warehouse, "plan_count")) == 4


def test_a_killed_run_leaves_the_months_as_they_were(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10"], Fact(company=A))
    put_months(warehouse, ["2024-10", "2024-11"], [Fact(company=B)])
    sync(place, "2024-11")
    before = everything(warehouse)

    assert _process(place, "202410", fault="before_snapshot_commit") == (-signal.SIGKILL, "")
    assert everything(warehouse) == before
    assert _process(place, "202410", fault=None) == (0, "done\n")
    # A is gone from October and was never there before: no version of it is left.
    assert {who for _, who, _ in rows(warehouse, "plan_count")} == {B}


def _process(place: Workplace, month: str, *, fault: str | None) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "WDH_FAULT"}
    done = subprocess.run(
        [sys.executable, "-c", ONE_SNAPSHOT, str(place.config_dir), str(place.database_url), month],
        env=environment | ({"WDH_FAULT": fault} if fault else {}),
        cwd=place.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_within_a_callers_transaction_only_changed_months_are_made(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-09", "2024-10", "2024-11"], Fact(company=A))
    ran(warehouse, "update customer.contract_periods set snapshot_is_current = false where period = '2024-10-01'")
    with transaction(warehouse), warehouse.cursor() as cursor:
        changed = refresh_snapshots(cursor, since=None, status_rules=STATUS_RULES, write=True)
        later = refresh_snapshots(cursor, since=period("2024-10"), status_rules=STATUS_RULES, write=True)

    assert list(changed.by_month) == [period("2024-10")]
    assert list(later.by_month) == [period("2024-10"), period("2024-11")]


def test_differences_name_the_months_that_somebody_changed(place: Workplace, warehouse: Connection) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A), Fact(company=B))
    months = [month_number(day(month)) for month in ("2024-10", "2024-11")]
    ran(warehouse, f"update {LINES} set is_new = true where snapshot_month = '2024-11-30' and company_id = %s", A)
    ran(warehouse, f"delete from {PLANS} where snapshot_month = '2024-11-30'")

    with read_only(warehouse), warehouse.cursor() as cursor:
        found = snapshot_differences(cursor, months, status_rules=STATUS_RULES)

    assert found == {months[1]: 3}


def test_stored_months_are_drawn(place: Workplace, warehouse: Connection, tmp_path: Path) -> None:
    loaded(warehouse, place, ["2024-10", "2024-11"], Fact(company=A, aum="250000000"))

    draw_snapshots(tmp_path / "chart.html", place)

    written = (tmp_path / "chart.html").read_text(encoding="utf-8")
    assert "<tr><td>2024-11</td><td>1</td><td>0</td><td>0</td><td>2.50</td>" in written


def test_without_snapshots_there_is_nothing_to_draw(place: Workplace, warehouse: Connection, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no snapshot to draw"):
        draw_snapshots(tmp_path / "chart.png", place)

    assert list(tmp_path.iterdir()) == []
