"""Runs that Dagster launched end as the ledger says, whoever of their processes is killed and however early."""

import json
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, build_sensor_context
from dagster._core.storage.tags import GRPC_INFO_TAG, PARENT_RUN_ID_TAG
from tests.code_server import CodeServer, code_server
from tests.hub import DOMAIN, Hub
from tests.notice_servers import Mailbox, heard_by_webhook
from tests.patience import until

from work_data_hub.orchestration.crashed_runs import tell_crashes
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.notices import notice_sensors
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.run_marks import PROCESS_TAG
from work_data_hub.orchestration.run_verdicts import close_orphans
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration
LOAD = {"ops": {"find": {"config": {"period": "202410", "execute": True}}}}
NOTHING = "killed before anything was committed"


@pytest.fixture
def folder() -> Iterator[Path]:
    # The path of a socket has few letters.
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def instance(in_hub: Hub) -> Iterator[DagsterInstance]:
    (in_hub.home / "dagster").mkdir()
    with DagsterInstance.from_config(str(in_hub.home / "dagster")) as instance:
        yield instance


@pytest.fixture
def hook(in_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with heard_by_webhook(monkeypatch) as box:
        yield box


def place() -> Workplace:
    return workplace(get_settings(), execute=False)


def now(instance: DagsterInstance, run_id: str) -> DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run
    return run


def notice(instance: DagsterInstance, hook: Mailbox) -> dict[str, str]:
    """The notice of the only failure there is."""
    sensor = next(one for one in notice_sensors() if one.name == "run_failure_notices")
    sensor.evaluate_tick(build_sensor_context(instance=instance, cursor='{"webhook": 0}'))
    (body,) = hook.received
    return dict(body)


@pytest.mark.parametrize(
    ("job", "config", "said"),
    [(f"{DOMAIN}_job", LOAD, NOTHING), ("identity_queue_job", {}, "what it had stored stays: run it again")],
)
def test_a_run_killed_before_it_named_its_process_is_closed(
    job: str, config: dict[str, object], said: str, in_hub: Hub, instance: DagsterInstance, folder: Path
) -> None:
    in_hub.sample()
    with code_server(in_hub, folder) as server:
        run_id = server.launch(instance, job, config).run_id
        known = close_orphans(instance, place(), settled_seconds=0)
        server.kill()
    assert PROCESS_TAG not in now(instance, run_id).tags
    assert not now(instance, run_id).is_finished
    assert (known, close_orphans(instance, place(), settled_seconds=3600)) == ((), ())

    (verdict,) = close_orphans(instance, place(), settled_seconds=0)

    assert said in verdict.text
    assert now(instance, run_id).status is DagsterRunStatus.FAILURE


def test_a_worker_that_outlives_its_code_server_is_left_alone(
    in_hub: Hub, instance: DagsterInstance, folder: Path
) -> None:
    with code_server(in_hub, folder) as server:
        run_id = server.launch(instance, "identity_queue_job", {}).run_id
        until(lambda: "Started process for run" in str(instance.all_logs(run_id)), every=0.005)
        (worker,) = server.workers
        worker.suspend()
        server.process.kill()
        server.process.wait()
    alive = close_orphans(instance, place(), settled_seconds=0)
    worker.kill()
    until(lambda: not worker.is_running(), every=0.1)

    assert alive == ()
    assert [one.run_id for one in close_orphans(instance, place(), settled_seconds=0)] == [run_id]


@pytest.mark.parametrize(("host", "closed"), [("localhost", 1), (socket.gethostname(), 1), ("elsewhere.example", 0)])
def test_a_code_server_of_this_machine_is_believed_that_it_does_not_know_a_run(
    host: str, closed: int, in_hub: Hub, instance: DagsterInstance, folder: Path
) -> None:
    with code_server(in_hub, folder) as server:
        instance.create_run_for_job(
            defs.get_job_def(f"{DOMAIN}_job"),
            status=DagsterRunStatus.STARTED,
            tags={GRPC_INFO_TAG: json.dumps({"host": host, "port": server.port})},
        )

        assert len(close_orphans(instance, place(), settled_seconds=0)) == closed


def crash(hub: Hub, server: CodeServer, instance: DagsterInstance) -> None:
    """A load whose worker dies at the server's fault, closed by Dagster."""
    run_id = server.launch(instance, f"{DOMAIN}_job", LOAD).run_id
    until(lambda: now(instance, run_id).is_finished, every=0.2)
    sessions = "select from pg_stat_activity where application_name like 'wdh etl %'"
    until(lambda: not hub.query(sessions), every=0.1)


@pytest.mark.parametrize(
    ("fault", "said", "months"),
    [("before_commit", NOTHING, set()), ("after_commit", "load 1 is committed", {"2024-10"})],
)
def test_what_stands_of_a_crashed_run_is_told_on_its_page_and_in_its_notice(
    fault: str, said: str, months: set[str], in_hub: Hub, instance: DagsterInstance, folder: Path, hook: Mailbox
) -> None:
    in_hub.sample()
    with code_server(in_hub, folder, WDH_FAULT=fault) as server:
        crash(in_hub, server, instance)

    (verdict,) = tell_crashes(instance, place())
    assert tell_crashes(instance, place()) == ()

    (run,) = instance.get_runs()
    written = [one.message for one in instance.all_logs(run.run_id)]
    assert said in verdict.text
    assert any(said in text for text in written)
    assert instance.get_materialized_partitions(AssetKey([DOMAIN, "gold"])) == months
    body = notice(instance, hook)
    assert body["what"] == f"its process was terminated by signal 9 (SIGKILL); {verdict.text}"
    assert "hint" not in body["what_next"]


def test_the_notice_of_a_run_that_goes_again_names_the_other(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    job = defs.get_job_def(f"{DOMAIN}_job")
    first = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED)
    instance.report_engine_event(f"Run execution process for {first.run_id} unexpectedly exited with code 1.", first)
    instance.report_run_failed(first)
    again = instance.create_run_for_job(job, tags={PARENT_RUN_ID_TAG: first.run_id})

    assert again.run_id in notice(instance, hook)["what_next"]


ETL = ("etl", "--domains", DOMAIN, "--period", "202410", "--execute")


def test_a_command_killed_before_its_run_started_is_closed(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    with in_hub.started(*ETL, settings={}) as process:
        until(lambda: instance.get_runs(limit=1) or process.poll() is not None, every=0.005)
        process.kill()
        process.wait()
    (run,) = instance.get_runs()
    assert not run.is_finished

    # The server sees a little later that its client is gone.
    until(lambda: close_orphans(instance, place()), every=0.1)

    assert any(NOTHING in one.message for one in instance.all_logs(run.run_id))
    assert now(instance, run.run_id).status is DagsterRunStatus.FAILURE


def test_the_notice_of_an_interrupted_command_says_that_nothing_is_half_written(
    in_hub: Hub, instance: DagsterInstance, hook: Mailbox
) -> None:
    in_hub.sample(rows=3000)
    with in_hub.started(*ETL, settings={}) as process:
        until(lambda: [run for run in instance.get_runs() if run.status is DagsterRunStatus.STARTED], every=0.01)
        process.send_signal(signal.SIGTERM)
        process.wait()

    assert notice(instance, hook)["what"] == "interrupted; nothing of an unfinished load was written"
