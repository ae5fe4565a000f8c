"""What each run did: the ledger of committed loads, the executions and the quality metrics."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg2.extras import execute_values

from work_data_hub.domain.loads import Fingerprint, LastLoad, LedgerEntry
from work_data_hub.domain.report import TableEffect
from work_data_hub.io.postgres import Connection, Cursor
from work_data_hub.io.queries import query


def standing_loads(connection: Connection, *, domain: str, period: date) -> tuple[LastLoad, ...]:
    """The committed loads that the month consists of, newest first: the last replacement and what was added since."""
    with connection.cursor() as cursor:
        cursor.execute(query("ledger", "standing_loads"), {"domain": domain, "period": period})
        return tuple(_last_load(row) for row in cursor.fetchall())


def _last_load(row: tuple[Any, ...]) -> LastLoad:
    load_id, files, code, config, declaration, rows_read, rows_rejected = row
    fingerprint = Fingerprint(
        files=tuple(file["sha256"] for file in files),
        code_version=code,
        config_version=config,
        declaration_version=declaration,
    )
    return LastLoad(load_id=load_id, fingerprint=fingerprint, rows_read=rows_read, rows_rejected=rows_rejected)


def next_load_id(cursor: Cursor) -> int:
    """Reserve the id of the load that this transaction is about to make."""
    cursor.execute(query("ledger", "next_load_id"))
    return int(_one(cursor))


def record_load(cursor: Cursor, load_id: int, entry: LedgerEntry, effect: TableEffect) -> None:
    """Write the ledger's row; part of the load's own transaction."""
    files = [
        {"path": f.path, "sha256": f.sha256, "sheet": f.sheet, "version": f.version, "rows": f.rows}
        for f in entry.files
    ]
    cursor.execute(
        query("ledger", "record_load"),
        {
            "load_id": load_id,
            "run_id": entry.run_id,
            "status": "appended" if entry.adds else "loaded",
            "domain": entry.domain,
            "period": entry.period,
            "started_at": entry.started_at,
            "actor": entry.actor,
            "files": json.dumps(files, ensure_ascii=False),
            "rows_read": entry.rows_read,
            "rows_rejected": entry.rows_rejected,
            "rows_deleted": effect.deleted,
            "rows_inserted": effect.inserted,
            "rows_updated": effect.updated,
            "rows_unchanged": effect.unchanged,
            "code_version": entry.fingerprint.code_version,
            "config_version": entry.fingerprint.config_version,
            "declaration_version": entry.fingerprint.declaration_version,
            "parent_load_id": entry.parent_load_id,
        },
    )


def begin_execution(cursor: Cursor, execution_id: UUID, *, pipeline_name: str, input_file: str | None) -> None:
    """Note that an execution runs, and close those of the same pipeline whose process is gone."""
    cursor.execute(query("ledger", "close_orphans"), {"pipeline_name": pipeline_name, "own": str(execution_id)})
    cursor.execute(
        query("ledger", "begin_execution"),
        {"execution_id": str(execution_id), "pipeline_name": pipeline_name, "input_file": input_file},
    )


def finish_execution(
    cursor: Cursor, execution_id: UUID, *, rows: tuple[int, int, int], error: str | None = None, file: str | None = None
) -> None:
    """Close an execution as success, or as failed with its error; `rows` are (input, output, failed)."""
    cursor.execute(
        query("ledger", "finish_execution"),
        {
            "execution_id": str(execution_id),
            "status": "failed" if error else "success",
            "rows_input": rows[0],
            "rows_output": rows[1],
            "rows_failed": rows[2],
            "error_message": error,
            "input_file": file,
        },
    )


def record_quality(cursor: Cursor, execution_id: UUID, *, domain: str, metrics: Mapping[str, float | Decimal]) -> None:
    """Write one quality metric a name; part of the load's own transaction."""
    execute_values(
        cursor,
        "insert into public.data_quality_metrics (execution_id, domain, metric_name, metric_value) values %s",
        [(str(execution_id), domain, name, value) for name, value in metrics.items()],
    )


def _one(cursor: Cursor) -> int:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the query gave no row")
    return int(row[0])
