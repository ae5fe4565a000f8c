"""Dagster's page as a newcomer uses it: which months are in, from what, what was rejected and why, and what died."""

import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from dagster import DagsterInstance
from playwright.sync_api import Page, expect, sync_playwright
from psycopg2 import sql
from tests.dagster_page import ask, launch
from tests.dagster_up import dagster_up
from tests.hub import DOMAIN, Hub
from tests.patience import PATIENT_SECONDS, until

from work_data_hub.io.migrations import upgrade
from work_data_hub.io.postgres import connect
from work_data_hub.orchestration.file_assets import MONTHS
from work_data_hub.orchestration.run_marks import PROCESS_TAG

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.ui,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WAREHOUSE = "wdh_test_page"
AT = "work_data_hub.orchestration.definitions"
LOCATION = f"/locations/{AT}"
GOLD = f"/assets/{DOMAIN}/gold"
PATIENT = PATIENT_SECONDS * 1000


@pytest.fixture(scope="module")
def page_hub(embedded_server: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub for the whole module: one page over one warehouse, each test with a month of its own."""
    server = embedded_server
    root = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}"
    folder = tmp_path_factory.mktemp("page")
    (folder / "home").mkdir()
    _run(f"{root}/postgres", "create database {}")
    upgrade(f"{root}/{WAREHOUSE}")
    yield Hub(home=folder / "home", data=folder / "data", url=f"{root}/{WAREHOUSE}")
    _run(f"{root}/postgres", "drop database {} with (force)")


def _run(url: str, statement: str) -> None:
    with closing(connect(url, application_name="wdh tests")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(WAREHOUSE)))


@pytest.fixture(scope="module")
def address(page_hub: Hub) -> Iterator[str]:
    with dagster_up(page_hub) as up:
        up.wait_for(f"ready: {up.url}")
        yield up.url


@pytest.fixture(scope="module")
def page(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            base_url=address,
            viewport={"width": 1600, "height": 2400},
        )
        context.set_default_timeout(PATIENT)
        expect.set_options(timeout=PATIENT)
        yield context.pages[0] if context.pages else context.new_page()
        context.close()


def months_in(address: str) -> list[str]:
    """The months that the page shows as green."""
    question = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
      assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } } } } }"""
    node = ask(address, question, key={"path": [DOMAIN, "gold"]})["assetNodeOrError"]
    ranges = [one for one in node["assetPartitionStatuses"]["ranges"] if one["status"] == "MATERIALIZED"]
    return [month for month in MONTHS.get_partition_keys() if any(_holds(one, month) for one in ranges)]


def _holds(span: Mapping[str, str], month: str) -> bool:
    return span["startKey"] <= month <= span["endKey"]


def runs(address: str, month: str) -> list[dict[str, Any]]:
    """Runs of the month, newest first: id, status, mode, and what their last lines say."""
    question = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
      id status tags { key value } } } } }"""
    found = ask(address, question, filter={"tags": [{"key": "wdh/month", "value": month}]})["runsOrError"]["results"]
    return [one | {"tags": {tag["key"]: tag["value"] for tag in one["tags"]}} for one in found]


def test_the_graph_reads_from_workbook_to_table(page: Page) -> None:
    page.goto(f"{LOCATION}/asset-groups/{DOMAIN}/lineage")

    for layer in ("raw", "bronze", "silver", "gold"):
        expect(page.get_by_text(layer, exact=True).first).to_be_visible()
    for behind in ("contracts", "snapshots", "companies", "reference_rows"):
        expect(page.get_by_text(behind, exact=True).first).to_be_visible()


def test_a_plan_launched_from_the_launchpad_shows_and_writes_nothing(page: Page, page_hub: Hub, address: str) -> None:
    page_hub.sample(period="202401")
    config = json.dumps({"ops": {"find": {"config": {"period": "202401"}}}})

    page.goto(f"{LOCATION}/jobs/{DOMAIN}_job/playground/setup?config={quote(config)}")
    launch = page.get_by_role("button", name="Launch Run").first
    expect(launch).to_be_enabled()
    launch.click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()

    assert [(run["status"], run["tags"]["wdh/mode"]) for run in runs(address, "202401")] == [("SUCCESS", "plan")]
    assert page_hub.query("select count(*) from ledger.loads where period = '2024-01-01'") == [(0,)]
    assert "2024-01" not in months_in(address)


def test_a_month_materialized_by_click_is_green_and_says_what_it_was_held_to(
    page: Page, page_hub: Hub, address: str
) -> None:
    rows = page_hub.sample(period="202402").sheet(DOMAIN, "V2").rows

    page.goto(GOLD)
    page.get_by_role("button", name="Materialize").first.click()
    # Bronze and silver come along.
    page.get_by_role("button", name="Confirm").click()
    chosen = page.get_by_placeholder("ex: 2019-01")
    chosen.fill("2024-02")
    chosen.press("Enter")
    page.get_by_role("button", name=re.compile("^Launch (1 run|backfill)")).click()
    until(lambda: "2024-02" in months_in(address), every=1.0)

    assert page_hub.query("select rows_read from ledger.loads where period = '2024-02-01'") == [(rows,)]
    page.goto(f"{GOLD}?view=partitions&partition=2024-02")
    expect(page.get_by_text("Materialized", exact=True).first).to_be_visible()
    expect(page.get_by_text("why this one").first).to_be_visible()
    page.goto(f"{GOLD}?view=checks&checkDetail=every_row_accounted_for")
    expect(page.get_by_text(f"{rows} read; {rows} in the warehouse, 0 rejected").first).to_be_visible()


def test_rejected_rows_are_linked_with_their_reasons_after_a_load_of_the_command_line(
    page: Page, page_hub: Hub, address: str
) -> None:
    page_hub.sample(period="202403", faults=["text_in_amount"])
    loaded = page_hub.etl("--execute", "--max-rejects", "5%", period="202403").domain

    until(lambda: "2024-03" in months_in(address), every=1.0)
    page.goto(f"{GOLD}?view=partitions&partition=2024-03")

    expect(page.get_by_text("number not recognised").first).to_be_visible()
    expect(page.get_by_text(Path(loaded["rejects_path"]).name).first).to_be_visible()
    page.goto(f"{LOCATION}/jobs/{DOMAIN}_job/runs")
    expect(page.get_by_text("partition: 2024-03").first).to_be_visible()


def test_a_load_of_the_command_line_that_was_killed_is_reported_as_it_ended(
    page: Page, page_hub: Hub, address: str
) -> None:
    page_hub.sample(period="202404")
    with (
        held(page_hub),
        page_hub.started("etl", "--domains", DOMAIN, "--period", "202404", "--execute", settings={}) as process,
    ):
        until(lambda: is_waiting(page_hub), every=0.2)
        kill(psutil.Process(process.pid))
        (run,) = closed(address, "202404")

        assert says_why(page, run)
        assert page_hub.query("select count(*) from ledger.loads where period = '2024-04-01'") == [(0,)]


def test_a_launched_run_that_died_with_its_server_is_reported_and_tried_once_more(
    page: Page, page_hub: Hub, address: str
) -> None:
    page_hub.sample(period="202405")
    with held(page_hub):
        launch(address, f"{DOMAIN}_job", {"ops": {"find": {"config": {"period": "202405", "execute": True}}}})
        until(lambda: is_waiting(page_hub), every=0.2)
        run = process_of(page_hub, runs(address, "202405")[0]["id"])
        kill(*filter(None, [run.parent()]), run)
        # Without that server nobody looks at anything; the page's Reload starts it anew.
        ask(
            address,
            "mutation($at: String!) { reloadRepositoryLocation(repositoryLocationName: $at) { __typename } }",
            at=AT,
        )
        first = closed(address, "202405")[-1]

        assert says_why(page, first)
    until(lambda: "2024-05" in months_in(address), seconds=3 * PATIENT_SECONDS, every=1.0)


def process_of(hub: Hub, run_id: str) -> psutil.Process:
    """The process that a run says of itself; the page does not show it."""
    with DagsterInstance.from_config(str(hub.home / "dagster")) as instance:
        run = instance.get_run_by_id(run_id)
    assert run
    return psutil.Process(int(run.tags[PROCESS_TAG].split(":")[1]))


@contextmanager
def held(hub: Hub) -> Iterator[None]:
    """Loads wait before they write their first fact, for as long as the block lasts."""
    with closing(connect(hub.url, application_name="wdh tests")) as holder, holder.cursor() as cursor:
        # Who only reads, such as the checks of customers, goes on.
        cursor.execute("lock table business.规模明细 in share row exclusive mode")
        yield


def is_waiting(hub: Hub) -> bool:
    waiting = "select from pg_stat_activity where application_name like 'wdh etl %' and wait_event_type = 'Lock'"
    return bool(hub.query(waiting))


def kill(*roots: psutil.Process) -> None:
    """Kill processes and all that they started, at once and unasked."""
    for one in {one for root in roots for one in (*root.children(recursive=True), root)}:
        one.kill()


def closed(address: str, month: str) -> list[dict[str, Any]]:
    """The month's runs once the oldest is a failure; says how long that took."""
    begun = time.monotonic()
    until(lambda: runs(address, month)[-1]["status"] == "FAILURE", every=0.5)
    print(f"{month}: reported {time.monotonic() - begun:.0f} seconds after the kill")
    return runs(address, month)


def says_why(page: Page, run: Mapping[str, Any]) -> bool:
    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_text("killed before anything was committed").first).to_be_visible()
    return True
