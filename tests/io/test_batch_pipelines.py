"""Batch pipelines in PostgreSQL: stored whole, changed where nothing runs, moved only as the rules say."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from work_data_hub.domain.batch.pipeline import Deletes, Mode, NullKey, Pipeline, PipelineType, Strategy
from work_data_hub.domain.batch.status import AT_REST, MOVES, Status
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.io.batch_pipelines import (
    DuplicatePipeline,
    PipelineRow,
    create_pipeline,
    find_by_name,
    find_pipeline,
    list_pipelines,
    replace_tasks,
    update_pipeline,
)
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

PLAIN = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")
READER = Task(order_index=1, task_type=TaskType.SQL, body="select 1 as film_id, '%s :x' as title")
STEP = Task(order_index=7, task_type=TaskType.PYTHON, body="normalize_title", target_table="es:film_dim")
FULL = Pipeline(
    name="all-said",
    description="电影 'with' \"quotes\"",
    type=PipelineType.PYTHON,
    source_query="select 100 % 3 as film_id, $$:name$$ as title",
    python_module="normalize_title",
    target_table="analytics.film_rating_agg",
    mode=Mode.INCREMENTAL,
    incremental_key="updated_at",
    incremental_id_key="film_id",
    batch_size=7,
    enabled=False,
    unique_key="film_id",
    strategy=Strategy.OVERLAP,
    overlap_seconds=Decimal("12.5"),
    null_key=NullKey.FIRST,
    deletes=Deletes.SOFT,
    throttle_ms=250,
    dlq_max_rows=5,
    dlq_max_ratio=Decimal("0.25"),
    cron="*/5 * * * *",
    tasks=(READER, STEP),
)


def create(warehouse: Connection, pipeline: Pipeline) -> PipelineRow:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return create_pipeline(cursor, pipeline, actor="tester")


def change(warehouse: Connection, row: PipelineRow, pipeline: Pipeline) -> PipelineRow | None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return update_pipeline(cursor, row.id, pipeline, actor="changer")


def stored(warehouse: Connection, row: PipelineRow) -> PipelineRow | None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return find_pipeline(cursor, row.id)


def ask(warehouse: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def put(warehouse: Connection, row: PipelineRow, status: Status) -> None:
    """Let the pipeline stand somewhere, whatever the rules of moves say."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update etl.etl_pipelines set status = %s where id = %s", (status.value, str(row.id)))


def noted(warehouse: Connection) -> list[tuple[Any, ...]]:
    return ask(warehouse, "select from_status, to_status, actor, reason from etl.etl_events order by id")


@pytest.mark.parametrize("pipeline", [PLAIN, FULL], ids=["plain", "full"])
def test_a_pipeline_comes_back_as_it_was_declared(warehouse: Connection, pipeline: Pipeline) -> None:
    row = create(warehouse, pipeline)

    assert (row.pipeline, row.status) == (pipeline, Status.IDLE)
    assert row.created_at == row.updated_at
    assert row.created_at.tzinfo is not None
    assert stored(warehouse, row) == row


def test_pipelines_are_found_by_id_by_name_and_all_by_name(warehouse: Connection) -> None:
    rows = [create(warehouse, replace(PLAIN, name=name)) for name in ("bbb", "ccc", "aaa")]

    with warehouse.cursor() as cursor:
        assert [row.pipeline.name for row in list_pipelines(cursor)] == ["aaa", "bbb", "ccc"]
        assert find_by_name(cursor, "ccc") == rows[1]
        assert find_pipeline(cursor, rows[0].id) == rows[0]
        assert (find_by_name(cursor, "ddd"), find_pipeline(cursor, uuid4())) == (None, None)


def test_the_first_event_says_who_created_it(warehouse: Connection) -> None:
    create(warehouse, PLAIN)

    assert noted(warehouse) == [(None, "IDLE", "tester", "created")]


def test_a_name_that_is_taken_is_refused_and_leaves_nothing(warehouse: Connection) -> None:
    first = create(warehouse, PLAIN)

    with pytest.raises(DuplicatePipeline, match="there is a pipeline 'films' already"):
        create(warehouse, replace(FULL, name="films"))

    with warehouse.cursor() as cursor:
        assert list_pipelines(cursor) == (first,)


def test_two_who_create_one_name_at_once_make_one_pipeline(warehouse: Connection, warehouse_url: str) -> None:
    together = Barrier(2)

    def make(_: int) -> str:
        with closing(connect(warehouse_url)) as connection:
            together.wait()
            try:
                return create(connection, FULL).pipeline.name
            except DuplicatePipeline as taken:
                return type(taken).__name__

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(make, range(2))) == ["DuplicatePipeline", "all-said"]
    assert ask(warehouse, "select count(*) from etl.etl_pipeline_tasks") == [(2,)]


def test_a_change_replaces_every_field_and_the_tasks(warehouse: Connection) -> None:
    row = create(warehouse, PLAIN)

    changed = change(warehouse, row, FULL)

    assert changed is not None
    assert changed == stored(warehouse, row)
    assert (changed.id, changed.pipeline, changed.status) == (row.id, FULL, Status.IDLE)
    assert changed.updated_at > row.updated_at


def test_a_change_is_noted_with_the_fields_that_changed(warehouse: Connection) -> None:
    row = create(warehouse, PLAIN)

    change(warehouse, row, replace(PLAIN, batch_size=5, cron="0 4 * * *", tasks=(READER,)))

    assert noted(warehouse)[1:] == [("IDLE", "IDLE", "changer", "changed: batch_size, cron, tasks")]


