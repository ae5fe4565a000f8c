"""The runner's loop on a real database, with stand-ins for what a claim executes."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.patience import PATIENT_SECONDS, until
from tests.runner_pipelines import (
    StandIn,
    add_pipelines,
    ask,
    cut,
    do,
    held_row,
    owners,
    request,
    runs,
    statuses,
    until_run,
    workers,
)

from work_data_hub.domain.batch.run import Claim, Counts
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.errors import ConfigError, LeaseLost, SchemaDrift, UsageError, WarehouseError
from work_data_hub.io.batch_claims import claim_next
from work_data_hub.io.batch_orphans import disown
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.orchestration.batch_health import answering
from work_data_hub.orchestration.batch_heartbeat import new_worker_id
from work_data_hub.orchestration.batch_metrics import BatchMetrics, render
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_runner import BatchRunner, batch_runner

SIX = tuple(f"films_{number}" for number in range(6))


@pytest.fixture
def place(warehouse_url: str) -> BatchPlace:
    return BatchPlace(
        database_url=warehouse_url, workers=2, lease_seconds=600.0, heartbeat_seconds=0.1, poll_seconds=0.2
    )


@contextmanager
def running(place: BatchPlace, execute: StandIn, **options: Any) -> Iterator[BatchRunner]:
    """A runner at work in a thread; stopped at the end, when its thread must end too."""
    is_ready = threading.Event()
    runner = BatchRunner(
        place, execute=execute, when_ready=lambda _: is_ready.set(), longest_rest_seconds=0.2, **options
    )
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    try:
        assert is_ready.wait(PATIENT_SECONDS)
        yield runner
    finally:
        runner.stop()
        thread.join(PATIENT_SECONDS)
    assert not thread.is_alive()


@pytest.mark.integration
def test_once_executes_what_is_requested_and_ends(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, *SIX, "left_alone")
    request(warehouse, *SIX)
    execute = StandIn()

    assert BatchRunner(place, execute=execute).run(once=True) == 0

    assert sorted(claim.pipeline.name for claim in execute.claims) == sorted(SIX)
    assert set(statuses(warehouse).values()) == {"IDLE"}
    assert workers(warehouse) == []


@pytest.mark.integration
@pytest.mark.parametrize("work", [lambda *_: RunStatus.FAILED, lambda *_: 1 / 0])
def test_once_tells_of_a_failed_run(warehouse: Connection, place: BatchPlace, work: Callable[..., RunStatus]) -> None:
    add_pipelines(warehouse, "films")
    request(warehouse)

    assert BatchRunner(place, execute=StandIn(work)).run(once=True) == 1
    assert statuses(warehouse) == {"films": "FAILED"}


@pytest.mark.integration
def test_one_that_breaks_off_is_closed_and_stops_no_other(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, *SIX)
    request(warehouse)

    def work(claim: Claim, stop: threading.Event, lost: threading.Event) -> RunStatus:
        if claim.pipeline.name == "films_0":
            raise ZeroDivisionError("secret")
        return RunStatus.SUCCESS

    runner = BatchRunner(place, execute=StandIn(work))
    runner.run(once=True)

    assert statuses(warehouse) == dict.fromkeys(SIX, "IDLE") | {"films_0": "FAILED"}
    ((status, _, error),) = runs(warehouse, "films_0")
    assert (status, error) == ("FAILED", "its execution broke off: ZeroDivisionError")
    assert owners(warehouse) == []
    assert b'etl_runs_total{status="FAILED"} 1.0' in render(runner.metrics.registry)


@pytest.mark.integration
def test_no_more_run_at_once_than_there_are_workers(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, *SIX)
    request(warehouse)
    go_on = threading.Event()

    def work(*_: object) -> RunStatus:
        assert go_on.wait(PATIENT_SECONDS)
        return RunStatus.SUCCESS

    execute = StandIn(work)
    with running(place, execute):
        until(lambda: len(execute.claims) == 2)
        # The runner looks around, and claims, several times more.
        do(warehouse, "select pg_sleep(0.6)")
        held = owners(warehouse)
        go_on.set()
        until(lambda: set(statuses(warehouse).values()) == {"IDLE"})

    assert len(held) == 2


@pytest.mark.integration
def test_a_claim_whose_answer_was_lost_is_taken_up_again(
    warehouse: Connection, warehouse_url: str, place: BatchPlace
) -> None:
    add_pipelines(warehouse, "films", "unknown")

    def work(claim: Claim, stop: threading.Event, lost: threading.Event) -> RunStatus:
        if claim.pipeline.name == "films":
            # As if the runner had claimed it, and never heard of it.
            with closing(connect(warehouse_url)) as own, transaction(own), own.cursor() as cursor:
                cursor.execute("update etl.etl_pipelines set status = 'RUN_REQUESTED' where name = 'unknown'")
                assert claim_next(cursor, claim.worker_id) is not None
        return RunStatus.SUCCESS

    request(warehouse, "films")
    with running(place, StandIn(work)):
        until(lambda: [run[0] for run in runs(warehouse, "unknown")] == ["FAILED", "SUCCESS"])

    assert runs(warehouse, "unknown")[0][2] == "recovered: its runner stopped"


@pytest.mark.integration
def test_only_what_is_unknown_is_disowned(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films", "other", "foreign")
    request(warehouse)
    do(
        warehouse,
        "insert into etl.etl_workers (worker_id, host, pid, version) values ('a', '', 1, ''), ('b', '', 2, '')",
    )
    with transaction(warehouse), warehouse.cursor() as cursor:
        first, second, foreign = claim_next(cursor, "a"), claim_next(cursor, "a"), claim_next(cursor, "b")
    assert first is not None
    assert second is not None
    assert foreign is not None

    with transaction(warehouse), warehouse.cursor() as cursor:
        assert disown(cursor, "a", known=[first, replace(second, epoch=second.epoch + 1)]) == (second.pipeline_id,)

    assert sorted(owners(warehouse)) == ["a", "b"]


@pytest.mark.integration
def test_what_a_dead_runner_left_is_run_at_once(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films")
    do(warehouse, "insert into etl.etl_workers (worker_id, host, pid, version) values ('dead', '', 1, '')")
    request(warehouse)
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert claim_next(cursor, "dead")
    do(warehouse, "delete from etl.etl_workers")

    BatchRunner(place, execute=StandIn()).run(once=True)

    assert [run[0] for run in runs(warehouse, "films")] == ["FAILED", "SUCCESS"]


@pytest.mark.integration
def test_a_forgotten_worker_lets_go_and_goes_on_under_a_new_id(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films")
    request(warehouse)
    execute = StandIn(_first_waits_for_loss())
    with running(place, execute, name="runner-1"):
        until(lambda: execute.claims)
        do(warehouse, "delete from etl.etl_workers")
        until(lambda: statuses(warehouse) == {"films": "IDLE"})

        assert [run[0] for run in runs(warehouse, "films")] == ["FAILED", "SUCCESS"]
        before, after = [claim.worker_id for claim in execute.claims]
        assert workers(warehouse) == [after]
        assert before != after
        assert before.startswith("runner-1:")


@pytest.mark.integration
def test_a_worker_that_cannot_give_signs_of_life_lets_go(
    warehouse: Connection, warehouse_url: str, place: BatchPlace
) -> None:
    add_pipelines(warehouse, "films")
    request(warehouse)
    execute = StandIn(_first_waits_for_loss())
    with running(replace(place, lease_seconds=2.0), execute):
        until(lambda: execute.claims)
        with held_row(warehouse_url, "select from etl.etl_workers for update"):
            until(lambda: len(execute.claims) == 2)
        until(lambda: statuses(warehouse) == {"films": "IDLE"})

    assert execute.claims[0].worker_id != execute.claims[1].worker_id


@pytest.mark.integration
def test_signs_of_life_come_while_executions_are_busy(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films", "other")
    request(warehouse)
    go_on = threading.Event()
    beats = "select heartbeat_at - started_at > interval '1 second' from etl.etl_workers"

    def work(*_: object) -> RunStatus:
        go_on.wait(PATIENT_SECONDS)
        return RunStatus.SUCCESS

    with running(place, StandIn(work)):
        until(lambda: ask(warehouse, beats) == [(True,)])
        go_on.set()
        until(lambda: set(statuses(warehouse).values()) == {"IDLE"})


@pytest.mark.integration
def test_stopping_lets_batches_end_and_leaves_nothing_held(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films", "other", "waits")
    request(warehouse)

    def work(claim: Claim, stop: threading.Event, lost: threading.Event) -> RunStatus:
        assert stop.wait(PATIENT_SECONDS)
        return RunStatus.PAUSED

    execute = StandIn(work)
    with running(place, execute):
        until(lambda: len(execute.claims) == 2)

    assert set(statuses(warehouse).values()) == {"RUN_REQUESTED"}
    assert len(execute.claims) == 2
    assert (owners(warehouse), workers(warehouse)) == ([], [])


@pytest.mark.integration
def test_a_batch_that_outlasts_the_lease_is_left_to_others(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films")
    request(warehouse)
    go_on = threading.Event()

    def work(*_: object) -> None:
        go_on.wait(PATIENT_SECONDS)

    execute = StandIn(work)
    with running(replace(place, lease_seconds=0.5), execute) as runner:
        until(lambda: execute.claims)
    assert runner.is_busy
    assert workers(warehouse) == []

    assert BatchRunner(place, execute=StandIn()).run(once=True) == 0
    assert statuses(warehouse) == {"films": "IDLE"}
    go_on.set()


@pytest.mark.integration
def test_cut_connections_are_made_anew(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films")
    with running(place, StandIn()):
        before = workers(warehouse)
        for number in range(1, 4):
            assert cut(warehouse, "wdh runner") >= 1
            request(warehouse)
            until_run(warehouse, "films", number=number)

        assert workers(warehouse) == before


@pytest.mark.integration
@pytest.mark.parametrize("is_once", [True, False])
def test_a_server_that_never_comes_ends_the_start(place: BatchPlace, is_once: bool) -> None:
    nowhere = replace(place, database_url="postgresql://someone:hidden@127.0.0.1:1/nowhere")

    with pytest.raises(WarehouseError) as caught:
        BatchRunner(nowhere, execute=StandIn(), longest_rest_seconds=0.01).run(once=is_once)

    assert caught.value.exit_code == 5
    assert "hidden" not in str(caught.value)


@pytest.mark.integration
def test_another_version_of_the_schema_is_refused_at_once(
    warehouse: Connection, place: BatchPlace, caplog: pytest.LogCaptureFixture
) -> None:
    do(warehouse, "update public.wdh_alembic_version set version_num = '0010'")

    with pytest.raises(SchemaDrift):
        BatchRunner(place, execute=StandIn(), longest_rest_seconds=0.01).run()

    assert workers(warehouse) == []
    assert "database.away" not in caplog.text


@pytest.mark.integration
def test_a_missing_table_is_told_at_once(
    warehouse: Connection, place: BatchPlace, caplog: pytest.LogCaptureFixture
) -> None:
    do(warehouse, "drop table etl.etl_workers")

    with pytest.raises(WarehouseError, match="etl_workers"):
        BatchRunner(place, execute=StandIn(), longest_rest_seconds=0.01).run()

    assert "database.away" not in caplog.text


@pytest.mark.integration
def test_a_run_that_others_took_over_is_theirs(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films")
    request(warehouse)

    def work(claim: Claim, stop: threading.Event, lost: threading.Event) -> RunStatus:
        do(warehouse, "update etl.etl_leases set owner = 'other', epoch = epoch + 1")
        do(warehouse, "insert into etl.etl_workers (worker_id, host, pid, version) values ('other', '', 1, '')")
        raise LeaseLost("it is another's")

    runner = BatchRunner(place, execute=StandIn(work))
    assert runner.run(once=True) == 0

    assert statuses(warehouse) == {"films": "RUNNING"}
    assert owners(warehouse) == ["other"]
    assert b"etl_fenced_total 1.0" in render(runner.metrics.registry)


@pytest.mark.integration
def test_health_and_metrics_answer_on_this_machine(warehouse: Connection, place: BatchPlace) -> None:
    add_pipelines(warehouse, "films", "idle")
    request(warehouse, "films")
    go_on, port = threading.Event(), _free_port()

    def work(*_: object) -> RunStatus:
        go_on.wait(PATIENT_SECONDS)
        return RunStatus.SUCCESS

    with running(place, StandIn(work)) as runner, answering(port, health=runner.health, metrics=runner.metrics):
        until(lambda: runner.health()[1]["running"] == ["films"])
        code, body = _get(port, "/healthz")
        assert (code, json.loads(body)["status"]) == (200, "ok")
        assert json.loads(body)["worker"] == workers(warehouse)[0]
        until(lambda: 'etl_pipelines{status="RUNNING"} 1.0' in _get(port, "/metrics")[1])
        metrics = _get(port, "/metrics")[1]
        assert "etl_claims_total 1.0" in metrics
        assert f'etl_worker_heartbeat_age_seconds{{worker="{workers(warehouse)[0]}"}}' in metrics
        assert _get(port, "/")[0] == 404
        runner.stop()
        assert _get(port, "/healthz")[0] == 503
        go_on.set()


@pytest.mark.unit
def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        door = answering(taken.getsockname()[1], health=lambda: (True, {}), metrics=BatchMetrics())
        with pytest.raises(UsageError) as caught:
            door.__enter__()

    assert caught.value.field == "--port"


@pytest.mark.unit
def test_signs_of_life_must_come_sooner_than_leases_end() -> None:
    place = BatchPlace(database_url="postgresql://nowhere", lease_seconds=5, heartbeat_seconds=5)

    with pytest.raises(ConfigError) as caught:
        batch_runner(place)

    assert caught.value.field == "ETL_HEARTBEAT_SECONDS"


@pytest.mark.unit
def test_each_start_has_an_id_of_its_own() -> None:
    names = [new_worker_id(name) for name in ("", "", "runner-1", "runner-1")]

    assert len(set(names)) == 4
    assert names[3].startswith("runner-1:")
    assert max(len(f"wdh batch reader {name}") for name in (*names, new_worker_id("x" * 34))) <= 63


@pytest.mark.unit
@pytest.mark.parametrize("name", ["a b", "x" * 35, "工人", "a'b", "a/b"])
def test_a_worker_id_that_no_connection_could_bear_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        new_worker_id(name)

    assert caught.value.field == "--worker-id"


@pytest.mark.unit
def test_batches_are_counted() -> None:
    metrics = BatchMetrics()
    for _ in range(2):
        metrics.batch_written(Counts(read=5, written=4, unchanged=3, dlq=1), seconds=0.02)
    metrics.run_ended(RunStatus.SUCCESS)

    text = render(metrics.registry).decode()

    for line in (
        "etl_rows_read_total 10.0",
        "etl_rows_written_total 8.0",
        "etl_rows_unchanged_total 6.0",
        "etl_rows_dlq_total 2.0",
        "etl_batch_seconds_count 2.0",
        'etl_runs_total{status="SUCCESS"} 1.0',
        'etl_runs_total{status="FAILED"} 0.0',
        'etl_retries_total{class="transient"} 0.0',
    ):
        assert f"\n{line}\n" in text


def _first_waits_for_loss() -> Callable[[Claim, threading.Event, threading.Event], RunStatus | None]:
    """The first execution ends when its lease is lost, and nothing but that; others succeed."""
    is_first = iter([True])

    def work(claim: Claim, stop: threading.Event, lost: threading.Event) -> RunStatus | None:
        if not next(is_first, False):
            return RunStatus.SUCCESS
        assert lost.wait(PATIENT_SECONDS)
        return None

    return work


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
