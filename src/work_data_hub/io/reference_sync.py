"""A source's rows into their reference table: counted in a plan, written in the caller's transaction."""

from dataclasses import replace

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.loads import LARGEST_SHRINK, is_shrunken
from work_data_hub.domain.reference_sync import TRACKING, SyncEffect, SyncJob, SyncMode
from work_data_hub.domain.sync_rows import TargetColumn, TargetTable
from work_data_hub.errors import ShrinkRefused
from work_data_hub.io.copying import column_list, copy_frame, create_stage, table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

# What the tracking columns of a row say that its source has confirmed.
_CONFIRMED = sql.SQL("'authoritative'::text, false, null::text, null::timestamptz")
_COUNT = sql.SQL("""
    select count(*) filter (where kept.{key} is null),
           count(*) filter (where kept.{key} is not null and ({kept}) is distinct from ({given})),
           count(*)
    from {stage} as given
    left join {target} as kept on kept.{key} = given.{key}
""")
# Only what an earlier sync of the same job delivered is the job's own.
_COUNT_OWN = sql.SQL("""
    select count(*) filter (where not exists (select from {stage} as given where given.{key}::text = own.key)),
           count(*)
    from system.synced_keys as own
    join {target} as kept on kept.{key}::text = own.key
    where own.job_name = {job}
      and own.table_name = {table}
      and own.key_column = {key_name}
      and kept._source = 'authoritative'
""")
# The keys go first: one that somebody accepts at this moment is his, and its row stays.
_DELETE_VANISHED = sql.SQL("""
    with vanished as (
      delete from system.synced_keys as own
      where own.job_name = {job}
        and own.table_name = {table}
        and (
          own.key_column <> {key_name}
          or not exists (select from {stage} as given where given.{key}::text = own.key)
        )
      returning own.key, own.key_column
    )
    delete from {target} as kept
    using vanished
    where vanished.key_column = {key_name}
      and kept.{key}::text = vanished.key
      and kept._source = 'authoritative'
""")
_NOTE_KEYS = sql.SQL("""
    insert into system.synced_keys (job_name, table_name, key, key_column)
    select {job}, {table}, given.{key}::text, {key_name}
    from {stage} as given
    on conflict do nothing
""")
_UPDATE = sql.SQL("""
    update {target} as kept
    set ({columns}) = row({given}){touched}
    from {stage} as given
    where kept.{key} = given.{key}
      and ({kept}) is distinct from ({given})
""")
# A load may have derived a key since the update; the source wins over it.
_INSERT = sql.SQL("""
    insert into {target} as kept ({columns})
    select {given}
    from {stage} as given
    where not exists (select from {target} as present where present.{key} = given.{key})
    on conflict ({key}) do update
    set ({columns}) = row({excluded}){touched}
""")


def target_table(cursor: Cursor, name: str) -> TargetTable | None:
    """The table as the database has it, None where there is none."""
    schema, _, table = name.partition(".")
    place = {"schema": schema, "table": table}
    cursor.execute(query("reference_sync", "target_columns"), place)
    columns = tuple(
        TargetColumn(name=column, type=kind, nullable=nullable, has_default=has_default)
        for column, kind, nullable, has_default in cursor.fetchall()
    )
    if not columns:
        return None
    cursor.execute(query("reference_sync", "unique_columns"), place)
    return TargetTable(name=name, columns=columns, unique=frozenset(column for (column,) in cursor.fetchall()))


def create_sync_stage(cursor: Cursor, job: SyncJob) -> None:
    """Create the temporary table that `count_sync` and `write_sync` compare with; not possible while only reading."""
    create_stage(cursor, job.targets, like=job.target, name=_stage(job))


def count_sync(cursor: Cursor, job: SyncJob, rows: pd.DataFrame, *, allow_shrink: bool) -> SyncEffect:
    """Fill the stage and count what the sync does to the table, by content; raises ShrinkRefused as it would."""
    copy_frame(cursor, rows, into=sql.Identifier(_stage(job)))
    inserted, updated, given = _row(cursor, job, _COUNT)
    effect = SyncEffect(
        job=job, rows_read=given, inserted=inserted, updated=updated, unchanged=given - inserted - updated
    )
    if job.mode is not SyncMode.REPLACE:
        return effect
    deleted, own = _row(cursor, job, _COUNT_OWN)
    if is_shrunken(existing=own, incoming=own - deleted) and not allow_shrink:
        raise _shrink(job, deleted=deleted, own=own)
    return replace(effect, deleted=deleted)


def write_sync(
    cursor: Cursor, job: SyncJob, rows: pd.DataFrame, *, table: TargetTable, allow_shrink: bool
) -> SyncEffect:
    """Bring the table to what the source says, and return what that changed.

    The source's rows become authoritative and reviewed; columns that it does not deliver, and rows
    that are as the source says already, stay untouched. A replacing job removes rows that it delivered
    earlier and its source no longer has, and notes the keys of those that it delivers now.
    """
    effect = count_sync(cursor, job, rows, allow_shrink=allow_shrink)
    if job.mode is SyncMode.REPLACE:
        cursor.execute(_fill(job, _DELETE_VANISHED))
        cursor.execute(_fill(job, _NOTE_KEYS))
    touched = _touched(job, table)
    if effect.updated:
        cursor.execute(_fill(job, _UPDATE, touched=touched))
    if effect.inserted:
        cursor.execute(_fill(job, _INSERT, touched=touched))
    return effect


def _touched(job: SyncJob, table: TargetTable) -> sql.SQL:
    """The table's own note of its last change, where it keeps one that the source does not deliver."""
    keeps_time = "updated_at" in table.by_name and "updated_at" not in job.targets
    return sql.SQL(", updated_at = now()" if keeps_time else "")


def _stage(job: SyncJob) -> str:
    return f"wdh_sync_{job.version}"


def _row(cursor: Cursor, job: SyncJob, statement: sql.SQL) -> tuple[int, ...]:
    cursor.execute(_fill(job, statement))
    row = cursor.fetchone()
    return tuple(row or ())


def _fill(job: SyncJob, statement: sql.SQL, **parts: sql.Composable) -> sql.Composed:
    names = [*job.targets, *TRACKING]
    return statement.format(
        target=table_identifier(job.target),
        stage=sql.Identifier(_stage(job)),
        key=sql.Identifier(job.key),
        job=sql.Literal(job.name),
        table=sql.Literal(job.target),
        key_name=sql.Literal(job.key),
        columns=column_list(names),
        kept=_of("kept", names),
        excluded=_of("excluded", names),
        given=sql.SQL("{}, {}").format(_of("given", job.targets), _CONFIRMED),
        **parts,
    )


def _of(alias: str, names: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _shrink(job: SyncJob, *, deleted: int, own: int) -> ShrinkRefused:
    return ShrinkRefused(
        f"{job.target} would lose {deleted} of the {own} rows that {job.source} has delivered and partly has no longer",
        operation=f"sync {job.name}",
        rule=f"a sync removes at most {LARGEST_SHRINK:.0%} of the rows that it delivered",
        hint="check that the source is complete; if it is, add --allow-shrink",
    )
