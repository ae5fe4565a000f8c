"""Every schedule and sensor is registered, stands as it should, and asks for the right thing when it ticks."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    build_schedule_context,
    build_sensor_context,
)
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import (
    LoadableTargetOrigin,  # nothing public makes a run that waits in the queue
)
from tests.hub import DOMAIN, Hub

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration import definitions
from work_data_hub.orchestration.definitions import defs

REPOSITORY = defs.get_repository_def()
ORIGIN = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name=definitions.__name__)), REPOSITORY.name
).get_job_origin("identity_queue_job")


def asked(name: str, moment: datetime) -> RunRequest:
    """The one run that a tick of a schedule asks for."""
    context = build_schedule_context(scheduled_execution_time=moment, repository_def=REPOSITORY)
    requests = list(REPOSITORY.get_schedule_def(name).evaluate_tick(context).run_requests or ())
    assert len(requests) == 1
    return requests[0]


@pytest.mark.unit
def test_all_of_them_are_registered() -> None:
    months = {f"{domain}_month_schedule" for domain in DOMAINS}
    schedules = {one.name: one.cron_schedule for one in REPOSITORY.schedule_defs}
    sensors = {one.name: one.default_status.value for one in REPOSITORY.sensor_defs}

    assert months | {"identity_queue_schedule", "reference_sync_schedule"} <= set(schedules)
    assert {schedules[name] for name in months} == {"0 2 5 * *"}
    assert sensors == {
        "workbook_arrivals": "RUNNING",
        "run_reconciler": "RUNNING",
        "month_freshness": "RUNNING",
        "customer_master_changes": "RUNNING",
        "run_failure_notices": "RUNNING",
        "check_failure_notices": "RUNNING",
        "identity_queue_depth": "STOPPED",
    }


@pytest.mark.unit
def test_the_fifth_of_january_asks_for_december(in_config: None) -> None:
    run = asked(f"{DOMAIN}_month_schedule", datetime(2025, 1, 4, 18, tzinfo=UTC))

    assert (run.partition_key, run.tags["wdh/month"], run.tags["wdh/mode"]) == ("2024-12", "202412", "plan")
    assert run.run_config["ops"]["find"]["config"]["execute"] is False


@pytest.fixture
def in_config(in_hub: Hub) -> None:
    """The project's own configuration."""


@pytest.mark.integration
def test_the_run_of_a_month_schedule_plans(in_hub: Hub) -> None:
    in_hub.sample(period="202412")
    run = asked(f"{DOMAIN}_month_schedule", datetime(2025, 1, 4, 18, tzinfo=UTC))

    result = defs.get_job_def(f"{DOMAIN}_job").execute_in_process(
        run_config=run.run_config, partition_key=run.partition_key
    )

    assert result.success
    assert in_hub.query("select count(*) from business.规模明细") == [(0,)]


@pytest.mark.unit
def test_the_clock_asks_for_names_and_reference_tables() -> None:
    moment = datetime(2025, 1, 4, 18, tzinfo=UTC)
    names, tables = asked("identity_queue_schedule", moment), asked("reference_sync_schedule", moment)

    assert names.run_config == {}
    assert tables.run_config["ops"]["sync_references"]["config"]["execute"] is True


@pytest.mark.integration
def test_the_reference_job_plans_by_default_and_syncs_on_request(in_hub: Hub) -> None:
    job = defs.get_job_def("reference_sync_job")

    assert job.execute_in_process().success
    planned = in_hub.counts()
    assert job.execute_in_process(run_config={"ops": {"sync_references": {"config": {"execute": True}}}}).success

    written = in_hub.counts()
    assert (planned["system.sync_state"], written["public.pipeline_executions"]) == (0, 1)
    assert written["system.sync_state"] > 0


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def deep(instance: DagsterInstance) -> tuple[list[RunRequest], str]:
    """The runs that the sensor of the queue's depth asks for now, or why none."""
    told = REPOSITORY.get_sensor_def("identity_queue_depth").evaluate_tick(build_sensor_context(instance))
    return [run for run in told.run_requests or () if isinstance(run, RunRequest)], told.skip_message or ""


def let_wait(warehouse: Connection, names: int) -> None:
    """Put so many names into the queue."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.enrichment_requests (raw_name, normalized_name, normaliser_version, temp_id)"
            " select 'n' || i, 'n' || i, 1, 'IN' || lpad(translate(i::text, '0189', 'XYZW'), 16, 'A')"
            " from generate_series(1, %s) as i",
            (names,),
        )
    warehouse.commit()


@pytest.mark.integration
def test_a_deep_queue_is_drained_until_it_is_shallow(
    in_hub: Hub, warehouse: Connection, instance: DagsterInstance
) -> None:
    _, shallow = deep(instance)
    let_wait(warehouse, 10_001)
    # The first drain may have failed: what is still deep is asked for again, which a run key would forbid.
    asked = [run for _ in range(2) for run in deep(instance)[0]]

    assert "0 names wait" in shallow
    assert [run.run_key for run in asked] == [None, None]


@pytest.mark.integration
@pytest.mark.parametrize(("status", "asks"), [("QUEUED", False), ("STARTED", False), ("FAILURE", True)])
def test_a_drain_under_way_is_waited_for(
    in_hub: Hub, warehouse: Connection, instance: DagsterInstance, status: str, *, asks: bool
) -> None:
    let_wait(warehouse, 10_001)
    job = defs.resolve_job_def("identity_queue_job")
    run = instance.create_run_for_job(job, status=DagsterRunStatus(status), remote_job_origin=ORIGIN)
    instance.create_run_for_job(defs.resolve_job_def("reference_sync_job"), status=DagsterRunStatus.STARTED)

    asked, said = deep(instance)

    assert bool(asked) is asks
    assert said == ("" if asks else f"10001 names wait; run {run.run_id} drains them, {status}")
