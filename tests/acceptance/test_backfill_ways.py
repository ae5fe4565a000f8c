"""Months loaded in three ways: one after the other from the command line, by a backfill of Dagster's page, and with the
work spread over two dask workers. The same tables come of all; `WDH_CHAOS_MONTHS=12` does it with a whole year."""

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from dagster import DagsterInstance
from distributed import LocalCluster
from tests.dagster_daemon import in_time
from tests.dagster_page import ask
from tests.dagster_up import dagster_up
from tests.hub import Hub
from tests.same_tables import differences, table_rows

from work_data_hub.io.sample_drop import write_sample_drop

pytestmark = pytest.mark.chaos

DOMAINS = ("annual_award", "annual_loss", "annuity_performance", "annuity_income")
# Four have one of each kind: see `data`.
MONTHS = tuple(f"2024{month:02d}" for month in range(1, 1 + int(os.environ.get("WDH_CHAOS_MONTHS", "4"))))
ROWS, REJECTS = 60, "5"
LAUNCH = """
mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
HOW_FAR = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) {
  __typename ... on PartitionBackfill { status } ... on PythonError { message } } }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every third month corrected, every fourth with rows to reject, every second with company ids."""
    folder = tmp_path_factory.mktemp("year")
    for number, month in enumerate(MONTHS, start=1):
        write_sample_drop(
            folder,
            period=month,
            rows=ROWS,
            versions=("V1", "V2") if number % 3 == 0 else ("V1",),
            faults=("text_in_amount",) if number % 4 == 0 else (),
            company_ids=number % 2 == 0,
        )
    return folder


def test_the_page_the_command_line_and_dask_workers_give_the_same_tables(
    hub_of: Callable[[str, Path], Hub], data: Path
) -> None:
    by_command, by_page, by_workers = hub_of("command", data), hub_of("page", data), hub_of("workers", data)

    load_by_command(by_command)
    load_by_page(by_page)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        load_by_command(by_workers, WDH_DASK_SCHEDULER=cluster.scheduler_address, WDH_DASK_BLOCK_ROWS="20")

    wanted = table_rows(by_command)
    assert sum(wanted["business.规模明细"].values()) > len(MONTHS) * (ROWS - 5)
    assert wanted["ledger.rejected_rows"]
    assert wanted["customer.fct_customer_plan_monthly"]
    assert differences(wanted, table_rows(by_page)) == {}
    assert differences(wanted, table_rows(by_workers)) == {}


def load_by_command(hub: Hub, **settings: str) -> None:
    for month in MONTHS:
        answer = hub.wdh(
            *("etl", "--domains", ",".join(DOMAINS), "--period", month),
            *("--max-rejects", REJECTS, "--execute"),
            **settings,
        )
        assert answer.code == 0, answer.stderr


def load_by_page(hub: Hub) -> None:
    """As the page asks for it: assets, months, and what "Materialize" was configured with."""
    config = {"ops": {"find": {"config": {"max_rejects": REJECTS}}}}
    params = {
        "assetSelection": [{"path": [name, layer]} for name in DOMAINS for layer in ("bronze", "silver", "gold")],
        "partitionNames": [f"{month[:4]}-{month[4:]}" for month in MONTHS],
        "runConfigData": json.dumps({"ops": {f"{name}_graph": config for name in DOMAINS}}),
        "tags": [],
    }
    with dagster_up(hub) as up:
        up.wait_for(f"ready: {up.url}")
        launched = ask(up.url, LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

        def status() -> str:
            return str(ask(up.url, HOW_FAR, id=launched["backfillId"])["partitionBackfillOrError"]["status"])

        in_time(lambda: status() not in ("REQUESTED", "COMPLETED_SUBMITTING"))
        assert status() == "COMPLETED_SUCCESS"
    expect_months_in_turn(hub)


def expect_months_in_turn(hub: Hub) -> None:
    """A run a month, each begun after the one before it had ended."""
    with DagsterInstance.from_config(str(hub.home / "dagster")) as instance:
        found = [one for one in instance.get_run_records() if "dagster/backfill" in one.dagster_run.tags]
    records = sorted(found, key=lambda record: record.start_time or 0.0)
    assert [record.dagster_run.tags["dagster/partition"].replace("-", "") for record in records] == list(MONTHS)
    assert all((before.end_time or 0.0) <= (after.start_time or 0.0) for before, after in pairwise(records))
