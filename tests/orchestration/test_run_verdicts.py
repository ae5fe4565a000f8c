"""Runs that were killed with all their processes end in Dagster as the ledger says they did."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest
from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    build_sensor_context,
)
from psycopg2 import sql
from tests.hub import DOMAIN, Hub
from tests.patience import until

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import connect
from work_data_hub.io.processes import this_process
from work_data_hub.io.run_verdicts import warehouse_name
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration import run_verdicts
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.run_marks import BEGUN_TAG, PROCESS_TAG, WAREHOUSE_TAG
from work_data_hub.orchestration.run_verdicts import Verdict, close_orphans
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration
LOADED_SECOND = ("annual_award", "annual_loss")
# The chance of that seed lets the first of two commits through, and not the second.
AT_THE_SECOND_COMMIT = "before_commit:0.5:10"
MATERIALIZE = """
from dagster import AssetKey
from work_data_hub.orchestration.dagster_instance import dagster_instance
from work_data_hub.orchestration.definitions import defs
from work_data_hub.settings import get_settings
keys = [AssetKey([name, layer]) for name in ("annual_award", "annual_loss") for layer in ("bronze", "silver", "gold")]
with dagster_instance(get_settings()) as instance:
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key="2024-10", asset_selection=keys
    )
"""


def killed(hub: Hub, fault: str, *, domains: str = DOMAIN, of: tuple[str, ...] = ("--period", "202410")) -> None:
    """A load of the command line that dies at a fault point, as by kill -9."""
    command = hub.command("etl", "--domains", domains, *of, "--execute")
    process = subprocess.run(
        command, env=hub.environment(WDH_FAULT=fault), cwd=hub.home, capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    until_left(hub)


def killed_at_the_second(hub: Hub) -> None:
    """A run of two domains' assets that is killed while it loads the second."""
    waits = (
        "select from pg_stat_activity where application_name like 'wdh etl annual_loss%' and wait_event_type = 'Lock'"
    )
    with closing(connect(hub.url, application_name="wdh tests")) as holder, holder.cursor() as cursor:
        table = sql.Identifier(*DOMAINS["annual_loss"].schema_and_table)
        cursor.execute(sql.SQL("lock table {} in share mode").format(table))
        with subprocess.Popen([sys.executable, "-c", MATERIALIZE], env=hub.environment(), cwd=hub.home) as process:
            until(lambda: hub.query(waits) or process.poll() is not None, every=0.1)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        until_left(hub)


def until_left(hub: Hub) -> None:
    """The server sees a little later that its client is gone."""
    until(lambda: not hub.query("select from pg_stat_activity where application_name like 'wdh etl %'"), every=0.1)


@pytest.fixture
def instance(in_hub: Hub) -> Iterator[DagsterInstance]:
    (in_hub.home / "dagster").mkdir()
    with DagsterInstance.from_config(str(in_hub.home / "dagster")) as instance:
        yield instance


def place() -> Workplace:
    return workplace(get_settings(), execute=False)


def unfinished(instance: DagsterInstance) -> DagsterRun:
    """The only run that Dagster believes to be running."""
    (run,) = [run for run in instance.get_runs() if run.status is DagsterRunStatus.STARTED]
    return run


def judged(instance: DagsterInstance) -> Verdict:
    """The verdict on the only unfinished run there is."""
    run = unfinished(instance)
    (verdict,) = close_orphans(instance, place())
    assert close_orphans(instance, place()) == ()
    closed = instance.get_run_by_id(run.run_id)
    assert closed
    assert (closed.status is DagsterRunStatus.SUCCESS, closed.is_finished) == (verdict.succeeded, True)
    return verdict


def told(instance: DagsterInstance, layer: str = "gold") -> list[set[str]]:
    """What the events of the month say, the newest first, by the names of their facts."""
    wanted = AssetRecordsFilter(asset_key=AssetKey([DOMAIN, layer]), asset_partitions=["2024-10"])
    records = instance.fetch_materializations(wanted, limit=5).records
    return [set(record.asset_materialization.metadata) for record in records if record.asset_materialization]


