"""Frames into PostgreSQL tables by COPY, in chunks, inside the caller's transaction."""

import io
from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql

from work_data_hub.io.postgres import Cursor

CHUNK_ROWS = 20_000
_SEND_BYTES = 1 << 18


def table_identifier(qualified: str) -> sql.Identifier:
    """`business.规模明细` as a quoted identifier; a bare name stays bare."""
    return sql.Identifier(*qualified.split(".", 1))


def column_list(names: list[str]) -> sql.Composed:
    """The names as a quoted, comma-separated list."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def copy_frame(
    cursor: Cursor,
    frame: pd.DataFrame,
    *,
    into: sql.Composable,
    between: Callable[[], None] = lambda: None,
    chunk_rows: int = CHUNK_ROWS,
) -> int:
    """Append the frame's rows to a table with columns of the same names; returns the number of rows.

    Text, dates and exact decimals travel as written; null and empty text stay apart. `between` is
    called after each chunk of `chunk_rows` rows.
    """
    command = sql.SQL("copy {} ({}) from stdin with (format csv)").format(into, column_list(list(frame.columns)))
    cursor.copy_expert(command, _Stream(_csv_chunks(frame, between, chunk_rows)), size=_SEND_BYTES)
    return len(frame)


def create_stage(cursor: Cursor, columns: list[str], *, like: str, name: str) -> None:
    """Create the empty temporary table `name` with `columns` typed as in `like`, replacing an older one."""
    cursor.execute(sql.SQL("drop table if exists pg_temp.{}").format(sql.Identifier(name)))
    cursor.execute(
        sql.SQL("create temporary table {} as select {} from {} with no data").format(
            sql.Identifier(name), column_list(columns), table_identifier(like)
        )
    )


def _csv_chunks(frame: pd.DataFrame, between: Callable[[], None], chunk_rows: int) -> Iterator[bytes]:
    options = pyarrow.csv.WriteOptions(include_header=False)
    for start in range(0, len(frame), chunk_rows):
        table = pa.Table.from_pandas(frame.iloc[start : start + chunk_rows], preserve_index=False)
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(table, buffer, options)
        yield buffer.getvalue()
        between()


class _Stream(io.RawIOBase):
    """Chunks of bytes as the readable file that COPY asks for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        end = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:end], self._rest[end:]
        return bytes(piece)
