"""Batch pipelines in Dagster: a job that requests a run and follows it, whatever becomes of the runner."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    ExecuteInProcessResult,
    RunRequest,
    build_schedule_context,
)
from tests.hub import PROJECT, Hub
from tests.played_runner import WORKER, Act, die, die_and_be_swept, fail, leave, pause, played_runner, succeed

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.status import Status
from work_data_hub.io.batch_claims import claim_next, register_worker
from work_data_hub.io.batch_pipelines import create_pipeline, find_by_name
from work_data_hub.io.batch_requests import request_pause, request_run
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.pipelines_config import read_pipelines
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.orchestration.batch_jobs import pipeline_run_job, pipeline_schedules
from work_data_hub.orchestration.batch_place import batch_place
from work_data_hub.orchestration.batch_run import run_claim
from work_data_hub.orchestration.batch_runner import BatchRunner
from work_data_hub.settings import get_settings

FILMS = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")


@pytest.fixture
def films(warehouse: Connection, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose environment is this process's own, with one pipeline."""
    given = hub.environment(ETL_LEASE_SECONDS="600")
    for name in ("DATABASE_URL", "WDH_HOME", "WDH_CONFIG_DIR", "ETL_LEASE_SECONDS"):
        monkeypatch.setenv(name, given[name])
    get_settings.cache_clear()
    with transaction(warehouse), warehouse.cursor() as cursor:
        create_pipeline(cursor, FILMS, actor="tests")
    yield hub
    get_settings.cache_clear()


