"""The runner as a process: ready, woken, stopped, killed, frozen and cut off, on a real database."""

import signal
import subprocess

import pytest
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until
from tests.runner_pipelines import (
    add_films,
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
from tests.runner_processes import READY, ready_runner, started_runner

from work_data_hub.io.batch_wakeups import APPLICATION as LISTENER
from work_data_hub.io.postgres import Connection

# A lease that a busy machine does not let run out.
UNHURRIED = {"ETL_LEASE_SECONDS": "10"}
LONG_POLL = {"ETL_LEASE_SECONDS": "30", "ETL_POLL_SECONDS": "600"}
# Longer than anybody waits.
_SLEEPER = """
    create function public.sleep_long() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(300);
      return null;
    end $$;
    create trigger sleeper before insert on analytics.film_dim for each statement execute function public.sleep_long()
"""


@pytest.fixture
def slow(warehouse: Connection) -> str:
    """A pipeline of ten batches with a tenth of a second between them."""
    add_films(warehouse, 100)
    add_pipelines(warehouse, "films", batch_size=10, throttle_ms=100)
    return "films"


def once(hub: Hub, **settings: str) -> int:
    with started_runner(hub, "--once", **settings) as process:
        process.communicate(timeout=PATIENT_SECONDS)
        return process.returncode


@pytest.mark.integration
def test_it_tells_when_it_is_ready_and_leaves_no_trace(warehouse: Connection, hub: Hub) -> None:
    with started_runner(hub, "--worker-id", "runner-1") as process:
        assert process.stderr is not None
        worker_id = process.stderr.readline().removeprefix(READY).strip()
        assert worker_id.startswith("runner-1:")
        assert workers(warehouse) == [worker_id]

        process.terminate()
        assert process.wait(PATIENT_SECONDS) == 0
        assert process.stderr.read() == ""
    assert workers(warehouse) == []


@pytest.mark.integration
def test_a_request_wakes_it_long_before_the_poll(warehouse: Connection, hub: Hub, slow: str) -> None:
    do(warehouse, "update etl.etl_pipelines set throttle_ms = 0")
    with ready_runner(hub, **LONG_POLL):
        for number in range(1, 4):
            request(warehouse, slow)
            until_run(warehouse, slow, number=number)


@pytest.mark.integration
def test_a_listener_that_was_cut_off_hears_again(warehouse: Connection, hub: Hub, slow: str) -> None:
    do(warehouse, "update etl.etl_pipelines set throttle_ms = 0")
    listeners = "select 1 from pg_stat_activity where datname = current_database() and application_name = %s"
    with ready_runner(hub, **LONG_POLL):
        assert cut(warehouse, LISTENER) == 1
        until(lambda: ask(warehouse, listeners, LISTENER))
        request(warehouse, slow)
        until_run(warehouse, slow)


@pytest.mark.integration
def test_what_nobody_told_of_is_found_by_the_poll(warehouse: Connection, hub: Hub, slow: str) -> None:
    do(warehouse, "alter table etl.etl_pipelines disable trigger tell_of_pipeline")
    with ready_runner(hub):
        request(warehouse, slow)
        until_run(warehouse, slow)


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_frees_the_lease_and_the_next_runner_goes_on(
    warehouse: Connection, hub: Hub, slow: str, end: signal.Signals
) -> None:
    request(warehouse)
    with ready_runner(hub, **LONG_POLL) as process:
        until_batches(warehouse, 2)
        process.send_signal(end)
        assert process.wait(PATIENT_SECONDS) == 0
    assert statuses(warehouse) == {slow: "RUN_REQUESTED"}
    assert (owners(warehouse), workers(warehouse)) == ([], [])

    assert once(hub) == 0
    assert [run[0] for run in runs(warehouse, slow)] == ["PAUSED", "SUCCESS"]
    _all_there_and_each_read_once(warehouse)


@pytest.mark.integration
def test_a_second_signal_ends_it_at_once(warehouse: Connection, hub: Hub, slow: str) -> None:
    request(warehouse)
    with held_row(hub.url, "lock table analytics.film_dim"), ready_runner(hub, ETL_LEASE_SECONDS="600") as process:
        until(lambda: statuses(warehouse) == {slow: "RUNNING"})
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        assert process.wait(PATIENT_SECONDS) == 130


@pytest.mark.integration
def test_a_batch_that_does_not_end_is_waited_for_no_longer_than_the_lease(
    warehouse: Connection, hub: Hub, slow: str
) -> None:
    do(warehouse, _SLEEPER)
    request(warehouse)
    with ready_runner(hub) as process:
        until(lambda: statuses(warehouse) == {slow: "RUNNING"})
        process.terminate()
        assert process.wait(PATIENT_SECONDS) == 0
    do(warehouse, "drop trigger sleeper on analytics.film_dim")

    assert once(hub) == 0
    _all_there_and_each_read_once(warehouse)


@pytest.mark.integration
def test_another_runner_takes_over_from_a_killed_one(warehouse: Connection, hub: Hub, slow: str) -> None:
    with (
        ready_runner(hub, "--worker-id", "one", **UNHURRIED) as one,
        ready_runner(hub, "--worker-id", "two", **UNHURRIED) as two,
    ):
        request(warehouse)
        until_batches(warehouse, 2)
        holder = one if owners(warehouse)[0].startswith("one:") else two
        holder.kill()
        holder.wait()
        assert statuses(warehouse) == {slow: "RUNNING"}
        until(lambda: statuses(warehouse) == {slow: "IDLE"})

    assert [run[0] for run in runs(warehouse, slow)] == ["FAILED", "SUCCESS"]
    assert runs(warehouse, slow)[0][2] == "recovered: its runner stopped"
    _all_there_and_each_read_once(warehouse)


@pytest.mark.integration
def test_a_runner_that_was_frozen_changes_nothing_any_more(warehouse: Connection, hub: Hub, slow: str) -> None:
    with ready_runner(hub, "--worker-id", "frozen", **UNHURRIED) as frozen:
        request(warehouse)
        until_batches(warehouse, 2)
        frozen.send_signal(signal.SIGSTOP)
        assert once_until_idle(hub, warehouse, slow)
        frozen.send_signal(signal.SIGCONT)

        # It works again, and what it had in hand is not its own any more.
        request(warehouse)
        until_run(warehouse, slow, number=3)
    ended = runs(warehouse, slow)
    assert [run[0] for run in ended] == ["FAILED", "SUCCESS", "SUCCESS"]
    assert [worker.startswith("frozen:") for _, worker, _ in ended] == [True, False, True]
    _all_there(warehouse)
    assert ask(warehouse, "select sum(rows_read) from etl.etl_batches") == [(200,)]


@pytest.mark.integration
def test_connections_that_are_cut_are_made_anew(warehouse: Connection, hub: Hub, slow: str) -> None:
    do(warehouse, "update etl.etl_pipelines set batch_size = 2")
    with ready_runner(hub) as process:
        request(warehouse)
        until_batches(warehouse, 2)
        for _ in range(3):
            assert cut(warehouse, "wdh ") >= 1
            ((number,),) = ask(warehouse, "select count(*) from etl.etl_batches")
            until_batches(warehouse, number + 1)
        until(lambda: statuses(warehouse) == {slow: "IDLE"})
        assert process.poll() is None

    _all_there(warehouse)


@pytest.mark.integration
def test_once_tells_by_its_code_whether_a_run_failed(warehouse: Connection, hub: Hub, slow: str) -> None:
    do(warehouse, "update etl.etl_pipelines set throttle_ms = 0")
    request(warehouse)
    assert once(hub) == 0

    do(warehouse, "update etl.etl_pipelines set target_table = 'content.film_work'")
    request(warehouse)
    assert once(hub) == 1
    assert statuses(warehouse) == {slow: "FAILED"}


@pytest.mark.integration
@pytest.mark.parametrize("point", ["after_claim", "in_heartbeat", "in_recovery"])
def test_a_runner_that_dies_at_a_point_leaves_nothing_stuck(
    warehouse: Connection, hub: Hub, slow: str, point: str
) -> None:
    request(warehouse)
    if point == "in_recovery":
        assert once(hub, WDH_FAULT="after_claim") == -signal.SIGKILL
        do(warehouse, "update etl.etl_workers set heartbeat_at = heartbeat_at - interval '1 hour'")
    assert once(hub, WDH_FAULT=point) == -signal.SIGKILL

    assert once_until_idle(hub, warehouse, slow)
    _all_there_and_each_read_once(warehouse)


@pytest.mark.integration
def test_signs_of_life_rarer_than_leases_are_refused(hub: Hub) -> None:
    answer = hub.wdh("pipelines", "runner", "--once", ETL_HEARTBEAT_SECONDS="3", ETL_LEASE_SECONDS="2")
    assert answer.code == 2
    assert "ETL_HEARTBEAT_SECONDS" in answer.stderr


def once_until_idle(hub: Hub, warehouse: Connection, name: str) -> bool:
    """A runner that waits for leases to end, and takes over."""
    with ready_runner(hub, **UNHURRIED):
        until(lambda: statuses(warehouse) == {name: "IDLE"})
    return True


def until_batches(warehouse: Connection, number: int) -> None:
    until(lambda: ask(warehouse, "select count(*) >= %s from etl.etl_batches", number) == [(True,)])


def _all_there(warehouse: Connection) -> None:
    """The target has every film, as the source has it."""
    assert ask(
        warehouse,
        "select count(*), count(*) filter (where target.title = film.title and target.rating = film.rating)"
        " from content.film_work as film left join analytics.film_dim as target on target.film_id = film.id",
    ) == [(100, 100)]


def _all_there_and_each_read_once(warehouse: Connection) -> None:
    """Runs that take over go on where the last batch ended."""
    _all_there(warehouse)
    assert ask(warehouse, "select sum(rows_read) from etl.etl_batches") == [(100,)]