def test_a_change_to_the_same_touches_nothing(warehouse: Connection) -> None:
    row = create(warehouse, FULL)

    assert change(warehouse, row, replace(FULL, tasks=(STEP, READER), overlap_seconds=Decimal("12.50"))) == row
    assert len(noted(warehouse)) == 1


@pytest.mark.parametrize("status", Status)
def test_a_change_is_taken_only_at_rest(warehouse: Connection, status: Status) -> None:
    row = create(warehouse, PLAIN)
    put(warehouse, row, status)

    changed = change(warehouse, row, replace(PLAIN, batch_size=5))

    assert (changed is not None) is (status in AT_REST)
    now = stored(warehouse, row)
    assert now is not None
    assert (now.pipeline.batch_size, now.status) == (5 if status in AT_REST else 1000, status)


def test_a_pipeline_that_is_not_there_is_not_changed(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        assert update_pipeline(cursor, uuid4(), PLAIN, actor="tester") is None
        assert replace_tasks(cursor, uuid4(), (READER,), actor="tester") is None


def test_a_change_to_a_name_that_is_taken_is_refused(warehouse: Connection) -> None:
    create(warehouse, PLAIN)
    row = create(warehouse, FULL)

    with pytest.raises(DuplicatePipeline):
        change(warehouse, row, replace(FULL, name="films", batch_size=1))

    assert stored(warehouse, row) == row


def test_tasks_are_replaced_alone_and_only_at_rest(warehouse: Connection) -> None:
    row = create(warehouse, FULL)

    with transaction(warehouse), warehouse.cursor() as cursor:
        changed = replace_tasks(cursor, row.id, (READER,), actor="tester")
    put(warehouse, row, Status.RUNNING)
    with transaction(warehouse), warehouse.cursor() as cursor:
        refused = replace_tasks(cursor, row.id, (), actor="tester")

    assert changed is not None
    assert changed.pipeline == replace(FULL, tasks=(READER,))
    assert refused is None
    assert ask(warehouse, "select body from etl.etl_pipeline_tasks") == [(READER.body,)]


@pytest.mark.parametrize(
    ("values", "is_kept"),
    [
        ({"batch_size": 3}, True),
        ({"source_query": "select 2 as film_id"}, True),
        ({"mode": Mode.FULL, "deletes": Deletes.SOFT}, True),
        ({"strategy": Strategy.SAFE}, True),
        ({"strategy": Strategy.XMIN}, False),
        ({"incremental_key": "created_at"}, False),
        ({"incremental_id_key": "id"}, False),
        ({"tasks": ()}, False),
        ({"tasks": (READER, replace(STEP, target_table="es:film_rating_agg"))}, False),
    ],
    ids=str,
)
def test_a_checkpoint_goes_when_it_would_mean_something_else(
    warehouse: Connection, values: dict[str, Any], is_kept: bool
) -> None:
    row = create(warehouse, FULL)
    ask(warehouse, "insert into etl.etl_state (pipeline_id, last_processed_value) values (%s, 'x')", str(row.id))

    change(warehouse, row, replace(FULL, **values))

    assert ask(warehouse, "select count(*) from etl.etl_state") == [(int(is_kept),)]
    assert noted(warehouse)[-1][3].endswith("; its checkpoint is dropped") is not is_kept


def test_nobody_moves_a_pipeline_that_is_looked_at_for_a_change(warehouse: Connection, warehouse_url: str) -> None:
    row = create(warehouse, PLAIN)

    with closing(connect(warehouse_url)) as other, warehouse.cursor() as cursor, other.cursor() as mover:
        find_pipeline(cursor, row.id, for_change=True)
        mover.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            mover.execute("update etl.etl_pipelines set status = 'PAUSED'")


def test_the_database_keeps_the_same_table_of_moves_as_the_domain(warehouse: Connection) -> None:
    row = create(warehouse, PLAIN)

    moves = {before: {after for after in Status if moves_to(warehouse, row, before, after)} for before in Status}

    assert moves == MOVES


def moves_to(warehouse: Connection, row: PipelineRow, before: Status, after: Status) -> bool:
    """Whether the database makes the move; to stay is none, and no event."""
    put(warehouse, row, before)
    count = len(noted(warehouse))
    with suppress(psycopg2.errors.CheckViolation):
        ask(warehouse, "update etl.etl_pipelines set status = %s", after.value)
    moved = [event[:2] for event in noted(warehouse)[count:]]
    assert moved in ([], [(before, after)])
    return bool(moved)


@pytest.mark.parametrize("status", Status)
def test_a_pipeline_begins_at_rest_or_with_a_request(warehouse: Connection, status: Status) -> None:
    insert = "insert into etl.etl_pipelines (name, target_table, status) values ('new', 'x', %s)"

    if status in (Status.IDLE, Status.RUN_REQUESTED, Status.PAUSED):
        ask(warehouse, insert, status.value)
        assert [event[:2] for event in noted(warehouse)] == [(None, status)]
    else:
        with pytest.raises(psycopg2.errors.CheckViolation, match=f"a pipeline cannot begin as {status}"):
            ask(warehouse, insert, status.value)


def test_what_was_noted_is_never_rewritten(warehouse: Connection) -> None:
    create(warehouse, PLAIN)

    with pytest.raises(psycopg2.errors.CheckViolation, match="events are only ever added"):
        ask(warehouse, "update etl.etl_events set actor = 'nobody'")