def run_job(
    instance: DagsterInstance, *, pipeline: str = "films", wait_seconds: float = 60, **given: object
) -> ExecuteInProcessResult:
    config = {"pipeline": pipeline, "wait_seconds": wait_seconds, "poll_seconds": 0.02, **given}
    return pipeline_run_job.execute_in_process(
        run_config={"ops": {"run_pipeline": {"config": config}}}, instance=instance, raise_on_error=False
    )


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def shown(result: ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the op's output, or of its failure."""
    (step,) = [event for event in result.all_node_events if event.is_successful_output or event.is_step_failure]
    failure = step.step_failure_data.user_failure_data if step.is_step_failure else None
    metadata = failure.metadata if failure else step.step_output_data.metadata
    return {name: value.value for name, value in metadata.items()}


def reason(result: ExecuteInProcessResult) -> str:
    return "".join(
        event.step_failure_data.error_display_string for event in result.all_node_events if event.is_step_failure
    )


@pytest.mark.integration
def test_a_run_is_requested_and_followed_to_its_success(films: Hub, instance: DagsterInstance) -> None:
    with played_runner(films.url, succeed):
        result = run_job(instance)

    told = shown(result)
    counted = [told[f"rows {name}"] for name in ("read", "written", "inserted", "updated", "unchanged", "in dlq")]
    assert result.success
    assert counted == [10, 9, 8, 0, 1, 1]
    (run,) = films.query("select id::text, trigger, idempotency_key from etl.etl_runs")
    assert run == (told["run id"], "dagster", result.run_id)
    assert (told["pipeline"], told["warnings"]) == ("films", ["lag"])
    assert told["seconds"] >= 0


@pytest.mark.integration
def test_a_success_is_a_materialization_of_its_target(films: Hub, instance: DagsterInstance) -> None:
    with played_runner(films.url, succeed):
        run_job(instance)

    event = instance.get_latest_materialization_event(AssetKey(["analytics", "film_dim"]))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["rows written"].value == 9


@pytest.mark.integration
@pytest.mark.parametrize(
    ("act", "words", "rows"),
    [(fail, "failed after 4 rows: division by zero", 4), (pause, "was paused after 6 rows", 6)],
)
def test_a_run_that_does_not_succeed_fails_the_job(
    films: Hub, instance: DagsterInstance, act: Act, words: str, rows: int
) -> None:
    with played_runner(films.url, act):
        result = run_job(instance)

    assert not result.success
    assert words in reason(result)
    assert shown(result)["rows read"] == rows
    assert instance.get_latest_materialization_event(AssetKey(["analytics", "film_dim"])) is None


@pytest.mark.integration
@pytest.mark.parametrize(("act", "rows"), [(leave, 3), (die_and_be_swept, 5)])
def test_a_run_whose_runner_stops_is_followed_to_the_next_runner(
    films: Hub, instance: DagsterInstance, act: Act, rows: int
) -> None:
    with played_runner(films.url, act, succeed):
        result = run_job(instance)

    told = shown(result)
    assert result.success
    assert told["rows read"] == rows + 10
    assert [run["status"] for run in told["runs"]] == ["FAILED" if act is die_and_be_swept else "PAUSED", "SUCCESS"]


@pytest.mark.integration
def test_a_request_that_no_runner_takes_fails_and_stands(films: Hub, instance: DagsterInstance) -> None:
    result = run_job(instance, wait_seconds=0.1)

    assert "no runner took 'films' within 0.1 s" in reason(result)
    assert "wdh pipelines runner" in reason(result)
    assert films.query("select status from etl.etl_pipelines") == [("RUN_REQUESTED",)]


@pytest.mark.integration
def test_a_dead_runner_that_nobody_follows_fails_the_job(films: Hub, instance: DagsterInstance) -> None:
    with played_runner(films.url, die):
        result = run_job(instance, wait_seconds=1)

    assert "the runner of 'films' stopped, and none went on within 1 s" in reason(result)
    assert shown(result)["rows read"] == 5


@pytest.mark.integration
def test_a_request_that_somebody_pauses_fails_the_job(
    warehouse: Connection, films: Hub, instance: DagsterInstance
) -> None:
    def pause_it(stop: Event) -> None:
        with closing(connect(films.url)) as connection:
            while not stop.wait(0.01):
                with transaction(connection), connection.cursor() as cursor:
                    row = find_by_name(cursor, "films")
                    if row and row.status is Status.RUN_REQUESTED:
                        request_pause(cursor, row.id, actor="somebody")
                        return

    stop = Event()
    thread = Thread(target=pause_it, args=(stop,))
    thread.start()
    result = run_job(instance)
    stop.set()
    thread.join()

    assert "'films' stands as PAUSED, and no runner took the request" in reason(result)


@pytest.mark.integration
def test_a_run_that_goes_on_already_is_followed_and_not_run_twice(
    warehouse: Connection, films: Hub, instance: DagsterInstance
) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        register_worker(cursor, WORKER, host="here", pid=1, version="0")
        row = find_by_name(cursor, "films")
        assert row is not None
        request_run(cursor, row.id, actor="somebody", lease_seconds=600)
        claim = claim_next(cursor, WORKER)
    assert claim is not None
    waiting = Event()

    def finish() -> None:
        with closing(connect(films.url)) as connection:
            asked = "select 1 from etl.etl_run_requests"
            while not waiting.wait(0.01) and not films.query(asked):
                pass
            with transaction(connection), connection.cursor() as cursor:
                succeed(cursor, claim)

    thread = Thread(target=finish)
    thread.start()
    result = run_job(instance)
    waiting.set()
    thread.join()

    assert result.success
    assert shown(result)["run id"] == str(claim.run_id)
    assert films.query("select count(*) from etl.etl_runs") == [(1,)]


@pytest.mark.integration
def test_runs_of_before_are_not_taken_for_the_new_one(films: Hub, instance: DagsterInstance) -> None:
    with played_runner(films.url, succeed, fail):
        first, second = run_job(instance), run_job(instance)

    assert (first.success, second.success) == (True, False)
    assert shown(second)["rows read"] == 4


@pytest.mark.integration
def test_a_pipeline_that_is_not_there_is_named(films: Hub, instance: DagsterInstance) -> None:
    result = run_job(instance, pipeline="film")

    assert "there is no pipeline 'film'" in reason(result)
    assert "did you mean 'films'?" in reason(result)


@pytest.mark.integration
def test_a_disabled_pipeline_is_not_run(warehouse: Connection, films: Hub, instance: DagsterInstance) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("update etl.etl_pipelines set enabled = false")

    result = run_job(instance)

    assert "the pipeline is disabled" in reason(result)
    assert films.query("select status from etl.etl_pipelines") == [("IDLE",)]


SCHEDULED = "name: films\ntarget_table: analytics.film_dim\nsource_query: select 1\ncron: '0 5 * * *'\n"


def tick(folder: Path) -> tuple[Sequence[RunRequest], str]:
    """What the schedule of `films` asks for when its moment comes, and why it asks for nothing."""
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "films.yml").write_text(SCHEDULED, encoding="utf-8")
    (schedule,) = pipeline_schedules(folder)
    ticked = schedule.evaluate_tick(build_schedule_context())
    return ticked.run_requests or [], ticked.skip_message or ""


