"""What a warehouse holds, told so that two that were filled in different ways can be laid side by side."""

import json
from collections import Counter
from collections.abc import Mapping

from psycopg2 import sql

from tests.hub import BOOKKEEPING, Hub

# Numbers that a sequence gave, and names of runs: they say who came first, not what is there.
SURROGATES = (
    *("id", "load_id", "_load_id", "requested_by_load", "parent_load_id", "settled_by_load"),
    *("change_id", "reject_id", "hook_run_id", "refresh_id", "run_id"),
)
_PARTS = "select relnamespace::regnamespace::text, relname from pg_class where relispartition and relkind = 'r'"
Rows = Counter[str]


def table_rows(hub: Hub) -> dict[str, Rows]:
    """Every table's rows as text with how often each is there; surrogate numbers and times left out.

    A table in parts is one table.
    """
    parts = {f"{schema}.{name}" for schema, name in hub.query(_PARTS)}
    return {table: _rows(hub, table) for table in sorted(hub.counts().keys() - parts - BOOKKEEPING)}


def differences(one: Mapping[str, Rows], other: Mapping[str, Rows]) -> dict[str, list[str]]:
    """By table, the rows that only one of the two has: `-` the first, `+` the second."""
    found = {}
    for table in sorted({*one, *other}):
        mine, theirs = one.get(table, Counter()), other.get(table, Counter())
        lines = [f"- {row}" for row in (mine - theirs).elements()] + [f"+ {row}" for row in (theirs - mine).elements()]
        if lines:
            found[table] = sorted(lines, key=lambda line: (line[2:], line))
    return found


def _rows(hub: Hub, table: str) -> Rows:
    schema, name = table.split(".", 1)
    times = hub.query(
        sql.SQL(
            "select column_name from information_schema.columns"
            " where table_schema = {} and table_name = {} and data_type like 'timestamp%'"
        ).format(sql.Literal(schema), sql.Literal(name))
    )
    left_out = [*SURROGATES, *(column for (column,) in times)]
    statement = sql.SQL("select to_jsonb(t) - {}::text[] from {} as t").format(
        sql.Literal(left_out), sql.Identifier(schema, name)
    )
    return Counter(json.dumps(row, ensure_ascii=False, sort_keys=True) for (row,) in hub.query(statement))
