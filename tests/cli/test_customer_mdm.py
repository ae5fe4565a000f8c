"""`wdh customer-mdm`: what people and machines see, what is asked first, and how each command ends."""

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.contract_facts import Fact, put_months, ran
from tests.hub import PROJECT, Answer, Hub

from work_data_hub.cli.customer_mdm_report import report_lines
from work_data_hub.domain.customers.report import CustomerReport, TableCounts
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.postgres import Connection, transaction

A, B = "600000001", "600000002"
CONTRACTS, LINES = "customer.customer_plan_contract", "customer.fct_customer_product_line_monthly"
AUTUMN = ("2024-10", "2024-11", "2024-12")


@pytest.mark.unit
def test_a_dry_run_speaks_of_what_would_be_done() -> None:
    tables = (TableCounts(table=CONTRACTS, inserted=1200, closed=3),)
    told = CustomerReport(
        command="customer-mdm sync",
        period="2024-10",
        status="planned",
        tables=tables,
        warnings=("December 2023 is not loaded",),
        notes={"temporary ids": 7, "facts without a plan": 0},
    )
    first, titles, counts, *more = report_lines(told)

    assert first == "customer-mdm sync 2024-10: planned"
    assert titles.split() == ["table", "insert", "close", "update", "delete", "skip"]
    assert counts.split() == [CONTRACTS, "1,200", "3", "0", "0", "0"]
    assert more == ["  warning  December 2023 is not loaded", "  note     temporary ids: 7"]


def mdm(hub: Hub, *arguments: str) -> dict[str, Any]:
    """Run a customer command that must end well; gives its JSON report."""
    answer = hub.wdh("customer-mdm", *arguments, "--report", "json")
    assert answer.code == 0, answer.stderr
    return answer.report


def counts(report: dict[str, Any], table: str = CONTRACTS) -> dict[str, int]:
    return next(line for line in report["tables"] if line["table"] == table)


@pytest.fixture
def autumn(hub: Hub, warehouse: Connection) -> Hub:
    """Three months of two companies, loaded and not synced."""
    put_months(warehouse, AUTUMN, [Fact(company=A), Fact(company=B, aum="0")])
    return hub


@pytest.mark.integration
def test_a_sync_writes_and_a_dry_run_shows_the_same(autumn: Hub) -> None:
    before = autumn.contents()
    planned = mdm(autumn, "sync", "--period", "202412", "--dry-run")
    assert autumn.contents() == before
    done = mdm(autumn, "sync", "--period", "202412")

    assert (planned["command"], planned["period"], planned["status"]) == ("customer-mdm sync", "2024-12", "planned")
    assert done["status"] == "done"
    assert counts(planned) == counts(done)
    assert counts(done)["inserted"] == 2


@pytest.mark.integration
def test_the_same_sync_again_has_nothing_to_do(autumn: Hub) -> None:
    mdm(autumn, "sync")
    answer = autumn.wdh("customer-mdm", "sync")

    assert answer.code == 0
    assert "customer-mdm sync 2024-12: unchanged: everything stands as it should" in answer.stdout
    assert "next: wdh customer-mdm snapshot --period 202412" in answer.stdout


