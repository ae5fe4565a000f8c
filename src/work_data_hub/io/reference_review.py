"""Reference rows that were derived from facts and wait for a human, and the human's taking them over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg2 import sql

from work_data_hub.domain.reference_review import Acceptance, ReviewedTable, WaitingRow
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.reference_sync import target_table

_WAITING = sql.SQL("""
    select {key}::text, {name}, _derived_from_domain, _derived_at
    from {table}
    where _needs_review
    order by _derived_at, {key}
""")
_FOUND = sql.SQL(
    "select {key}::text, _needs_review or _source <> 'authoritative' from {table} where {key}::text = any(%s)"
)
_ACCEPT = sql.SQL("""
    update {table}
    set _source = 'authoritative', _needs_review = false, _derived_from_domain = null, _derived_at = null{touched}
    where {key}::text = any(%s)
      and (_needs_review or _source <> 'authoritative')
""")
# The key of a sync may be another column than the one by which a human names a row.
_RELEASE = sql.SQL("""
    delete from system.synced_keys as own
    using {table} as kept
    where own.table_name = %s
      and own.key = to_jsonb(kept) ->> own.key_column
      and kept.{key}::text = any(%s)
""")


def reviewed_tables(cursor: Cursor) -> tuple[ReviewedTable, ...]:
    """Every table whose rows say whether they wait for a human, with its key column, by name."""
    cursor.execute(query("reference_sync", "reviewed_tables"))
    return tuple(ReviewedTable(name=name, key=key) for name, key in cursor.fetchall())


def waiting_rows(cursor: Cursor, table: ReviewedTable) -> tuple[WaitingRow, ...]:
    """The rows of a table that wait for a human, the oldest first."""
    known = target_table(cursor, table.name)
    has_name = known is not None and table.name_column in known.by_name
    name = sql.SQL("{}::text").format(sql.Identifier(table.name_column)) if has_name else sql.SQL("null")
    cursor.execute(_fill(_WAITING, table, name=name))
    return tuple(_waiting(*row) for row in cursor.fetchall())


def count_acceptance(cursor: Cursor, table: ReviewedTable, keys: Sequence[str]) -> Acceptance:
    """Which of the keys wait, which are taken over already, and which are not there."""
    cursor.execute(_fill(_FOUND, table), (list(keys),))
    waits: dict[str, Any] = dict(cursor.fetchall())
    return Acceptance(
        table=table.name,
        accepted=tuple(key for key in keys if waits.get(key)),
        unchanged=tuple(key for key in keys if key in waits and not waits[key]),
        unknown=tuple(key for key in keys if key not in waits),
    )


def accept_rows(cursor: Cursor, table: ReviewedTable, keys: Sequence[str]) -> int:
    """Make the rows authoritative and reviewed, inside the caller's transaction; returns how many were not yet.

    They are the human's from then on: no replacing sync removes them, unless its source delivers them again.
    """
    known = target_table(cursor, table.name)
    keeps_time = known is not None and "updated_at" in known.by_name
    cursor.execute(_fill(_ACCEPT, table, touched=sql.SQL(", updated_at = now()" if keeps_time else "")), (list(keys),))
    accepted = cursor.rowcount
    cursor.execute(_fill(_RELEASE, table), (table.name, list(keys)))
    return accepted


def _fill(statement: sql.SQL, table: ReviewedTable, **parts: sql.Composable) -> sql.Composed:
    return statement.format(table=table_identifier(table.name), key=sql.Identifier(table.key), **parts)


def _waiting(key: str, name: str | None, domain: str | None, since: datetime | None) -> WaitingRow:
    return WaitingRow(key=key, name=name, domain=domain, since=since)
