"""Every job, schedule, sensor and check of the code location really works, on an instance that PostgreSQL stores.

A new one fails here until it has an exercise in one of the tables below.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from dagster import (
    AssetCheckEvaluation,
    DagsterInstance,
    DagsterRunStatus,
    ExecuteInProcessResult,
    RunRequest,
    SensorResult,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
)
from psycopg2 import sql
from pydantic import SecretStr
from tests.hub import DOMAIN, PROJECT, Hub
from tests.lookup_requests import queue_names
from tests.notice_servers import heard_by_webhook
from tests.played_runner import played_runner, succeed

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.sample.companies import sample_company
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.pipelines_config import read_pipelines
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.processes import this_process
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.io.run_verdicts import warehouse_name
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration.batch_jobs import schedule_name
from work_data_hub.orchestration.dagster_instance import STORAGE_VARIABLE, dagster_instance
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import GOLD, LAYERS, asset_key
from work_data_hub.orchestration.run_marks import BEGUN_TAG, LEDGER_TAG, PROCESS_TAG, WAREHOUSE_TAG
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

REPOSITORY = defs.get_repository_def()
GRAPH = defs.resolve_asset_graph()
EVERY_ASSET = "__ASSET_JOB"
STORAGE = "wdh_test_dagster_storage"
NAME = "北京恒泰电力有限公司"
MOMENT = datetime(2025, 1, 4, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def instance(embedded_server: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """An instance as production has it: its storage is a database of its own beside the warehouse."""
    server = embedded_server
    root = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}"
    with pytest.MonkeyPatch.context() as environment:
        for name in ("DAGSTER_HOME", STORAGE_VARIABLE, "DAGSTER_DISABLE_TELEMETRY"):
            environment.setenv(name, "")
        _run(f"{root}/postgres", "create database {}")
        home = {"home": tmp_path_factory.mktemp("dagster"), "dagster_home": None}
        settings = get_settings().model_copy(update=home | {"dagster_pg_url": SecretStr(f"{root}/{STORAGE}")})
        with dagster_instance(settings) as instance:
            yield instance
        _run(f"{root}/postgres", "drop database {} with (force)")


def _run(url: str, statement: str) -> None:
    with closing(connect(url, application_name="wdh tests")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(STORAGE)))


@pytest.fixture
def place(in_hub: Hub, warehouse: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator["Place"]:
    """A month of every domain, pipelines, and somebody who is told what fails."""
    write_sample_drop(in_hub.data, period="202412", rows=60)
    with transaction(warehouse), warehouse.cursor() as cursor:
        for pipeline in (FILMS, *(one for one in read_pipelines(PROJECT / "config" / "pipelines"))):
            create_pipeline(cursor, pipeline, actor="tests")
    with heard_by_webhook(monkeypatch) as box:
        yield Place(in_hub, warehouse, box.received, monkeypatch)
    get_settings.cache_clear()


class Place:
    """What an exercise has to work with."""

    def __init__(
        self, hub: Hub, warehouse: Connection, told: list[dict[str, str]], environment: pytest.MonkeyPatch
    ) -> None:
        self.hub, self.warehouse, self.told, self.environment = hub, warehouse, told, environment


FILMS = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")


# -- jobs: what they are run with, and what is there afterwards


def run_job(instance: DagsterInstance, name: str, **config: object) -> ExecuteInProcessResult:
    job = defs.resolve_job_def(name)
    (op, *_) = [node.name for node in job.nodes_in_topological_order]
    given = {"ops": {op: {"config": config}}} if config else {}
    return job.execute_in_process(instance=instance, run_config=given)


def load(domain: str) -> Callable[[Place, DagsterInstance], None]:
    def exercise(place: Place, instance: DagsterInstance) -> None:
        assert run_job(instance, f"{domain}_job", period="202412", execute=True).success
        assert place.hub.query("select domain, rows_read > 0 from ledger.loads") == [(domain, True)]
        assert "2024-12" in instance.get_materialized_partitions(asset_key(GOLD, domain))

    return exercise


def materialize(place: Place, instance: DagsterInstance) -> None:
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key="2024-12", asset_selection=[asset_key(layer, DOMAIN) for layer in LAYERS]
    )
    assert result.success
    assert place.hub.query("select count(*) from ledger.loads") == [(1,)]


def judge_customers(place: Place, instance: DagsterInstance) -> None:
    run_job(instance, f"{DOMAIN}_job", period="202412", execute=True)
    assert len(run_job(instance, "customer_checks_job").get_asset_check_evaluations()) > 10


def drain_queue(place: Place, instance: DagsterInstance) -> None:
    queue_names(place.warehouse, NAME)
    with Simulator([sample_company(NAME, company_id="600000001")]).serving() as url:
        place.environment.setenv("WDH_EQC_BASE_URL", url)
        place.environment.setenv("WDH_EQC_TOKEN", SAMPLE_TOKEN)
        get_settings.cache_clear()
        assert run_job(instance, "identity_queue_job", limit=5).success
    assert place.hub.query("select status from enterprise.enrichment_requests") == [("done",)]


def sync_references(place: Place, instance: DagsterInstance) -> None:
    assert run_job(instance, "reference_sync_job", execute=True).success
    assert place.hub.counts()["system.sync_state"] > 0


def follow_pipeline(place: Place, instance: DagsterInstance) -> None:
    with played_runner(place.hub.url, succeed):
        assert run_job(instance, "pipeline_run_job", pipeline="films", poll_seconds=0.02).success


def load_sample(place: Place, instance: DagsterInstance) -> None:
    path = str(PROJECT / "tests/fixtures/sample_data.csv")
    assert run_job(instance, "sample_pipeline_job", path=path).success
    assert place.hub.counts()["public.sample_data"] > 0


JOBS: Mapping[str, Callable[[Place, DagsterInstance], None]] = {
    **{f"{domain}_job": load(domain) for domain in DOMAINS},
    EVERY_ASSET: materialize,
    "customer_checks_job": judge_customers,
    "identity_queue_job": drain_queue,
    "reference_sync_job": sync_references,
    "pipeline_run_job": follow_pipeline,
    "sample_pipeline_job": load_sample,
}


def test_every_job_has_an_exercise() -> None:
    assert {job.name for job in REPOSITORY.get_all_jobs()} == set(JOBS)


def test_the_instance_keeps_its_history_in_postgresql(instance: DagsterInstance) -> None:
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    assert {type(storage).__module__.partition(".")[0] for storage in storages} == {"dagster_postgres"}


@pytest.mark.parametrize("name", sorted(JOBS))
def test_the_job_works(place: Place, instance: DagsterInstance, name: str) -> None:
    before = {run.run_id for run in instance.get_runs()}

    JOBS[name](place, instance)

    new = [run for run in instance.get_runs() if run.run_id not in before]
    assert name in {run.job_name for run in new}
    assert {run.status for run in new} == {DagsterRunStatus.SUCCESS}


# -- schedules: what a tick of each asks for

LAST_MONTH = {"partition": "2024-12", "mode": "plan"}
SCHEDULES: Mapping[str, tuple[str, dict[str, str]]] = {
    **{f"{domain}_month_schedule": (f"{domain}_job", LAST_MONTH) for domain in DOMAINS},
    "identity_queue_schedule": ("identity_queue_job", {}),
    "reference_sync_schedule": ("reference_sync_job", {}),
    **{
        schedule_name(one.name): ("pipeline_run_job", {"pipeline": one.name})
        for one in read_pipelines(PROJECT / "config" / "pipelines")
        if one.cron
    },
}


def test_every_schedule_has_an_exercise() -> None:
    assert {one.name for one in REPOSITORY.schedule_defs} == set(SCHEDULES)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_tick_of_the_schedule_asks_for_a_run_that_its_job_takes(
    place: Place, instance: DagsterInstance, name: str
) -> None:
    job, said = SCHEDULES[name]
    schedule = REPOSITORY.get_schedule_def(name)
    context = build_schedule_context(instance, scheduled_execution_time=MOMENT, repository_def=REPOSITORY)

    (request,) = schedule.evaluate_tick(context).run_requests or ()

    tags = {
        "partition": request.partition_key,
        **{tag.removeprefix("wdh/"): text for tag, text in request.tags.items()},
    }
    assert schedule.job_name == job
    assert {word: tags[word] for word in said} == said
    made = instance.create_run_for_job(defs.resolve_job_def(job), run_config=request.run_config)
    assert made.job_name == job


# -- sensors: what a tick of each says or asks for


def tick(instance: DagsterInstance, name: str, cursor: str | None = None) -> SensorResult:
    """One look of the sensor, as a result."""
    told = REPOSITORY.get_sensor_def(name).evaluate_tick(
        build_sensor_context(instance, cursor=cursor, repository_def=REPOSITORY)
    )
    return SensorResult(
        run_requests=told.run_requests,
        asset_events=list(told.asset_events),
        skip_reason=SkipReason(told.skip_message) if told.skip_message else None,
        cursor=told.cursor,
    )


def arrive(place: Place, instance: DagsterInstance) -> None:
    cursor = tick(instance, "workbook_arrivals").cursor
    write_sample_drop(place.hub.data, period="202412", rows=61, only=[DOMAIN])
    cursor = tick(instance, "workbook_arrivals", cursor).cursor
    asked = [
        run for run in tick(instance, "workbook_arrivals", cursor).run_requests or () if isinstance(run, RunRequest)
    ]
    assert f"{DOMAIN}_job" in {run.job_name for run in asked}


def reconcile(place: Place, instance: DagsterInstance) -> None:
    machine, _, *rest = this_process().split(":")
    tags = {
        PROCESS_TAG: ":".join((machine, "4194305", *rest)),
        BEGUN_TAG: (run_id := str(uuid4())),
        LEDGER_TAG: run_id,
        WAREHOUSE_TAG: warehouse_name(place.hub.url),
        "wdh/month": "202412",
    }
    run = instance.create_run_for_job(
        defs.resolve_job_def(f"{DOMAIN}_job"), run_id=run_id, tags=tags, status=DagsterRunStatus.STARTED
    )
    said = tick(instance, "run_reconciler").skip_reason
    closed = instance.get_run_by_id(run.run_id)
    assert said
    assert "killed before anything was committed" in (said.skip_message or "")
    assert closed
    assert closed.status is DagsterRunStatus.FAILURE


def be_late(place: Place, instance: DagsterInstance) -> None:
    told = tick(instance, "month_freshness").asset_events
    assert {one.asset_key for one in told} == {asset_key(GOLD, domain) for domain in DOMAINS}
    assert {type(one) for one in told} == {AssetCheckEvaluation}


def see_changes(place: Place, instance: DagsterInstance) -> None:
    run_job(instance, f"{DOMAIN}_job", period="202412", execute=True)
    (asked,) = tick(instance, "customer_master_changes").run_requests or ()
    assert asked.run_key
    assert REPOSITORY.get_sensor_def("customer_master_changes").job_name == "customer_checks_job"


def be_deep(place: Place, instance: DagsterInstance) -> None:
    said = tick(instance, "identity_queue_depth").skip_reason
    assert said
    assert "0 names wait" in (said.skip_message or "")


def tell_run(place: Place, instance: DagsterInstance) -> None:
    cursor = tick(instance, "run_failure_notices").cursor
    defs.resolve_job_def(f"{DOMAIN}_job").execute_in_process(
        instance=instance,
        run_config={"ops": {"find": {"config": {"period": "202311", "execute": True}}}},
        raise_on_error=False,
    )
    tick(instance, "run_failure_notices", cursor)
    assert [body["kind"] for body in place.told] == ["run_failed"]


def tell_check(place: Place, instance: DagsterInstance) -> None:
    # A month of its own: what was warned of before, in whatever test, is not told again.
    write_sample_drop(place.hub.data, period="202411", rows=60, only=[DOMAIN])
    cursor = tick(instance, "check_failure_notices").cursor
    run_job(instance, f"{DOMAIN}_job", period="202411", execute=True)
    tick(instance, "check_failure_notices", cursor)
    assert {body["kind"] for body in place.told} == {"check_failed"}


SENSORS: Mapping[str, Callable[[Place, DagsterInstance], None]] = {
    "workbook_arrivals": arrive,
    "run_reconciler": reconcile,
    "month_freshness": be_late,
    "customer_master_changes": see_changes,
    "identity_queue_depth": be_deep,
    "run_failure_notices": tell_run,
    "check_failure_notices": tell_check,
}


def test_every_sensor_has_an_exercise() -> None:
    assert {one.name for one in REPOSITORY.sensor_defs} == set(SENSORS)


@pytest.mark.parametrize("name", sorted(SENSORS))
def test_the_sensor_works(place: Place, instance: DagsterInstance, name: str) -> None:
    SENSORS[name](place, instance)


# -- checks: all of them, after a load of each domain, a look at the customers and a look at the months


def test_every_check_is_evaluated(place: Place, instance: DagsterInstance) -> None:
    runs = [run_job(instance, f"{domain}_job", period="202412", execute=True) for domain in DOMAINS]
    runs.append(run_job(instance, "customer_checks_job"))

    seen = {one.asset_check_key for run in runs for one in run.get_asset_check_evaluations()}
    told = tick(instance, "month_freshness").asset_events
    seen |= {one.asset_check_key for one in told if isinstance(one, AssetCheckEvaluation)}
    assert seen == set(GRAPH.asset_check_keys)