@pytest.mark.integration
def test_rebuild_gives_what_is_there(autumn: Hub) -> None:
    mdm(autumn, "sync")

    again = mdm(autumn, "sync", "--rebuild")

    assert counts(again) == TableCounts(table=CONTRACTS, skipped=2).as_json()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("sync", "--period", "2024-10"), 2, "write year and month as six digits"),
        (("sync", "--period", "202001"), 2, "2020-01"),
        (("snapshot", "--period", "202412"), 2, "wdh customer-mdm sync --period 202412"),
        (("snapshot", "--plot", "chart.pdf"), 2, ".png"),
        (("snapshot", "--period", "202412", "--rebuild"), 2, "leave out --period, or --rebuild"),
        (("cutover", "--year", "2025", "--yes"), 2, "wdh customer-mdm sync"),
        (("init-year", "--year", "2030", "--yes"), 2, "wdh customer-mdm"),
        (("history", "600000099"), 2, "did you mean '600000001'?"),
    ],
)
def test_a_refusal_is_one_line_with_a_hint_and_one_document(
    autumn: Hub, warehouse: Connection, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ran(warehouse, "insert into customer.客户明细 (company_id, 客户名称) values (%s, '甲公司')", A)
    answer = autumn.wdh("customer-mdm", *arguments, "--report", "json")

    assert answer.code == code
    assert len(answer.stderr.strip().splitlines()) == 1
    assert told in answer.stderr
    assert answer.report["command"] == f"customer-mdm {arguments[0]}"
    assert answer.report["status"] == "failed"
    assert told in answer.report["error"]


@pytest.mark.integration
def test_a_sync_waits_for_another_only_as_long_as_it_is_told(autumn: Hub, warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=0)
        answer = autumn.wdh("customer-mdm", "sync", "--report", "json")

    assert answer.code == 6
    assert "wdh tests" in answer.report["error"]


@pytest.mark.integration
def test_snapshots_follow_a_sync(autumn: Hub) -> None:
    mdm(autumn, "sync")
    planned = mdm(autumn, "snapshot", "--dry-run")
    done = mdm(autumn, "snapshot")
    again = mdm(autumn, "snapshot")

    assert counts(planned, LINES) == counts(done, LINES)
    assert counts(done, LINES)["inserted"] == 6
    assert (done["status"], again["status"]) == ("done", "unchanged")


@pytest.mark.integration
def test_a_rebuild_leads_to_a_rebuild_of_the_snapshots(autumn: Hub, warehouse: Connection) -> None:
    mdm(autumn, "sync")
    mdm(autumn, "snapshot", "--period", "202410")
    ran(warehouse, f"update {LINES} set is_new = not is_new where snapshot_month = '2024-10-31'")

    synced = autumn.wdh("customer-mdm", "sync", "--rebuild")
    planned = autumn.wdh("customer-mdm", "snapshot", "--rebuild", "--dry-run")
    made = autumn.wdh("customer-mdm", "snapshot", "--rebuild")

    assert synced.stdout.splitlines()[-1] == "next: wdh customer-mdm snapshot --rebuild"
    assert planned.stdout.splitlines()[-1] == "next: wdh customer-mdm snapshot --rebuild"
    assert "customer-mdm snapshot 2024-10: done" in made.stdout
    assert made.stdout.splitlines()[-1] == "next: wdh customer-mdm validate"
    assert mdm(autumn, "snapshot", "--rebuild")["status"] == "unchanged"


@pytest.mark.integration
@pytest.mark.parametrize("name", ["chart.png", "chart.html"])
def test_a_snapshot_can_be_drawn(autumn: Hub, tmp_path: Path, name: str) -> None:
    mdm(autumn, "sync")
    done = mdm(autumn, "snapshot", "--plot", str(tmp_path / name))

    assert done["chart"] == str(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1_000


@pytest.mark.integration
def test_a_drawn_dry_run_shows_what_is_stored(autumn: Hub, tmp_path: Path) -> None:
    mdm(autumn, "sync")
    answer = autumn.wdh("customer-mdm", "snapshot", "--dry-run", "--plot", str(tmp_path / "chart.html"))

    assert answer.code == 2
    assert "there is no snapshot to draw" in answer.stderr
    assert not (tmp_path / "chart.html").exists()


def cutover(hub: Hub, *arguments: str) -> Answer:
    return hub.wdh("customer-mdm", "cutover", "--year", "2025", *arguments)


def on_a_terminal(hub: Hub, typed: str, *arguments: str) -> Answer:
    """Run a customer command whose questions somebody answers; only stdin is a terminal."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    try:
        done = subprocess.run(
            hub.command("customer-mdm", *arguments),
            env=hub.environment(),
            cwd=hub.home,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return Answer(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture
def synced(autumn: Hub) -> Hub:
    mdm(autumn, "sync")
    return autumn


def opened(hub: Hub) -> list[tuple[Any, ...]]:
    """The years that were opened early, and how many versions begin with them."""
    return hub.query(
        "select status_year, count(version.id) from customer.contract_years"
        " left join customer.customer_plan_contract as version using (status_year) group by 1"
    )


@pytest.mark.integration
def test_a_cutover_is_shown_and_needs_somebody_who_says_yes(synced: Hub) -> None:
    answer = cutover(synced)

    assert answer.code == 2
    assert "customer-mdm cutover 2025: planned" in answer.stdout
    assert "hint: --yes goes on without asking" in answer.stderr
    assert opened(synced) == []


@pytest.mark.integration
@pytest.mark.parametrize(("typed", "code", "years"), [("yes", 0, [(2025, 2)]), ("y", 2, []), ("", 2, [])])
def test_only_yes_cuts_a_year_over(synced: Hub, typed: str, code: int, years: list[tuple[int, int]]) -> None:
    answer = on_a_terminal(synced, typed, "cutover", "--year", "2025", "--report", "json")

    assert answer.code == code, answer.stderr
    assert opened(synced) == years
    assert "type yes to go on: " in answer.stderr
    assert answer.report["status"] == ("failed" if code else "done")


@pytest.mark.integration
def test_a_year_is_cut_over_once(synced: Hub) -> None:
    assert cutover(synced, "--yes").code == 0
    before = synced.contents()
    again = cutover(synced)

    assert again.code == 0
    assert "customer-mdm cutover 2025: unchanged" in again.stdout
    assert synced.contents() == before


@pytest.mark.integration
def test_a_year_that_is_up_to_date_is_not_asked_about(synced: Hub) -> None:
    answer = synced.wdh("customer-mdm", "init-year", "--year", "2024")

    assert answer.code == 0, answer.stderr
    assert "customer-mdm init-year 2024: unchanged" in answer.stdout


@pytest.mark.integration
def test_a_year_that_is_not_sound_exits_4(synced: Hub) -> None:
    answer = synced.wdh("customer-mdm", "validate", "--year", "2024")

    assert answer.code == 4
    assert answer.stderr.startswith("[DATA_ERROR] ")
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "FAILED" in answer.stdout


@pytest.mark.integration
def test_a_sound_year_passes(synced: Hub, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    rules = tmp_path / "config" / "customer_mdm.yaml"
    told = rules.read_text(encoding="utf-8")
    for name, share in (("least_strategic_share", 0), ("most_strategic_share", 1), ("least_existing_share", 0)):
        told = re.sub(rf"{name}: \S+", f"{name}: {share}", told)
    rules.write_text(told, encoding="utf-8")
    mdm(synced, "snapshot")
    answer = synced.wdh("customer-mdm", "validate", "--report", "json", WDH_CONFIG_DIR=str(tmp_path / "config"))

    assert answer.code == 0, answer.stderr
    assert answer.report["command"] == "customer-mdm validate"
    assert all(check["passed"] for check in answer.report["checks"])


@pytest.mark.integration
def test_history_is_readable_in_a_pipe(synced: Hub, warehouse: Connection) -> None:
    mdm(synced, "snapshot")
    answer = synced.wdh("customer-mdm", "history", A)
    lines = answer.stdout.splitlines()

    assert answer.code == 0, answer.stderr
    assert lines[0].startswith(A)
    assert any(line.endswith("★━━") for line in lines)
    assert any(line.endswith("1     first facts") for line in lines)
    assert sum(line.startswith("  load ") for line in lines) == 1
