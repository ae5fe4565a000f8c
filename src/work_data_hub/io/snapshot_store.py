"""Monthly snapshots in PostgreSQL: what is stored of a month, how it differs, and the difference written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import sql

from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, CONTRACT_KEY, LINE_KEY, month_number, month_of
from work_data_hub.domain.customers.status_fields import AWARDS, LOSSES
from work_data_hub.domain.period import Period
from work_data_hub.io.copying import copy_frame, create_stage, table_identifier
from work_data_hub.io.customer_facts import copied
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

STAGE = "wdh_snapshot_stage"
AMOUNT = "aum_balance"
STATUS_COUNTS = (
    *("month", "customers", "existing", "strategic", "new", "winning", "loss_reported", "churned"),
    "aum",
)
"""Columns of `status_counts`: distinct customers by status in a month, and `aum`, in 元."""

_TEXT, _FLAG, _DAY, _WHOLE = pa.string(), pa.bool_(), pa.date32(), pa.int64()
_UNIT = pa.scalar(Decimal(1) / AMOUNT_SCALE, pa.decimal128(4, 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTable:
    """A table of snapshots: what a row is identified by beside its month, and what else it holds."""

    name: str
    key: tuple[str, ...]
    values: Mapping[str, Any]  # column → type it is read as; amounts in AMOUNT_SCALE

    @property
    def columns(self) -> list[str]:
        """All columns but the time of writing."""
        return ["snapshot_month", *self.key, *self.values]

    @property
    def types(self) -> dict[str, Any]:
        """The type each column is read as."""
        return {"snapshot_month": _DAY, **dict.fromkeys(self.key, _TEXT), **self.values}


_FLAGS_OF_BOTH = ("is_winning_this_year", "is_loss_reported", "is_churned_this_year", "is_award_only")
LINES = SnapshotTable(
    name="customer.fct_customer_product_line_monthly",
    key=LINE_KEY,
    values={
        **dict.fromkeys(("is_strategic", "is_existing", "is_new", "is_new_arrival", *_FLAGS_OF_BOTH), _FLAG),
        AMOUNT: _WHOLE,
        "plan_count": _WHOLE,
    },
)
PLANS = SnapshotTable(
    name="customer.fct_customer_plan_monthly",
    key=CONTRACT_KEY,
    values={
        "contract_status": _TEXT,
        **dict.fromkeys(("is_strategic", "is_existing", *_FLAGS_OF_BOTH), _FLAG),
        AMOUNT: _WHOLE,
    },
)
TABLES = (LINES, PLANS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterLoad:
    """The newest load of a month's awards or losses; `month` is a month number."""

    domain: str
    month: int
    load_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChanges:
    """What differs between what is stored of a month and what it should be; `deleted` has stored rows."""

    inserted: pd.DataFrame
    updated: pd.DataFrame
    deleted: pd.DataFrame
    skipped: int

    @property
    def rows(self) -> int:
        """How many rows are written or removed."""
        return len(self.inserted) + len(self.updated) + len(self.deleted)


def read_stored(cursor: Cursor, table: SnapshotTable, *, month: int) -> pd.DataFrame:
    """A month's rows as they are stored: the table's columns, amounts in AMOUNT_SCALE."""
    names = [
        sql.SQL("(fact.{} * {})::bigint").format(sql.Identifier(name), sql.Literal(AMOUNT_SCALE))
        if name == AMOUNT
        else sql.SQL("fact.{}").format(sql.Identifier(name))
        for name in table.columns
    ]
    statement = sql.SQL(query("snapshots", "stored_rows")).format(
        columns=sql.SQL(", ").join(names),
        table=table_identifier(table.name),
        month_end=sql.Literal(_last_day(month)),
    )
    return copied(cursor, statement, types=table.types)


def compare_rows(stored: pd.DataFrame, wanted: pd.DataFrame, table: SnapshotTable) -> RowChanges:
    """What has to happen to the stored rows of a month to make them the wanted ones; equal rows stay."""
    key = list(table.key)
    known = stored[key].assign(_at=np.arange(len(stored)))
    at = wanted[key].merge(known, on=key, how="left")["_at"]
    is_known = at.notna().to_numpy()
    positions = at[is_known].to_numpy(dtype=np.int64)
    differs = np.zeros(len(wanted), dtype=bool)
    differs[is_known] = _differ(stored.iloc[positions], wanted.loc[is_known], tuple(table.values))
    is_left = np.ones(len(stored), dtype=bool)
    is_left[positions] = False
    return RowChanges(
        inserted=wanted.loc[~is_known],
        updated=wanted.loc[differs],
        deleted=stored.loc[is_left],
        skipped=int(is_known.sum() - differs.sum()),
    )


def apply_rows(cursor: Cursor, table: SnapshotTable, changes: RowChanges) -> None:
    """Delete, update and insert what differs; rows that stay are not touched."""
    _staged(cursor, table, "delete_rows", changes.deleted[["snapshot_month", *table.key]])
    _staged(cursor, table, "update_rows", _with_decimals(changes.updated[table.columns]))
    if len(changes.inserted):
        copy_frame(cursor, _with_decimals(changes.inserted[table.columns]), into=table_identifier(table.name))


