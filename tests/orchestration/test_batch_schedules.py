"""What Dagster is told of batch pipelines without any database: their schedules and the targets as assets."""

from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInvalidDefinitionError,
    DefaultScheduleStatus,
    Definitions,
    ScheduleDefinition,
)
from tests.hub import PROJECT

from work_data_hub.domain.batch.targets import TARGETS
from work_data_hub.io.pipelines_config import read_pipelines
from work_data_hub.orchestration import batch_jobs
from work_data_hub.orchestration.batch_jobs import asset_key, pipeline_run_job, pipeline_schedules, schedule_name
from work_data_hub.orchestration.definitions import defs

pytestmark = pytest.mark.unit

ONE = "name: {name}\ntarget_table: analytics.film_dim\nsource_query: select 1\ncron: '{cron}'\n"


def declared(folder: Path, *, name: str, cron: str) -> Path:
    (folder / "pipelines").mkdir(exist_ok=True)
    (folder / "pipelines" / f"{name}.yml").write_text(ONE.format(name=name, cron=cron), encoding="utf-8")
    return folder


def left_out(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, Any]]:
    """Pipeline and file of each schedule that is not made."""
    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [(one["pipeline"], one["file"]) for one in events if one["event"] == "schedule.left_out"]


def test_each_target_is_an_asset_of_the_group() -> None:
    found = [spec.key for spec in defs.resolve_all_asset_specs() if spec.group_name == "batch"]

    assert sorted(found) == sorted(map(asset_key, TARGETS))
    assert AssetKey(["analytics", "film_dim"]) in found
    assert AssetKey(["es", "film_rating_agg"]) in found


def test_each_declared_cron_is_a_schedule_that_begins_as_stopped() -> None:
    Definitions.validate_loadable(defs)
    crons = {f"{one.name}_schedule": one.cron for one in read_pipelines(PROJECT / "config" / "pipelines") if one.cron}

    schedules = [one for one in defs.get_repository_def().schedule_defs if one.job_name == "pipeline_run_job"]

    assert {schedule.name: schedule.cron_schedule for schedule in schedules} == crons
    assert {schedule.default_status for schedule in schedules} == {DefaultScheduleStatus.STOPPED}


def test_without_declared_pipelines_there_are_no_schedules(tmp_path: Path) -> None:
    assert pipeline_schedules(tmp_path) == []


def test_each_schedule_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = ("x-y", "x_y", "x__y", "x-_y", "x_-y", "x--y", "x---")
    for name in names:
        declared(tmp_path, name=name, cron="0 5 * * *")

    schedules = pipeline_schedules(tmp_path)

    assert len({schedule.name for schedule in schedules}) == len(schedules) == len(names)
    assert {"x_y_schedule", "x__y_schedule"} < {schedule.name for schedule in schedules}
    Definitions.validate_loadable(Definitions(jobs=[pipeline_run_job], schedules=schedules))


def test_of_two_pipelines_that_still_have_one_name_the_second_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("x-y", schedule_name("x-y").removesuffix("_schedule"))
    for name in names:
        declared(tmp_path, name=name, cron="0 5 * * *")

    (schedule,) = pipeline_schedules(tmp_path)

    assert schedule.name == schedule_name("x-y")
    assert left_out(caplog) == [(names[1], str(tmp_path / "pipelines" / f"{names[1]}.yml"))]


@pytest.mark.parametrize(
    ("text", "pipeline"),
    [
        (ONE.format(name="films", cron="0 0 31 2 *"), "films"),
        (ONE.format(name="films", cron="0 5 * * *") + "bath_size: 1\n", "films"),
        (ONE.format(name="good", cron="0 6 * * *"), "good"),
        ("name: [films\n", None),
    ],
)
def test_what_is_wrong_in_one_file_is_told_and_takes_no_other_schedule_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, pipeline: str | None
) -> None:
    folder = declared(tmp_path, name="good", cron="0 5 * * *") / "pipelines"
    (folder / "wrong.yml").write_text(text, encoding="utf-8")

    (schedule,) = pipeline_schedules(tmp_path)

    assert schedule.name == "good_schedule"
    assert left_out(caplog) == [(pipeline, str(folder / "wrong.yml"))]


def test_a_schedule_that_dagster_refuses_takes_no_other_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(tmp_path, name="good", cron="0 5 * * *")
    declared(tmp_path, name="films", cron="0 5 * * *")

    def choosy(**given: Any) -> ScheduleDefinition:
        if given["name"] == "films_schedule":
            raise DagsterInvalidDefinitionError("no such schedule")
        return ScheduleDefinition(**given)

    monkeypatch.setattr(batch_jobs, "ScheduleDefinition", choosy)
    (schedule,) = pipeline_schedules(tmp_path)

    assert schedule.name == "good_schedule"
    assert left_out(caplog) == [("films", str(tmp_path / "pipelines" / "films.yml"))]
