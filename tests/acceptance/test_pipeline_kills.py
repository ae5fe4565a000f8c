"""Runners killed at named points and at random moments, connections cut: no row lost or doubled, nothing stuck."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.hub import Hub
from tests.runner_pipelines import add_films, ask, do, statuses, until

from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration

LEASE_SECONDS = 2.0
QUICK = {
    "ETL_LEASE_SECONDS": str(LEASE_SECONDS),
    "ETL_HEARTBEAT_SECONDS": "0.3",
    "ETL_POLL_SECONDS": "0.5",
    "ETL_RETRY_BACKOFF_SECONDS": "0.1",
    "LOG_LEVEL": "CRITICAL",
}
FILMS = 300
KILLS = int(os.environ.get("WDH_CHAOS_KILLS", "6"))
CUTS = int(os.environ.get("WDH_CHAOS_CUTS", "6"))
SEED = int(os.environ.get("WDH_CHAOS_SEED", "7"))
# Longer than the promised lease + 5 s: a runner needs seconds to start on a busy machine.
PATIENT_SECONDS = 60.0
PIPELINES = """
    insert into etl.etl_pipelines
      (name, mode, source_query, target_table, unique_key, incremental_key, incremental_id_key, batch_size, throttle_ms)
    select name, mode, 'select id as film_id, title, rating, updated_at from content.film_work', 'analytics.film_dim',
           case mode when 'full' then 'film_id' end, case mode when 'incremental' then 'updated_at' end,
           case mode when 'incremental' then 'film_id' end, 10, 20
    from (values ('by_key', 'full'), ('by_time', 'incremental')) as given (name, mode)
"""
# What befell each row of the target, kept by the database itself.
TRAIL = """
    create table public.film_trail (film_id uuid, deed text, changed boolean);
    create function public.film_trail() returns trigger language plpgsql as $$
    begin
      insert into public.film_trail
      values (new.film_id, tg_op, tg_op = 'INSERT' or (old.title, old.rating) is distinct from (new.title, new.rating));
      return null;
    end $$;
    create trigger film_trail after insert or update on analytics.film_dim
    for each row execute function public.film_trail();
"""
# Each batch begins where the one before it ended: a gap would be a loss, an overlap a row twice.
BROKEN_CHAINS = """
    select name, seq, cursor_from, before from (
      select pipeline.name, batch.seq, batch.cursor_from, run.resumed_from, batch.run_id,
             lag(batch.cursor_to) over (partition by pipeline.id order by batch.committed_at, batch.seq) as before
      from etl.etl_batches as batch
      join etl.etl_runs as run on run.id = batch.run_id
      join etl.etl_pipelines as pipeline on pipeline.id = run.pipeline_id
    ) as batches
    where cursor_from is distinct from before
      and not (name = 'by_key' and seq = 0 and resumed_from is null and cursor_from is null)
