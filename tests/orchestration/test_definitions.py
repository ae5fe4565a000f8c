"""Dagster's side: the same jobs, the same rows, the same truth."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions
from tests.hub import DOMAIN, PROJECT, Hub

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.io.postgres import Connection
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import column_schema
from work_data_hub.orchestration.file_jobs import FileRunConfig
from work_data_hub.orchestration.requests import FileRequest, Tolerance
from work_data_hub.orchestration.sample_job import sample_loader
from work_data_hub.settings import get_settings


@pytest.mark.unit
def test_the_whole_code_location_loads_and_every_domain_has_a_job_of_its_own() -> None:
    Definitions.validate_loadable(defs)

    jobs = {job.name for job in defs.get_repository_def().get_all_jobs()}
    assert jobs >= {f"{domain}_job" for domain in DOMAINS}


@pytest.mark.integration
@pytest.mark.parametrize("domain", ["annuity_income", "annual_loss"])
def test_each_job_loads_its_own_domain(in_hub: Hub, domain: str) -> None:
    write_sample_drop(in_hub.data, period="202410", rows=200, only=[domain])

    result = defs.get_job_def(f"{domain}_job").execute_in_process(
        run_config={"ops": {"find": {"config": {"period": "202410", "execute": True}}}}
    )

    assert result.success
    assert [domain] == [row[0] for row in in_hub.query("select domain from ledger.loads")]


@pytest.mark.unit
def test_every_job_is_a_chain_of_the_stages_and_the_domains_hooks() -> None:
    stages = ["find", "read", "refine", "publish"]
    hooks = {
        DOMAIN: ["contract_status_sync", "year_init", "snapshot_refresh"],
        "annual_loss": ["snapshot_refresh"],
        "annuity_income": ["customer_master"],
        "sandbox_trustee_performance": [],
    }

    for domain, following in hooks.items():
        nodes = [node.name for node in defs.get_job_def(f"{domain}_job").nodes_in_topological_order]
        assert nodes == [*stages, *following, "settle"], domain
    assert defs.get_job_def("sample_pipeline_job")


@pytest.mark.unit
def test_dagster_sees_the_declared_columns() -> None:
    columns = column_schema(DOMAINS[DOMAIN]).columns

    assert [column.name for column in columns[:2]] == ["月度", "业务类型"]
    assert (columns[0].type, columns[0].constraints.nullable) == ("date", False)


@pytest.mark.integration
def test_the_job_plans_by_default_and_loads_on_request(in_hub: Hub) -> None:
    drop = in_hub.sample()
    job = defs.get_job_def(f"{DOMAIN}_job")
    config = {"period": "202410"}

    assert job.execute_in_process(run_config={"ops": {"find": {"config": config}}}).success
    assert in_hub.query("select count(*) from business.规模明细") == [(0,)]
    assert job.execute_in_process(run_config={"ops": {"find": {"config": config | {"execute": True}}}}).success

    assert in_hub.query("select count(*) from business.规模明细") == [(drop.sheet(DOMAIN, "V2").rows,)]
    assert in_hub.etl("--execute").report["status"] == "unchanged"


@pytest.mark.integration
def test_a_failing_job_says_our_sentence(in_hub: Hub) -> None:
    in_hub.sample(faults=["missing_column"])

    result = defs.get_job_def(f"{DOMAIN}_job").execute_in_process(
        run_config={"ops": {"find": {"config": {"period": "202410", "execute": True}}}}, raise_on_error=False
    )

    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "HEADINGS_MISSING" in failure.step_failure_data.error_display_string
    assert in_hub.query("select status from public.pipeline_executions") == [("failed",)]


@pytest.mark.integration
def test_the_sample_pipeline_loads_once(in_hub: Hub) -> None:
    path = str(PROJECT / "tests/fixtures/sample_data.csv")
    job = defs.get_job_def("sample_pipeline_job")

    results = [
        job.execute_in_process(run_config={"ops": {"read_csv_op": {"config": {"path": path}}}}) for _ in range(2)
    ]

    first, second = (result.output_for_node("load_to_db_op") for result in results)
    assert first.rows_inserted == in_hub.query("select count(*) from public.sample_data")[0][0] > 0
    assert (second.rows_inserted, second.rows_updated) == (0, 0)


@pytest.mark.integration
def test_executed_runs_of_the_command_line_are_in_the_instance(hub: Hub) -> None:
    hub.sample()
    hub.etl("--execute")

    with DagsterInstance.from_config(str(hub.home / "dagster")) as instance:
        runs = instance.get_runs()

    assert [(run.job_name, run.status.value, run.tags["wdh/month"]) for run in runs] == [
        (f"{DOMAIN}_job", "SUCCESS", "202410")
    ]


@pytest.mark.integration
def test_dagster_keeps_its_runs_in_a_database_of_its_own_when_told(hub: Hub, warehouse: Connection) -> None:
    hub.sample()
    warehouse.rollback()
    warehouse.autocommit = True
    with warehouse.cursor() as cursor:
        cursor.execute("create database wdh_test_dagster")
    own = hub.url.rsplit("/", 1)[0] + "/wdh_test_dagster"

    try:
        assert hub.process(*_EXECUTE, WDH_DAGSTER_PG_URL=own).code == 0
        runs = replace(hub, url=own).query("select pipeline_name, status from runs")
    finally:
        with warehouse.cursor() as cursor:
            cursor.execute("drop database wdh_test_dagster with (force)")

    assert runs == [(f"{DOMAIN}_job", "SUCCESS")]
    assert not list((hub.home / "dagster").rglob("*.db"))


_EXECUTE = ["etl", "--domains", DOMAIN, "--period", "202410", "--execute"]


_PLAIN = FileRequest(run_id="r", domain=DOMAIN)
_FULL = FileRequest(
    run_id="r",
    domain=DOMAIN,
    period=Period.parse("202410"),
    file=Path("月报.xlsx"),
    execute=True,
    mode=LoadMode.APPEND,
    scope=("月度", "计划代码"),
    sheet="规模明细",
    version="V2",
    file_selection="newest",
    max_files=3,
    tolerance=Tolerance(percent=Decimal("1.50")),
    allow_shrink=True,
    force=True,
    skip_facts=True,
    lock_wait_seconds=2.5,
    rejects_folder=Path("rejects"),
)


@pytest.mark.unit
@pytest.mark.parametrize("request_", [_PLAIN, _FULL, replace(_PLAIN, tolerance=Tolerance(rows=12))])
def test_a_request_survives_dagsters_configuration(request_: FileRequest) -> None:
    config = FileRunConfig.of(request_)

    assert FileRunConfig(**config.model_dump()).request(domain=DOMAIN, run_id="r") == request_


@pytest.mark.integration
def test_the_history_says_what_was_asked(in_hub: Hub) -> None:
    drop = in_hub.sample()
    in_hub.etl("--execute", "--version", "V1", "--max-rejects", "2%", "--rejects", "bad")

    with DagsterInstance.from_config(str(in_hub.home / "dagster")) as instance:
        asked: dict[str, Any] = dict(instance.get_runs()[0].run_config)
    config = asked["ops"]["find"]["config"]
    assert (config["period"], config["version"], config["max_rejects"]) == ("202410", "V1", "2%")
    assert config["rejects"] == str(in_hub.home / "bad")

    again = defs.get_job_def(f"{DOMAIN}_job").execute_in_process(run_config=asked)
    assert again.success
    assert in_hub.query("select count(*) from business.规模明细") == [(drop.sheet(DOMAIN, "V1").rows,)]


@pytest.mark.integration
def test_the_sample_pipeline_loads_as_the_settings_say(in_hub: Hub) -> None:
    settings = get_settings().model_copy(update={"db_pool_size": 3, "db_batch_size": 7})

    with sample_loader(settings) as loader:
        assert (loader.pool_size, loader.batch_size) == (3, 7)
