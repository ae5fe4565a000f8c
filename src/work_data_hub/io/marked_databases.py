"""Databases that may be emptied: their name and a table inside both say that they are for tests."""

from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection, transaction

TEST_NAME = "wdh_test"
MARKER_SCHEMA, MARKER_TABLE = "public", "wdh_test_marker"


def is_test_database(connection: Connection) -> bool:
    """Whether the name begins with `wdh_test` and the marker table is there; leaves the transaction as it is."""
    if not connection.info.dbname.startswith(TEST_NAME):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_tables where schemaname = %s and tablename = %s)",
            (MARKER_SCHEMA, MARKER_TABLE),
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def require_test_database(connection: Connection) -> None:
    """Raise UsageError unless the database is marked as one for tests; call it before destroying anything."""
    if not is_test_database(connection):
        raise UsageError(
            f"the database {connection.info.dbname} is not marked as a test database",
            rule=f"its name begins with {TEST_NAME} and it has the table {MARKER_SCHEMA}.{MARKER_TABLE}",
            hint="use the fixtures `warehouse_url` and `warehouse`, which make such a database",
        )


def mark_as_test(connection: Connection) -> None:
    """Mark a database whose name says test; raises UsageError for any other name."""
    if not connection.info.dbname.startswith(TEST_NAME):
        require_test_database(connection)
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("create table if not exists public.wdh_test_marker (marked_at timestamptz default now())")
