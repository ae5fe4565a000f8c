"""Frames into tables through the pool."""

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import psycopg2
import pyarrow as pa
import pytest

from work_data_hub.errors import SchemaDrift, WarehouseError
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.io.warehouse_loader import WarehouseLoader

pytestmark = pytest.mark.integration


def samples(*amounts: str, **columns: Any) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "id": range(1, len(amounts) + 1),
            "name": [f"甲{at}" for at in range(len(amounts))],
            "amount": pd.Series([Decimal(text) for text in amounts], dtype=pd.ArrowDtype(pa.decimal128(18, 2))),
            "day": [date(2024, 10, 1)] * len(amounts),
        }
    )
    return rows.assign(**columns)


def test_rows_are_inserted_then_updated_then_left_alone(warehouse_url: str) -> None:
    with WarehouseLoader(warehouse_url) as loader:
        first = loader.load_dataframe(samples("1.10", "2.20"), "sample_data", "public", ["id"])
        second = loader.load_dataframe(samples("1.10", "9.99", "3.30"), "sample_data", "public", ["id"])
        third = loader.load_dataframe(samples("1.10", "9.99", "3.30"), "sample_data", "public", ["id"])

    assert (first.rows_inserted, first.rows_updated) == (2, 0)
    assert (second.rows_inserted, second.rows_updated) == (1, 1)
    assert (third.rows_inserted, third.rows_updated) == (0, 0)


def test_a_load_is_whole_or_not_there(warehouse_url: str, warehouse: Connection) -> None:
    twice = pd.concat([samples("1"), samples("2")])

    with WarehouseLoader(warehouse_url) as loader, pytest.raises(WarehouseError):
        loader.load_dataframe(twice, "sample_data", "public")

    with warehouse.cursor() as cursor:
        cursor.execute("select count(*) from public.sample_data")
        assert cursor.fetchone() == (0,)


def test_columns_the_table_lacks_are_left_out(warehouse_url: str) -> None:
    with WarehouseLoader(warehouse_url) as loader:
        projected = loader.project_columns(samples("1", extra=1, 更多=2), "sample_data", "public")

    assert list(projected.columns) == ["id", "name", "amount", "day"]


def test_an_unknown_table_is_a_drift(warehouse_url: str) -> None:
    with WarehouseLoader(warehouse_url) as loader, pytest.raises(SchemaDrift):
        loader.get_allowed_columns("nothing", "public")


def test_every_connection_comes_back_after_an_error(warehouse_url: str) -> None:
    with WarehouseLoader(warehouse_url, pool_size=1) as loader:
        for _ in range(3):
            with pytest.raises(WarehouseError):
                loader.load_dataframe(samples("1", day="no date"), "sample_data", "public")
        assert loader.load_dataframe(samples("1"), "sample_data", "public").rows_inserted == 1


def test_a_lost_connection_is_replaced(warehouse_url: str, warehouse: Connection) -> None:
    pauses: list[float] = []
    with WarehouseLoader(warehouse_url, pool_size=1, sleep=pauses.append) as loader:
        with loader.connection() as connection:
            lost = connection.info.backend_pid
        with warehouse.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s)", (lost,))
        warehouse.commit()

        assert loader.load_dataframe(samples("1"), "sample_data", "public").rows_inserted == 1
    assert pauses == [1.0]


def test_no_password_in_the_error_of_a_refused_connection(warehouse_url: str) -> None:
    wrong = psycopg2.extensions.make_dsn(warehouse_url, password="canary-secret")

    with pytest.raises(WarehouseError) as refused:
        WarehouseLoader(wrong)

    assert "canary-secret" not in str(refused.value)


@pytest.mark.parametrize("keys", [None, ["id"]])
def test_rows_travel_in_chunks_of_the_batch_size(warehouse_url: str, keys: list[str] | None) -> None:
    # A column of numbers and text cannot be one chunk, but each row of it can.
    mixed = samples("1", "2", name=pd.Series([1, "甲"], dtype=object))

    with WarehouseLoader(warehouse_url, batch_size=1) as loader:
        assert loader.load_dataframe(mixed, "sample_data", "public", keys).rows_inserted == 2


def test_a_table_in_parts_of_whatever_column_order_counts_the_same(warehouse_url: str, warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(
            "create table public.whole (id int, half int, name text, primary key (id, half)) partition by list (half)"
        )
        cursor.execute("create table public.first (name text, half int not null, id int not null)")
        cursor.execute("alter table public.whole attach partition public.first for values in (1)")
        cursor.execute("create table public.second partition of public.whole for values in (2)")
    rows = pd.DataFrame({"id": [1, 2, 1, 2], "half": [1, 2, 2, 1], "name": ["甲", "乙", "丁", "戊"]})

    with WarehouseLoader(warehouse_url) as loader:
        loads = [
            loader.load_dataframe(frame, "whole", "public", ["id", "half"])
            for frame in (rows[:2], rows, rows.assign(name="丙"), rows.assign(name="丙"))
        ]

    assert [(load.rows_inserted, load.rows_updated) for load in loads] == [(2, 0), (2, 0), (0, 4), (0, 0)]


def test_columns_of_a_key_alone_count_what_is_new(warehouse_url: str, warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("create table public.pairs (one int, two int, note text, primary key (one, two))")
    rows = pd.DataFrame({"one": [1, 1, 2], "two": [1, 2, 1], "note": ["a", "b", "c"]})

    with WarehouseLoader(warehouse_url) as loader:
        loads = [
            loader.load_dataframe(frame, "pairs", "public", ["one", "two"])
            for frame in (rows[["one", "two"]], rows[["one", "two"]], rows)
        ]

    assert [(load.rows_inserted, load.rows_updated) for load in loads] == [(3, 0), (0, 0), (0, 3)]
