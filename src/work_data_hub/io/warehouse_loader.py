"""Frames into warehouse tables through a pool of connections: appended or upserted, whole or not at all."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import psycopg2
from psycopg2 import sql
from psycopg2.pool import ThreadedConnectionPool

from work_data_hub.domain.pipelines import RetryConfig, execute_with_retry
from work_data_hub.errors import SchemaDrift, WarehouseError
from work_data_hub.io.copying import column_list, copy_frame, create_stage
from work_data_hub.io.postgres import Connection, Cursor, session_options, warehouse_errors
from work_data_hub.log import get_logger

log = get_logger(__name__)

STAGE = "wdh_upsert_stage"
_DROPPED_WORTH_A_WARNING = 5
_LOST_CONNECTION = (psycopg2.OperationalError, psycopg2.InterfaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What one load did, in rows and milliseconds."""

    rows_inserted: int
    rows_updated: int
    duration_ms: float


class WarehouseLoader:
    """Loads frames into tables of one database.

    A load is one transaction. A lost connection is replaced and the load begun again, up to three
    times with growing pauses; a connection is always given back. Rows are streamed `batch_size` at a
    time. Use it in a `with` block.
    """

    def __init__(
        self,
        connection_url: str,
        pool_size: int = 10,
        batch_size: int = 1000,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.pool_size, self.batch_size, self._sleep = pool_size, batch_size, sleep
        with warehouse_errors():
            self._pool = ThreadedConnectionPool(1, pool_size, connection_url, **session_options("wdh loader"))

    def __enter__(self) -> "WarehouseLoader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection of the pool."""
        self._pool.closeall()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of the pool, proven alive; commits when the block ends well, else rolls back."""
        connection = self._pool.getconn()
        log.info("database.connection.acquired")
        try:
            yield connection
            connection.commit()
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
        finally:
            self._pool.putconn(connection, close=bool(connection.closed))

    def load_dataframe(
        self, df: pd.DataFrame, table: str, schema: str, upsert_keys: Sequence[str] | None = None
    ) -> LoadResult:
        """Write the frame's rows in one transaction; with `upsert_keys`, rows that differ are updated.

        Columns the table does not have are left out (`project_columns`). Rows equal to what is there
        are neither inserted nor updated. What the table lacked when the statement began counts as inserted, also
        where another session added it meanwhile.
        """
        started = time.perf_counter()
        log.info("database.load.started", table=table, schema=schema, rows=len(df))

        def attempt() -> tuple[int, int]:
            with self.connection() as connection, connection.cursor() as cursor:
                rows = _projected(df, _columns(cursor, table, schema), table, schema)
                if upsert_keys:
                    self._copy_into_stage(cursor, rows, f"{schema}.{table}")
                    return _upsert(cursor, rows, table, schema, list(upsert_keys))
                return self._copy(cursor, rows, sql.Identifier(schema, table)), 0

        try:
            with warehouse_errors():
                inserted, updated = execute_with_retry(
                    attempt, RetryConfig(), retriable=_LOST_CONNECTION, sleep=self._sleep
                )
        except WarehouseError as error:
            log.error("database.load.failed", table=table, schema=schema, error=str(error))
            raise
        milliseconds = (time.perf_counter() - started) * 1000
        log.info("database.load.completed", table=table, schema=schema, inserted=inserted, updated=updated)
        return LoadResult(rows_inserted=inserted, rows_updated=updated, duration_ms=milliseconds)

    def _copy_into_stage(self, cursor: Cursor, rows: pd.DataFrame, like: str) -> None:
        create_stage(cursor, list(rows.columns), like=like, name=STAGE)
        self._copy(cursor, rows, sql.Identifier(STAGE))

    def _copy(self, cursor: Cursor, rows: pd.DataFrame, into: sql.Identifier) -> int:
        return copy_frame(cursor, rows, into=into, chunk_rows=self.batch_size)

    def get_allowed_columns(self, table: str, schema: str) -> list[str]:
        """The table's columns in order, without generated ones; raises SchemaDrift when there is no such table."""
        with warehouse_errors(), self.connection() as connection, connection.cursor() as cursor:
            return _columns(cursor, table, schema)

    def project_columns(self, df: pd.DataFrame, table: str, schema: str) -> pd.DataFrame:
        """The frame without the columns that the table lacks; warns when more than five go."""
        return _projected(df, self.get_allowed_columns(table, schema), table, schema)


def _projected(df: pd.DataFrame, allowed: list[str], table: str, schema: str) -> pd.DataFrame:
    dropped = [name for name in df.columns if name not in allowed]
    if dropped:
        tell = log.warning if len(dropped) > _DROPPED_WORTH_A_WARNING else log.info
        tell("database.columns.dropped", table=table, schema=schema, columns=dropped)
    kept = df.drop(columns=dropped)
    if kept.columns.empty:
        raise SchemaDrift(f"{schema}.{table} has none of the frame's columns", hint="check the table's name")
    return kept


def _columns(cursor: Cursor, table: str, schema: str) -> list[str]:
    cursor.execute(
        "select column_name from information_schema.columns"
        " where table_schema = %s and table_name = %s and is_identity = 'NO' and is_generated = 'NEVER'"
        " order by ordinal_position",
        (schema, table),
    )
    names = [row[0] for row in cursor.fetchall()]
    if not names:
        raise SchemaDrift(f"there is no table {schema}.{table}", hint="wdh db migrate")
    return names


def _upsert(cursor: Cursor, rows: pd.DataFrame, table: str, schema: str, keys: list[str]) -> tuple[int, int]:
    names, values = list(rows.columns), [name for name in rows.columns if name not in keys]
    parts = {
        "target": sql.Identifier(schema, table),
        "stage": sql.Identifier(STAGE),
        "names": column_list(names),
        "keys": column_list(keys),
    }
    if not values:
        cursor.execute(
            sql.SQL(
                "insert into {target} ({names}) select {names} from {stage} on conflict ({keys}) do nothing"
            ).format(**parts)
        )
        return cursor.rowcount, 0
    pairs = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values)
    differs = sql.SQL("({}) is distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("held.{}").format(sql.Identifier(name)) for name in values),
        sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(name)) for name in values),
    )
    # Not by xmax: of a table in parts the server may not tell a system column.
    same = sql.SQL(" and ").join(sql.SQL("known.{0} = written.{0}").format(sql.Identifier(name)) for name in keys)
    returned = sql.SQL(", ").join(sql.SQL("held.{}").format(sql.Identifier(name)) for name in keys)
    cursor.execute(
        sql.SQL(
            "with written as (insert into {target} as held ({names}) select {names} from {stage}"
            " on conflict ({keys}) do update set {pairs} where {differs} returning {returned})"
            " select count(*) filter (where not was_there), count(*) filter (where was_there)"
            " from (select exists (select from {target} as known where {same}) as was_there from written) as counted"
        ).format(**parts, pairs=pairs, differs=differs, same=same, returned=returned)
    )
    row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
