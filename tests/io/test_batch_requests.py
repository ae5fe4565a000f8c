"""Requests to run and to pause: each one move or none, whoever else moves the pipeline at the same moment."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.status import Status, pause_requested, run_requested
from work_data_hub.io.batch_claims import claim_next, register_worker
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.batch_requests import Requested, request_pause, request_run
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

PIPELINE = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")
LEASE_SECONDS = 30
# What a runner does in one statement, as far as the pipeline's own row goes.
CLAIM = (
    "update etl.etl_pipelines set status = 'RUNNING', requested_at = null, request_key = null, request_trigger = null"
    " where status = 'RUN_REQUESTED'"
)

_Ask = Callable[[Connection, UUID], Requested]


@pytest.fixture
def pipeline(warehouse: Connection) -> UUID:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return create_pipeline(cursor, PIPELINE, actor="tester").id


def run(connection: Connection, id: UUID, *, key: str | None = None, trigger: str = "api") -> Requested:
    with transaction(connection), connection.cursor() as cursor:
        return request_run(cursor, id, actor="runner-up", key=key, trigger=trigger, lease_seconds=LEASE_SECONDS)


def pause(connection: Connection, id: UUID) -> Requested:
    with transaction(connection), connection.cursor() as cursor:
        return request_pause(cursor, id, actor="pauser")


def ask(warehouse: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def put(warehouse: Connection, status: Status, *, enabled: bool = True) -> None:
    """Let the pipeline stand somewhere, whatever the rules of moves say."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update etl.etl_pipelines set status = %s, enabled = %s", (status.value, enabled))


def let_a_runner_hold(warehouse: Connection, id: UUID, *, silent_seconds: int) -> None:
    ask(warehouse, "insert into etl.etl_leases (pipeline_id, owner, epoch) values (%s, 'one', 1)", str(id))
    ask(
        warehouse,
        "insert into etl.etl_workers (worker_id, heartbeat_at, host, pid, version)"
        " values ('one', now() - make_interval(secs => %s), 'here', 1, '1')",
        silent_seconds,
    )


def standing(warehouse: Connection) -> str:
    return str(ask(warehouse, "select status from etl.etl_pipelines")[0][0])


def moves(warehouse: Connection) -> list[tuple[Any, ...]]:
    """Every move since the creation: from, to, by whom."""
    return ask(warehouse, "select from_status, to_status, actor from etl.etl_events order by id offset 1")


@contextmanager
def overtaken(url: str, claim: Callable[[Connection], object], later: _Ask, id: UUID) -> Iterator[Future[Requested]]:
    """`claim` moves the pipeline, `later` runs into that while it is not committed, then both end."""
    with closing(connect(url)) as first, closing(connect(url)) as second, ThreadPoolExecutor() as pool:
        with transaction(first):
            claim(first)
            asked = pool.submit(later, second, id)
            while not (asked.done() or somebody_waits(url)):
                pass
            assert not asked.done()
        yield asked


def somebody_waits(url: str) -> bool:
    """Whether a session of the server waits for a lock."""
    with closing(connect(url)) as watcher, watcher.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where not granted)")
        return bool((cursor.fetchone() or [False])[0])


