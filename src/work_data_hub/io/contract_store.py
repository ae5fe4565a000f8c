"""Contracts with their history in PostgreSQL: read whole, changed by what differs, one writer at a time."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from psycopg2 import sql

from work_data_hub.domain.customers.history import HistoryChanges
from work_data_hub.domain.customers.report import CONTRACTS_TABLE
from work_data_hub.domain.customers.shapes import VERSIONS, month_number, month_of
from work_data_hub.errors import LoadLocked
from work_data_hub.io.copying import copy_frame, create_stage
from work_data_hub.io.customer_facts import copied
from work_data_hub.io.locks import load_lock_key
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

STAGE = "wdh_contract_stage"
_KEY = load_lock_key("customer", "contracts")
_ASK_AGAIN_SECONDS = 0.1
_VERSION_TYPES = (*(pa.string(),) * 3, *(pa.date32(),) * 2, pa.string(), pa.bool_(), pa.bool_(), pa.int64())


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodMark:
    """What a month's contracts were made of: its newest load, or None where facts came by another way."""

    load_id: int | None
    snapshot_is_current: bool = False


def lock_contracts(cursor: Cursor, *, wait_seconds: float) -> None:
    """Be the only one that changes contracts and snapshots until the transaction ends, however it ends.

    To be taken before the lock of the customer master. Raises LoadLocked, naming the holder, when it is
    not free within `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    while not _try(cursor):
        if time.monotonic() >= deadline:
            raise _locked(cursor)
        time.sleep(_ASK_AGAIN_SECONDS)


def read_versions(cursor: Cursor, *, company_id: str | None = None) -> pd.DataFrame:
    """All versions, or those of one company: VERSIONS, in no order."""
    whose = sql.SQL("company_id = {}").format(sql.Literal(company_id))
    which = sql.SQL("true") if company_id is None else whose
    statement = sql.SQL(query("contracts", "versions")).format(which=which)
    return copied(cursor, statement, types=dict(zip(VERSIONS, _VERSION_TYPES, strict=True)))


def apply_changes(cursor: Cursor, changes: HistoryChanges, *, between: Callable[[], None] = lambda: None) -> None:
    """Delete, close and update, then insert; `between` is called before versions are inserted."""
    _each(cursor, "delete_versions", changes.deleted)
    _each(cursor, "update_versions", changes.closed)
    _each(cursor, "update_versions", changes.updated)
    between()
    _each(cursor, "insert_versions", changes.inserted)


def periods(cursor: Cursor) -> dict[int, PeriodMark]:
    """The considered months, by month number, and what their contracts were made of."""
    cursor.execute(query("contracts", "periods"))
    return {
        month_number(day): PeriodMark(load_id=load_id, snapshot_is_current=is_current)
        for day, load_id, is_current in cursor.fetchall()
    }


def write_periods(
    cursor: Cursor, loads: Mapping[int, int | None], *, gone: Collection[int] = (), since: int | None = None
) -> None:
    """Note the load of each month given, forget months that are gone; snapshots from `since` on are out of date."""
    if gone:
        cursor.execute(query("contracts", "drop_periods"), {"gone": [month_of(month) for month in gone]})
    if loads:
        given = {"periods": [month_of(month) for month in loads], "loads": list(loads.values())}
        cursor.execute(query("contracts", "note_periods"), given)
    if since is not None:
        cursor.execute(query("contracts", "outdate_snapshots"), {"since": month_of(since)})


def cut_over_years(cursor: Cursor) -> frozenset[int]:
    """The years that were opened before any month of them was there."""
    cursor.execute(query("contracts", "cut_over_years"))
    return frozenset(int(year) for (year,) in cursor.fetchall())


def record_cut_over(cursor: Cursor, year: int, *, actor: str) -> None:
    """Note that the year is open, since when and by whom."""
    cursor.execute(query("contracts", "record_cut_over"), {"year": year, "actor": actor})


def missing_product_lines(cursor: Cursor, codes: Iterable[str]) -> tuple[str, ...]:
    """Which of the codes `mapping.产品线` lacks, in order."""
    cursor.execute(query("contracts", "missing_product_lines"), {"codes": list(codes)})
    return tuple(code for (code,) in cursor.fetchall())


def add_product_lines(cursor: Cursor, codes: Collection[str]) -> int:
    """Add product lines under the business type of their newest facts, to be reviewed; returns how many."""
    cursor.execute(query("contracts", "add_product_lines"), {"codes": list(codes)})
    return cursor.rowcount


def _each(cursor: Cursor, name: str, versions: pd.DataFrame) -> None:
    """Run a statement over versions that wait in the stage."""
    if versions.empty:
        return
    create_stage(cursor, list(VERSIONS), like=CONTRACTS_TABLE, name=STAGE)
    copy_frame(cursor, versions[list(VERSIONS)], into=sql.Identifier(STAGE))
    cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(STAGE)))
    cursor.execute(query("contracts", name))


def _try(cursor: Cursor) -> bool:
    cursor.execute("select pg_try_advisory_xact_lock(%s)", (_KEY,))
    return bool(_first(cursor))


def _first(cursor: Cursor) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _locked(cursor: Cursor) -> LoadLocked:
    cursor.execute(query("locks", "holder"), {"high": (_KEY >> 32) & 0xFFFFFFFF, "low": _KEY & 0xFFFFFFFF})
    row = cursor.fetchone()
    holder = f"{row[0]} (process {row[1]})" if row else "a run that has just ended"
    return LoadLocked(
        f"contracts are being changed by {holder}",
        operation="customer-mdm",
        rule="one run at a time changes contracts and snapshots",
        hint="run again when it is done",
    )
