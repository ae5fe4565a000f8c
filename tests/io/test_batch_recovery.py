"""What dead runners leave behind is taken up: by one sweep, once, and never from a runner that lives."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from threading import Barrier
from uuid import UUID

import psycopg2
import pytest
from tests.batch_store import (
    FULL,
    INCREMENTAL,
    LEASE_SECONDS,
    MAX_RECOVERIES,
    add,
    ask,
    batch,
    begin_as,
    claim,
    claimed,
    close,
    forget,
    is_held,
    lease_of,
    pause,
    register,
    request,
    runs,
    session_of,
    silence,
    status_of,
    swept,
)

from work_data_hub.domain.batch.pipeline import Deletes, Pipeline
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_claims import RUNNER_STOPPED, beat, hold
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

OTHER = replace(FULL, name="other_films")
KEYED = replace(FULL, unique_key="film_id")
FIRST = Place(value="1", id="1")


def test_living_runner_keeps_what_it_holds(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    assert swept(warehouse) == ()
    assert is_held(warehouse, held)


def test_sign_of_life_keeps_a_lease(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    silence(warehouse, "one")
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert beat(cursor, "one")
    assert swept(warehouse) == ()
    assert is_held(warehouse, held)


def test_runner_that_was_forgotten_learns_of_it(warehouse: Connection) -> None:
    register(warehouse, "one")
    forget(warehouse, "one")
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert not beat(cursor, "one")


def test_pipeline_of_a_silent_runner_is_requested_again(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id, key="monday")
    silence(warehouse, "one")
    (recovered,) = swept(warehouse)
    assert (recovered.pipeline_id, recovered.owner, recovered.run_id) == (id, "one", held.run_id)
    assert runs(warehouse, "status, error_message", id) == [("FAILED", RUNNER_STOPPED)]
    statement = "select status, request_trigger, request_key, requested_at is null from etl.etl_pipelines"
    assert ask(warehouse, statement) == [("RUN_REQUESTED", "recovery", None, False)]
    assert lease_of(warehouse, id) == (None, 2, 1)
    assert not is_held(warehouse, held)


def test_runner_that_claims_again_what_it_lost_does_not_hold_its_old_claim(warehouse: Connection) -> None:
    id = add(warehouse)
    old = claimed(warehouse, id)
    silence(warehouse, "one")
    swept(warehouse)
    new = claimed(warehouse, id)
    assert (is_held(warehouse, old), is_held(warehouse, new)) == (False, True)
    with pytest.raises(LeaseLost):
        close(warehouse, old, RunStatus.SUCCESS, Status.IDLE)


def test_pipeline_that_was_to_pause_is_paused_without_its_runner(warehouse: Connection) -> None:
    id = add(warehouse)
    begin_as(warehouse, id, Status.PAUSE_REQUESTED)
    silence(warehouse, "one")
    assert [one.status for one in swept(warehouse)] == [Status.PAUSED]
    assert runs(warehouse, "status", id) == [("FAILED",)]


@pytest.mark.parametrize(
    "loss",
    [
        "delete from etl.etl_workers",
        "delete from etl.etl_leases",
        "update etl.etl_leases set owner = null",
    ],
)
def test_pipeline_that_nobody_holds_is_requested_again(warehouse: Connection, loss: str) -> None:
    id = add(warehouse)
    claimed(warehouse, id)
    ask(warehouse, loss)
    assert [one.status for one in swept(warehouse)] == [Status.RUN_REQUESTED]
    assert runs(warehouse, "status", id) == [("FAILED",)]


@pytest.mark.parametrize("is_alive_again", [False, True])
def test_run_under_which_a_request_moved_its_pipeline_is_closed(warehouse: Connection, is_alive_again: bool) -> None:
    id = add(warehouse)
    held = begin_as(warehouse, id, Status.PAUSE_REQUESTED)
    silence(warehouse, "one")
    request(warehouse, id)
    assert pause(warehouse, id) is Status.PAUSED
    if is_alive_again:
        silence(warehouse, "one", seconds=0)
    assert swept(warehouse) == ()
    assert status_of(warehouse, id) is Status.PAUSED
    assert runs(warehouse, "status", id) == [("FAILED",)]
    assert not is_held(warehouse, held)


def die(connection: Connection, id: UUID) -> Status:
    """Let the runner that claims next die; where the pipeline stands then."""
    assert claim(connection) is not None
    silence(connection, "one")
    (recovered,) = swept(connection)
    ask(connection, "update etl.etl_workers set heartbeat_at = clock_timestamp()")
    return recovered.status


def test_pipeline_whose_runners_keep_dying_is_given_up(warehouse: Connection) -> None:
    id = add(warehouse)
    register(warehouse, "one")
    request(warehouse, id)
    assert [die(warehouse, id) for _ in range(4)] == [Status.RUN_REQUESTED] * 3 + [Status.FAILED]


def test_request_after_giving_up_has_all_its_tries(warehouse: Connection) -> None:
    id = add(warehouse)
    register(warehouse, "one")
    request(warehouse, id)
    for _ in range(4):
        die(warehouse, id)
    request(warehouse, id)
    assert [die(warehouse, id) for _ in range(4)] == [Status.RUN_REQUESTED] * 3 + [Status.FAILED]


def die_behind(connection: Connection, until: Place | None, *, before: Place | None = None) -> Status:
    """Let the runner that claims next die behind a batch; where the pipeline stands then."""
    held = claim(connection)
    assert held is not None
    batch(connection, held, until=until, before=before)
    silence(connection, "one")
    (recovered,) = swept(connection)
    ask(connection, "update etl.etl_workers set heartbeat_at = clock_timestamp()")
    return recovered.status


@pytest.mark.parametrize("pipeline", [KEYED, INCREMENTAL], ids=["by-key", "incremental"])
def test_deaths_behind_batches_that_are_gone_on_from_are_no_row(warehouse: Connection, pipeline: Pipeline) -> None:
    request(warehouse, add(warehouse, pipeline))
    register(warehouse, "one")
    places = [Place(value=str(number), id=str(number)) for number in range(2 * MAX_RECOVERIES)]

    stands = [die_behind(warehouse, place, before=before) for before, place in pairwise([None, *places])]

    assert stands == [Status.RUN_REQUESTED] * 2 * MAX_RECOVERIES


@pytest.mark.parametrize(
    ("pipeline", "until", "before"),
    [
        (FULL, None, None),
        (replace(KEYED, deletes=Deletes.SOFT), FIRST, None),
        (INCREMENTAL, None, FIRST),
        (INCREMENTAL, FIRST, FIRST),
    ],
    ids=["without-a-key", "deletes", "rows-without-a-key", "rows-of-before"],
)
def test_deaths_behind_a_batch_that_is_read_again_are_a_row(
    warehouse: Connection, pipeline: Pipeline, until: Place | None, before: Place | None
) -> None:
    request(warehouse, add(warehouse, pipeline))
    register(warehouse, "one")

    stands = [die_behind(warehouse, until, before=before) for _ in range(MAX_RECOVERIES + 1)]

    assert stands == [Status.RUN_REQUESTED] * MAX_RECOVERIES + [Status.FAILED]
    ((reason,),) = ask(warehouse, "select reason from etl.etl_events where to_status = 'FAILED'")
    assert reason.endswith(f"{MAX_RECOVERIES + 1} times in a row without getting further")


def test_dead_runner_is_swept_up_after_once(warehouse: Connection, warehouse_url: str) -> None:
    for number in range(10):
        claimed(warehouse, add(warehouse, replace(FULL, name=f"films_{number}")))
    silence(warehouse, "one")
    start = Barrier(3)

    def work(_: int) -> list[UUID]:
        with closing(connect(warehouse_url)) as connection:
            start.wait()
            return [one.pipeline_id for one in swept(connection)]

    with ThreadPoolExecutor(3) as pool:
        recovered = [id for found in pool.map(work, range(3)) for id in found]
    assert len(recovered) == len(set(recovered)) == 10
    assert ask(warehouse, "select distinct epoch, recoveries from etl.etl_leases") == [(2, 1)]


def test_batch_of_a_silent_runner_that_outlasts_its_lease_is_cut_off(warehouse: Connection, warehouse_url: str) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    silence(warehouse, "one")
    with session_of(warehouse_url, "one") as batches, batches.cursor() as cursor:
        hold(cursor, held)
        assert [one.status for one in swept(warehouse, lease_seconds=0.01)] == [Status.RUN_REQUESTED]
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("select 1")


def test_session_of_a_living_runner_is_never_cut_off(warehouse: Connection, warehouse_url: str) -> None:
    dead, alive = add(warehouse), add(warehouse, OTHER)
    old, living = claimed(warehouse, dead, "dead"), claimed(warehouse, alive, "alive")
    silence(warehouse, "dead")
    with (
        session_of(warehouse_url, "alive") as living_batches,
        session_of(warehouse_url, "dead") as batches,
        living_batches.cursor() as cursor,
        batches.cursor() as dead_cursor,
    ):
        hold(cursor, living)
        hold(dead_cursor, old)
        silence(warehouse, "alive", seconds=-3600)
        assert [one.pipeline_id for one in swept(warehouse, lease_seconds=0.01)] == [dead]
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)


def test_runner_that_was_silent_for_long_is_forgotten(warehouse: Connection) -> None:
    register(warehouse, "silent", "slow")
    silence(warehouse, "silent", seconds=LEASE_SECONDS * 11)
    silence(warehouse, "slow", seconds=LEASE_SECONDS * 9)
    swept(warehouse)
    assert ask(warehouse, "select worker_id from etl.etl_workers") == [("slow",)]


def test_moves_are_signed_by_who_made_them(warehouse: Connection) -> None:
    id = add(warehouse)
    claimed(warehouse, id)
    silence(warehouse, "one")
    swept(warehouse)
    statement = "select to_status, actor, epoch, reason from etl.etl_events order by id"
    assert ask(warehouse, statement)[1:] == [
        ("RUN_REQUESTED", "tester", None, "run requested (api)"),
        ("RUNNING", "one", 1, "claimed"),
        ("RUN_REQUESTED", "recovery", 2, "runner one stopped"),
    ]
