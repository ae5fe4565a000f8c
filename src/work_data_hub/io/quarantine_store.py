"""Rejected rows and corrections in the warehouse: looked up before a run refines, written with its load."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.corrections import CELL, CELL_TYPES, ROW, WAIVED_TYPES, Corrections, corrections
from work_data_hub.domain.period import Period
from work_data_hub.domain.returned import QuarantineRecord
from work_data_hub.io.copying import copy_frame, create_stage
from work_data_hub.io.postgres import Connection, Cursor, named_rows
from work_data_hub.io.queries import query

_ROWS = sql.Identifier("ledger", "rejected_rows")
_CORRECTIONS, _WAIVERS, _OPENED = "wdh_corrections", "wdh_waivers", "wdh_opened"
_IN_TABLES = {"row": "row_number", "column": "column_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingReject:
    """One rejected row of a load that a month consists of; `cells` are its bad cells as column, cell, value, rule."""

    load_id: int
    domain: str
    period: Period
    run_id: str
    committed_at: datetime | None
    file: str
    sheet: str
    row_number: int
    cells: list[dict[str, Any]]
    status: str
    settled_by_load: int | None


def sent_back(
    connection: Connection, *, domain: str, hashes: list[str], repeats: int | None = None
) -> tuple[Corrections, pd.DataFrame]:
    """What owners sent back of these files, and the rows (file_sha256, sheet, row) that the load `repeats` left open.

    Leaves the transaction open.
    """
    given = {"domain": domain, "hashes": hashes, "load_id": repeats}
    with connection.cursor() as cursor:
        cells = _fetched(cursor, "corrections", given, list(CELL_TYPES))
        waived = _fetched(cursor, "waivers", given, list(WAIVED_TYPES))
        left_open = _fetched(cursor, "open_rows", given, ROW)
    return corrections(cells=cells, waived=waived), corrections(waived=left_open).waived[ROW]


def standing_rejects(connection: Connection, *, domain: str | None, period: date | None) -> list[StandingReject]:
    """Every row that was rejected from the files of the standing loads, with the newest word on it."""
    with connection.cursor() as cursor:
        cursor.execute(query("quarantine", "standing"), {"domain": domain, "period": period})
        rows = named_rows(cursor)
    return [StandingReject(**{**row, "period": Period.of(row["period"])}) for row in rows]


def record_quarantine(cursor: Cursor, load_id: int, record: QuarantineRecord) -> None:
    """Write the load's rejected rows and what was sent back, and settle earlier rows; in the load's own transaction."""
    given = {
        "domain": record.domain,
        "period": record.period,
        "load_id": load_id,
        "actor": record.actor,
        "hashes": list(record.hashes),
    }
    if len(record.rows):
        rows = record.rows.assign(load_id=load_id, domain=record.domain, period=record.period)
        copy_frame(cursor, rows, into=_ROWS)
    if len(record.sent_back.cells):
        cells = record.sent_back.cells[[*CELL, "value", "found"]]
        _stage(cursor, cells, name=_CORRECTIONS, like="ledger.corrections")
        cursor.execute(query("quarantine", "keep_corrections"), given)
    opened = pd.concat([record.sent_back.cells[ROW], record.sent_back.reopened[ROW]]).drop_duplicates()
    if len(opened):
        _stage(cursor, opened, name=_OPENED, like="ledger.waivers")
        cursor.execute(query("quarantine", "withdraw_waivers"), given)
    if len(record.sent_back.waived):
        waived = record.sent_back.waived[[*ROW, "reason", "workbook"]]
        _stage(cursor, waived, name=_WAIVERS, like="ledger.waivers")
        cursor.execute(query("quarantine", "keep_waivers"), given)
    cursor.execute(query("quarantine", "settle"), given)


def _stage(cursor: Cursor, rows: pd.DataFrame, *, name: str, like: str) -> None:
    frame = rows.rename(columns=_IN_TABLES)
    create_stage(cursor, list(frame.columns), like=like, name=name)
    copy_frame(cursor, frame, into=sql.Identifier("pg_temp", name))


def _fetched(cursor: Cursor, name: str, given: dict[str, Any], columns: list[str]) -> pd.DataFrame:
    cursor.execute(query("quarantine", name), given)
    return pd.DataFrame(cursor.fetchall(), columns=columns)
