"""Claims and leases in PostgreSQL: one runner a pipeline, whoever dies, wakes up or comes late."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from threading import Barrier, Event
from uuid import UUID

import pytest
from tests.batch_store import (
    FULL,
    INCREMENTAL,
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
from work_data_hub.domain.batch.run import Claim
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_claims import RUNNER_STOPPED, batch_application, hold, requested_status
from work_data_hub.io.batch_definitions import pipeline_of
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

KEYED = replace(FULL, name="films_keyed", unique_key="film_id")


def asked(connection: Connection, held: Claim) -> Status:
    with transaction(connection), connection.cursor() as cursor:
        return requested_status(cursor, held)


@contextmanager
def holding(connection: Connection, held: Claim) -> Iterator[None]:
    """A batch of the claim that does not end inside the block."""
    with connection.cursor() as cursor:
        hold(cursor, held)
        yield


def test_claim_opens_a_run_of_the_request(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id, key="monday", trigger="schedule")
    assert (held.pipeline, held.worker_id, held.epoch, held.trigger) == (FULL, "one", 1, "schedule")
    columns = "id::text, status, attempt, trigger, idempotency_key, worker, epoch"
    assert runs(warehouse, columns, id) == [(str(held.run_id), "RUNNING", 1, "schedule", "monday", "one", 1)]
    statement = "select status, requested_at, request_key, request_trigger from etl.etl_pipelines"
    assert ask(warehouse, statement) == [("RUNNING", None, None, None)]


def test_claim_has_the_time_of_the_database(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    assert ask(warehouse, "select claimed_at from etl.etl_leases") == [(held.claimed_at,)]


def test_two_claims_of_a_pipeline_never_bear_the_same_time(warehouse: Connection) -> None:
    id = add(warehouse)
    first = claimed(warehouse, id)
    ask(warehouse, "update etl.etl_leases set claimed_at = clock_timestamp() + interval '1 hour'")
    close(warehouse, first, RunStatus.SUCCESS, Status.IDLE)
    second = claimed(warehouse, id)
    assert (second.claimed_at - first.claimed_at).total_seconds() > 3500


def test_definition_is_frozen_with_its_tasks(warehouse: Connection) -> None:
    tasks = (
        Task(order_index=1, task_type=TaskType.SQL, body="select 1 as film_id, 'a' as title"),
        Task(order_index=7, task_type=TaskType.PYTHON, body="normalize_title", target_table="analytics.film_dim"),
    )
    pipeline = replace(INCREMENTAL, tasks=tasks, batch_size=7)
    id = add(warehouse, pipeline)
    held = claimed(warehouse, id)
    ask(warehouse, "update etl.etl_pipelines set batch_size = 9, overlap_seconds = 1.5")
    ((definition,),) = runs(warehouse, "definition", id)
    assert pipeline_of(definition, definition["tasks"]) == held.pipeline == pipeline


def test_oldest_request_is_taken_first(warehouse: Connection) -> None:
    register(warehouse, "one")
    ids = [add(warehouse, replace(FULL, name=name)) for name in ("ccc", "aaa", "bbb")]
    for order in (ids, ids[::-1]):
        for id in order:
            request(warehouse, id)
        held = [found for _ in ids if (found := claim(warehouse))]
        assert [one.pipeline_id for one in held] == order
        for one in held:
            close(warehouse, one, RunStatus.SUCCESS, Status.IDLE)


def test_nothing_requested_is_nothing_claimed(warehouse: Connection) -> None:
    register(warehouse, "one")
    add(warehouse)
    assert claim(warehouse) is None


def test_pipeline_disabled_by_hand_is_not_claimed(warehouse: Connection) -> None:
    register(warehouse, "one")
    request(warehouse, add(warehouse))
    ask(warehouse, "update etl.etl_pipelines set enabled = false")
    assert claim(warehouse) is None


def test_runner_that_nobody_knows_gets_nothing(warehouse: Connection) -> None:
    request(warehouse, add(warehouse))
    assert claim(warehouse, "ghost") is None


def test_definition_that_breaks_rules_is_claimed_all_the_same(warehouse: Connection) -> None:
    ask(
        warehouse,
        "insert into etl.etl_pipelines (name, target_table, status) values ('x', 'public.secrets', 'RUN_REQUESTED')",
    )
    register(warehouse, "one")
    held = claim(warehouse)
    assert held is not None
    assert (held.pipeline.target_table, held.trigger) == ("public.secrets", "by hand")


def test_pipeline_that_another_is_taking_is_passed_by(warehouse: Connection, warehouse_url: str) -> None:
    register(warehouse, "one")
    first, second = add(warehouse), add(warehouse, KEYED)
    request(warehouse, first)
    request(warehouse, second)
    with closing(connect(warehouse_url)) as other, other.cursor() as cursor:
        cursor.execute("select from etl.etl_pipelines where id = %s for update", (str(first),))
        held = claim(warehouse)
    assert held is not None
    assert held.pipeline_id == second


@pytest.mark.parametrize("ran_before", [False, True])
def test_many_runners_claim_each_request_once(warehouse: Connection, warehouse_url: str, ran_before: bool) -> None:
    ids = [add(warehouse, replace(FULL, name=f"films_{number}")) for number in range(60)]
    workers = [f"worker-{number}" for number in range(4)]
    register(warehouse, *workers)
    for id in ids:
        request(warehouse, id)
    if ran_before:
        ask(warehouse, "insert into etl.etl_leases (pipeline_id) select id from etl.etl_pipelines")
    start = Barrier(len(workers))

    def work(worker: str) -> list[UUID]:
        with closing(connect(warehouse_url)) as connection:
            start.wait()
            return [held.pipeline_id for _ in ids if (held := claim(connection, worker))]

    with ThreadPoolExecutor(len(workers)) as pool:
        taken = [id for found in pool.map(work, workers) for id in found]
    assert sorted(taken) == sorted(ids)
    assert ask(warehouse, "select count(*), count(distinct pipeline_id) from etl.etl_runs") == [(60, 60)]


def test_key_of_an_earlier_run_does_not_stop_a_claim(warehouse: Connection) -> None:
    id = add(warehouse)
    close(warehouse, claimed(warehouse, id, key="monday"), RunStatus.SUCCESS, Status.IDLE)
    ask(warehouse, "update etl.etl_pipelines set status = 'RUN_REQUESTED', request_key = 'monday'")
    assert claim(warehouse) is not None
    assert runs(warehouse, "idempotency_key", id) == [("monday",), (None,)]


def test_claim_fences_off_a_runner_that_was_thought_dead(warehouse: Connection) -> None:
    id = add(warehouse)
    old = claimed(warehouse, id, "old")
    pause(warehouse, id)
    silence(warehouse, "old")
    assert request(warehouse, id) is Status.RUN_REQUESTED
    new = claimed(warehouse, id, "new")
    assert (is_held(warehouse, old), is_held(warehouse, new)) == (False, True)
    assert new.epoch > old.epoch
    assert runs(warehouse, "status, error_message", id) == [("FAILED", RUNNER_STOPPED), ("RUNNING", None)]


def test_paused_scan_by_key_goes_on_where_it_stopped(warehouse: Connection) -> None:
    id = add(warehouse, KEYED)
    first = claimed(warehouse, id)
    batch(warehouse, first, 0, until=Place(id="10"))
    batch(warehouse, first, 1, until=Place(id="20"))
    close(warehouse, first, RunStatus.PAUSED, Status.PAUSED)
    second = claim(warehouse)
    assert second is not None
    assert (second.resumed_from, second.resume_at) == (first.run_id, Place(id="20"))


def test_scan_goes_on_behind_a_run_that_committed_nothing(warehouse: Connection) -> None:
    id = add(warehouse, KEYED)
    first = claimed(warehouse, id)
    batch(warehouse, first, until=Place(id="10"))
    close(warehouse, first, RunStatus.FAILED, Status.FAILED)
    second = claimed(warehouse, id)
    close(warehouse, second, RunStatus.FAILED, Status.FAILED)
    third = claimed(warehouse, id)
    assert (third.resumed_from, third.resume_at) == (second.run_id, Place(id="10"))
    assert runs(warehouse, "attempt", id) == [(1,), (2,), (3,)]


def test_scan_begins_anew_after_one_that_succeeded(warehouse: Connection) -> None:
    id = add(warehouse, KEYED)
    first = claimed(warehouse, id)
    batch(warehouse, first, until=Place(id="10"))
    close(warehouse, first, RunStatus.SUCCESS, Status.IDLE)
    second = claimed(warehouse, id)
    assert (second.resumed_from, second.resume_at) == (None, None)
    assert runs(warehouse, "attempt", id) == [(1,), (1,)]


@pytest.mark.parametrize(
    "pipeline",
    [FULL, replace(KEYED, deletes=Deletes.SOFT)],
    ids=["rows without an order", "deletes need all keys"],
)
def test_scan_that_cannot_go_on_begins_anew(warehouse: Connection, pipeline: Pipeline) -> None:
    id = add(warehouse, pipeline)
    first = claimed(warehouse, id)
    batch(warehouse, first, until=Place(id="10"))
    close(warehouse, first, RunStatus.FAILED, Status.FAILED)
    second = claimed(warehouse, id)
    assert (second.resumed_from, second.resume_at) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        "update etl.etl_pipelines set source_query = 'select 2 as film_id'",
        "update etl.etl_pipelines set target_table = 'es:film_dim'",
    ],
)
def test_scan_that_was_changed_begins_anew(warehouse: Connection, change: str) -> None:
    id = add(warehouse, KEYED)
    first = claimed(warehouse, id)
    batch(warehouse, first, until=Place(id="10"))
    close(warehouse, first, RunStatus.FAILED, Status.FAILED)
    ask(warehouse, change)
    assert claimed(warehouse, id).resume_at is None


def test_larger_batches_do_not_make_a_scan_begin_anew(warehouse: Connection) -> None:
    id = add(warehouse, KEYED)
    first = claimed(warehouse, id)
    batch(warehouse, first, until=Place(id="10"))
    close(warehouse, first, RunStatus.FAILED, Status.FAILED)
    ask(warehouse, "update etl.etl_pipelines set batch_size = 5000")
    assert claimed(warehouse, id).resume_at == Place(id="10")


def test_incremental_run_begins_at_the_checkpoint(warehouse: Connection) -> None:
    id = add(warehouse, INCREMENTAL)
    first = claimed(warehouse, id)
    place = Place(value="2026-01-01T00:00:00.000001+00:00", id="7")
    batch(warehouse, first, until=place)
    close(warehouse, first, RunStatus.SUCCESS, Status.IDLE)
    second = claimed(warehouse, id)
    assert (second.checkpoint, second.resume_at, second.resumed_from) == (place, None, None)


def test_runner_learns_that_a_pause_is_wanted(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    assert asked(warehouse, held) is Status.RUNNING
    pause(warehouse, id)
    assert asked(warehouse, held) is Status.PAUSE_REQUESTED


def test_takeover_waits_for_the_batch_at_hand(warehouse: Connection, warehouse_url: str) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    with session_of(warehouse_url, "one") as batches, holding(batches, held):
        silence(warehouse, "one")
        assert swept(warehouse) == ()
        assert status_of(warehouse, id) is Status.RUNNING
    assert [one.status for one in swept(warehouse)] == [Status.RUN_REQUESTED]


def test_hold_waits_for_a_takeover_and_then_fails(warehouse: Connection, warehouse_url: str) -> None:
    held = claimed(warehouse, add(warehouse))
    silence(warehouse, "one")
    is_waiting = Event()

    def late() -> bool:
        with session_of(warehouse_url, "one") as batches:
            is_waiting.set()
            return is_held(batches, held)

    with ThreadPoolExecutor(1) as pool, transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("update etl.etl_leases set owner = null, epoch = epoch + 1")
        found = pool.submit(late)
        is_waiting.wait()
        assert not found.done()
        warehouse.commit()
        assert found.result() is False


@pytest.mark.parametrize(
    ("stands", "status", "to", "ends"),
    [
        (Status.RUNNING, RunStatus.SUCCESS, Status.IDLE, Status.IDLE),
        (Status.PAUSE_REQUESTED, RunStatus.SUCCESS, Status.IDLE, Status.IDLE),
        (Status.RUNNING, RunStatus.FAILED, Status.FAILED, Status.FAILED),
        (Status.PAUSE_REQUESTED, RunStatus.FAILED, Status.FAILED, Status.FAILED),
        (Status.PAUSE_REQUESTED, RunStatus.PAUSED, Status.PAUSED, Status.PAUSED),
        (Status.RUNNING, RunStatus.PAUSED, Status.PAUSED, Status.RUN_REQUESTED),
        (Status.RUNNING, RunStatus.PAUSED, Status.RUN_REQUESTED, Status.RUN_REQUESTED),
        (Status.PAUSE_REQUESTED, RunStatus.PAUSED, Status.RUN_REQUESTED, Status.PAUSED),
    ],
)
def test_run_ends_as_is_asked_at_that_moment(
    warehouse: Connection, stands: Status, status: RunStatus, to: Status, ends: Status
) -> None:
    id = add(warehouse)
    held = begin_as(warehouse, id, stands)
    assert close(warehouse, held, status, to) is ends
    assert status_of(warehouse, id) is ends
    assert runs(warehouse, "status, finished_at is not null", id) == [(status, True)]
    assert lease_of(warehouse, id) == (None, 1, 0)


def test_run_that_was_taken_over_cannot_be_closed(warehouse: Connection) -> None:
    id = add(warehouse)
    old = claimed(warehouse, id, "old")
    forget(warehouse, "old")
    swept(warehouse)
    new = claimed(warehouse, id, "new")
    with pytest.raises(LeaseLost):
        close(warehouse, old, RunStatus.SUCCESS, Status.IDLE)
    assert status_of(warehouse, id) is Status.RUNNING
    assert is_held(warehouse, new)


def test_error_of_a_run_is_cut_to_what_fits(warehouse: Connection) -> None:
    id = add(warehouse)
    close(warehouse, claimed(warehouse, id), RunStatus.FAILED, Status.FAILED, error="x" * 5000)
    assert runs(warehouse, "char_length(error_message)", id) == [(2000,)]


def test_name_of_a_runners_sessions_keeps_what_tells_runners_apart() -> None:
    long = f"{'a-very-long-host-name.' * 4}:4711:0011223344"
    assert len(batch_application(long)) <= 63
    assert batch_application(long).endswith(":4711:0011223344")
    assert batch_application("host:1:ab") == "wdh batch host:1:ab"