def test_a_run_killed_before_its_commit_failed_and_says_that_nothing_changed(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample()
    killed(in_hub, "before_commit")

    verdict = judged(instance)

    assert not verdict.succeeded
    assert "as it was before" in verdict.text
    assert [run.status for run in instance.get_runs()] == [DagsterRunStatus.FAILURE]
    assert instance.get_materialized_partitions(AssetKey([DOMAIN, "gold"])) == set()


def test_a_run_killed_after_its_commit_shows_its_month_and_what_is_still_due(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample()
    killed(in_hub, "after_commit")

    verdict = judged(instance)

    (load_id,) = in_hub.query("select load_id from ledger.loads")[0]
    assert not verdict.succeeded
    assert f"load {load_id} is committed" in verdict.text
    assert "contract_status_sync" in verdict.text
    assert instance.get_materialized_partitions(AssetKey([DOMAIN, "gold"])) == {"2024-10"}


def test_a_run_that_was_to_run_no_hooks_is_a_success_once_its_month_is_in(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample()
    killed(in_hub, "after_commit", of=("--period", "202410", "--no-post-hooks"))

    assert judged(instance).succeeded


def test_a_run_whose_work_was_all_done_is_a_success(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    killed(in_hub, "after_commit")
    # The second run did what the first had left; both are in the history.
    in_hub.etl("--execute")

    verdict = judged(instance)

    assert verdict.succeeded
    assert "is committed; all that follows had run" in verdict.text


def begun(instance: DagsterInstance, tags: Mapping[str, str] | None = None) -> DagsterRun:
    """A run under way, in this process unless the tags say otherwise."""
    own = {BEGUN_TAG: (run_id := str(uuid4())), PROCESS_TAG: this_process(), **(tags or {})}
    job = defs.get_job_def(f"{DOMAIN}_job")
    return instance.create_run_for_job(job, run_id=run_id, tags=own, status=DagsterRunStatus.STARTED)


def test_living_runs_are_left_alone(in_hub: Hub, instance: DagsterInstance) -> None:
    run = begun(instance)

    assert close_orphans(instance, place()) == ()
    assert unfinished(instance).run_id == run.run_id


def test_a_run_that_ends_while_it_is_looked_at_stays_as_it_ended(
    in_hub: Hub, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(instance)

    def ends(run: DagsterRun, **_: object) -> bool:
        success = DagsterEvent(DagsterEventType.PIPELINE_SUCCESS.value, job_name=run.job_name)
        instance.report_dagster_event(success, run_id=run.run_id)
        return True

    monkeypatch.setattr(run_verdicts, "is_dead", ends)

    assert close_orphans(instance, place()) == ()
    assert [one.status for one in instance.get_runs()] == [DagsterRunStatus.SUCCESS]
    assert run.status is DagsterRunStatus.STARTED


def test_a_run_launched_again_is_not_judged_by_the_tags_of_the_first(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    killed(in_hub, "before_commit")
    judged(instance)
    (first,) = instance.get_runs()
    again = begun(instance, {tag: text for tag, text in first.tags.items() if "wdh" in tag})

    assert close_orphans(instance, place()) == ()
    assert unfinished(instance).run_id == again.run_id


def test_what_a_run_said_of_its_month_stays(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    killed(in_hub, "after_contract_lock")
    before = {layer: told(instance, layer) for layer in ("bronze", "silver", "gold")}

    verdict = judged(instance)

    assert "its process was killed before contract_status_sync" in verdict.text
    assert [len(events) for events in before.values()] == [1, 1, 1]
    assert {layer: told(instance, layer) for layer in before} == before


def test_what_a_later_load_said_of_the_month_stays(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    killed(in_hub, "after_commit")
    in_hub.etl("--execute", "--force")
    before = told(instance)

    assert judged(instance).succeeded
    assert told(instance) == before


@pytest.mark.parametrize("fault", ["before_commit", "after_commit"])
def test_a_run_of_another_warehouse_is_left_alone(in_hub: Hub, instance: DagsterInstance, fault: str) -> None:
    in_hub.sample()
    killed(in_hub, fault)
    name = warehouse_name(in_hub.url)

    assert unfinished(instance).tags[WAREHOUSE_TAG] == name
    assert "@" not in name
    for url in (None, f"{in_hub.url}_of_others"):
        assert close_orphans(instance, replace(place(), database_url=url)) == ()
    assert unfinished(instance)


def test_a_killed_plan_is_closed_without_any_warehouse(in_hub: Hub, instance: DagsterInstance) -> None:
    machine, _, *rest = this_process().split(":")
    begun(instance, {PROCESS_TAG: ":".join((machine, str(2**22 + 1), *rest))})

    (verdict,) = close_orphans(instance, replace(place(), database_url=None))

    assert verdict.text == "its process was killed; it was a plan, which writes nothing: run it again"


@pytest.mark.parametrize("of", ["--period", "--file"])
def test_a_run_is_judged_once_no_session_holds_its_month(in_hub: Hub, instance: DagsterInstance, of: str) -> None:
    drop = in_hub.sample()
    killed(in_hub, "before_commit", of=("--period", "202410") if of == "--period" else ("--file", str(drop.files[0])))
    with closing(connect(in_hub.url, application_name="wdh tests")) as holder:
        take_load_lock(holder, domain=DOMAIN, period="202410", wait_seconds=0)
        assert close_orphans(instance, place()) == ()
        assert unfinished(instance)
    until(lambda: not in_hub.query("select from pg_stat_activity where application_name = 'wdh tests'"))

    assert "before anything was committed" in judged(instance).text


def test_a_run_whose_rows_said_the_month_shows_that_month(in_hub: Hub, instance: DagsterInstance) -> None:
    drop = in_hub.sample()
    killed(in_hub, "after_commit", of=("--file", str(drop.files[0])))

    verdict = judged(instance)

    assert "contract_status_sync" in verdict.text
    assert instance.get_materialized_partitions(AssetKey([DOMAIN, "gold"])) == {"2024-10"}


def test_each_run_of_a_command_is_judged_by_its_own_domain(in_hub: Hub, instance: DagsterInstance) -> None:
    write_sample_drop(in_hub.data, period="202410", rows=60)
    killed(in_hub, AT_THE_SECOND_COMMIT, domains=",".join(LOADED_SECOND))
    assert in_hub.query("select domain from ledger.loads") == [("annual_award",)]
    assert unfinished(instance).job_name == "annual_loss_job"

    verdict = judged(instance)

    assert (verdict.succeeded, "before anything was committed" in verdict.text) == (False, True)
    assert instance.get_materialized_partitions(AssetKey(["annual_loss", "gold"])) == set()


@pytest.mark.parametrize("is_unchanged", [False, True])
def test_a_run_of_several_domains_says_which_are_in(in_hub: Hub, instance: DagsterInstance, is_unchanged: bool) -> None:
    write_sample_drop(in_hub.data, period="202410", rows=60)
    if is_unchanged:
        in_hub.wdh("etl", "--domains", "annual_award", "--period", "202410", "--execute")

    killed_at_the_second(in_hub)

    assert in_hub.query("select domain from ledger.loads") == [("annual_award",)]
    verdict = judged(instance)
    first = "annual_award: 2024-10 was in already" if is_unchanged else "annual_award: load 1 is committed"
    assert not verdict.succeeded
    assert verdict.text.startswith(f"{first}; its process was killed before annual_loss")


def test_the_sensor_tells_what_it_closed(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    killed(in_hub, "before_commit")
    sensor = defs.get_repository_def().get_sensor_def("run_reconciler")

    told = sensor.evaluate_tick(build_sensor_context(instance=instance)).skip_message

    assert "killed before anything was committed" in (told or "")
