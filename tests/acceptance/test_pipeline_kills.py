"""Runners killed at named points and at random moments, connections cut: no row lost or doubled, nothing stuck."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.film_copies import BROKEN_CHAINS, all_idle, assert_whole, differences, put_copied_films
from tests.hub import Hub
from tests.patience import until
from tests.runner_pipelines import ask, do, statuses
from tests.runner_processes import QUICK, started_runner

from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration

LEASE_SECONDS = float(QUICK["ETL_LEASE_SECONDS"])
KILLS = int(os.environ.get("WDH_CHAOS_KILLS", "6"))
CUTS = int(os.environ.get("WDH_CHAOS_CUTS", "6"))
SEED = int(os.environ.get("WDH_CHAOS_SEED", "7"))


@pytest.fixture
def films(hub: Hub, warehouse: Connection) -> Iterator[Connection]:
    put_copied_films(warehouse)
    yield warehouse
    do(warehouse, "drop trigger film_trail on analytics.film_dim")
    do(warehouse, "drop function public.film_trail(); drop table public.film_trail")


def request(films: Connection, *names: str) -> None:
    do(
        films,
        "update etl.etl_pipelines set status = 'RUN_REQUESTED' where name = any(%s) and status in ('IDLE', 'PAUSED')",
        list(names),
    )


def died(process: subprocess.Popen[str]) -> bool:
    return process.poll() == -signal.SIGKILL


@pytest.mark.parametrize(
    "point",
    ["after_claim", "before_copy", "inside_copy", "before_commit", "after_commit", "in_heartbeat", "in_finalise"],
)
def test_a_runner_killed_at_a_point_loses_and_doubles_nothing(hub: Hub, films: Connection, point: str) -> None:
    request(films, "by_key", "by_time")
    with started_runner(hub, WDH_FAULT=point) as victim:
        until(lambda: died(victim))
    with started_runner(hub):
        until(lambda: all_idle(films))

    assert_whole(films)


def test_a_runner_killed_while_it_pauses_is_paused_by_another(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with started_runner(hub, WDH_FAULT="in_pause") as victim:
        until(lambda: ask(films, "select from etl.etl_batches"))
        do(films, "update etl.etl_pipelines set status = 'PAUSE_REQUESTED' where name = 'by_key'")
        until(lambda: died(victim))
    with started_runner(hub):
        until(lambda: statuses(films)["by_key"] == "PAUSED")
        request(films, "by_key")
        until(lambda: statuses(films)["by_key"] == "IDLE")

    assert_whole(films)


def test_a_runner_killed_while_it_recovers_another_is_recovered_too(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with started_runner(hub, WDH_FAULT="after_commit") as first:
        until(lambda: died(first))
    with started_runner(hub, WDH_FAULT="in_recovery") as second:
        until(lambda: died(second))
    with started_runner(hub):
        until(lambda: statuses(films)["by_key"] == "IDLE")

    assert differences(films) == []
    assert ask(films, BROKEN_CHAINS) == []


def test_a_dead_runner_is_recovered_within_its_lease_and_five_seconds(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with started_runner(hub, WDH_FAULT="after_commit") as victim, started_runner(hub):
        until(lambda: died(victim) or all_idle(films))
        until(lambda: all_idle(films))

    waits = """
        select extract(epoch from at - beat)
        from (
          select at, (select max(committed_at) from etl.etl_batches where committed_at < at) as beat
          from etl.etl_events where actor = 'recovery'
        ) as recovery
    """
    assert all(float(seconds) <= LEASE_SECONDS + 5 for (seconds,) in ask(films, waits))


def storm(hub: Hub, films: Connection, *, kills: int, cuts: int) -> None:
    """Kill runners and cut connections at random moments while both pipelines run again and again."""
    chance, left = random.Random(SEED), ["kill"] * kills + ["cut"] * cuts
    chance.shuffle(left)
    with ExitStack() as alive:
        runners = [alive.enter_context(started_runner(hub)) for _ in range(2)]
        while left:
            request(films, "by_key", "by_time")
            time.sleep(chance.uniform(0.05, 1.2))
            touch = "update content.film_work set title = title || '.', updated_at = clock_timestamp()"
            do(films, f"{touch} where id in (select id from content.film_work order by random() limit 3)")
            if left[-1] == "cut":
                cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'wdh batch%%'"
                if ask(films, f"{cut} order by random() limit 1"):
                    left.pop()
                continue
            if not ask(films, "select from etl.etl_leases where owner is not null"):
                continue
            victim = chance.randrange(len(runners))
            runners[victim].kill()
            runners[victim].wait()
            left.pop()
            runners[victim] = alive.enter_context(started_runner(hub))
        until(lambda: all_idle(films) or _revived(films))
        request(films, "by_key", "by_time")
        until(lambda: all_idle(films))


def _revived(films: Connection) -> bool:
    """Whoever was given up for too many deaths without getting further is asked again, as an operator would."""
    do(films, "update etl.etl_pipelines set status = 'RUN_REQUESTED' where status = 'FAILED'")
    return False


@pytest.mark.chaos
def test_a_storm_of_kills_and_cuts_loses_and_doubles_nothing(hub: Hub, films: Connection) -> None:
    storm(hub, films, kills=KILLS, cuts=CUTS)

    assert_whole(films)
