"""Several runners on a hundred pipelines: each request is executed once, and the work is spread."""

import os
from contextlib import ExitStack
from functools import partial

import pytest
from tests.hub import Hub
from tests.patience import until
from tests.runner_pipelines import ask, do, owners, request
from tests.runner_processes import started_runner, until_ready

from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration

CLAIMS = int(os.environ.get("WDH_CHAOS_CLAIMS", "2000"))
PIPELINES = 100
FILMS = """
    insert into content.film_work (id, title, rating)
    select md5(number::text)::uuid, 'Film ' || number, (number - 1) %% 100 + 1 from generate_series(1, 300) as number
"""
# Each copies three films of its own in two batches.
COPIES = """
    insert into etl.etl_pipelines (name, source_query, target_table, unique_key, batch_size)
    select 'films_' || number,
           'select id as film_id, title, rating from content.film_work where rating = ' || number,
           'analytics.film_dim', 'film_id', 2
    from generate_series(1, 100) as number
"""
ENDED = "select count(*)::int from etl.etl_runs where status <> 'RUNNING'"
LEASES = "insert into etl.etl_leases (pipeline_id) select id from etl.etl_pipelines"
# What the triggers kept: who moved each pipeline where, in the order of the moves.
MOVES = """
    select count(*)::int, moves from (
      select pipeline_id, array_agg(from_status || ' > ' || to_status order by id) as moves
      from etl.etl_events where from_status is not null group by pipeline_id
    ) as trail
    group by moves
"""
ONE_RUN = ["IDLE > RUN_REQUESTED", "RUN_REQUESTED > RUNNING", "RUNNING > IDLE"]
CLAIMED = "select actor, count(*)::int from etl.etl_events where to_status = 'RUNNING' group by actor order by actor"
EXECUTED = "select worker, count(*)::int from etl.etl_runs where status = 'SUCCESS' group by worker order by worker"
EPOCHS = "select distinct array_agg(epoch::int order by started_at) from etl.etl_runs group by pipeline_id"
# Batches that are not the two of their run, within its time and under its claim.
STRAY_RUNS = """
    select run.id from etl.etl_runs as run left join etl.etl_batches as batch on batch.run_id = run.id
    group by run.id
    having array_agg(batch.seq order by batch.committed_at) is distinct from array[0, 1]
        or sum(batch.rows_read) <> 3
        or not bool_and(batch.epoch = run.epoch and batch.committed_at between run.started_at and run.finished_at)
"""
OVERLAPS = """
    select id from (
      select id, started_at, lag(finished_at) over (partition by pipeline_id order by epoch) as before from etl.etl_runs
    ) as runs
    where started_at < before
"""
COPIED = """
    select count(*)::int
    from content.film_work as film
    join analytics.film_dim as target on target.film_id = film.id
    where (target.title, target.rating) = (film.title, film.rating)
"""


def run_all(hub: Hub, warehouse: Connection, *, runners: int, rounds: int) -> None:
    """Request all pipelines at once, again and again, before that many runners."""
    do(warehouse, FILMS)
    do(warehouse, COPIES)
    do(warehouse, LEASES)
    with ExitStack() as alive:
        for process in [alive.enter_context(started_runner(hub, ETL_LEASE_SECONDS="600")) for _ in range(runners)]:
            until_ready(process)
        for number in range(1, rounds + 1):
            request(warehouse)
            until(partial(has_ended, warehouse, number * PIPELINES))


def has_ended(warehouse: Connection, runs: int) -> bool:
    return ask(warehouse, ENDED) == [(runs,)]


def assert_each_executed_once(warehouse: Connection, *, runners: int, rounds: int) -> None:
    """Nothing ran twice, nothing was left out, and no runner stood by."""
    assert ask(warehouse, MOVES) == [(PIPELINES, ONE_RUN * rounds)]
    assert ask(warehouse, EPOCHS) == [(list(range(1, rounds + 1)),)]
    assert ask(warehouse, STRAY_RUNS) == []
    assert ask(warehouse, OVERLAPS) == []
    assert ask(warehouse, COPIED) == [(300,)]
    assert owners(warehouse) == []
    spread = ask(warehouse, EXECUTED)
    assert ask(warehouse, CLAIMED) == spread
    assert len(spread) == runners
    assert min(done for _, done in spread) >= rounds * PIPELINES // runners // 5


@pytest.mark.parametrize("runners", [2, 4])
def test_runners_share_a_hundred_pipelines_and_run_each_once(hub: Hub, warehouse: Connection, runners: int) -> None:
    run_all(hub, warehouse, runners=runners, rounds=1)

    assert_each_executed_once(warehouse, runners=runners, rounds=1)


@pytest.mark.chaos
def test_four_runners_execute_every_one_of_many_claims_once(hub: Hub, warehouse: Connection) -> None:
    rounds = CLAIMS // PIPELINES
    run_all(hub, warehouse, runners=4, rounds=rounds)

    assert_each_executed_once(warehouse, runners=4, rounds=rounds)
