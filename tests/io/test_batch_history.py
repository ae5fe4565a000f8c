"""What pipelines did, as it is shown; checkpoints set by hand; rows set aside; the numbers for metrics."""

import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from work_data_hub.domain.batch.pipeline import Mode, Pipeline
from work_data_hub.domain.batch.run import Cursor
from work_data_hub.domain.batch.status import AT_REST, RunStatus, Status
from work_data_hub.io.batch_history import (
    batches_of,
    dead_letters,
    events_of,
    mark_replayed,
    run_of,
    runs_of,
    set_state,
    snapshot_of_metrics,
    state_of,
)
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration

PIPELINE = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")
INCREMENTAL = replace(PIPELINE, mode=Mode.INCREMENTAL, incremental_key="updated_at", incremental_id_key="film_id")


@pytest.fixture
def pipeline(warehouse: Connection) -> UUID:
    return create(warehouse, PIPELINE)


def create(warehouse: Connection, pipeline: Pipeline) -> UUID:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return create_pipeline(cursor, pipeline, actor="tester").id


def ask(warehouse: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def put(warehouse: Connection, id: UUID, status: Status) -> None:
    """Let the pipeline stand somewhere, whatever the rules of moves say."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update etl.etl_pipelines set status = %s where id = %s", (status.value, str(id)))


def add_run(warehouse: Connection, pipeline: UUID, *, minutes_ago: int = 0, status: str = "SUCCESS") -> UUID:
    rows = ask(
        warehouse,
        "insert into etl.etl_runs (pipeline_id, status, started_at, finished_at)"
        " values (%s, %s, now() - make_interval(mins => %s), case when %s <> 'RUNNING' then now() end) returning id",
        *(str(pipeline), status, minutes_ago, status),
    )
    return UUID(str(rows[0][0]))


def add_batch(warehouse: Connection, run: UUID, seq: int, *, before: Cursor | None, after: Cursor | None) -> None:
    places = [None if place is None else json.dumps(place.as_json()) for place in (before, after)]
    ask(
        warehouse,
        "insert into etl.etl_batches (run_id, seq, cursor_from, cursor_to, rows_read, rows_written, epoch)"
        " values (%s, %s, %s, %s, 2, 1, 4)",
        *(str(run), seq, *places),
    )


def set_aside(warehouse: Connection, pipeline: UUID, payload: str, *, run: UUID | None = None) -> int:
    rows = ask(
        warehouse,
        "insert into etl.etl_dlq (pipeline_id, run_id, seq, target, key, cursor, payload, fingerprint, sqlstate, error)"
        """ values (%s, %s, 3, 'x', 'k', '{"value": null, "id": "7"}', %s, md5(%s), '22003', 'too big') returning id""",
        *(str(pipeline), str(run) if run else None, payload, payload),
    )
    return int(rows[0][0])


def test_runs_are_shown_newest_first_and_no_more_than_asked_for(warehouse: Connection, pipeline: UUID) -> None:
    old, new, newest = (add_run(warehouse, pipeline, minutes_ago=minutes) for minutes in (9, 5, 1))
    add_run(warehouse, create(warehouse, replace(PIPELINE, name="other")))

    with warehouse.cursor() as cursor:
        assert [run.id for run in runs_of(cursor, pipeline, 50)] == [newest, new, old]
        assert [run.id for run in runs_of(cursor, pipeline, 2)] == [newest, new]


def test_a_run_is_shown_with_all_that_is_known_of_it(warehouse: Connection, pipeline: UUID) -> None:
    first = add_run(warehouse, pipeline, status="FAILED")
    second = add_run(warehouse, pipeline, status="RUNNING")
    counts = {
        f"rows_{name}": number
        for number, name in enumerate(
            ("read", "written", "inserted", "updated", "unchanged", "rescanned", "deleted", "dlq", "stale"), start=1
        )
    }
    told = {"error_message": "why", "attempt": 2, "trigger": "api", "idempotency_key": "k", "worker": "w", "epoch": 9}
    for name, value in (counts | told).items():
        ask(warehouse, f"update etl.etl_runs set {name} = %s where id = %s", value, str(second))
    ask(
        warehouse,
        "update etl.etl_runs set resumed_from = %s, warnings = '[\"late\"]', status = 'SUCCESS', finished_at = now()"
        " where id = %s",
        str(first),
        str(second),
    )

    with warehouse.cursor() as cursor:
        run = run_of(cursor, second)

    assert run is not None
    assert {name: getattr(run, name) for name in counts | told} == counts | told
    assert (run.id, run.pipeline_id, run.resumed_from, run.warnings) == (second, pipeline, first, ("late",))
    assert run.status is RunStatus.SUCCESS
    assert run.finished_at is not None
    assert run.finished_at >= run.started_at


def test_a_run_that_goes_on_has_no_end(warehouse: Connection, pipeline: UUID) -> None:
    running = add_run(warehouse, pipeline, status="RUNNING")

    with warehouse.cursor() as cursor:
        run = run_of(cursor, running)
        assert run_of(cursor, uuid4()) is None

    assert run is not None
    assert (run.status, run.finished_at, run.warnings) == (RunStatus.RUNNING, None, ())


def test_batches_of_all_runs_are_shown_newest_first(warehouse: Connection, pipeline: UUID) -> None:
    old, new = (add_run(warehouse, pipeline, minutes_ago=minutes) for minutes in (9, 5))
    place = Cursor(value="2026-01-01T00:00:00.000001+00:00", id="7")
    add_batch(warehouse, new, 0, before=Cursor(id="3"), after=place)
    add_batch(warehouse, new, 1, before=place, after=None)
    add_batch(warehouse, old, 0, before=None, after=Cursor(id="3"))
    other = create(warehouse, replace(PIPELINE, name="other"))
    add_batch(warehouse, add_run(warehouse, other), 0, before=None, after=None)

    with warehouse.cursor() as cursor:
        batches = batches_of(cursor, pipeline, 50)
        assert batches_of(cursor, pipeline, 1) == batches[:1]

    assert [(batch.run_id, batch.seq, batch.cursor_from, batch.cursor_to) for batch in batches] == [
        (new, 1, place, None),
        (new, 0, Cursor(id="3"), place),
        (old, 0, None, Cursor(id="3")),
    ]
    assert {(batch.rows_read, batch.rows_written, batch.rows_dlq, batch.epoch) for batch in batches} == {(2, 1, 0, 4)}


def test_events_are_shown_newest_first_with_the_epoch_of_the_lease(warehouse: Connection, pipeline: UUID) -> None:
    ask(warehouse, "insert into etl.etl_leases (pipeline_id, epoch) values (%s, 5)", str(pipeline))
    ask(warehouse, "update etl.etl_pipelines set status = 'PAUSED'")

    with warehouse.cursor() as cursor:
        paused, created = events_of(cursor, pipeline, 50)
        assert events_of(cursor, pipeline, 1) == (paused,)

    assert (created.from_status, created.to_status, created.actor, created.epoch) == (None, Status.IDLE, "tester", None)
    assert (paused.from_status, paused.to_status, paused.epoch, paused.reason) == (Status.IDLE, Status.PAUSED, 5, None)
    assert paused.at > created.at


def test_a_checkpoint_that_was_set_is_the_one_that_is_read(warehouse: Connection, pipeline: UUID) -> None:
    place = Cursor(value="2026-01-01T00:00:00.000001+00:00", id="7")

    with transaction(warehouse), warehouse.cursor() as cursor:
        assert state_of(cursor, pipeline) is None
        assert set_state(cursor, pipeline, Cursor(value="a", id="b"), actor="tester")
        assert set_state(cursor, pipeline, place, actor="tester")
        assert state_of(cursor, pipeline) == place


@pytest.mark.parametrize("beginning", [None, Cursor()])
def test_without_a_checkpoint_the_next_run_begins_at_the_beginning(
    warehouse: Connection, pipeline: UUID, beginning: Cursor | None
) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        set_state(cursor, pipeline, Cursor(value="a", id="b"), actor="tester")
        assert set_state(cursor, pipeline, beginning, actor="tester")
        assert state_of(cursor, pipeline) is None

    assert ask(warehouse, "select * from etl.etl_state") == []


def test_a_checkpoint_set_by_hand_is_on_record(warehouse: Connection, pipeline: UUID) -> None:
    put(warehouse, pipeline, Status.FAILED)
    for state in (Cursor(value="2026", id="7"), None):
        with transaction(warehouse), warehouse.cursor() as cursor:
            set_state(cursor, pipeline, state, actor="王芳")

    with warehouse.cursor() as cursor:
        back, there, _ = events_of(cursor, pipeline, 50)

    assert (there.from_status, there.to_status, there.actor) == (Status.FAILED, Status.FAILED, "王芳")
    assert there.reason == "checkpoint set from the beginning to (2026, 7)"
    assert back.reason == "checkpoint set from (2026, 7) to the beginning"


@pytest.mark.parametrize("status", Status)
def test_a_checkpoint_is_set_only_at_rest(warehouse: Connection, pipeline: UUID, status: Status) -> None:
    put(warehouse, pipeline, status)

    with transaction(warehouse), warehouse.cursor() as cursor:
        was_set = set_state(cursor, pipeline, Cursor(value="a", id="b"), actor="tester")
        assert was_set is (status in AT_REST)
        assert (state_of(cursor, pipeline) is not None) is was_set
        assert len(events_of(cursor, pipeline, 50)) == 1 + was_set


def test_no_checkpoint_is_set_where_there_is_no_pipeline(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        assert not set_state(cursor, uuid4(), Cursor(value="a", id="b"), actor="tester")


def test_rows_that_were_set_aside_are_shown_oldest_first_and_exact(warehouse: Connection, pipeline: UUID) -> None:
    run = add_run(warehouse, pipeline)
    first = set_aside(warehouse, pipeline, '{"rating": 0.10000000000000000001, "votes": 3}', run=run)
    second = set_aside(warehouse, pipeline, '{"title": "电影"}')
    set_aside(warehouse, create(warehouse, replace(PIPELINE, name="other")), "{}")

    with warehouse.cursor() as cursor:
        letters = dead_letters(cursor, pipeline, limit=50)
        assert dead_letters(cursor, pipeline, limit=1) == letters[:1]
        assert dead_letters(cursor, pipeline, limit=50, ids=[second]) == letters[1:]
        assert dead_letters(cursor, pipeline, limit=50, ids=[]) == ()

    assert [letter.id for letter in letters] == [first, second]
    assert letters[0].payload == {"rating": Decimal("0.10000000000000000001"), "votes": 3}
    assert (letters[0].run_id, letters[0].seq, letters[0].key, letters[0].cursor) == (run, 3, "k", Cursor(id="7"))
    assert (letters[0].sqlstate, letters[0].error, letters[0].attempt) == ("22003", "too big", 1)
    assert (letters[1].payload, letters[1].run_id) == ({"title": "电影"}, None)


def test_rows_that_are_taken_now_are_kept_apart(warehouse: Connection, pipeline: UUID) -> None:
    taken, waiting = (set_aside(warehouse, pipeline, payload) for payload in ('{"a": 1}', '{"a": 2}'))
    other = create(warehouse, replace(PIPELINE, name="other"))
    foreign = set_aside(warehouse, other, "{}")

    with transaction(warehouse), warehouse.cursor() as cursor:
        assert mark_replayed(cursor, pipeline, [taken, foreign]) == 1
        assert mark_replayed(cursor, pipeline, [taken]) == 0
        (kept,) = dead_letters(cursor, pipeline, limit=50, replayed=True)
        assert [letter.id for letter in dead_letters(cursor, pipeline, limit=50)] == [waiting]
        assert [letter.id for letter in dead_letters(cursor, other, limit=50)] == [foreign]

    assert kept.id == taken
    assert kept.replayed_at is not None


def test_the_numbers_of_an_empty_database_are_none_but_told(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        snapshot = snapshot_of_metrics(cursor)

    assert snapshot.pipelines == dict.fromkeys((status.value for status in Status), 0)
    assert (snapshot.queue_depth, snapshot.running, snapshot.failed, snapshot.oldest_request_seconds) == (0, 0, 0, 0)
    assert (snapshot.heartbeat_age_seconds, snapshot.dlq_open) == ({}, {})
    assert (snapshot.lag_seconds, snapshot.checkpoint_age_seconds) == ({}, {})


def test_pipelines_are_counted_by_where_they_stand(warehouse: Connection) -> None:
    wanted = [Status.RUN_REQUESTED] * 2 + [Status.RUNNING] * 2 + [Status.PAUSE_REQUESTED, Status.FAILED, Status.IDLE]
    for number, status in enumerate(wanted):
        put(warehouse, create(warehouse, replace(PIPELINE, name=f"films-{number}")), status)
    ask(warehouse, "update etl.etl_pipelines set requested_at = now() - interval '90 s' where name = 'films-0'")
    ask(warehouse, "update etl.etl_pipelines set requested_at = now() - interval '1 h' where name = 'films-6'")

    with warehouse.cursor() as cursor:
        snapshot = snapshot_of_metrics(cursor)

    assert (snapshot.queue_depth, snapshot.running, snapshot.failed) == (2, 3, 1)
    assert 90 <= snapshot.oldest_request_seconds < 3_600


def test_runners_are_told_with_their_silence(warehouse: Connection) -> None:
    ask(
        warehouse,
        "insert into etl.etl_workers (worker_id, heartbeat_at, host, pid, version)"
        " values ('a', now() - interval '40 s', 'h', 1, '1'), ('b', now(), 'h', 2, '1')",
    )

    with warehouse.cursor() as cursor:
        ages = snapshot_of_metrics(cursor).heartbeat_age_seconds

    assert list(ages) == ["a", "b"]
    assert ages["a"] - ages["b"] == pytest.approx(40, abs=0.001)


def test_rows_set_aside_are_counted_by_pipeline_while_they_wait(warehouse: Connection, pipeline: UUID) -> None:
    taken, _ = (set_aside(warehouse, pipeline, payload) for payload in ('{"a": 1}', '{"a": 2}'))
    create(warehouse, replace(PIPELINE, name="other"))

    with warehouse.cursor() as cursor:
        mark_replayed(cursor, pipeline, [taken])
        assert snapshot_of_metrics(cursor).dlq_open == {"films": 1, "other": 0}


@pytest.mark.parametrize(
    ("checkpoint", "has_age"),
    [
        ("to_char(now() at time zone 'UTC' - interval '100 s', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')", True),
        ("to_char(now() at time zone 'UTC' - interval '100 s', 'YYYY-MM-DD HH24:MI:SS.US')", True),
        ("to_char((now() - interval '100 s') at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS.US') || '+08'", True),
        ("'20260101'", False),
        ("'2026-99-99'", False),
        ("'infinity'", False),
        ("''", False),
        ("null", False),
    ],
)
def test_a_checkpoint_that_is_a_moment_has_an_age(warehouse: Connection, checkpoint: str, has_age: bool) -> None:
    id = create(warehouse, INCREMENTAL)
    ask(warehouse, f"insert into etl.etl_state (pipeline_id, last_processed_value) values (%s, {checkpoint})", str(id))

    with warehouse.cursor() as cursor:
        ages = snapshot_of_metrics(cursor).checkpoint_age_seconds

    assert list(ages) == ["films"] * has_age
    assert all(100 <= age < 200 for age in ages.values())


def test_the_lag_is_the_time_since_the_source_was_read_to_its_end(warehouse: Connection) -> None:
    id, fresh = create(warehouse, INCREMENTAL), create(warehouse, replace(INCREMENTAL, name="fresh"))
    old = "to_char(now() - interval '9 days', 'YYYY-MM-DD')"
    ask(warehouse, f"insert into etl.etl_state (pipeline_id, last_processed_value) values (%s, {old})", str(id))
    for pipeline, status, seconds, mode in (
        (id, "SUCCESS", 500, "incremental"),
        (id, "SUCCESS", 100, "incremental"),
        (id, "SUCCESS", 50, "full"),
        (id, "FAILED", 10, "incremental"),
        (fresh, "FAILED", 10, "incremental"),
    ):
        ask(
            warehouse,
            "insert into etl.etl_runs (pipeline_id, status, started_at, finished_at, definition) values"
            " (%s, %s, now() - make_interval(secs => %s), now(), jsonb_build_object('mode', %s::text))",
            *(str(pipeline), status, seconds, mode),
        )

    with warehouse.cursor() as cursor:
        snapshot = snapshot_of_metrics(cursor)

    assert list(snapshot.lag_seconds) == ["films"]
    assert 100 <= snapshot.lag_seconds["films"] < 200
    assert snapshot.checkpoint_age_seconds["films"] > 8 * 86_400


def test_a_full_pipeline_has_no_lag_whatever_checkpoint_is_left(warehouse: Connection, pipeline: UUID) -> None:
    ask(
        warehouse,
        "insert into etl.etl_state (pipeline_id, last_processed_value) values (%s, '2020-01-01')",
        str(pipeline),
    )
    ask(
        warehouse,
        "insert into etl.etl_runs (pipeline_id, status, finished_at) values (%s, 'SUCCESS', now())",
        str(pipeline),
    )

    with warehouse.cursor() as cursor:
        snapshot = snapshot_of_metrics(cursor)

    assert (snapshot.lag_seconds, snapshot.checkpoint_age_seconds) == ({}, {})


def test_what_is_shown_of_a_run_is_what_the_table_has(warehouse: Connection, pipeline: UUID) -> None:
    (columns,) = ask(
        warehouse,
        "select array_agg(attname::text) from pg_attribute"
        " where attrelid = 'etl.etl_runs'::regclass and attnum > 0 and not attisdropped",
    )
    run = add_run(warehouse, pipeline)
    with warehouse.cursor() as cursor:
        shown = run_of(cursor, run)

    assert shown is not None
    assert {field.name for field in fields(shown)} == set(columns[0]) - {"definition"}
