"""Workbooks laid into months' folders while Dagster's daemon runs: planned or loaded by themselves, each once."""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRunStatus
from tests.dagster_daemon import Daemon, arrived, finished_looks, in_time, kill_tree, looks
from tests.hub import DOMAIN, PROJECT, Hub
from tests.notice_servers import Mailbox, webhook

from work_data_hub.io.sample_drop import month_folder, write_sample_drop

pytestmark = pytest.mark.chaos

INCOME = "annuity_income"
CORRECTED, UNTOUCHED, FAULTY, GROWING = "202408", "202409", "202410", "202411"
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


def drop(hub: Hub, month: str, *, versions: Sequence[str] = ("V1",), **options: Any) -> None:
    write_sample_drop(hub.data, period=month, rows=80, versions=versions, only=(DOMAIN, INCOME), **options)


def detail_folder(hub: Hub, month: str, version: str) -> Path:
    return month_folder(hub.data, month) / "收集数据" / "数据采集" / version


def workbook(hub: Hub, month: str, version: str) -> Path:
    (found,) = detail_folder(hub, month, version).glob("【for*.xlsx")
    return found


def facts(hub: Hub) -> list[tuple[Any, ...]]:
    """A number that changes with any row of the table that is only ever planned."""
    return hub.query("select count(*), sum(hashtextextended(t::text, 0)::numeric) from business.规模明细 as t")


def look_again(instance: DagsterInstance, times: int = 1) -> None:
    """Wait until the sensor has looked so often from now on."""
    wanted = finished_looks(instance) + times
    in_time(lambda: finished_looks(instance) >= wanted)


def wait_for_runs(instance: DagsterInstance, *months: str) -> None:
    def ended() -> bool:
        runs = arrived(instance)
        return all(month in runs and runs[month][-1].status in ENDED for month in months)

    in_time(ended)


@pytest.fixture
def loaded(hub: Hub) -> Hub:
    """Two months in the warehouse; from now on income is loaded by itself, and all else only planned."""
    config = shutil.copytree(PROJECT / "config", hub.home / "config")
    sources = config / "data_sources.yml"
    told = sources.read_text(encoding="utf-8").replace(f"  {INCOME}:\n", f"  {INCOME}:\n    on_arrival: execute\n")
    sources.write_text(told, encoding="utf-8")
    hub.extra["WDH_CONFIG_DIR"] = str(config)
    for month in (CORRECTED, UNTOUCHED):
        drop(hub, month)
        answer = hub.wdh("etl", "--domains", f"{DOMAIN},{INCOME}", "--period", month, "--execute")
        assert answer.code == 0, answer.stderr
    return hub


@contextmanager
def watched(hub: Hub, **settings: str) -> Iterator[DagsterInstance]:
    """A daemon that has looked once, and so knows what is there."""
    daemon = Daemon(hub=hub, settings=settings)
    with daemon.running(), daemon.instance() as instance:
        in_time(lambda: finished_looks(instance))
        yield instance


def test_what_is_dropped_is_planned_or_loaded_by_itself_and_once(loaded: Hub) -> None:
    before = facts(loaded)
    with webhook() as box, watched(loaded, WDH_NOTICE_WEBHOOK=box.url) as instance:
        drop(loaded, CORRECTED, versions=("V1", "V2"))
        drop(loaded, FAULTY, faults=["text_in_amount"])
        lay_temporary_file(loaded)
        see_a_growing_file_waited_for(loaded, instance)
        wait_for_runs(instance, *(f"{name}:{at}" for name in (DOMAIN, INCOME) for at in (CORRECTED, FAULTY, GROWING)))
        lay_the_same_again(loaded)
        look_again(instance, 3)

        assert set(arrived(instance)) == {
            f"{name}:{month}" for name in (DOMAIN, INCOME) for month in (CORRECTED, FAULTY, GROWING)
        }
        assert {len(runs) for runs in arrived(instance).values()} == {1}
        expect_plan(instance)
        assert facts(loaded) == before
        expect_load(loaded, instance)
        expect_failure(instance, box)


def lay_temporary_file(hub: Hub) -> None:
    """What Excel lays beside a workbook that somebody has opened."""
    detail_folder(hub, UNTOUCHED, "V1").joinpath("~$年金规模收入数据 0001.xlsx").write_bytes(b"\x02somebody")


def see_a_growing_file_waited_for(hub: Hub, instance: DagsterInstance) -> None:
    """Copy a workbook in pieces, one between every two looks; there must be no run of it until it is whole."""
    drop(hub, GROWING)
    target = workbook(hub, GROWING, "V1")
    content = target.read_bytes()
    for share in (0.3, 0.6):
        target.write_bytes(content[: int(len(content) * share)])
        look_again(instance)
        assert f"{DOMAIN}:{GROWING}" not in arrived(instance)
    target.write_bytes(content)