"""


@pytest.fixture
def films(hub: Hub, warehouse: Connection) -> Iterator[Connection]:
    add_films(warehouse, FILMS)
    do(warehouse, PIPELINES)
    do(warehouse, TRAIL)
    yield warehouse
    do(warehouse, "drop trigger film_trail on analytics.film_dim")
    do(warehouse, "drop function public.film_trail(); drop table public.film_trail")


@contextmanager
def runner(hub: Hub, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A runner, killed at the end where it still lives."""
    process = subprocess.Popen(
        hub.command("pipelines", "runner"),
        env=hub.environment(**QUICK | settings),
        cwd=hub.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def request(films: Connection, *names: str) -> None:
    do(
        films,
        "update etl.etl_pipelines set status = 'RUN_REQUESTED' where name = any(%s) and status in ('IDLE', 'PAUSED')",
        list(names),
    )


def all_idle(films: Connection) -> bool:
    return set(statuses(films).values()) == {"IDLE"}


def differences(films: Connection) -> list[tuple[Any, ...]]:
    """Rows that source and target do not share."""
    source = "select id, title, rating from content.film_work"
    target = "select film_id, title, rating from analytics.film_dim where deleted_at is null"
    return ask(films, f"({source} except {target}) union all ({target} except {source})")


def assert_whole(films: Connection) -> None:
    """Nothing lost, nothing doubled, nothing stuck; seen in the end state and in what the database kept on the way."""
    assert differences(films) == []
    inserted = "select count(*)::int, count(distinct film_id)::int from public.film_trail where deed = 'INSERT'"
    assert ask(films, inserted) == [(FILMS, FILMS)]
    assert ask(films, "select * from public.film_trail where not changed") == []
    assert ask(films, BROKEN_CHAINS) == []
    assert ask(films, "select * from etl.etl_runs where status = 'RUNNING'") == []
    assert ask(films, "select * from etl.etl_leases where owner is not null") == []
    # Every claim has one run, and no epoch was given twice.
    assert ask(films, "select pipeline_id, epoch from etl.etl_runs group by 1, 2 having count(*) > 1") == []
    assert ask(films, "select count(*)::int from etl.etl_dlq") == [(0,)]


def died(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() == -signal.SIGKILL


@pytest.mark.parametrize(
    "point",
    ["after_claim", "before_copy", "inside_copy", "before_commit", "after_commit", "in_heartbeat", "in_finalise"],
)
def test_a_runner_killed_at_a_point_loses_and_doubles_nothing(hub: Hub, films: Connection, point: str) -> None:
    request(films, "by_key", "by_time")
    with runner(hub, WDH_FAULT=point) as victim:
        until(lambda: died(victim), seconds=PATIENT_SECONDS)
    with runner(hub):
        until(lambda: all_idle(films), seconds=PATIENT_SECONDS)

    assert_whole(films)


def test_a_runner_killed_while_it_pauses_is_paused_by_another(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with runner(hub, WDH_FAULT="in_pause") as victim:
        until(lambda: ask(films, "select from etl.etl_batches"), seconds=PATIENT_SECONDS)
        do(films, "update etl.etl_pipelines set status = 'PAUSE_REQUESTED' where name = 'by_key'")
        until(lambda: died(victim), seconds=PATIENT_SECONDS)
    with runner(hub):
        until(lambda: statuses(films)["by_key"] == "PAUSED", seconds=PATIENT_SECONDS)
        request(films, "by_key")
        until(lambda: statuses(films)["by_key"] == "IDLE", seconds=PATIENT_SECONDS)

    assert_whole(films)


def test_a_runner_killed_while_it_recovers_another_is_recovered_too(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with runner(hub, WDH_FAULT="after_commit") as first:
        until(lambda: died(first), seconds=PATIENT_SECONDS)
    with runner(hub, WDH_FAULT="in_recovery") as second:
        until(lambda: died(second), seconds=PATIENT_SECONDS)
    with runner(hub):
        until(lambda: statuses(films)["by_key"] == "IDLE", seconds=PATIENT_SECONDS)

    assert differences(films) == []
    assert ask(films, BROKEN_CHAINS) == []


def test_a_dead_runner_is_recovered_within_its_lease_and_five_seconds(hub: Hub, films: Connection) -> None:
    request(films, "by_key")
    with runner(hub, WDH_FAULT="after_commit") as victim, runner(hub):
        until(lambda: died(victim) or all_idle(films), seconds=PATIENT_SECONDS)
        until(lambda: all_idle(films), seconds=PATIENT_SECONDS)

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
        runners = [alive.enter_context(runner(hub)) for _ in range(2)]
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
            runners[victim] = alive.enter_context(runner(hub))
        until(lambda: all_idle(films) or _revived(films), seconds=PATIENT_SECONDS)
        request(films, "by_key", "by_time")
        until(lambda: all_idle(films), seconds=PATIENT_SECONDS)


def _revived(films: Connection) -> bool:
    """Whoever was given up for too many deaths without a batch is asked again, as an operator would."""
    do(films, "update etl.etl_pipelines set status = 'RUN_REQUESTED' where status = 'FAILED'")
    return False


@pytest.mark.chaos
def test_a_storm_of_kills_and_cuts_loses_and_doubles_nothing(hub: Hub, films: Connection) -> None:
    storm(hub, films, kills=KILLS, cuts=CUTS)

    assert_whole(films)
