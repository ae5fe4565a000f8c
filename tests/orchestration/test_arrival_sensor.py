"""The sensor looks at real folders: a corrected workbook leads to one plan, or to the load where the domain says so."""

import re
import shutil
import time
from pathlib import Path

import pytest
from dagster import AssetObservation, DagsterInstance, SensorResult, SkipReason, build_sensor_context
from tests.hub import DOMAIN, PROJECT, Hub
from tests.patience import until

from work_data_hub.domain.period import Period
from work_data_hub.domain.source import Source
from work_data_hub.io import arrivals
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.io.source_files import Found, find_workbooks
from work_data_hub.orchestration.arrivals import READ_SECONDS, tell_arrivals
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import GOLD, asset_key
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration


class Watch:
    """The sensor, ticked by hand, with the cursor it left."""

    def __init__(self, *, read_seconds: float = READ_SECONDS) -> None:
        self.cursor: str | None = None
        self._read_seconds = read_seconds

    def tick(self) -> SensorResult:
        result = tell_arrivals(build_sensor_context(cursor=self.cursor), read_seconds=self._read_seconds)
        self.cursor = result.cursor
        return result

    def keys(self, looks: int = 2) -> list[str | None]:
        """The run keys that so many ticks ask for."""
        return [run.run_key for _ in range(looks) for run in self.tick().run_requests or ()]

    def reason(self) -> str:
        """Why a tick asks for nothing."""
        result = self.tick()
        assert not result.run_requests
        return str(result.skip_reason.skip_message) if isinstance(result.skip_reason, SkipReason) else ""

    def runs(self) -> list[tuple[str | None, str | None, str]]:
        """Job, partition and mode of what one tick asks for."""
        return [(run.job_name, run.partition_key, run.tags["wdh/mode"]) for run in self.tick().run_requests or ()]


@pytest.fixture
def watch(in_hub: Hub) -> Watch:
    write_sample_drop(in_hub.data, period="202410", rows=60)
    watch = Watch()
    assert watch.runs() == []
    return watch


def test_the_sensor_is_registered_and_looks_by_itself() -> None:
    sensor = defs.get_repository_def().get_sensor_def("workbook_arrivals")
    assert {target.job_name for target in sensor.targets} >= {f"{DOMAIN}_job"}
    assert sensor.default_status.value == "RUNNING"


def test_a_new_month_is_planned_once_for_each_of_its_domains(in_hub: Hub, watch: Watch) -> None:
    write_sample_drop(in_hub.data, period="202411", rows=60, only=[DOMAIN])

    seen = [watch.runs() for _ in range(3)]

    assert seen == [[], [(f"{DOMAIN}_job", "2024-11", "plan"), ("annuity_income_job", "2024-11", "plan")], []]


def test_a_corrected_workbook_is_observed_with_its_content_and_planned(in_hub: Hub, watch: Watch) -> None:
    write_sample_drop(in_hub.data, period="202410", rows=61)

    waiting, result = watch.tick(), watch.tick()

    assert isinstance(waiting.skip_reason, SkipReason)
    assert re.search(
        rf"waiting until they rest and are read: .*{DOMAIN}:202410", waiting.skip_reason.skip_message or ""
    )
    asked = {run.tags["wdh/domain"]: run for run in result.run_requests or ()}
    assert asked[DOMAIN].run_config["ops"]["find"]["config"]["execute"] is False
    (observed,) = [event for event in result.asset_events if event.asset_key.path == [DOMAIN, "raw"]]
    assert isinstance(observed, AssetObservation)
    assert observed.partition == "2024-10"
    version = (observed.tags or {})["dagster/data_version"]
    assert re.fullmatch(rf"{DOMAIN}:202410:{version}:[0-9]+", asked[DOMAIN].run_key or "")


