"""The index of names and plans in `enterprise.enrichment_index`: looked up once a load, written with it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pandas as pd

from work_data_hub.domain.identity.knowledge import (
    DECISION_COLUMNS,
    ENTRY_COLUMNS,
    Knowledge,
    no_decisions,
    no_entries,
)
from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.io.postgres import Connection, Cursor
from work_data_hub.io.queries import query

_ANSWER = ("what", "kind", "key", "plan", "company", "other", "confidence", "number", "source")
_LONGEST_KEY = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEffect:
    """What writing entries did: new keys, keys that now say something else or more surely, keys kept as they were."""

    inserted: int = 0
    replaced: int = 0
    kept: int = 0


def look_up(connection: Connection, keys: pd.DataFrame, *, searched_days: int) -> Knowledge:
    """What is known about distinct keys (kind, key): index entries, decisions, and names searched in vain.

    One query, whatever the number of keys; writes nothing, and leaves the transaction to the caller.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            query("identity", "known"),
            {
                "kinds": keys["kind"].tolist(),
                "keys": keys["key"].tolist(),
                "version": NORMALISER_VERSION,
                "searched_days": searched_days,
            },
        )
        return _knowledge(pd.DataFrame(cursor.fetchall(), columns=list(_ANSWER)))


def write_entries(
    cursor: Cursor, entries: pd.DataFrame, *, domain: str | None, table: str | None, expires_at: datetime | None = None
) -> IndexEffect:
    """Add entries (kind, key, company_id, confidence, source), one a key; a key that is there needs a surer one.

    Part of the caller's transaction. An entry that has expired, or was made by another version of the
    normaliser, gives way to any.
    """
    return _write(cursor, "write_entries", entries, domain=domain, table=table, expires_at=expires_at)


def write_former_names(
    cursor: Cursor, entries: pd.DataFrame, *, domain: str | None, table: str | None, expires_at: datetime | None = None
) -> IndexEffect:
    """Add former names, several companies a key allowed: a name that two companies had is kept, and never used."""
    return _write(cursor, "write_former_names", entries, domain=domain, table=table, expires_at=expires_at)


def count_hits(cursor: Cursor, used: pd.DataFrame) -> None:
    """Count how many rows each entry decided (entry_id, rows)."""
    if len(used):
        _lock(cursor)
        given = {"ids": used["entry_id"].tolist(), "rows": used["rows"].tolist()}
        cursor.execute(query("identity", "count_hits"), given)


def _write(
    cursor: Cursor,
    statement: str,
    entries: pd.DataFrame,
    *,
    domain: str | None,
    table: str | None,
    expires_at: datetime | None,
) -> IndexEffect:
    given = entries[entries["key"].str.len() <= _LONGEST_KEY].sort_values(["kind", "key", "company_id"])
    if given.empty:
        return IndexEffect()
    _lock(cursor)
    cursor.execute(
        query("identity", statement),
        {
            "kinds": given["kind"].tolist(),
            "keys": given["key"].tolist(),
            "companies": given["company_id"].tolist(),
            "confidences": [Decimal(f"{confidence:.2f}") for confidence in given["confidence"]],
            "sources": given["source"].tolist(),
            "domain": domain,
            "table": table,
            "version": NORMALISER_VERSION,
            "expires_at": expires_at,
        },
    )
    inserted, replaced = _two(cursor)
    return IndexEffect(inserted=inserted, replaced=replaced, kept=given["key"].nunique() - inserted - replaced)


def _two(cursor: Cursor) -> tuple[int, int]:
    row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _lock(cursor: Cursor) -> None:
    cursor.execute(query("identity", "lock_index"))


def _knowledge(answers: pd.DataFrame) -> Knowledge:
    entries, decisions = answers[answers["what"].eq("entry")], answers[answers["what"].eq("decision")]
    return Knowledge(
        entries=_typed(entries, dict(zip(ENTRY_COLUMNS, _ENTRY, strict=True)), like=no_entries()),
        decisions=_typed(decisions, dict(zip(DECISION_COLUMNS, _DECISION, strict=True)), like=no_decisions()),
        searched=frozenset(answers.loc[answers["what"].eq("searched"), "key"]),
    )


_ENTRY = ("kind", "key", "company", "confidence", "source", "number")
_DECISION = ("number", "kind", "key", "plan", "company", "other")


def _typed(answers: pd.DataFrame, columns: dict[str, str], *, like: pd.DataFrame) -> pd.DataFrame:
    found = pd.DataFrame({name: answers[source].to_numpy() for name, source in columns.items()})
    return found.astype(like.dtypes.to_dict())
