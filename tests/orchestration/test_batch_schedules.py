"""What Dagster is told of batch pipelines without any database: their schedules and the targets as assets."""

from pathlib import Path

import pytest
from dagster import AssetKey, DefaultScheduleStatus, Definitions, build_schedule_context
from tests.hub import PROJECT

from work_data_hub.domain.batch.targets import TARGETS
from work_data_hub.errors import ConfigError
from work_data_hub.io.pipelines_config import read_pipelines
from work_data_hub.orchestration.batch_jobs import asset_key, pipeline_schedules
from work_data_hub.orchestration.definitions import defs

pytestmark = pytest.mark.unit

ONE = "name: {name}\ntarget_table: analytics.film_dim\nsource_query: select 1\ncron: '{cron}'\n"


def declared(folder: Path, *, name: str, cron: str) -> Path:
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "one.yml").write_text(ONE.format(name=name, cron=cron), encoding="utf-8")
    return folder


def test_each_target_is_an_asset_of_the_group() -> None:
    specs = {spec.key: spec.group_name for spec in defs.resolve_all_asset_specs()}

    assert specs == dict.fromkeys(map(asset_key, TARGETS), "batch")
    assert AssetKey(["analytics", "film_dim"]) in specs
    assert AssetKey(["es", "film_rating_agg"]) in specs


def test_each_declared_cron_is_a_schedule_that_begins_as_stopped() -> None:
    Definitions.validate_loadable(defs)
    crons = {f"{one.name}_schedule": one.cron for one in read_pipelines(PROJECT / "config" / "pipelines") if one.cron}

    schedules = defs.get_repository_def().schedule_defs

    assert {schedule.name: schedule.cron_schedule for schedule in schedules} == crons
    assert {schedule.default_status for schedule in schedules} == {DefaultScheduleStatus.STOPPED}
    assert {schedule.job_name for schedule in schedules} == {"pipeline_run_job"}


def test_a_schedule_asks_for_its_pipeline(tmp_path: Path) -> None:
    (schedule,) = pipeline_schedules(declared(tmp_path, name="films-by-day", cron="0 5 * * *"))

    (request,) = schedule.evaluate_tick(build_schedule_context()).run_requests or []

    assert schedule.name == "films__by__day_schedule"
    assert request.run_config["ops"]["run_pipeline"]["config"] == {"pipeline": "films-by-day"}
    assert request.tags["wdh/pipeline"] == "films-by-day"


def test_without_declared_pipelines_there_are_no_schedules(tmp_path: Path) -> None:
    assert pipeline_schedules(tmp_path) == []


def test_a_day_that_never_comes_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'films' has a schedule that never comes"):
        pipeline_schedules(declared(tmp_path, name="films", cron="0 0 31 2 *"))
