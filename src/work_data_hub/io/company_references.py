"""Which reference rows a change of companies touches, by key: counted alike by a plan and an apply."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg2 import sql

from work_data_hub.domain.plans import LoadPlan, ReferencePlan
from work_data_hub.domain.reference_rules import Mode
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.reference_changes import Changes, changed_rows, filled_rows, new_rows
from work_data_hub.io.reference_facts import missing_keys
from work_data_hub.io.reference_rows import STAGE


@dataclass(slots=True, kw_only=True)
class TouchedKeys:
    """The keys of one table that are added, and those that change; a key counts once, in however many months."""

    added: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


def note_touched_keys(cursor: Cursor, load: LoadPlan, touched: Mapping[str, TouchedKeys]) -> None:
    """Add to `touched`, by table, what the filled stages of the load will write; reads only."""
    for at, plan in enumerate(load.references):
        known = touched[plan.reference.table]
        added, changed = _keys(cursor, plan, stage=f"{STAGE}_{at}", load=load)
        known.added |= added - known.changed
        known.changed |= changed - known.added


def _keys(cursor: Cursor, plan: ReferencePlan, *, stage: str, load: LoadPlan) -> tuple[set[str], set[str]]:
    match plan.reference.mode:
        case Mode.INSERT_MISSING:
            return missing_keys(cursor, plan.reference, plan.rows[plan.reference.key].tolist()), set()
        case Mode.FILL_NULL_ONLY:
            return set(), _of(cursor, plan, filled_rows(plan, stage))
        case Mode.RECOMPUTE:
            changed = _of(cursor, plan, changed_rows(plan, stage, period=load.period))
            return _of(cursor, plan, new_rows(plan, stage)), changed


def _of(cursor: Cursor, plan: ReferencePlan, changes: Changes) -> set[str]:
    key = sql.Identifier(plan.reference.key)
    cursor.execute(sql.SQL("select {} from ({}) as touched").format(key, changes.rows))
    return {str(row[0]) for row in cursor.fetchall()}
