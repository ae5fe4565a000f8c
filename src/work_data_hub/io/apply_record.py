"""What an apply leaves on record: its line in the ledger, and each change of company, so that it can be taken back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import execute_values

from work_data_hub.domain.identity.repointing import Repointed
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

LEDGER_DOMAIN = "identity"
_REVERSES, _ROW_IDS, _ROWS = -3, -2, -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyEntry:
    """One apply, as the ledger keeps it: of no month and no file."""

    run_id: str
    actor: str
    started_at: datetime
    rows_examined: int
    rows_updated: int
    code_version: str
    config_version: str


def record_apply(cursor: Cursor, load_id: int, entry: ApplyEntry) -> None:
    """Write the ledger's row; part of the apply's own transaction."""
    nothing = dict.fromkeys(("rows_rejected", "rows_deleted", "rows_inserted"), 0)
    cursor.execute(
        query("ledger", "record_load"),
        {
            **nothing,
            "load_id": load_id,
            "run_id": entry.run_id,
            "status": "loaded",
            "domain": LEDGER_DOMAIN,
            "period": None,
            "started_at": entry.started_at,
            "actor": entry.actor,
            "files": "[]",
            "rows_read": entry.rows_examined,
            "rows_updated": entry.rows_updated,
            "rows_unchanged": entry.rows_examined - entry.rows_updated,
            "code_version": entry.code_version,
            "config_version": entry.config_version,
            "declaration_version": None,
            "parent_load_id": None,
        },
    )


def record_changes(cursor: Cursor, changes: Iterable[Repointed], *, load_id: int) -> None:
    """Keep which rows went from one company to another, step by step and in that order.

    A change is taken back by one line: where some of its rows go back later than others, their line names
    the line before it.
    """
    lines = [_line(changed, at, load_id) for changed in changes for at in range(len(changed.steps))]
    kept = _one_reversal_each(lines)
    last = _last_reversals(cursor, {line[_REVERSES] for line in kept if line[_REVERSES]})
    for line in kept:
        line[_REVERSES] = last.get(line[_REVERSES])
    execute_values(cursor, query("company_changes", "record_changes"), kept)


def _last_reversals(cursor: Cursor, changes: set[int]) -> dict[int, int]:
    cursor.execute(query("company_changes", "last_reversals"), {"changes": sorted(changes)})
    return dict(cursor.fetchall())


def _line(changed: Repointed, at: int, load_id: int) -> list[Any]:
    group, step = changed.group, changed.steps[at]
    before, after = step.before, step.after
    return [
        load_id,
        group.table,
        group.name,
        group.plan,
        *(before.company_id, before.source, before.confidence),
        *(after.company_id, after.source, after.confidence),
        step.decision_id,
        step.reverses,
        list(group.row_ids),
        len(group.row_ids),
    ]


def _one_reversal_each(lines: Sequence[list[Any]]) -> list[list[Any]]:
    """The lines with those that take back the same change made one; rows that were alike then may not be now."""
    kept: dict[Any, list[Any]] = {}
    for at, line in enumerate(lines):
        reverses, ids = line[_REVERSES], line[_ROW_IDS]
        same = kept.setdefault(("back", reverses) if reverses else ("step", at), line)
        if same is not line:
            same[_ROW_IDS], same[_ROWS] = [*same[_ROW_IDS], *ids], same[_ROWS] + len(ids)
    return [*kept.values()]