def test_a_domain_that_says_so_is_loaded(in_hub: Hub, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    config = in_hub.home / "config"
    shutil.copytree(PROJECT / "config", config)
    sources = config / "data_sources.yml"
    text = sources.read_text(encoding="utf-8").replace("annual_loss:\n", "annual_loss:\n    on_arrival: execute\n")
    sources.write_text(text, encoding="utf-8")
    monkeypatch.setenv("WDH_CONFIG_DIR", str(config))
    get_settings.cache_clear()
    write_sample_drop(in_hub.data, period="202411", rows=60, only=["annual_award", "annual_loss"])

    modes = {job: mode for _ in range(2) for job, _, mode in watch.runs()}

    assert modes == {"annual_award_job": "plan", "annual_loss_job": "execute"}


def test_what_cannot_be_chosen_is_said(in_hub: Hub, watch: Watch) -> None:
    folder = in_hub.data / "202412/收集数据/数据采集/V1"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("soon")

    assert f"{DOMAIN}:202412: [WORKBOOK_NOT_FOUND]" in watch.reason()


def test_a_correction_laid_beside_the_workbook_leads_to_a_run_that_says_so(in_hub: Hub, watch: Watch) -> None:
    workbook = taken(in_hub)
    beside = Path(shutil.copy(workbook, workbook.with_name(f"{workbook.stem}(更正).xlsx")))

    asked = [{run.run_key: run for run in watch.tick().run_requests or ()} for _ in range(3)]

    assert [len(runs) for runs in asked] == [0, 2, 0]
    run = next(run for run in asked[1].values() if run.tags["wdh/domain"] == DOMAIN)
    with DagsterInstance.ephemeral() as instance:
        result = defs.get_job_def(str(run.job_name)).execute_in_process(
            instance=instance, run_config=run.run_config, raise_on_error=False
        )
    assert not result.success
    assert "AMBIGUOUS_WORKBOOK" in str(result.all_events)
    beside.unlink()
    assert watch.keys(looks=3) == []


def test_where_all_months_are_refused_at_once_a_few_runs_say_so(in_hub: Hub) -> None:
    months = [f"2024{month:02d}" for month in range(1, 10)]
    for month in months:
        write_sample_drop(in_hub.data, period=month, rows=50, only=["annual_award"], versions=("V1",))
    watch = Watch()
    watch.tick()
    for workbook in [*in_hub.data.rglob("*.xlsx")]:
        shutil.copy(workbook, workbook.with_name(f"{workbook.stem}(更正).xlsx"))

    assert [len(watch.tick().run_requests or ()) for _ in range(4)] == [0, 5, 0, 0]


def test_months_that_are_not_open_are_named(in_hub: Hub, watch: Watch) -> None:
    for month in ("203701", "201812"):
        write_sample_drop(in_hub.data, period=month, rows=60, only=[DOMAIN])

    assert watch.runs() == []
    assert "never looked at, since no months from 2019-01 to now: 201812, 203701" in watch.reason()


def taken(hub: Hub, *, version: str = "V2") -> Path:
    """The workbook that a run of 202410 would take."""
    (found,) = (hub.data / "202410/收集数据/数据采集" / version).glob("【for*.xlsx")
    return found


def lay(hub: Hub, seed: int) -> None:
    """Lay the workbook that awards and losses are read from; a seed is a content."""
    write_sample_drop(hub.data, period="202410", rows=60, seed=seed, only=["annual_award", "annual_loss"])


def test_content_that_comes_back_is_asked_for_again(in_hub: Hub, watch: Watch) -> None:
    keys: list[str | None] = []
    for seed in (2, 3, 2):
        lay(in_hub, seed)
        keys += watch.keys(looks=3)

    awards = [key.split(":") for key in keys if key and key.startswith("annual_award")]
    contents, turns = [key[2] for key in awards], [int(key[3]) for key in awards]
    assert contents == [contents[0], contents[1], contents[0]]
    assert contents[0] != contents[1]
    assert turns == [turns[0], turns[0] + 1, turns[0] + 2]


def test_a_tick_that_is_repeated_asks_for_the_same_runs(in_hub: Hub, watch: Watch) -> None:
    lay(in_hub, 2)
    watch.tick()
    before = watch.cursor
    first = watch.keys(looks=1)

    watch.cursor = before

    assert watch.keys(looks=1) == first != []


def test_a_lost_cursor_asks_for_nothing_and_later_for_what_was_asked_before(in_hub: Hub, watch: Watch) -> None:
    lay(in_hub, 2)
    asked = watch.keys()
    until(lambda: int(time.time()) > int(str(asked[0]).rpartition(":")[2]))
    watch.cursor = None
    assert watch.keys(looks=3) == []

    lay(in_hub, 3)
    assert watch.keys()
    lay(in_hub, 2)
    again = watch.keys()

    assert [str(key).rpartition(":")[0] for key in again] == [str(key).rpartition(":")[0] for key in asked]
    assert not set(again) & set(asked)


@pytest.mark.parametrize("there_is", ["nothing", "an empty folder"])
def test_a_share_that_is_away_for_a_look_changes_nothing(in_hub: Hub, watch: Watch, there_is: str) -> None:
    known, away = watch.cursor, in_hub.data.with_name("away")
    in_hub.data.rename(away)
    if there_is != "nothing":
        in_hub.data.mkdir()

    said = watch.reason()

    assert str(in_hub.data) in said
    assert ("cannot be seen" if there_is == "nothing" else "is empty") in said
    assert watch.cursor == known
    shutil.rmtree(in_hub.data, ignore_errors=True)
    away.rename(in_hub.data)
    assert watch.keys(looks=3) == []


def test_a_share_that_is_away_at_the_first_look_is_learned_when_it_is_there(in_hub: Hub) -> None:
    watch = Watch()
    assert "cannot be seen" in watch.reason()

    write_sample_drop(in_hub.data, period="202410", rows=60)

    assert watch.keys(looks=3) == []


def test_a_month_that_goes_and_comes_back_is_new_only_with_another_content(in_hub: Hub, watch: Watch) -> None:
    write_sample_drop(in_hub.data, period="202409", rows=60)
    watch.keys()
    month, away = in_hub.data / "202410", in_hub.data.with_name("away")
    shutil.move(month, away)
    assert "5 that are known cannot be seen now" in watch.reason()
    shutil.copytree(away, month)  # the same, at another time
    assert watch.keys(looks=3) == []

    shutil.rmtree(month)
    watch.tick()
    write_sample_drop(in_hub.data, period="202410", rows=61)

    assert {str(key).split(":")[1] for key in watch.keys(looks=3)} == {"202410"}


def test_a_copy_beside_a_workbook_that_is_taken_away_again_changes_nothing(in_hub: Hub, watch: Watch) -> None:
    workbook = taken(in_hub)
    copy = Path(shutil.copy(workbook, workbook.with_name(f"copy {workbook.name}")))
    assert "[AMBIGUOUS_WORKBOOK]" in watch.reason()
    copy.unlink()

    assert watch.keys(looks=3) == []


def test_a_file_that_goes_while_it_is_looked_at_holds_no_other_month_up(
    in_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes(source: Source, *, data_root: Path, period: Period) -> Found:
        found = find_workbooks(source, data_root=data_root, period=period)
        if (source.domain, period.yyyymm) == (DOMAIN, "202410"):
            found.files[0].path.rename(in_hub.home / "moved.xlsx")
        return found

    write_sample_drop(in_hub.data, period="202410", rows=60, versions=("V1",))
    there, watch = taken(in_hub, version="V1"), Watch()
    watch.tick()
    lay(in_hub, 2)
    watch.tick()
    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "find_workbooks", goes)
        assert {str(key).split(":")[0] for key in watch.keys(looks=1)} == {"annual_award", "annual_loss"}
        (in_hub.home / "moved.xlsx").rename(there)
        said = watch.reason()
    (in_hub.home / "moved.xlsx").rename(there)

    assert f"{DOMAIN}:202410: [UNREADABLE_WORKBOOK]" in said
    assert watch.keys(looks=3) == []


def test_a_slow_share_is_read_a_month_at_a_look_and_nothing_is_lost(in_hub: Hub) -> None:
    write_sample_drop(in_hub.data, period="202410", rows=60, only=[DOMAIN])
    slow = Watch(read_seconds=0.0)

    learned = [slow.reason() for _ in range(3)]
    write_sample_drop(in_hub.data, period="202410", rows=61, only=[DOMAIN])
    asked = [len(slow.tick().run_requests or ()) for _ in range(4)]

    assert [re.findall(r"\d+ still to be read", said) for said in learned] == [["1 still to be read"], [], []]
    assert asked == [0, 1, 1, 0]


def test_the_cursor_is_small(in_hub: Hub) -> None:
    for month in ("202408", "202409", "202410"):
        write_sample_drop(in_hub.data, period=month, rows=50)
    watch = Watch()
    watch.tick()
    write_sample_drop(in_hub.data, period="202410", rows=51)
    waiting = watch.tick().cursor

    assert len(waiting or "") / (3 * 5) < 60


@pytest.mark.parametrize("old", ["{}", "no JSON", "[]", '{"annual_loss:202410": {"stamp": "a", "content": "b"}}'])
def test_a_cursor_of_another_form_is_learned_anew(in_hub: Hub, watch: Watch, old: str) -> None:
    watch.cursor = old

    assert "known from now on" in watch.reason()
    assert watch.keys(looks=3) == []


def test_the_run_it_asks_for_shows_the_differences_and_writes_nothing(in_hub: Hub, watch: Watch) -> None:
    in_hub.etl("--execute")
    before = in_hub.contents()
    write_sample_drop(in_hub.data, period="202410", rows=61)
    watch.tick()
    run = next(run for run in watch.tick().run_requests or () if run.tags["wdh/domain"] == DOMAIN)

    with DagsterInstance.ephemeral() as instance:
        job = defs.get_job_def(str(run.job_name))
        assert job.execute_in_process(
            instance=instance, run_config=run.run_config, partition_key=run.partition_key
        ).success
        seen = instance.fetch_observations(asset_key(GOLD, DOMAIN), limit=1).records[0].asset_observation

    assert seen
    assert seen.metadata["status"].value == "planned"
    assert {"rows inserted", "rows deleted"} <= {name for name, entry in seen.metadata.items() if entry.value}
    assert in_hub.contents() == before
