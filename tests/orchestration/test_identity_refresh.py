"""Companies are asked for again over HTTP: which ones, one commit each, resumable after any end, never twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hub import Answer, Hub
from tests.snapshot_rows import working_place

from work_data_hub.domain.identity.refresh import RefreshReport, RefreshRun, Selection
from work_data_hub.domain.sample.companies import sample_company
from work_data_hub.errors import LoadLocked, UsageError
from work_data_hub.io.company_directory import CompanyDirectory
from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Connection
from work_data_hub.io.registry_simulator import Simulator
from work_data_hub.orchestration.identity_refresh import RefreshRequest, execute_refresh, plan_refresh
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CANARY = "canary-token-of-the-refresh-test"
NAMES = {
    "600001": "长安电力股份有限公司",
    "600002": "太湖软件有限公司",
    "600003": "泰山建设集团有限公司",
    "600004": "海河化工有限公司",
}


@pytest.fixture
def simulator() -> Simulator:
    companies = [sample_company(name, company_id=company_id) for company_id, name in NAMES.items()]
    return Simulator(companies, token=CANARY)


@pytest.fixture
def address(simulator: Simulator) -> Iterator[str]:
    with simulator.serving() as url:
        yield url


@pytest.fixture
def directory(address: str) -> Iterator[CompanyDirectory]:
    access = DirectoryAccess(base_url=address, token=CANARY, timeout_seconds=5, retry_max=0, rate_limit=1000)
    with CompanyDirectory(access) as directory:
        yield directory


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path, now=lambda: NOW)


def stored(
    warehouse: Connection, *, names: dict[str, str | None] | None = None, days: dict[str, int] | None = None
) -> None:
    """Companies in base_info, each asked for so many days ago; without a number, never."""
    with warehouse.cursor() as cursor:
        for company_id, name in (names or dict(NAMES)).items():
            ago = (days or {}).get(company_id)
            asked = None if ago is None else NOW - timedelta(days=ago)
            cursor.execute(
                "insert into enterprise.base_info (company_id, company_full_name, data_source, api_fetched_at)"
                " values (%s, %s, 'search', %s)",
                (company_id, name, asked),
            )
    warehouse.commit()


def rows(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    warehouse.rollback()
    return found


def refreshed(warehouse: Connection) -> list[str]:
    found = rows(warehouse, "select company_id from enterprise.base_info where data_source = 'refresh' order by 1")
    return [company_id for (company_id,) in found]


def all_of(**changed: Any) -> RefreshRequest:
    return RefreshRequest(selection=Selection.ALL, **changed)


RESUME = RefreshRequest(selection=None)


def test_a_plan_counts_asks_nothing_and_writes_nothing(
    warehouse: Connection, place: Workplace, simulator: Simulator
) -> None:
    stored(warehouse, days={"600001": 10, "600002": 91})

    report = plan_refresh(RefreshRequest(selection=Selection.STALE), place)

    assert report.freshness is not None
    assert report.freshness.as_json() == {"total": 4, "fresh": 1, "stale": 1, "never_asked": 2}
    assert report.to_ask == ("600002", "600003", "600004")
    assert (report.status, report.exit_code) == ("planned", 0)
    assert rows(warehouse, "select count(*) from enterprise.refresh_runs") == [(0,)]
    assert simulator.count() == 0


def test_the_threshold_says_what_is_stale(warehouse: Connection, place: Workplace) -> None:
    stored(warehouse, days={"600001": 10, "600002": 20, "600003": 30, "600004": 40})

    assert plan_refresh(RefreshRequest(selection=Selection.STALE, threshold_days=25), place).to_ask == (
        "600003",
        "600004",
    )


def test_refreshed_companies_have_new_columns_details_and_labels(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory
) -> None:
    stored(warehouse)

    report = execute_refresh(all_of(), place, directory=directory)

    assert (report.status, report.exit_code, report.asked) == ("refreshed", 0, 4)
    assert refreshed(warehouse) == list(NAMES)
    assert rows(warehouse, "select distinct api_fetched_at from enterprise.base_info") == [(NOW,)]
    assert rows(warehouse, "select company_name from enterprise.business_info order by company_id") == [
        (name,) for name in NAMES.values()
    ]
    assert rows(warehouse, "select count(distinct company_id) from enterprise.biz_label") == [(4,)]
    assert rows(warehouse, "select status, companies_refreshed from enterprise.refresh_runs") == [("done", 4)]


def test_only_listed_companies_are_asked_for(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory, simulator: Simulator
) -> None:
    stored(warehouse)

    execute_refresh(
        RefreshRequest(selection=Selection.LISTED, company_ids=("600003", "600001")), place, directory=directory
    )

    assert refreshed(warehouse) == ["600001", "600003"]
    assert simulator.count("search") == 2


def test_a_listed_company_nobody_knows_is_refused(warehouse: Connection, place: Workplace) -> None:
    stored(warehouse)

    with pytest.raises(UsageError, match="699999"):
        plan_refresh(RefreshRequest(selection=Selection.LISTED, company_ids=("600001", "699999")), place)


def test_small_pages_leave_nobody_out(warehouse: Connection, place: Workplace, directory: CompanyDirectory) -> None:
    stored(warehouse)

    execute_refresh(all_of(batch_size=1), place, directory=directory)

    assert refreshed(warehouse) == list(NAMES)


def test_the_same_company_must_be_among_the_answers(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory
) -> None:
    stored(warehouse, names={"600009": NAMES["600001"], "600002": NAMES["600002"]})

    report = execute_refresh(all_of(), place, directory=directory)

    assert report.failed == {"600009": "not found in results"}
    assert (report.status, report.exit_code) == ("partial", 7)
    assert refreshed(warehouse) == ["600002"]


def test_companies_without_a_name_are_counted_and_left_out(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory
) -> None:
    stored(warehouse, names={"600001": None, "600002": NAMES["600002"]})

    report = execute_refresh(all_of(), place, directory=directory)

    assert (report.without_name, report.asked, report.exit_code) == (1, 1, 0)


def test_a_field_the_registry_leaves_open_keeps_its_value(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory
) -> None:
    stored(warehouse, names={"600001": NAMES["600001"]})
    with warehouse.cursor() as cursor:
        cursor.execute("update enterprise.base_info set smdb_code = 'S1', search_key_word = '长安电力'")
    warehouse.commit()

    execute_refresh(all_of(), place, directory=directory)

    assert rows(warehouse, "select smdb_code, search_key_word, data_source from enterprise.base_info") == [
        ("S1", "长安电力", "refresh")
    ]


def test_a_broken_detail_costs_only_the_detail(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory, simulator: Simulator
) -> None:
    stored(warehouse, names={"600001": NAMES["600001"]})
    simulator.fail("500", only_for="detail")

    report = execute_refresh(all_of(), place, directory=directory)

    assert (report.status, report.failed) == ("refreshed", {})
    assert rows(warehouse, "select count(*) from enterprise.business_info") == [(0,)]
    assert refreshed(warehouse) == ["600001"]


def test_one_failing_name_is_passed_over_and_asked_first_when_resumed(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory, simulator: Simulator
) -> None:
    stored(warehouse)
    simulator.fail("500", only_for=NAMES["600002"])

    first = execute_refresh(all_of(most_companies=3), place, directory=directory)
    simulator.recover()
    simulator.forget_calls()
    second = execute_refresh(RESUME, place, directory=directory)

    assert (list(first.failed), first.run and first.run.left, first.exit_code) == (["600002"], 1, 7)
    assert [call.key for call in simulator.calls if call.endpoint == "search"] == [NAMES["600002"], NAMES["600004"]]
    assert (second.status, second.failed, second.exit_code) == ("refreshed", {}, 0)
    assert rows(warehouse, "select status, companies_refreshed, companies_failed from enterprise.refresh_runs") == [
        ("done", 4, {})
    ]


def test_a_refused_token_ends_the_refresh_and_keeps_the_checkpoint(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory, simulator: Simulator
) -> None:
    stored(warehouse)
    told: list[RefreshRun] = []

    def expire_after_two(run: RefreshRun) -> None:
        told.append(run)
        if len(told) == 2:
            simulator.fail("401")

    report = execute_refresh(all_of(), place, directory=directory, told=expire_after_two)

    assert report.error is not None
    assert (report.error.error_type, report.exit_code, report.status) == ("REGISTRY_REFUSED", 7, "partial")
    assert report.failed == {}
    assert refreshed(warehouse) == ["600001", "600002"]
    assert rows(warehouse, "select status, companies_refreshed, last_company_id from enterprise.refresh_runs") == [
        ("running", 2, "600002")
    ]


def test_a_registry_that_answers_nobody_ends_the_refresh(
    warehouse: Connection, place: Workplace, directory: CompanyDirectory, simulator: Simulator
) -> None:
    stored(warehouse)
    simulator.fail("503")

    report = execute_refresh(all_of(), place, directory=directory)

    assert report.error is not None
    assert report.error.exit_code == 7
    assert simulator.count("search") == 3
    assert refreshed(warehouse) == []


def test_nothing_waits_to_be_resumed(warehouse: Connection, place: Workplace, directory: CompanyDirectory) -> None:
    stored(warehouse)
    execute_refresh(all_of(), place, directory=directory)

    with pytest.raises(UsageError, match="no refresh waits"):
        plan_refresh(RESUME, place)


def test_no_company_to_ask_for_is_nothing_to_do(place: Workplace, directory: CompanyDirectory) -> None:
    report = execute_refresh(RefreshRequest(selection=Selection.STALE), place, directory=directory)

    assert (report.status, report.exit_code) == ("unchanged", 0)


def test_two_refreshes_never_run_at_once(warehouse: Connection, place: Workplace, directory: CompanyDirectory) -> None:
    stored(warehouse)
    take_load_lock(warehouse, domain="identity", period="refresh", wait_seconds=0)

    with pytest.raises(LoadLocked):
        execute_refresh(all_of(), place, directory=directory)


def test_asking_holds_no_transaction_open(warehouse: Connection, place: Workplace, directory: CompanyDirectory) -> None:
    stored(warehouse)
    states: list[str] = []

    def look() -> datetime:
        states.extend(
            state
            for (state,) in rows(
                warehouse, "select state from pg_stat_activity where application_name = 'wdh identity refresh'"
            )
        )
        return NOW

    execute_refresh(all_of(), replace(place, now=look), directory=directory)

    # The clock is read when the refresh begins, and when a company has been asked for.
    assert states[1:] == ["idle"] * 4


def refresh(hub: Hub, address: str, *options: str, **extra: str) -> Answer:
    arguments = ("identity", "refresh", *options, "--rate-limit", "1000", "--report", "json")
    start = hub.process if "WDH_FAULT" in extra else hub.wdh
    return start(*arguments, WDH_EQC_BASE_URL=address, WDH_EQC_TOKEN=CANARY, **extra)


def test_a_killed_refresh_goes_on_where_it_was(
    warehouse: Connection, hub: Hub, address: str, simulator: Simulator
) -> None:
    stored(warehouse)

    killed = refresh(hub, address, "--all", "--execute", WDH_FAULT="before_refresh_commit")
    assert (killed.code, refreshed(warehouse)) == (-9, [])
    assert refresh(hub, address, "--resume", "--execute", "--max-companies", "2").report["left"] == 2
    killed = refresh(hub, address, "--resume", "--execute", WDH_FAULT="before_refresh_commit")
    assert (killed.code, refreshed(warehouse)) == (-9, ["600001", "600002"])
    ended = refresh(hub, address, "--resume", "--execute")

    assert (ended.code, ended.report["refreshed"], ended.report["left"]) == (0, 4, 0)
    assert refreshed(warehouse) == list(NAMES)
    # Twice only those that were under way when the process was killed.
    assert [simulator.count("search", key=name) for name in NAMES.values()] == [2, 1, 2, 1]
    assert rows(warehouse, "select status from enterprise.refresh_runs") == [("done",)]


def test_the_command_says_what_it_would_ask_for(warehouse: Connection, hub: Hub) -> None:
    stored(warehouse, days={"600001": 4000})

    answer = hub.wdh("identity", "refresh", "--stale", "--threshold-days", "5")

    assert answer.code == 0
    assert "companies 4: fresh 0 · stale 1 · never asked for 3" in answer.stdout
    assert "600001, 600002, 600003, 600004" in answer.stdout
    assert "next: wdh identity refresh --stale --threshold-days 5 --execute" in answer.stdout


def test_without_a_registry_an_executed_refresh_says_so(warehouse: Connection, hub: Hub) -> None:
    stored(warehouse)

    answer = hub.wdh("identity", "refresh", "--all", "--execute")

    assert answer.code == 7
    assert "WDH_EQC_BASE_URL and WDH_EQC_TOKEN are not set" in answer.stderr


def test_a_refused_token_says_how_to_go_on(warehouse: Connection, hub: Hub, address: str, simulator: Simulator) -> None:
    stored(warehouse)
    simulator.fail("401")

    answer = hub.wdh("identity", "refresh", "--all", "--execute", WDH_EQC_BASE_URL=address, WDH_EQC_TOKEN=CANARY)

    assert answer.code == 7
    assert "next: wdh identity refresh --resume --execute" in answer.stdout
    assert "REGISTRY_REFUSED" in answer.stderr


def test_the_token_shows_nowhere(warehouse: Connection, hub: Hub, address: str, simulator: Simulator) -> None:
    stored(warehouse)
    simulator.fail("500", only_for=NAMES["600001"])
    extra = {"WDH_EQC_RETRY_MAX": "0", "LOG_LEVEL": "DEBUG", "LOG_TO_FILE": "true"}

    failed = refresh(hub, address, "--all", "--execute", "--debug", **extra)
    simulator.recover()
    refused = refresh(hub, address, "--resume", "--execute", "--debug", **extra, ENVIRONMENT="dev")

    logs = "".join(file.read_text(encoding="utf-8") for file in hub.home.rglob("*.log*"))
    stored_rows = rows(
        warehouse,
        "select r::text from enterprise.refresh_runs r union all select b::text from enterprise.base_info b",
    )
    told = [failed.stdout, failed.stderr, refused.stdout, refused.stderr, logs, str(stored_rows)]
    assert failed.report["failed"]
    assert [text for text in told if CANARY in text] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "a refresh needs to know which companies"),
        (["--stale", "--all"], "--stale, --all"),
        (["--companies", "600001,"], "not a list of company ids"),
        (["--resume", "--threshold-days", "3"], "keeps its threshold"),
        (["--resume"], "no refresh waits to be resumed"),
    ],
)
def test_contradictions_are_refused(hub: Hub, options: list[str], words: str) -> None:
    answer = hub.wdh("identity", "refresh", *options)

    assert answer.code == 2
    assert words in answer.stderr


def test_a_report_of_an_executed_refresh_names_what_failed() -> None:
    run = RefreshRun(
        selection=Selection.ALL, threshold_days=90, started_at=NOW, total=2, failed={"600001": "not found in results"}
    )
    report = RefreshReport(mode="execute", database=None, run=run.with_refreshed("600002"), asked=2)

    assert report.as_json()["failed"] == [{"company_id": "600001", "reason": "not found in results"}]
    assert (report.exit_code, report.status) == (7, "partial")