def stored_months(cursor: Cursor, table: SnapshotTable) -> tuple[date, ...]:
    """The month ends of which the table has rows."""
    cursor.execute(sql.SQL(query("snapshots", "stored_months")).format(table=table_identifier(table.name)))
    return tuple(day for (day,) in cursor.fetchall())


def drop_month(cursor: Cursor, table: SnapshotTable, *, month_end: date, write: bool) -> int:
    """Remove a month's rows, or (`write` false) only count them; returns how many."""
    name = "drop_month" if write else "count_month"
    statement = sql.SQL(query("snapshots", name)).format(table=table_identifier(table.name))
    cursor.execute(statement, {"month_end": month_end})
    if write:
        return cursor.rowcount
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def late_award(cursor: Cursor, months: Collection[int]) -> int | None:
    """The first of the months (numbers) that lacks a row of an award whose company and line are known by now."""
    cursor.execute(query("snapshots", "late_award"), {"periods": [month_of(month) for month in months]})
    row = cursor.fetchone()
    return month_number(row[0]) if row and row[0] else None


def changed_registers(cursor: Cursor) -> tuple[RegisterLoad, ...]:
    """The loads of awards and losses that the snapshots have not seen, oldest month first."""
    cursor.execute(query("snapshots", "changed_registers"), {"domains": [AWARDS, LOSSES]})
    return tuple(
        RegisterLoad(domain=domain, month=month_number(day), load_id=load_id)
        for domain, day, load_id in cursor.fetchall()
    )


def note_registers(cursor: Cursor, loads: Collection[RegisterLoad]) -> None:
    """Note that the snapshots have seen these loads."""
    if loads:
        given = {
            "domains": [load.domain for load in loads],
            "periods": [month_of(load.month) for load in loads],
            "loads": [load.load_id for load in loads],
        }
        cursor.execute(query("snapshots", "note_registers"), given)


def mark_current(cursor: Cursor, months: Collection[int]) -> None:
    """Note that the snapshots of these months are what their sources say."""
    if months:
        cursor.execute(query("snapshots", "mark_current"), {"periods": [month_of(month) for month in months]})


def mark_outdated(cursor: Cursor, months: Collection[int]) -> None:
    """Note that the snapshots of these months have to be made again."""
    if months:
        cursor.execute(query("snapshots", "mark_outdated"), {"periods": [month_of(month) for month in months]})


def snapshot_companies(cursor: Cursor, month_ends: Collection[date]) -> frozenset[str]:
    """The companies that the snapshots of these months have."""
    cursor.execute(query("snapshots", "snapshot_companies"), {"month_ends": list(month_ends)})
    return frozenset(str(company) for (company,) in cursor.fetchall())


def status_counts(cursor: Cursor) -> pd.DataFrame:
    """Distinct customers by status for each month that has a snapshot, and their money: STATUS_COUNTS, oldest first.

    `month` is the month's last day, `aum` a decimal in 元.
    """
    cursor.execute(query("snapshots", "status_counts"))
    return pd.DataFrame(cursor.fetchall(), columns=list(STATUS_COUNTS))


def _differ(stored: pd.DataFrame, wanted: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Whether rows that stand side by side differ in any column; null equals null."""
    differs = np.zeros(len(wanted), dtype=bool)
    for name in columns:
        mine, theirs = stored[name], wanted[name]
        if isinstance(mine.dtype, pd.StringDtype):
            mine, theirs = mine.fillna(""), theirs.astype("string").fillna("")
        differs |= mine.to_numpy() != theirs.to_numpy()
    return differs


def _staged(cursor: Cursor, table: SnapshotTable, name: str, rows: pd.DataFrame) -> None:
    """Run a statement over rows that wait in the stage."""
    if rows.empty:
        return
    create_stage(cursor, list(rows.columns), like=table.name, name=STAGE)
    copy_frame(cursor, rows, into=sql.Identifier(STAGE))
    cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(STAGE)))
    other = "gone" if name == "delete_rows" else "wanted"
    statement = sql.SQL(query("snapshots", name)).format(
        table=table_identifier(table.name),
        stage=sql.Identifier(STAGE),
        same_key=_pairs(["snapshot_month", *table.key], "fact.{0} = " + other + ".{0}", between=" and "),
        values=_pairs(list(table.values), "{0} = wanted.{0}", between=", "),
    )
    cursor.execute(statement)


def _pairs(names: list[str], form: str, *, between: str) -> sql.Composed:
    return sql.SQL(between).join(sql.SQL(form).format(sql.Identifier(name)) for name in names)


def _with_decimals(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with exact decimals for their amounts."""
    whole = pa.array(rows[AMOUNT].to_numpy(dtype=np.int64)).cast(pa.decimal128(19, 0))
    exact = pd.arrays.ArrowExtensionArray(pc.multiply(whole, _UNIT))
    return rows.assign(**{AMOUNT: pd.Series(exact, index=rows.index)})


def _last_day(month: int) -> date:
    return Period.of(month_of(month)).last_day
