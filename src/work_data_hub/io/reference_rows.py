"""Reference rows that facts imply: added where their key is missing, filled, or brought up to date."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.plans import LoadPlan, ReferencePlan
from work_data_hub.domain.reference_rules import Mode, Reference
from work_data_hub.domain.report import ReferenceEffect
from work_data_hub.io.copying import column_list, copy_frame, create_stage, table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.reference_changes import Changes, changed_rows, filled_rows, new_rows
from work_data_hub.io.reference_facts import DESCRIBED_BY, FLAGS, KNOWN_BY, filled_columns, missing_keys, settled_rows
from work_data_hub.io.reference_lengths import column_lengths, refuse_added, refuse_changed, too_long
from work_data_hub.log import get_logger

log = get_logger(__name__)

STAGE = "wdh_reference_stage"
_ASK_AGAIN_SECONDS = 0.1


def create_reference_stages(cursor: Cursor, plan: LoadPlan) -> None:
    """Create the temporary tables that `stage_references` fills; a plan does it before it may only read."""
    for stage, reference in _staged(plan):
        _create_stage(cursor, reference.reference, stage=stage)


def _create_stage(cursor: Cursor, reference: Reference, *, stage: str) -> None:
    names, more = [reference.key, *reference.targets], dict[str, str]()
    if reference.mode is Mode.RECOMPUTE:
        tags = [tag.target for tag in reference.tags]
        names = [reference.key, *filled_columns(reference), DESCRIBED_BY, *tags]
        more = {KNOWN_BY: "text"} | dict.fromkeys(FLAGS, "boolean")
    create_stage(cursor, names, like=reference.table, name=stage)
    # A text that is too long has to get in, to be refused in our words where it would be written.
    lengths = column_lengths(cursor, [reference.table])[reference.table]
    changes = [sql.SQL("alter column {} type text").format(sql.Identifier(name)) for name in names if name in lengths]
    changes += [sql.SQL("add column {} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in more.items()]
    if changes:
        statement = sql.SQL("alter table pg_temp.{} {}")
        cursor.execute(statement.format(sql.Identifier(stage), sql.SQL(", ").join(changes)))


def lock_references(cursor: Cursor, plan: LoadPlan) -> None:
    """Wait until no other load recomputes the same tables; held until the transaction ends.

    Two domains loaded at once would else not see each other's facts.
    """
    for table in sorted({r.reference.table for r in plan.references if r.reference.mode is Mode.RECOMPUTE}):
        lock_table(cursor, table)


def lock_table(cursor: Cursor, table: str) -> None:
    """Wait until no other transaction recomputes the table; held until the transaction ends."""
    if not _try_lock(cursor, table):
        log.info("references.lock.awaited", table=table)
        while not _try_lock(cursor, table):
            time.sleep(_ASK_AGAIN_SECONDS)


def add_rows(cursor: Cursor, reference: Reference, rows: pd.DataFrame) -> int:
    """Add `rows_from_facts` to the table of a recomputed reference, marked to be reviewed; returns how many."""
    plan = ReferencePlan(reference=reference, rows=rows)
    _create_stage(cursor, reference, stage=STAGE)
    copy_frame(cursor, rows, into=sql.Identifier(STAGE))
    return _insert_new(cursor, plan, new_rows(plan, STAGE))


def stage_references(cursor: Cursor, plan: LoadPlan, *, goes: sql.Composable) -> None:
    """Fill the stages with what rows should hold once the load is done; called before the facts are written.

    `goes` is the condition on `fact` of the facts that the load takes away. Raises DataError for a text
    that is too long for the column it would be written to.
    """
    cursor.execute("set local work_mem = '256MB'")
    lengths = column_lengths(cursor, _tables(plan))
    for stage, reference in _with_stage(plan.references):
        rows = reference.rows
        if reference.reference.mode is Mode.RECOMPUTE:
            rows = settled_rows(cursor, reference, load=plan, goes=goes)
        long = too_long(rows, lengths[reference.reference.table])
        if reference.reference.mode is Mode.INSERT_MISSING:
            refuse_added(cursor, reference.reference, rows, load=plan, long=long)
        else:
            copy_frame(cursor, rows, into=sql.Identifier(stage))
            changes = _changes(reference, stage, plan)
            refuse_changed(cursor, reference.reference, changes, load=plan, long=long)


def count_references(cursor: Cursor, plan: LoadPlan) -> tuple[ReferenceEffect, ...]:
    """What `write_references` would do; reads only."""
    return tuple(_count(cursor, stage, reference, plan) for stage, reference in _with_stage(plan.references))


def write_references(cursor: Cursor, plan: LoadPlan) -> tuple[ReferenceEffect, ...]:
    """Add and change the reference rows, in the order of their dependencies; new ones are marked to be reviewed."""
    return tuple(_write(cursor, stage, reference, plan) for stage, reference in _with_stage(plan.references))


def _changes(plan: ReferencePlan, stage: str, load: LoadPlan) -> list[Changes]:
    """What is written from the stage."""
    if plan.reference.mode is Mode.FILL_NULL_ONLY:
        return [filled_rows(plan, stage)]
    return [changed_rows(plan, stage, period=load.period), new_rows(plan, stage)]


def _count(cursor: Cursor, stage: str, plan: ReferencePlan, load: LoadPlan) -> ReferenceEffect:
    table = plan.reference.table
    match plan.reference.mode:
        case Mode.INSERT_MISSING:
            return ReferenceEffect(table=table, inserted=len(_missing(cursor, plan)))
        case Mode.FILL_NULL_ONLY:
            return ReferenceEffect(table=table, inserted=0, updated=_count_rows(cursor, filled_rows(plan, stage)))
        case Mode.RECOMPUTE:
            return ReferenceEffect(
                table=table,
                inserted=_count_rows(cursor, new_rows(plan, stage)),
                updated=_count_rows(cursor, changed_rows(plan, stage, period=load.period)),
            )


def _write(cursor: Cursor, stage: str, plan: ReferencePlan, load: LoadPlan) -> ReferenceEffect:
    table = plan.reference.table
    match plan.reference.mode:
        case Mode.INSERT_MISSING:
            return ReferenceEffect(table=table, inserted=_insert_missing(cursor, plan))
        case Mode.FILL_NULL_ONLY:
            return ReferenceEffect(table=table, inserted=0, updated=_update(cursor, plan, filled_rows(plan, stage)))
        case Mode.RECOMPUTE:
            updated = _update(cursor, plan, changed_rows(plan, stage, period=load.period))
            return ReferenceEffect(
                table=table, inserted=_insert_new(cursor, plan, new_rows(plan, stage)), updated=updated
            )


def _missing(cursor: Cursor, plan: ReferencePlan) -> pd.DataFrame:
    """The rows whose key the table lacks."""
    keys = plan.rows[plan.reference.key]
    return plan.rows[keys.isin(missing_keys(cursor, plan.reference, keys.tolist()))]


def _insert_missing(cursor: Cursor, plan: ReferencePlan) -> int:
    """Add the rows whose key is missing; returns how many."""
    missing = _missing(cursor, plan)
    if missing.empty:
        return 0
    rows = missing.assign(
        _source="auto_derived",
        _needs_review=True,
        _derived_from_domain=plan.reference.domain,
        _derived_at=datetime.now(UTC).isoformat(),
    )
    names = list(rows.columns)
    create_stage(cursor, names, like=plan.reference.table, name=STAGE)
    copy_frame(cursor, rows, into=sql.Identifier(STAGE))
    cursor.execute(
        sql.SQL("insert into {} ({}) select {} from {} on conflict ({}) do nothing").format(
            table_identifier(plan.reference.table),
            column_list(names),
            column_list(names),
            sql.Identifier(STAGE),
            sql.Identifier(plan.reference.key),
        )
    )
    return cursor.rowcount


def _insert_new(cursor: Cursor, plan: ReferencePlan, new: Changes) -> int:
    names = column_list([plan.reference.key, *new.columns])
    cursor.execute(
        sql.SQL(
            "insert into {table} ({names}, _source, _needs_review, _derived_at)"
            " select {names}, 'auto_derived', true, now() from ({rows}) as new on conflict ({key}) do nothing"
        ).format(
            table=table_identifier(plan.reference.table),
            names=names,
            rows=new.rows,
            key=sql.Identifier(plan.reference.key),
        )
    )
    return cursor.rowcount


def _update(cursor: Cursor, plan: ReferencePlan, changes: Changes) -> int:
    table = table_identifier(plan.reference.table)
    changed: list[sql.Composable] = [
        sql.SQL("{0} = changed.{0}").format(sql.Identifier(name)) for name in changes.columns
    ]
    if plan.reference.mode is Mode.RECOMPUTE:
        changed.append(
            sql.SQL("_derived_at = case kept._source when 'auto_derived' then now() else kept._derived_at end")
        )
    if _has_column(cursor, table, "updated_at"):
        changed.append(sql.SQL("updated_at = now()"))
    cursor.execute(
        sql.SQL(
            "update {table} as kept set {changed} from ({rows}) as changed where kept.{key} = changed.{key}"
        ).format(
            table=table,
            changed=sql.SQL(", ").join(changed),
            rows=changes.rows,
            key=sql.Identifier(plan.reference.key),
        )
    )
    return cursor.rowcount


def _count_rows(cursor: Cursor, changes: Changes) -> int:
    cursor.execute(sql.SQL("select count(*) from ({}) as changed").format(changes.rows))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _has_column(cursor: Cursor, table: sql.Identifier, name: str) -> bool:
    cursor.execute(query("references", "has_column"), {"table": table.as_string(cursor), "column": name})
    row = cursor.fetchone()
    return bool(row and row[0])


def _tables(plan: LoadPlan) -> list[str]:
    return [reference.reference.table for reference in plan.references]


def _with_stage(plans: Iterable[ReferencePlan]) -> Iterator[tuple[str, ReferencePlan]]:
    for at, plan in enumerate(plans):
        yield f"{STAGE}_{at}", plan


def _staged(plan: LoadPlan) -> Iterator[tuple[str, ReferencePlan]]:
    """The plans whose rows wait beside the table, and where."""
    for stage, reference in _with_stage(plan.references):
        if reference.reference.mode is not Mode.INSERT_MISSING:
            yield stage, reference


def _try_lock(cursor: Cursor, table: str) -> bool:
    digest = hashlib.sha256(f"wdh references {table}".encode()).digest()
    cursor.execute("select pg_try_advisory_xact_lock(%s)", (int.from_bytes(digest[:8], "big", signed=True),))
    row = cursor.fetchone()
    return bool(row and row[0])
