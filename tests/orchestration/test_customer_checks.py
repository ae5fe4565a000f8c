"""Dagster's checks of the customer master are the verdicts of `customer-mdm validate`, no more and no fewer."""

from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, SensorResult, SkipReason, build_sensor_context
from tests.hub import DOMAIN, PROJECT, Hub

from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.orchestration.customer_checks import JUDGED, ask_for_verdicts
from work_data_hub.orchestration.definitions import defs
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration


def test_each_verdict_of_validate_is_a_check_of_the_same_outcome(in_hub: Hub) -> None:
    in_hub.sample()
    in_hub.etl("--execute")
    told = in_hub.wdh("customer-mdm", "validate", "--year", "2024", "--report", "json").report["checks"]

    with DagsterInstance.ephemeral() as instance:
        result = defs.get_job_def("customer_checks_job").execute_in_process(instance=instance)

    seen = {one.check_name: (one.passed, one.asset_key) for one in result.get_asset_check_evaluations()}
    assert {check["name"]: check["passed"] for check in told} == {name: passed for name, (passed, _) in seen.items()}
    assert {name: key for name, (_, key) in seen.items()} == JUDGED


def test_a_snapshot_that_was_changed_by_hand_fails_its_check(in_hub: Hub, warehouse: Connection) -> None:
    in_hub.sample()
    in_hub.etl("--execute")
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("update customer.fct_customer_plan_monthly set is_loss_reported = not is_loss_reported")

    with DagsterInstance.ephemeral() as instance:
        result = defs.get_job_def("customer_checks_job").execute_in_process(instance=instance)

    seen = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert not seen["snapshots_equal_history"]
    assert seen["one_open_version"]


class Watch:
    """The sensor, ticked by hand, with the cursor it left."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None

    def tick(self) -> list[str]:
        """The keys of the runs that one look asks for, or why it asks for none."""
        told = ask_for_verdicts(build_sensor_context(self.instance, cursor=self.cursor))
        if isinstance(told, SkipReason):
            return [told.skip_message or ""]
        assert isinstance(told, SensorResult)
        self.cursor = told.cursor
        return [one.run_key or "" for one in told.run_requests or ()]


def test_whatever_changes_the_master_has_it_judged_once(in_hub: Hub) -> None:
    with DagsterInstance.ephemeral() as instance:
        watch = Watch(instance)
        assert watch.tick() == ["there are no contracts to judge"]
        in_hub.sample()
        in_hub.etl("--execute")

        (first,) = watch.tick()
        assert watch.tick() == ["nothing has changed since it was judged"]
        in_hub.wdh("customer-mdm", "sync", "--rebuild")
        (second,) = watch.tick()
        in_hub.etl("--execute", "--force")
        (third,) = watch.tick()

    assert len({first, second, third}) == 3


def test_a_load_that_is_under_way_is_waited_for(in_hub: Hub) -> None:
    in_hub.sample()
    in_hub.etl("--execute")
    with DagsterInstance.ephemeral() as instance:
        watch, job = Watch(instance), defs.resolve_job_def(f"{DOMAIN}_job")
        instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={"wdh/mode": "plan"})
        loading = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={"wdh/mode": "execute"})
        assert watch.tick() == ["a load is under way; judged when it is over"]

        instance.report_run_failed(loading)
        assert len(watch.tick()) == 1
        assert watch.cursor


def test_judging_makes_no_warehouse_and_says_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("WDH_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("WDH_CONFIG_DIR", str(PROJECT / "config"))
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    try:
        with DagsterInstance.ephemeral() as instance:
            asked = Watch(instance).tick()
            result = defs.get_job_def("customer_checks_job").execute_in_process(instance=instance, raise_on_error=False)
    finally:
        get_settings.cache_clear()

    failure = next(event for event in result.all_events if event.is_step_failure)
    assert asked == ["there are no contracts to judge"]
    assert "there is no database to look at" in failure.step_failure_data.error_display_string
    assert not (tmp_path / "empty" / "postgres").exists()
