"""`wdh rejects`: rejected rows of the loads that the months consist of."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from work_data_hub.cli.arguments import declared_domain, refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import short_text, table_lines
from work_data_hub.domain.period import Period
from work_data_hub.domain.rules import RULES
from work_data_hub.io.database import existing_url
from work_data_hub.io.postgres import connect, warehouse_errors
from work_data_hub.io.quarantine_store import StandingReject, standing_rejects
from work_data_hub.io.schema_head import require_head
from work_data_hub.settings import Settings

SHOWN = 20
STATUSES = ("open", "fixed", "waived")


def run_rejects(*, domain: str, period: str, report: str) -> None:
    """Print the rejected rows of the standing loads, load by load; raises WarehouseError without a database."""
    refuse_form(report)
    if domain:
        declared_domain(domain, field="--domain")
    month = Period.parse(period) if period else None
    settings = open_door()
    rows = _rows(settings, domain or None, month)
    loads = [_load(settings, list(of_load)) for _, of_load in groupby(rows, key=lambda row: row.load_id)]
    if report == "json":
        print(json.dumps({"mode": "rejects", "status": "ok", "loads": loads}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(line for load in loads for line in _lines(load)) or "no rejected rows in the standing loads")


def _rows(settings: Settings, domain: str | None, month: Period | None) -> list[StandingReject]:
    with warehouse_errors(), closing(connect(existing_url(settings), application_name="wdh rejects")) as connection:
        require_head(connection)
        return standing_rejects(connection, domain=domain, period=month.first_day if month else None)


def _load(settings: Settings, rows: Sequence[StandingReject]) -> dict[str, Any]:
    first, counts = rows[0], Counter(row.status for row in rows)
    workbook = settings.home / "rejects" / f"{first.domain}_{first.period.yyyymm}_{first.run_id}.xlsx"
    return {
        "load_id": first.load_id,
        "domain": first.domain,
        "period": first.period.yyyymm,
        "committed_at": first.committed_at.isoformat() if first.committed_at else None,
        "workbook": _existing(workbook),
        **{status: counts[status] for status in STATUSES},
        "rows": [
            {
                "file": row.file,
                "sheet": row.sheet,
                "row": row.row_number,
                "status": row.status,
                "settled_by_load": row.settled_by_load,
                "cells": row.cells,
            }
            for row in rows
        ],
    }


def _existing(workbook: Path) -> str | None:
    return str(workbook.resolve()) if workbook.is_file() else None


def _lines(load: dict[str, Any]) -> list[str]:
    counts = " · ".join(f"{status} {load[status]:,}" for status in STATUSES)
    lines = [f"{load['domain']} {Period.parse(load['period'])} · load {load['load_id']}: {counts}"]
    still_open = [row for row in load["rows"] if row["status"] == "open"]
    lines += table_lines([_cells(row) for row in still_open[:SHOWN]]) if still_open else []
    if len(still_open) > SHOWN:
        lines.append(f"  … and {len(still_open) - SHOWN:,} more (--report json shows all)")
    if still_open and load["workbook"]:
        lines.append(f"  next: correct {load['workbook']}, then wdh requeue it")
    return lines


def _cells(row: dict[str, Any]) -> list[str]:
    """The place of a row's first bad cell, its column, its value and what is wrong with it."""
    if not row["cells"]:
        return [f"{row['sheet']}!{row['row']}", "", "", ""]
    cell = row["cells"][0]
    rule = RULES.get(cell["rule"])
    more = f" (and {len(row['cells']) - 1} more)" if len(row["cells"]) > 1 else ""
    title = f"{cell['rule']} {rule.title}" if rule else cell["rule"]
    return [f"{row['sheet']}!{cell['cell']}", cell["column"], short_text(cell["value"]), title + more]
