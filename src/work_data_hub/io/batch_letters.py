"""Dead letters that wait: which are known already, and which the target has overtaken."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2 import sql

from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.io.postgres import Cursor


def known_fingerprints(cursor: Cursor, pipeline_id: UUID, fingerprints: Sequence[str]) -> frozenset[str]:
    """Which of the fingerprints belong to a letter of the pipeline that was not replayed."""
    cursor.execute(
        "select fingerprint from etl.etl_dlq where pipeline_id = %s and replayed_at is null and fingerprint = any(%s)",
        (str(pipeline_id), list(fingerprints)),
    )
    return frozenset(fingerprint for (fingerprint,) in cursor.fetchall())


def is_superseded(cursor: Cursor, target: str, *, key: str | None, since: datetime) -> bool:
    """Whether the table has a row of the key that changed after that moment; never for an index."""
    table = TARGETS.get(target)
    if key is None or not isinstance(table, TableTarget):
        return False
    statement = sql.SQL("select exists (select from {} where {}::text = %s and updated_at > %s)")
    named = statement.format(sql.Identifier(table.schema, table.table), sql.Identifier(table.key))
    cursor.execute(named, (key, since))
    return bool(_only(cursor))


def database_now(cursor: Cursor) -> datetime:
    """The database's clock."""
    cursor.execute("select clock_timestamp()")
    now: datetime = _only(cursor)
    return now


def _only(cursor: Cursor) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None
