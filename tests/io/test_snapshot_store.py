"""Snapshot rows in the warehouse: read, compared by content, and written where they differ."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.contract_facts import Fact, asked, put_month, ran

from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.io.postgres import Connection, read_only, transaction
from work_data_hub.io.snapshot_sources import SnapshotSources
from work_data_hub.io.snapshot_store import (
    LINES,
    PLANS,
    SnapshotTable,
    apply_rows,
    compare_rows,
    drop_month,
    mark_current,
    read_stored,
    snapshot_companies,
    status_counts,
    stored_months,
)

pytestmark = pytest.mark.integration

A, B, C = "600000001", "600000002", "600000003"
OCTOBER, NOVEMBER = month_number(date(2024, 10, 1)), month_number(date(2024, 11, 1))
END_OF_OCTOBER = date(2024, 10, 31)


@pytest.fixture(autouse=True)
def _customers(warehouse: Connection) -> None:
    ran(
        warehouse,
        "insert into customer.客户明细 (company_id, 客户名称) select unnest(%s), '客户'",
        [A, B, C],
    )


def lines(*companies: str, aum: int = 1_000_000, **flags: bool) -> pd.DataFrame:
    """Product-line rows of October; amounts in ten-thousandths of a 元."""
    return _rows(LINES, [(company, "PL202") for company in companies], aum=aum, flags=flags)


def plans(*companies: str, aum: int = 1_000_000, status: str | None = "正常", **flags: bool) -> pd.DataFrame:
    rows = _rows(PLANS, [(company, "P0001", "PL202") for company in companies], aum=aum, flags=flags)
    return rows.assign(contract_status=pd.Series([status] * len(rows), dtype="string"))


def _rows(table: SnapshotTable, keys: Sequence[tuple[str, ...]], *, aum: int, flags: dict[str, bool]) -> pd.DataFrame:
    keyed = pd.DataFrame(keys, columns=list(table.key), dtype="string")
    values: dict[str, Any] = {
        name: flags.get(name, False) if str(kind) == "bool" else 1 for name, kind in table.values.items()
    }
    month_end = np.datetime64(END_OF_OCTOBER, "s")
    return keyed.assign(snapshot_month=month_end, **values | {"aum_balance": aum})[table.columns]


def store(warehouse: Connection, table: SnapshotTable, wanted: pd.DataFrame, *, month: int = OCTOBER) -> list[int]:
    """Make the stored month the wanted one; returns rows inserted, updated, deleted and skipped."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        changes = compare_rows(read_stored(cursor, table, month=month), wanted, table)
        apply_rows(cursor, table, changes)
    return [len(changes.inserted), len(changes.updated), len(changes.deleted), changes.skipped]


@pytest.mark.parametrize(("table", "rows"), [(LINES, lines), (PLANS, plans)])
def test_columns_are_those_of_the_table(warehouse: Connection, table: SnapshotTable, rows: Any) -> None:
    schema, name = table.name.split(".")
    found = asked(
        warehouse,
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
        " and column_name <> 'updated_at'",
        *(schema, name),
    )

    assert sorted(column for (column,) in found) == sorted(table.columns) == sorted(rows(A).columns)


def test_rows_are_read_as_they_were_written(warehouse: Connection) -> None:
    wanted = plans(A, B, aum=123_456_789, status=None, is_strategic=True)

    store(warehouse, PLANS, wanted)

    with warehouse.cursor() as cursor:
        stored = read_stored(cursor, PLANS, month=OCTOBER)
    pd.testing.assert_frame_equal(stored.sort_values("company_id", ignore_index=True), wanted, check_dtype=False)


@pytest.mark.parametrize("aum", [1, -1, 0, 123_456_789_012_345_678, -99_999_999_999_999_999])
def test_amounts_are_exact(warehouse: Connection, aum: int) -> None:
    store(warehouse, LINES, lines(A, aum=aum))

    assert asked(warehouse, f"select aum_balance from {LINES.name}") == [(Decimal(aum).scaleb(-4),)]


def test_only_what_differs_is_written(warehouse: Connection) -> None:
    store(warehouse, LINES, lines(A, B))
    before = asked(warehouse, f"select xmin::text from {LINES.name} where company_id = %s", A)

    done = store(warehouse, LINES, pd.concat([lines(A), lines(C)], ignore_index=True))

    assert done == [1, 0, 1, 1]
    assert asked(warehouse, f"select company_id from {LINES.name} order by 1") == [(A,), (C,)]
    assert asked(warehouse, f"select xmin::text from {LINES.name} where company_id = %s", A) == before


@pytest.mark.parametrize("column", [*LINES.values])
def test_a_change_of_any_column_is_seen(warehouse: Connection, column: str) -> None:
    wanted = lines(A, B)
    store(warehouse, LINES, wanted)
    value = wanted[column].iloc[0]
    changed = wanted.copy()
    changed.loc[0, column] = (not value) if isinstance(value, bool | np.bool_) else value + 1

    assert store(warehouse, LINES, changed) == [0, 1, 0, 1]
    assert store(warehouse, LINES, changed) == [0, 0, 0, 2]


