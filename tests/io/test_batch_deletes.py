"""Deletes told by the keys of a whole scan: soft, hard, refused, and across runs that resume each other."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from work_data_hub.domain.batch.pipeline import Deletes
from work_data_hub.domain.batch.run import Column, Page
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import BatchError
from work_data_hub.io.batch_deletes import delete_unseen, remember_keys
from work_data_hub.io.batch_table_sink import TableSink
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration

SPACE = UUID("00000000-0000-0000-0000-0000000000f2")
TARGET = TARGETS["analytics.film_dim"]
COLUMNS = (Column(name="title", type="text"), Column(name="film_id", type="text"))


def film_dim() -> TableTarget:
    assert isinstance(TARGET, TableTarget)
    return TARGET


def key(number: int) -> str:
    return str(uuid5(SPACE, str(number)))


def ask(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def run_id(warehouse: Connection) -> UUID:
    return new_run(warehouse)


def new_run(connection: Connection, *, resumed_from: UUID | None = None) -> UUID:
    name = f"films_{ask(connection, 'select count(*) from etl.etl_pipelines')[0][0]}"
    pipeline = ask(
        connection,
        "insert into etl.etl_pipelines (name, target_table) values (%s, 'analytics.film_dim') returning id",
        name,
    )[0][0]
    statement = "insert into etl.etl_runs (pipeline_id, resumed_from) values (%s, %s) returning id::text"
    return UUID(ask(connection, statement, pipeline, str(resumed_from) if resumed_from else None)[0][0])


def page_of(*keys: str) -> Page:
    """Films with these keys, as records; the keys are texts."""
    return Page(columns=COLUMNS, rows_read=len(keys), records=[f'("A, ""film"")",{key})' for key in keys])


def fill(connection: Connection, *numbers: int) -> None:
    with transaction(connection), connection.cursor() as cursor:
        TableSink(film_dim(), COLUMNS).write(cursor, page_of(*map(key, numbers)))


def see(connection: Connection, run_id: UUID, *keys: str) -> None:
    with transaction(connection), connection.cursor() as cursor:
        remember_keys(cursor, run_id, target=film_dim(), page=page_of(*keys))


def delete(connection: Connection, run_id: UUID, deletes: Deletes, **options: Any) -> int:
    with transaction(connection), connection.cursor() as cursor:
        return delete_unseen(cursor, run_id, film_dim(), deletes=deletes, **options)


def living(connection: Connection) -> set[str]:
    return {row[0] for row in ask(connection, "select film_id::text from analytics.film_dim where deleted_at is null")}


def keys(*numbers: int) -> set[str]:
    return {key(number) for number in numbers}


def test_rows_that_were_not_seen_are_marked(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    before = ask(warehouse, "select max(updated_at) from analytics.film_dim")[0][0]
    see(warehouse, run_id, *map(key, range(8)))

    assert delete(warehouse, run_id, Deletes.SOFT) == 2
    assert living(warehouse) == keys(*range(8))
    marked = ask(
        warehouse,
        "select updated_at = deleted_at, updated_at > %s from analytics.film_dim where deleted_at is not null",
        before,
    )
    assert marked == [(True, True)] * 2


def test_rows_that_were_marked_are_not_marked_again(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    see(warehouse, run_id, *map(key, range(9)))
    delete(warehouse, run_id, Deletes.SOFT)
    before = ask(warehouse, "select * from analytics.film_dim order by film_id")
    later = new_run(warehouse)
    see(warehouse, later, *map(key, range(9)))

    assert delete(warehouse, later, Deletes.SOFT) == 0
    assert ask(warehouse, "select * from analytics.film_dim order by film_id") == before


def test_a_row_that_comes_back_lives_again(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    see(warehouse, run_id, *map(key, range(9)))
    delete(warehouse, run_id, Deletes.SOFT)
    fill(warehouse, 9)

    assert living(warehouse) == keys(*range(10))


def test_hard_deletes_take_marked_rows_along(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    ask(warehouse, "update analytics.film_dim set deleted_at = now() where film_id = %s", key(0))
    see(warehouse, run_id, *map(key, range(2, 10)))

    assert delete(warehouse, run_id, Deletes.HARD) == 2
    assert ask(warehouse, "select count(*) from analytics.film_dim") == [(8,)]


def test_deletes_that_are_ignored_delete_nothing(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, 1)

    assert delete(warehouse, run_id, Deletes.IGNORE) == 0
    assert living(warehouse) == keys(1)


@pytest.mark.parametrize("deletes", [Deletes.SOFT, Deletes.HARD])
def test_more_than_a_fifth_is_refused(warehouse: Connection, run_id: UUID, deletes: Deletes) -> None:
    fill(warehouse, *range(10))
    see(warehouse, run_id, *map(key, range(7)))

    with pytest.raises(BatchError, match=r"3 of 10 rows of analytics\.film_dim would be deleted") as refusal:
        delete(warehouse, run_id, deletes)
    assert (refusal.value.input_data, refusal.value.rule) == ("30%", "at most 20% of a target vanish in one run")
    assert living(warehouse) == keys(*range(10))
    assert delete(warehouse, run_id, deletes, most_share=0.3) == 3


def test_marked_rows_are_no_part_of_the_share(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    for number in range(5, 10):
        ask(warehouse, "update analytics.film_dim set deleted_at = now() where film_id = %s", key(number))
    see(warehouse, run_id, *map(key, range(3)))

    with pytest.raises(BatchError, match="2 of 5"):
        delete(warehouse, run_id, Deletes.SOFT)


def test_a_scan_that_saw_nothing_deletes_nothing(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, 1)

    with pytest.raises(BatchError, match="no rows seen, none deleted"):
        delete(warehouse, run_id, Deletes.SOFT, most_share=1.0)
    assert living(warehouse) == keys(1)


def test_an_empty_source_of_an_empty_target_is_in_order(warehouse: Connection, run_id: UUID) -> None:
    assert delete(warehouse, run_id, Deletes.HARD) == 0


def test_what_the_resumed_runs_saw_counts(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    second = new_run(warehouse, resumed_from=run_id)
    third = new_run(warehouse, resumed_from=second)
    other = new_run(warehouse)
    see(warehouse, run_id, *map(key, range(4)))
    see(warehouse, second, *map(key, range(4, 7)))
    see(warehouse, third, *map(key, range(7, 9)))
    see(warehouse, other, key(9))

    assert delete(warehouse, third, Deletes.SOFT) == 1
    assert living(warehouse) == keys(*range(9))
    assert ask(warehouse, "select run_id::text from etl.etl_seen_keys") == [(str(other),)]


def test_keys_are_compared_as_the_table_holds_them(warehouse: Connection, run_id: UUID) -> None:
    fill(warehouse, *range(10))
    see(warehouse, run_id, *(key(number).upper() for number in range(5)))
    see(warehouse, run_id, *(f'"{{{key(number)}}}"' for number in range(4, 10)))

    assert delete(warehouse, run_id, Deletes.HARD) == 0
    assert living(warehouse) == keys(*range(10))


def test_what_is_no_key_is_not_noted_and_the_others_are(warehouse: Connection, run_id: UUID) -> None:
    see(warehouse, run_id, key(1), "no key", "", key(2), key(1))

    assert {row[0] for row in ask(warehouse, "select key from etl.etl_seen_keys")} == keys(1, 2)


def test_keys_of_transformed_rows_are_noted(warehouse: Connection, run_id: UUID) -> None:
    rows: list[dict[str, Any]] = [
        {"film_id": UUID(key(1))},
        {"film_id": key(2).upper()},
        {"film_id": None},
        {"title": "a"},
    ]
    with transaction(warehouse), warehouse.cursor() as cursor:
        remember_keys(cursor, run_id, target=film_dim(), page=Page(columns=COLUMNS, rows_read=4, rows=rows))

    assert {row[0] for row in ask(warehouse, "select key from etl.etl_seen_keys")} == keys(1, 2)
