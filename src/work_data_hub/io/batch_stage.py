"""The temporary table that a batch is copied into, and the one statement that takes it over into its target."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2 import sql

from work_data_hub.domain.batch.run import Column
from work_data_hub.domain.batch.targets import TableTarget
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

_SEND_BYTES = 1 << 18
_PLACE = sql.Identifier("position")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageColumn:
    """A column as it is copied, and the target's type for it; None where the target does not take it."""

    name: str
    type: str
    target_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A table of this connection alone, empty after each transaction; its rows know in which order they came."""

    target: TableTarget
    columns: tuple[StageColumn, ...]

    @property
    def name(self) -> str:
        """The table's name: stages of the same columns are one."""
        types = "\n".join(column.type for column in self.columns)
        return f"wdh_batch_{hashlib.sha256(types.encode()).hexdigest()[:16]}"

    @property
    def table(self) -> sql.Composable:
        """The table as SQL."""
        return sql.Identifier("pg_temp", self.name)

    def make(self, cursor: Cursor) -> None:
        """Have the table; it lasts as long as the connection, unless this transaction is rolled back."""
        cursor.execute(query("batch_table_sink", "has_stage"), {"name": self.table.as_string(cursor)})
        if cursor.fetchone() == (True,):
            return
        columns = [
            sql.SQL("{} {}").format(_stage_column(place), sql.SQL(column.type))
            for place, column in enumerate(self.columns)
        ]
        cursor.execute(
            sql.SQL(
                "create temporary table {} ({} bigint generated always as identity, {}) on commit delete rows"
            ).format(sql.Identifier(self.name), _PLACE, sql.SQL(", ").join(columns))
        )

    def fill(self, cursor: Cursor, lines: bytes, *, faults: Faults) -> None:
        """Copy the lines of CSV into the table."""
        names = sql.SQL(", ").join(_stage_column(place) for place in range(len(self.columns)))
        command = sql.SQL("copy {} ({}) from stdin with (format csv, encoding 'UTF8')").format(self.table, names)
        cursor.copy_expert(command, _InTwo(lines, faults), size=_SEND_BYTES)

    def take_over(self, *, expects_others: bool) -> sql.Composed:
        """The statement that takes the table over into the target.

        It gives one row: how many were inserted, how many updated, how many of the first `%(rescanned)s` rows
        changed nothing, and the places (from 0) of the rows without a key. Of rows with one key the last one
        counts; a row that is equal to the target's is not touched. Where another session adds one of the keys
        meanwhile it raises UniqueViolation, unless it `expects_others`, which costs more.
        """
        names = [column.name for column in self.columns if column.target_type is not None]
        others = [name for name in names if name != self.target.key]
        values = [sql.SQL("{} as {}").format(self._value(name), sql.Identifier(name)) for name in names]
        key = sql.Identifier(self.target.key)
        touched = _template("touched_among_others" if expects_others else "touched_alone").format(
            key=key,
            target=target_table(self.target),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            touched=_each(others, "{name} = touched.{name}, "),
            excluded=_each(others, "{name} = excluded.{name}, "),
            old=_each(others, "target.{name}, "),
            latest=_each(others, "latest.{name}, "),
            new=_each(others, "excluded.{name}, "),
            given=_each(others, "touched.{name}, "),
        )
        return _template("take_over").format(
            touched=touched,
            stage=self.table,
            place=_PLACE,
            given_key=_stage_column(self._place(self.target.key)),
            key_value=self._value(self.target.key),
            key=key,
            values=sql.SQL(", ").join(values),
        )

    def _place(self, name: str) -> int:
        return next(
            place for place, column in enumerate(self.columns) if column.name == name and column.target_type is not None
        )

    def _value(self, name: str) -> sql.Composable:
        place = self._place(name)
        return sql.SQL("{}::{}").format(_stage_column(place), sql.SQL(self.columns[place].target_type or "text"))


def stage_for(cursor: Cursor, columns: Sequence[Column], *, target: TableTarget) -> Stage:
    """The stage for rows of these columns. A value comes as the query's type and is cast to the target's.

    Where the query's type is not known a value comes as the text of the target's. Raises InvalidPipeline where the
    table lacks a column that it should take, and psycopg2's UndefinedTable or InvalidSchemaName where it is away.
    """
    cursor.execute(
        query("batch_table_sink", "column_types"),
        {
            "names": [column.name for column in columns],
            "types": [column.type for column in columns],
            "target": target_table(target).as_string(cursor),
        },
    )
    found = tuple(
        _stage_types(column.name, own, wanted) if column.name in target.columns else _ignored(column.name)
        for column, (own, wanted) in zip(columns, cursor.fetchall(), strict=True)
    )
    return Stage(target=target, columns=found)


def target_table(target: TableTarget) -> sql.Identifier:
    """The target as SQL."""
    return sql.Identifier(target.schema, target.table)


def _stage_types(name: str, own: str | None, wanted: str | None) -> StageColumn:
    if wanted is None:
        raise InvalidPipeline(
            f"the target has no column {name}", field=name, hint="`wdh db migrate` brings the database up to date"
        )
    return StageColumn(name=name, type=own or wanted, target_type=wanted)


def _ignored(name: str) -> StageColumn:
    return StageColumn(name=name, type="text", target_type=None)


def _stage_column(place: int) -> sql.Identifier:
    # Names of a query may be anything; the stage has its own.
    return sql.Identifier(f"c{place}")


def _each(names: Sequence[str], form: str) -> sql.Composed:
    return sql.Composed([sql.SQL(form).format(name=sql.Identifier(name)) for name in names])


def _template(name: str) -> sql.SQL:
    return sql.SQL(query("batch_table_sink", name))


class _InTwo(io.RawIOBase):
    """Bytes as the readable file that COPY asks for, with the fault point in their middle."""

    def __init__(self, content: bytes, faults: Faults) -> None:
        super().__init__()
        self._rest, self._faults = memoryview(content), faults
        self._first = max(len(content) // 2, 1)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` and first at most half of all; empty at the end."""
        limit = len(self._rest) if size < 0 else size
        if self._first:
            limit, self._first = min(limit, self._first), 0
        else:
            self._faults.reach("inside_copy")
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return bytes(piece)