def statement(text: str) -> Callable[[Connection], object]:
    def execute(connection: Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute(text)

    return execute


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("is_alive", [True, False])
@pytest.mark.parametrize("status", Status)
def test_a_request_to_run_does_what_the_rules_say(
    warehouse: Connection, pipeline: UUID, status: Status, is_alive: bool, enabled: bool
) -> None:
    put(warehouse, status, enabled=enabled)
    let_a_runner_hold(warehouse, pipeline, silent_seconds=0 if is_alive else LEASE_SECONDS + 1)

    requested = run(warehouse, pipeline)

    expected = run_requested(status, enabled=enabled, is_alive=is_alive)
    assert requested.row is not None
    assert (requested.row.status, requested.refusal) == (expected.status, expected.refusal)
    assert standing(warehouse) == expected.status
    assert moves(warehouse) == ([(status, expected.status, "runner-up")] if expected.status is not status else [])


@pytest.mark.parametrize("status", Status)
def test_a_request_to_pause_does_what_the_rules_say(warehouse: Connection, pipeline: UUID, status: Status) -> None:
    put(warehouse, status)

    requested = pause(warehouse, pipeline)

    expected = pause_requested(status).status
    assert requested.row is not None
    assert (requested.row.status, requested.refusal, standing(warehouse)) == (expected, None, expected)
    assert moves(warehouse) == ([(status, expected, "pauser")] if expected is not status else [])


def test_a_pipeline_that_is_not_there_is_said_to_be_none(warehouse: Connection) -> None:
    unknown = uuid4()

    assert (
        run(warehouse, unknown) == run(warehouse, unknown, key="k") == pause(warehouse, unknown) == Requested(row=None)
    )
    assert ask(warehouse, "select * from etl.etl_run_requests") == []


def test_a_request_tells_the_runner_who_asked_how_and_when(warehouse: Connection, pipeline: UUID) -> None:
    run(warehouse, pipeline, key="once", trigger="schedule")

    ((key, trigger, is_dated),) = ask(
        warehouse, "select request_key, request_trigger, requested_at <= clock_timestamp() from etl.etl_pipelines"
    )
    assert (key, trigger, is_dated) == ("once", "schedule", True)
    assert ask(warehouse, "select reason from etl.etl_events order by id desc limit 1") == [
        ("run requested (schedule)",)
    ]


def test_a_request_that_moves_nothing_leaves_the_one_before(warehouse: Connection, pipeline: UUID) -> None:
    run(warehouse, pipeline, key="first")
    run(warehouse, pipeline, key="second", trigger="schedule")

    assert ask(warehouse, "select request_key, request_trigger from etl.etl_pipelines") == [("first", "api")]


def test_a_pause_withdraws_the_request(warehouse: Connection, pipeline: UUID) -> None:
    run(warehouse, pipeline, key="once")
    pause(warehouse, pipeline)

    assert ask(warehouse, "select status, requested_at, request_key, request_trigger from etl.etl_pipelines") == [
        ("PAUSED", None, None, None)
    ]


def test_a_wish_to_pause_taken_back_asks_for_no_other_run(warehouse: Connection, pipeline: UUID) -> None:
    put(warehouse, Status.PAUSE_REQUESTED)
    let_a_runner_hold(warehouse, pipeline, silent_seconds=LEASE_SECONDS - 5)

    run(warehouse, pipeline, key="once")

    assert ask(warehouse, "select status, requested_at, request_key from etl.etl_pipelines") == [
        ("RUNNING", None, None)
    ]


def test_a_runner_that_signed_off_holds_nothing(warehouse: Connection, pipeline: UUID) -> None:
    put(warehouse, Status.PAUSE_REQUESTED)
    let_a_runner_hold(warehouse, pipeline, silent_seconds=0)
    ask(warehouse, "delete from etl.etl_workers")

    run(warehouse, pipeline)

    assert standing(warehouse) == "RUN_REQUESTED"


def test_what_a_dead_runner_was_asked_to_pause_is_claimed_by_the_next(warehouse: Connection, pipeline: UUID) -> None:
    run(warehouse, pipeline)
    with transaction(warehouse), warehouse.cursor() as cursor:
        register_worker(cursor, "dead", host="here", pid=1, version="1")
        left = claim_next(cursor, "dead")
        register_worker(cursor, "next", host="here", pid=2, version="1")
    pause(warehouse, pipeline)
    ask(warehouse, "update etl.etl_workers set heartbeat_at = now() - interval '1 h' where worker_id = 'dead'")

    run(warehouse, pipeline, key="again")
    with transaction(warehouse), warehouse.cursor() as cursor:
        claim = claim_next(cursor, "next")

    assert left is not None
    assert claim is not None
    assert claim.epoch > left.epoch
    assert ask(warehouse, "select status, idempotency_key from etl.etl_runs order by epoch") == [
        ("FAILED", None),
        ("RUNNING", "again"),
    ]


def test_runners_hear_of_requests_and_of_nothing_else(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    with closing(connect(warehouse_url)) as listener:
        with transaction(listener), listener.cursor() as cursor:
            cursor.execute("listen etl_pipelines")
        run(warehouse, pipeline)
        run(warehouse, pipeline)
        ask(warehouse, CLAIM)
        pause(warehouse, pipeline)
        pause(warehouse, pipeline)
        listener.poll()

    assert [told.payload for told in listener.notifies] == [str(pipeline)] * 2


def test_a_key_asks_for_one_run_whatever_became_of_it(warehouse: Connection, pipeline: UUID) -> None:
    run(warehouse, pipeline, key="once")
    ask(warehouse, CLAIM)
    ask(warehouse, "update etl.etl_pipelines set status = 'IDLE'")

    again = run(warehouse, pipeline, key="once")
    other = run(warehouse, pipeline, key="another")

    assert again.row is not None
    assert (again.row.status, again.refusal) == (Status.IDLE, None)
    assert other.row is not None
    assert other.row.status is Status.RUN_REQUESTED


def test_a_key_of_one_pipeline_is_none_of_another(warehouse: Connection, pipeline: UUID) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        twin = create_pipeline(cursor, Pipeline(name="twin", target_table="analytics.film_dim"), actor="tester").id

    run(warehouse, pipeline, key="once")
    requested = run(warehouse, twin, key="once")

    assert requested.row is not None
    assert requested.row.status is Status.RUN_REQUESTED


def test_the_key_of_a_refused_request_may_be_used_again(warehouse: Connection, pipeline: UUID) -> None:
    put(warehouse, Status.IDLE, enabled=False)
    refused = run(warehouse, pipeline, key="once")
    put(warehouse, Status.IDLE)

    assert refused.refusal == "the pipeline is disabled; enable it first"
    run(warehouse, pipeline, key="once")
    assert standing(warehouse) == "RUN_REQUESTED"


def test_a_request_that_is_rolled_back_forgets_its_key(warehouse: Connection, pipeline: UUID) -> None:
    with warehouse.cursor() as cursor:
        request_run(cursor, pipeline, actor="tester", key="once", lease_seconds=LEASE_SECONDS)
    warehouse.rollback()

    run(warehouse, pipeline, key="once")

    assert standing(warehouse) == "RUN_REQUESTED"


@pytest.mark.parametrize("keys", [["one"] * 20, [str(number) for number in range(20)], [None] * 20], ids=len)
def test_twenty_requests_at_once_make_one_move(
    warehouse: Connection, warehouse_url: str, pipeline: UUID, keys: list[str | None]
) -> None:
    together = Barrier(len(keys))

    def request(key: str | None) -> Requested:
        with closing(connect(warehouse_url)) as connection:
            together.wait()
            return run(connection, pipeline, key=key)

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(request, keys))

    assert {(answer.row.status if answer.row else None, answer.refusal) for answer in answers} == {
        (Status.RUN_REQUESTED, None)
    }
    assert moves(warehouse) == [("IDLE", "RUN_REQUESTED", "runner-up")]
    kept = ask(warehouse, "select idempotency_key from etl.etl_run_requests")
    assert {key for (key,) in kept} == {key for key in keys if key}


def test_twenty_requests_with_one_key_make_one_run_even_while_a_runner_is_quick(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    together = Barrier(20)

    def request(_: int) -> None:
        with closing(connect(warehouse_url)) as connection:
            together.wait()
            run(connection, pipeline, key="once")
            # A run that ends before the next request comes.
            ask(connection, CLAIM)
            ask(connection, "update etl.etl_pipelines set status = 'IDLE' where status = 'RUNNING'")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(request, range(20)))

    assert [(before, after) for before, after, _ in moves(warehouse)] == [
        ("IDLE", "RUN_REQUESTED"),
        ("RUN_REQUESTED", "RUNNING"),
        ("RUNNING", "IDLE"),
    ]


def test_a_request_that_is_overtaken_by_another_joins_it(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    first = statement("update etl.etl_pipelines set status = 'RUN_REQUESTED', request_key = 'first'")

    with overtaken(warehouse_url, first, run, pipeline) as asked:
        assert asked.result().row is not None

    assert ask(warehouse, "select status, request_key from etl.etl_pipelines") == [("RUN_REQUESTED", "first")]
    assert len(moves(warehouse)) == 1


def test_a_pause_that_is_overtaken_by_a_claim_asks_the_runner(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    put(warehouse, Status.RUN_REQUESTED)

    with overtaken(warehouse_url, statement(CLAIM), pause, pipeline) as asked:
        row = asked.result().row

    assert row is not None
    assert row.status is Status.PAUSE_REQUESTED
    assert [move[:2] for move in moves(warehouse)] == [("RUN_REQUESTED", "RUNNING"), ("RUNNING", "PAUSE_REQUESTED")]


def test_a_pause_that_is_overtaken_by_the_end_holds_the_pipeline(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    put(warehouse, Status.RUNNING)
    end = statement("update etl.etl_pipelines set status = 'IDLE'")

    with overtaken(warehouse_url, end, pause, pipeline) as asked:
        row = asked.result().row

    assert row is not None
    assert row.status is Status.PAUSED


def test_a_run_that_is_overtaken_by_the_pause_itself_is_requested_anew(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    put(warehouse, Status.PAUSE_REQUESTED)
    let_a_runner_hold(warehouse, pipeline, silent_seconds=0)
    paused = statement("update etl.etl_pipelines set status = 'PAUSED'")

    with overtaken(warehouse_url, paused, run, pipeline) as asked:
        row = asked.result().row

    assert row is not None
    assert row.status is Status.RUN_REQUESTED


def test_a_run_that_is_overtaken_by_a_change_to_disabled_is_refused(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    disable = statement("update etl.etl_pipelines set enabled = false")

    with overtaken(warehouse_url, disable, run, pipeline) as asked:
        requested = asked.result()

    assert requested.row is not None
    assert (requested.row.status, requested.refusal) == (Status.IDLE, "the pipeline is disabled; enable it first")


def test_requests_from_all_sides_only_ever_make_moves_that_follow_each_other(
    warehouse: Connection, warehouse_url: str, pipeline: UUID
) -> None:
    let_a_runner_hold(warehouse, pipeline, silent_seconds=0)
    answers = "update etl.etl_pipelines set status = 'PAUSED' where status = 'PAUSE_REQUESTED'"

    def press(side: int) -> None:
        with closing(connect(warehouse_url)) as connection:
            for turn in range(15):
                (run, pause)[(side + turn) % 2](connection, pipeline)
                ask(connection, (CLAIM, answers)[side % 2])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(press, range(4)))

    made = moves(warehouse)
    assert len(made) > 4
    assert [after for _, after, _ in made[:-1]] == [before for before, _, _ in made[1:]]
    assert made[-1][1] == standing(warehouse)
