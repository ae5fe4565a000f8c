"""Reference rows from the legacy PostgreSQL database, which is only ever read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pandas as pd
import psycopg2
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql

from work_data_hub.domain.reference_sync import LegacySource, SyncJob, reached_mark
from work_data_hub.domain.sync_rows import SourceRows, refuse_missing_columns
from work_data_hub.errors import ConfigError, NoDataRows, SourceError, WarehouseError
from work_data_hub.io.postgres import Connection, Cursor, connect, driver_message, read_only
from work_data_hub.io.queries import query

VARIABLES = "WDH_LEGACY__HOST, WDH_LEGACY__USER, WDH_LEGACY__PASSWORD and WDH_LEGACY__DB, or WDH_LEGACY__URI"
_MOMENTS = ("timestamp with time zone", "timestamp without time zone", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDatabase:
    """The legacy database in one snapshot; transactions that began before `settled` had all ended before it.

    Those of other users are known only where WDH_LEGACY__USER may see them (pg_read_all_stats).
    """

    connection: Connection
    settled: datetime


@contextmanager
def legacy_database(url: str | None) -> Iterator[LegacyDatabase]:
    """The legacy database in one read-only snapshot, the same for every table that is read from it.

    Raises ConfigError where no variable names it, WarehouseError naming the host where it cannot be reached.
    """
    if url is None:
        raise ConfigError(
            "the legacy database is not configured", field="WDH_LEGACY__HOST", hint=f"set {VARIABLES} in .env"
        )
    with closing(_connect(url)) as connection, _legacy_errors():
        with connection.cursor() as cursor:
            cursor.execute("set session characteristics as transaction isolation level repeatable read, read only")
            cursor.execute("set timezone to 'UTC'")
            cursor.execute("set datestyle to 'ISO'")
            settled = _settled(cursor)
        connection.set_client_encoding("UTF8")
        connection.commit()
        with read_only(connection):
            yield LegacyDatabase(connection=connection, settled=settled)


def read_legacy_rows(
    legacy: LegacyDatabase, job: SyncJob, source: LegacySource, *, mark: datetime | None
) -> SourceRows:
    """Return the mapped columns as text: all rows, or those stamped since the overlap before `mark` or not at all.

    The new mark is the newest change that is not in the server's future, and not past the start of a
    transaction that may still add an earlier one; None where the job does not ask. Where the newest
    change lies before `mark`, the source was set back, and all rows are read.
    Raises SourceError where table or columns are missing.
    """
    with _legacy_errors(), legacy.connection.cursor() as cursor:
        types = _source_types(cursor, job, source)
        newest = _newest(cursor, source, job.changed_at, types) if job.changed_at else None
        is_usable = mark is not None and newest is not None and newest >= mark
        since = mark - job.overlap if mark is not None and is_usable else None
        frame = _read(cursor, job, source, since=since)
    if frame.empty and since is None:
        raise NoDataRows(
            "there are no rows", file=str(source), operation=f"sync {job.name}", hint="a sync never empties a table"
        )
    reached = reached_mark(newest, legacy.settled, is_day=types.get(job.changed_at or "") == "date")
    return SourceRows(label=str(source), frame=frame, mark=reached, since=since)


def _settled(cursor: Cursor) -> datetime:
    """To be asked before the snapshot is taken: what begins or ends in between would be overlooked after it."""
    cursor.execute(query("reference_sync", "settled"))
    moment: datetime = (cursor.fetchone() or ())[0]
    return moment


def _connect(url: str) -> Connection:
    try:
        return connect(url, application_name="wdh reference sync")
    except WarehouseError as error:
        raise WarehouseError(
            f"the legacy database: {error.message}",
            operation="connect to the legacy database",
            hint=f"check that it runs, and what {VARIABLES} say",
        ) from None


@contextmanager
def _legacy_errors() -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        raise WarehouseError(
            f"the legacy database: {driver_message(error)}",
            operation="read the legacy database",
            hint="nothing was written; check that database and the rights of WDH_LEGACY__USER",
        ) from error


def _source_types(cursor: Cursor, job: SyncJob, source: LegacySource) -> dict[str, str]:
    cursor.execute(query("reference_sync", "source_columns"), {"schema": source.schema, "table": source.table})
    types: dict[str, str] = dict(cursor.fetchall())
    if not types:
        raise SourceError(
            "there is no such table",
            file=str(source),
            field=f"jobs.{job.name}.source",
            hint="correct schema and table in reference_sync.yml, or the database of WDH_LEGACY__DB",
        )
    refuse_missing_columns(job, there=types, label=str(source))
    return types


def _newest(cursor: Cursor, source: LegacySource, column: str, types: dict[str, str]) -> datetime | None:
    if types[column] not in _MOMENTS:
        raise SourceError(
            f"{column} is {types[column]}, no time",
            file=str(source),
            field=column,
            rule=f"one of {', '.join(_MOMENTS)}",
            hint="name a column that says when a row was changed, or remove `incremental`",
        )
    # A time in the future would keep every later change out of sight.
    statement = sql.SQL("select max({0})::timestamptz from {1} where {0} <= current_timestamp and isfinite({0})")
    cursor.execute(statement.format(sql.Identifier(column), _table(source)))
    row = cursor.fetchone()
    return row[0] if row else None


def _read(cursor: Cursor, job: SyncJob, source: LegacySource, *, since: datetime | None) -> pd.DataFrame:
    names = list(job.columns)
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
    statement = sql.SQL("copy (select {} from {}{}) to stdout with (format csv)").format(
        texts, _table(source), _changed(job, since)
    )
    buffer = BytesIO()
    cursor.copy_expert(statement, buffer)
    if not buffer.tell():
        return pd.DataFrame({name: pd.Series([], dtype="string") for name in names})
    return _frame(source, buffer, names)


def _changed(job: SyncJob, since: datetime | None) -> sql.Composable:
    if since is None or job.changed_at is None:
        return sql.SQL("")
    # From `since` on, not past it: without an overlap, rows may share the time of the last one taken over.
    return sql.SQL(" where {0} >= {1} or {0} is null").format(sql.Identifier(job.changed_at), sql.Literal(since))


def _frame(source: LegacySource, buffer: BytesIO, names: list[str]) -> pd.DataFrame:
    buffer.seek(0)
    try:
        table = pyarrow.csv.read_csv(
            buffer,
            read_options=pyarrow.csv.ReadOptions(column_names=names),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"its text cannot be read: {error}", file=str(source), hint="is the database's encoding UTF8 or GB18030?"
        ) from error
    return pd.DataFrame({name: table[name].to_pandas().astype("string") for name in names})


def _table(source: LegacySource) -> sql.Identifier:
    return sql.Identifier(source.schema, source.table)