@pytest.mark.parametrize(("before", "after"), [("正常", "停缴"), ("正常", None), (None, "正常")])
def test_a_status_that_comes_or_goes_is_seen(warehouse: Connection, before: str | None, after: str | None) -> None:
    store(warehouse, PLANS, plans(A, status=before))

    assert store(warehouse, PLANS, plans(A, status=after)) == [0, 1, 0, 0]
    assert asked(warehouse, f"select contract_status from {PLANS.name}") == [(after,)]


def test_an_updated_row_says_when(warehouse: Connection) -> None:
    store(warehouse, LINES, lines(A))
    ran(warehouse, f"update {LINES.name} set updated_at = '2020-01-01'")

    store(warehouse, LINES, lines(A, is_new=True))

    assert asked(warehouse, f"select updated_at > '2024-01-01' from {LINES.name}") == [(True,)]


def test_other_months_are_left_alone(warehouse: Connection) -> None:
    store(warehouse, LINES, lines(A, B))

    month_end = np.datetime64("2024-11-30", "s")
    assert store(warehouse, LINES, lines(A).assign(snapshot_month=month_end), month=NOVEMBER) == [1, 0, 0, 0]
    assert store(warehouse, LINES, lines(), month=NOVEMBER) == [0, 0, 1, 0]
    assert asked(warehouse, f"select count(*) from {LINES.name}") == [(2,)]


def test_a_month_is_dropped_or_only_counted(warehouse: Connection) -> None:
    store(warehouse, LINES, lines(A, B))
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert stored_months(cursor, LINES) == (END_OF_OCTOBER,)
        assert drop_month(cursor, LINES, month_end=END_OF_OCTOBER, write=False) == 2
        assert drop_month(cursor, LINES, month_end=END_OF_OCTOBER, write=True) == 2
        assert stored_months(cursor, LINES) == ()


def test_only_the_months_named_become_current(warehouse: Connection) -> None:
    ran(warehouse, "insert into customer.contract_periods (period) values ('2024-10-01'), ('2024-11-01')")
    with transaction(warehouse), warehouse.cursor() as cursor:
        mark_current(cursor, [NOVEMBER])

    found = asked(warehouse, "select snapshot_is_current from customer.contract_periods order by period")
    assert found == [(False,), (True,)]


def test_a_customer_counts_once_whatever_lines_it_has(warehouse: Connection) -> None:
    other = lines(A, is_existing=True).assign(product_line_code="PL201")
    store(warehouse, LINES, pd.concat([lines(A, B, is_existing=True), other], ignore_index=True))

    with warehouse.cursor() as cursor:
        counts = status_counts(cursor).iloc[0]
        assert snapshot_companies(cursor, [END_OF_OCTOBER]) == {A, B}
        assert snapshot_companies(cursor, []) == frozenset()
    assert (counts["customers"], counts["existing"], counts["new"], counts["aum"]) == (2, 2, 0, Decimal(300))


@pytest.mark.parametrize(
    ("asked_for", "arrived"),
    [
        ("2024-08", [("2024-08", None)]),  # a fact without money
        ("2024-09", [("2024-08", "2024-09")]),
        ("2024-10", []),  # came before: whether it did so in August or September does not matter any more
        ("2024-12", [("2024-08", "2024-09")]),  # nothing in November: its past is looked through again
    ],
)
def test_arrivals_know_when_money_came_first(
    warehouse: Connection, asked_for: str, arrived: list[tuple[str, str | None]]
) -> None:
    put_month(warehouse, "2024-08", [Fact(company=A, aum="0")])
    put_month(warehouse, "2024-09", [Fact(company=A, aum="5"), Fact(company=A, aum="-4", plan="P0002")])
    put_month(warehouse, "2024-10", [Fact(company=A)])
    put_month(warehouse, "2024-12", [Fact(company=A)])

    with read_only(warehouse), warehouse.cursor() as cursor:
        found = SnapshotSources(cursor, [_number(asked_for)]).of(_number(asked_for)).arrivals

    months = [tuple(None if pd.isna(at) else at for at in row) for row in found[["first_row", "first_positive"]].values]
    assert months == [(_number(row), _number(money) if money else None) for row, money in arrived]


def test_a_line_that_the_warehouse_does_not_describe_is_no_line(warehouse: Connection) -> None:
    ran(
        warehouse,
        "insert into customer.中标客户明细 (上报月份, 业务类型, 产品线代码, 上报客户名称, company_id, 机构代码)"
        " select '2024-10-01', '企年受托', unnest(%s), '客户', %s, 'G00'",
        *(["PL202", "PL999"], A),
    )

    with read_only(warehouse), warehouse.cursor() as cursor:
        found = SnapshotSources(cursor, [OCTOBER]).of(OCTOBER).awards

    assert sorted(found["product_line_code"].fillna("")) == ["", "PL202"]


def _number(month: str) -> int:
    return month_number(date.fromisoformat(f"{month}-01"))
