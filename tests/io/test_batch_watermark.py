"""How far an incremental run may read while others write."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg2 import sql
from tests.patience import until

from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_reader import reader_connection
from work_data_hub.io.batch_watermark import (
    Horizon,
    OpenTransaction,
    Watermark,
    safe_watermark,
    transaction_horizon,
    watermark_of,
)
from work_data_hub.io.postgres import Connection, connect, transaction

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONED = "timestamp with time zone"
ENDS = "ends with a temporary table"
WAITS = f"select wait_event_type = 'Lock' from pg_stat_activity where application_name = '{ENDS}'"


def begun(seconds_ago: float, *, pid: int | None = 7) -> OpenTransaction:
    return OpenTransaction(pid, "alice", "loader", NOW - timedelta(seconds=seconds_ago))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("others", "seconds_ago"),
    [([], 0), ([begun(2)], 2), ([begun(2), begun(5), begun(1)], 5), ([begun(-1)], 0)],
)
def test_the_oldest_open_transaction_is_the_watermark(others: list[OpenTransaction], seconds_ago: float) -> None:
    assert watermark_of(others, now=NOW) == Watermark(at=NOW - timedelta(seconds=seconds_ago))


@pytest.mark.unit
def test_who_holds_rows_back_for_more_than_a_minute_is_named() -> None:
    (note,) = watermark_of([begun(61)], now=NOW).notes

    assert "last 61 s" in note
    assert "process 7 (alice, loader)" in note


@pytest.mark.unit
def test_a_prepared_transaction_that_nobody_ends_is_named() -> None:
    (note,) = watermark_of([begun(600, pid=None)], now=NOW).notes

    assert "prepared transaction 'loader'" in note


@pytest.mark.unit
@pytest.mark.parametrize(
    ("place", "is_out_of_reach"), [(100, False), (5_000_000_000 - 2**31, False), (2_000_000_000, True), (2**40, True)]
)
def test_a_horizon_reaches_back_half_of_all_numbers(place: int, is_out_of_reach: bool) -> None:
    following = 101 if place == 100 else 5_000_000_000

    assert Horizon(oldest=100, following=following).is_out_of_reach(place) is is_out_of_reach


@pytest.fixture
def reader(warehouse_url: str) -> Iterator[Connection]:
    connection, _ = reader_connection(
        warehouse_url,
        reader_url=warehouse_url,
        may_read_as_anyone=True,
        statement_timeout_seconds=30,
        application_name="wdh batch reader tests",
    )
    with closing(connection):
        yield connection


def mark(reader: Connection, *, key_type: str = ZONED) -> Watermark:
    return safe_watermark(reader, key_type=key_type, prepared_seconds=Decimal(60))


def one(connection: Connection, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone() or (None,)
    return value


@pytest.mark.integration
def test_what_was_committed_before_lies_below_the_watermark(warehouse: Connection, reader: Connection) -> None:
    stamped = one(warehouse, "select now()")
    warehouse.commit()

    assert stamped < mark(reader).at


@pytest.mark.integration
def test_an_open_transaction_is_waited_for_before_it_has_written_anything(
    warehouse: Connection, reader: Connection
) -> None:
    stamped = one(warehouse, "select now()")

    assert mark(reader).at == stamped


@pytest.mark.integration
def test_readers_are_not_waited_for(warehouse_url: str, reader: Connection) -> None:
    with closing(connect(warehouse_url, application_name="wdh batch reader other")) as other:
        stamped = one(other, "select now()")

        assert mark(reader).at > stamped


@pytest.mark.integration
def test_a_writer_that_calls_itself_a_reader_is_waited_for(warehouse_url: str, reader: Connection) -> None:
    with closing(connect(warehouse_url, application_name="wdh batch reader other")) as other:
        stamped = one(
            other, "insert into content.film_work (id, title) values (gen_random_uuid(), 'x') returning now()"
        )

        assert mark(reader).at == stamped


@pytest.mark.integration
@pytest.mark.parametrize("key_type", ["timestamp(3) with time zone", "timestamp(4) without time zone"])
def test_a_rounded_key_of_an_open_transaction_is_never_below_the_watermark(
    warehouse: Connection, reader: Connection, key_type: str
) -> None:
    digits = 3 if "(3)" in key_type else 4
    for _ in range(20):
        rounded = one(warehouse, f"select now()::timestamptz({digits})")
        assert mark(reader, key_type=key_type).at <= rounded
        warehouse.commit()


@pytest.mark.integration
def test_a_rounded_key_committed_before_lies_below_the_watermark(warehouse: Connection, reader: Connection) -> None:
    for _ in range(20):
        rounded = one(warehouse, "select now()::timestamptz(2)")
        warehouse.commit()
        assert rounded < mark(reader, key_type="timestamp(2) with time zone").at


@pytest.mark.integration
def test_a_key_without_zone_is_said_to_be_read_in_the_zone_of_the_database(reader: Connection) -> None:
    assert mark(reader, key_type="date").notes == ()
    one(reader, "select set_config('timezone', 'Asia/Shanghai', false)")
    reader.commit()

    assert "time zone" in mark(reader, key_type="date").notes[0]
    assert mark(reader).notes == ()


@pytest.mark.integration
def test_where_the_transactions_of_others_cannot_be_seen_none_is_taken_for_over(
    warehouse: Connection, reader: Connection
) -> None:
    function = "etl.open_transactions(text)"
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute(f"create role wdh_test_blind; alter function {function} owner to wdh_test_blind")
    try:
        with pytest.raises(InvalidPipeline) as refused:
            mark(reader)
        with warehouse, warehouse.cursor() as cursor:
            cursor.execute("grant pg_read_all_stats to wdh_test_blind")
        assert mark(reader)
    finally:
        with warehouse, warehouse.cursor() as cursor:
            cursor.execute(f"alter function {function} owner to current_user; drop role wdh_test_blind")

    assert "wdh db roles" in (refused.value.hint or "")


@pytest.mark.integration
def test_the_horizon_is_the_oldest_transaction_that_still_writes(warehouse: Connection, reader: Connection) -> None:
    number = int(one(warehouse, "select pg_current_xact_id()::text"))

    with reader, reader.cursor() as cursor:
        while_open = transaction_horizon(cursor)
    warehouse.commit()
    with reader, reader.cursor() as cursor:
        afterwards = transaction_horizon(cursor)

    assert while_open.oldest <= number < afterwards.following


@pytest.mark.integration
def test_a_session_that_ends_and_cleans_up_holds_nothing_back(warehouse_url: str, reader: Connection) -> None:
    ending = connect(warehouse_url, application_name=ENDS)
    with transaction(ending), ending.cursor() as cursor:
        cursor.execute("create temporary table staged (id bigint)")
    schema = one(ending, "select pg_my_temp_schema()::regnamespace::text")
    ending.commit()
    with closing(connect(warehouse_url, application_name="wdh batch reader other")) as other, other.cursor() as cursor:
        cursor.execute(sql.SQL("lock table {} in access share mode").format(sql.Identifier(schema, "staged")))
        stamped = one(other, "select clock_timestamp()")
        ending.close()
        # Its end waits for the lock, in a transaction that bears the time of its last statement.
        until(lambda: one(other, WAITS))
        assert mark(reader).at > stamped
