"""A fact table as the server has it: all that another table needs to stand in for it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg2 import sql

from work_data_hub.domain.partitions import Part, Span
from work_data_hub.errors import SchemaDrift
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

_BOUNDS = re.compile(r"FOR VALUES FROM \('(\d{4}-\d\d-\d\d)'\) TO \('(\d{4}-\d\d-\d\d)'\)")
_DEFAULT = "DEFAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A primary key, a unique constraint or a reference to another table."""

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...]

    @property
    def is_primary(self) -> bool:
        """Whether it is the primary key."""
        return self.kind == "p"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index that is no constraint; `unique` has the columns of a unique one."""

    name: str
    definition: str
    comment: str | None
    unique: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A privilege on the whole, or on one column, given to a role, or to everybody."""

    column: str | None
    grantee: str | None
    privilege: str
    with_grant_option: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """The sequence behind a column that the server counts, and where it stands."""

    column: str
    schema: str
    name: str
    last_value: int
    is_called: bool
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view that reads the table."""

    schema: str
    name: str
    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactTable:
    """The table: its parts where it has some, and everything that stands on it.

    `rest` is the part that takes what no other takes.
    """

    schema: str
    name: str
    month: str
    is_partitioned: bool
    owner: str
    comment: str | None
    today: date
    columns: tuple[str, ...]
    parts: dict[str, Part]
    rest: str | None
    keys: tuple[Key, ...]
    indexes: tuple[Index, ...]
    grants: tuple[Grant, ...]
    counters: tuple[Counter, ...]
    views: tuple[View, ...]
    obstacles: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        """The table as SQL."""
        return sql.Identifier(self.schema, self.name)

    @property
    def span(self) -> Span:
        """How much time its parts hold; a year where it has none."""
        return next(iter(self.parts.values())).span if self.parts else Span.YEAR

    @property
    def part_names(self) -> tuple[str, ...]:
        """The tables of all parts."""
        return (*self.parts, *([self.rest] if self.rest else []))


def read_fact_table(cursor: Cursor, qualified: str, *, month: str) -> FactTable:
    """The table as it is now, told in names that hold in any search path; raises SchemaDrift where there is none.

    Leaves `search_path` empty for the transaction.
    """
    cursor.execute("set local search_path = ''")
    schema, _, name = qualified.partition(".")
    found = _rows(cursor, "table", schema=schema, table=name)
    if not found:
        raise SchemaDrift(f"there is no table {qualified}", hint="wdh db migrate")
    oid, kind, owner, comment, key, today = found[0]
    parts, rest, foreign = _parts(cursor, oid)
    columns = _rows(cursor, "columns", oid=oid)
    keys = tuple(
        Key(name=n, kind=k, definition=d, columns=tuple(c)) for n, k, d, c in _rows(cursor, "constraints", oid=oid)
    )
    indexes = tuple(
        Index(name=n, definition=d, comment=c, unique=tuple(u or ()))
        for n, d, c, u in _rows(cursor, "indexes", oid=oid)
    )
    unlike = kind == "p" and (foreign or key.strip('"') not in (f"RANGE ({month})", f'RANGE ("{month}")'))
    return FactTable(
        schema=schema,
        name=name,
        month=month,
        is_partitioned=kind == "p",
        owner=owner,
        comment=comment,
        today=today,
        columns=tuple(column for column, _ in columns),
        parts=parts,
        rest=rest,
        keys=keys,
        indexes=indexes,
        grants=_grants(cursor, oid),
        counters=tuple(_counters(cursor, schema, name, [column for column, counted in columns if counted])),
        views=tuple(
            View(schema=s, name=n, text=t, options=tuple(o or ())) for s, n, t, o in _rows(cursor, "views", oid=oid)
        ),
        obstacles=(
            *(row[0] for row in _rows(cursor, "obstacles", oid=oid)),
            *(["parts of another kind"] if unlike else []),
        ),
    )


def _parts(cursor: Cursor, oid: int) -> tuple[dict[str, Part], str | None, list[str]]:
    parts: dict[str, Part] = {}
    rest: str | None = None
    foreign: list[str] = []
    for name, bounds in _rows(cursor, "parts", oid=oid):
        days = _BOUNDS.fullmatch(bounds or "")
        if days:
            parts[name] = Part(date.fromisoformat(days[1]), date.fromisoformat(days[2]))
        elif bounds == _DEFAULT:
            rest = name
        else:
            foreign.append(name)
    return dict(sorted(parts.items(), key=lambda item: item[1])), rest, foreign


def _counters(cursor: Cursor, schema: str, table: str, columns: Sequence[str]) -> Iterator[Counter]:
    for column in columns:
        ((oid, where, name),) = _rows(cursor, "sequence", schema=schema, table=table, column=column)
        cursor.execute(sql.SQL("select last_value, is_called from {}").format(sql.Identifier(where, name)))
        ((last_value, is_called),) = cursor.fetchall()
        yield Counter(
            column=column,
            schema=where,
            name=name,
            last_value=last_value,
            is_called=is_called,
            grants=_grants(cursor, oid),
        )


def _grants(cursor: Cursor, oid: int) -> tuple[Grant, ...]:
    return tuple(
        Grant(column=column, grantee=grantee, privilege=privilege, with_grant_option=is_grantable)
        for column, grantee, privilege, is_grantable in _rows(cursor, "grants", oid=oid)
    )


def _rows(cursor: Cursor, name: str, **given: Any) -> list[tuple[Any, ...]]:
    cursor.execute(query("partitions", name), given)
    return cursor.fetchall()