def lay_the_same_again(hub: Hub) -> None:
    """The same content, at another time."""
    for month, version in ((CORRECTED, "V2"), (GROWING, "V1")):
        path = workbook(hub, month, version)
        path.write_bytes(path.read_bytes())


def expect_plan(instance: DagsterInstance) -> None:
    """An observation with the differences, and no green month."""
    (run,) = arrived(instance)[f"{DOMAIN}:{CORRECTED}"]
    assert (run.status, run.tags["wdh/mode"]) == (DagsterRunStatus.SUCCESS, "plan")
    (event,) = [
        entry.dagster_event.asset_observation_data.asset_observation
        for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_OBSERVATION)
        if entry.dagster_event and entry.dagster_event.asset_key == AssetKey([DOMAIN, "gold"])
    ]
    said, table = str(event.description), str(event.metadata["differences"].value)
    assert said.startswith(
        "planned, nothing was written. business.规模明细: 12 rows in, 13 out, 67 stay; 期初资产规模 "
    )
    assert said.endswith(f"wdh etl --domains {DOMAIN} --period {CORRECTED} --execute")
    assert "| business.规模明细 | 12 | 13 | 0 | 67 |" in table
    assert "| sum | loaded until now | this workbook | difference |" in table
    assert event.partition == "2024-08"
    assert f"2024-{GROWING[4:]}" not in instance.get_materialized_partitions(AssetKey([DOMAIN, "gold"]))


def expect_load(hub: Hub, instance: DagsterInstance) -> None:
    """The month is in once, by the arrival, and its hook has run."""
    (run,) = arrived(instance)[f"{INCOME}:{CORRECTED}"]
    assert (run.status, run.tags["wdh/mode"]) == (DagsterRunStatus.SUCCESS, "execute")
    loads = hub.query(
        f"select load_id, run_id from ledger.loads where domain = '{INCOME}' and period = '2024-08-01' order by load_id"
    )
    assert [run_id for _, run_id in loads[1:]] == [run.run_id]
    hooks = hub.query(f"select hook, status from ledger.hook_runs where load_id = {loads[-1][0]}")
    assert hooks == [("customer_master", "succeeded")]
    assert "2024-08" in instance.get_materialized_partitions(AssetKey([INCOME, "gold"]))
    rows = "select count(*) from business.收入明细 where 月度 = '2024-08-01'"
    assert hub.query(rows) == hub.query(f"{rows} and _load_id = {loads[-1][0]}") != [(0,)]


def of_runs(box: Mailbox) -> list[Any]:
    """The notices of failed runs; those of checks that warn come as well."""
    return [notice for notice in box.received if notice["kind"] == "run_failed"]


def expect_failure(instance: DagsterInstance, box: Mailbox) -> None:
    """A failed run, and a notice that says why in our own words."""
    (run,) = arrived(instance)[f"{DOMAIN}:{FAULTY}"]
    assert run.status is DagsterRunStatus.FAILURE
    in_time(lambda: of_runs(box))
    (notice,) = of_runs(box)
    assert notice["subject"] == f"WorkDataHub: {DOMAIN} {FAULTY} failed"
    assert notice["what"].startswith("[DATA_ERROR]")
    assert "hint: " in notice["what"]


def test_a_daemon_killed_between_sensing_and_launching_loses_and_doubles_nothing(loaded: Hub) -> None:
    daemon = Daemon(hub=loaded)
    with daemon.running() as process, daemon.instance() as instance:
        in_time(lambda: finished_looks(instance))
        drop(loaded, CORRECTED, versions=("V1", "V2"))
        look_again(instance)
        with no_run_can_be_made(daemon.home):
            in_time(lambda: looks(instance)[0].tick_data.reserved_run_ids)
            kill_tree(process)
        assert arrived(instance) == {}
    with daemon.running(), daemon.instance() as instance:
        wait_for_runs(instance, f"{DOMAIN}:{CORRECTED}", f"{INCOME}:{CORRECTED}")
        look_again(instance, 3)

        assert {month: len(runs) for month, runs in arrived(instance).items()} == {
            f"{DOMAIN}:{CORRECTED}": 1,
            f"{INCOME}:{CORRECTED}": 1,
        }
        assert loaded.query(f"select count(*) from ledger.loads where domain = '{INCOME}'") == [(3,)]


@contextmanager
def no_run_can_be_made(home: Path) -> Iterator[None]:
    """Hold the table of runs, so that whoever has decided on a run waits before making it."""
    with closing(sqlite3.connect(home / "history" / "runs.db", isolation_level=None, timeout=60)) as runs:
        runs.execute("begin immediate")
        try:
            yield
        finally:
            runs.execute("rollback")