def put(warehouse: Connection, *statuses: Status) -> None:
    """Move the pipeline by hand, along these statuses."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        for status in statuses:
            cursor.execute("update etl.etl_pipelines set status = %s", (status.value,))


@pytest.mark.integration
@pytest.mark.parametrize("statuses", [(), (Status.RUN_REQUESTED, Status.RUNNING, Status.FAILED)])
def test_a_schedule_asks_for_its_pipeline(
    films: Hub, warehouse: Connection, tmp_path: Path, statuses: tuple[Status, ...]
) -> None:
    put(warehouse, *statuses)

    (request,), _ = tick(tmp_path)

    assert request.run_config == {"ops": {"run_pipeline": {"config": {"pipeline": "films", "keep_pause": True}}}}
    assert request.tags["wdh/pipeline"] == "films"


@pytest.mark.integration
@pytest.mark.parametrize("statuses", [(Status.PAUSED,), (Status.RUN_REQUESTED, Status.RUNNING, Status.PAUSE_REQUESTED)])
def test_a_schedule_leaves_a_pause_alone_and_says_so(
    films: Hub, warehouse: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture, statuses: tuple[Status, ...]
) -> None:
    put(warehouse, *statuses)

    requests, reason = tick(tmp_path)

    assert not requests
    assert f"'films' stands as {statuses[-1]}" in reason
    assert "schedule.skipped" in caplog.text


@pytest.mark.integration
def test_a_pause_after_the_tick_is_kept_by_the_run_of_a_schedule_alone(
    films: Hub, warehouse: Connection, instance: DagsterInstance
) -> None:
    put(warehouse, Status.PAUSED)

    scheduled = run_job(instance, keep_pause=True)
    kept = films.query("select status from etl.etl_pipelines")
    with played_runner(films.url, succeed):
        by_hand = run_job(instance)

    assert (scheduled.success, kept) == (True, [("PAUSED",)])
    assert "'films' stands as PAUSED" in shown(scheduled)["skipped"]
    assert by_hand.success
    assert shown(by_hand)["rows read"] == 10


@pytest.fixture
def real_runner(films: Hub) -> Iterator[None]:
    """The runner itself, in a thread."""
    runner = BatchRunner(replace(batch_place(get_settings()), poll_seconds=0.1), execute=run_claim)
    thread = Thread(target=runner.run)
    thread.start()
    yield
    runner.stop()
    thread.join()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "first", "again"),
    [("film_dim", (10, 10, 0), (10, 0, 10)), ("film_dim_inc", (10, 10, 0), (0, 0, 0))],
)
def test_the_shipped_pipelines_run_on_the_demo_source(
    warehouse: Connection,
    real_runner: None,
    instance: DagsterInstance,
    name: str,
    first: tuple[int, ...],
    again: tuple[int, ...],
) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        seed_films(cursor, scale=0)
        for pipeline in read_pipelines(PROJECT / "config" / "pipelines"):
            create_pipeline(cursor, pipeline, actor="tests")

    counted = [
        tuple(told[f"rows {word}"] for word in ("read", "inserted", "unchanged"))
        for told in (shown(run_job(instance, pipeline=name)) for _ in range(2))
    ]

    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("select title from analytics.film_dim order by film_id limit 3")
        assert cursor.fetchall() == [("The Quiet Harbour",), ("A Winter In Lhasa",), ("The Lamplighter's Daughter",)]
    assert counted == [first, again]


@pytest.mark.integration
def test_the_ratings_are_averaged(warehouse: Connection, real_runner: None, instance: DagsterInstance) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        seed_films(cursor, scale=20)
        for pipeline in read_pipelines(PROJECT / "config" / "pipelines" / "film_rating_agg.yml"):
            create_pipeline(cursor, pipeline, actor="tests")

    told = shown(run_job(instance, pipeline="film_rating_agg"))

    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("select count(*), sum(rating_count) from analytics.film_rating_agg")
        assert cursor.fetchall() == [(30, 100)]
    assert told["rows written"] == 30
