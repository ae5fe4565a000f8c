"""A month's facts into their table: counted by content in a plan, replaced in one transaction in a load."""

from collections.abc import Sequence

from psycopg2 import sql

from work_data_hub.domain.loads import LARGEST_SHRINK, LoadEffects, is_shrunken
from work_data_hub.domain.plans import LoadMode, LoadPlan, ReferencePlan
from work_data_hub.domain.reference_rules import Mode
from work_data_hub.domain.report import RowsHeld, TableEffect
from work_data_hub.errors import RowsNotKept, ShrinkRefused
from work_data_hub.io.copying import column_list, copy_frame, create_stage, table_identifier
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, Cursor, read_only
from work_data_hub.io.reference_rows import (
    count_references,
    create_reference_stages,
    lock_references,
    stage_references,
    write_references,
)
from work_data_hub.io.reference_tags import NOTHING_GOES
from work_data_hub.io.replaced_sums import replaced_sums

STAGE = "wdh_stage"


def count_effects(connection: Connection, plan: LoadPlan) -> LoadEffects:
    """What the load would do, seen in a transaction that PostgreSQL itself keeps from writing.

    The comparison tables are temporary and made before that transaction begins. Raises ShrinkRefused
    as the load would.
    """
    with connection.cursor() as cursor:
        create_stage(cursor, _staged(plan), like=plan.domain.table, name=STAGE)
        create_reference_stages(cursor, plan)
        connection.commit()
    with read_only(connection), connection.cursor() as cursor:
        facts = _skipped(plan) if plan.skip_facts else _compare(cursor, plan)
        sums = replaced_sums(cursor, plan, scope=_scope(plan))
        stage_references(cursor, plan, goes=_goes(plan))
        references = count_references(cursor, plan)
        statements = tuple(statement.as_string(cursor) for statement in _statements(plan))
    return LoadEffects(facts=facts, references=references, sql=statements, replaced_sums=sums)


def publish(cursor: Cursor, plan: LoadPlan, *, load_id: int, faults: Faults) -> LoadEffects:
    """Replace the month and add the references, inside the caller's transaction.

    Rows are counted before anything is removed; raises ShrinkRefused when too much would go.
    """
    create_stage(cursor, _staged(plan), like=plan.domain.table, name=STAGE)
    create_reference_stages(cursor, plan)
    lock_references(cursor, plan)
    facts = _skipped(plan) if plan.skip_facts else _compare(cursor, plan)
    sums = replaced_sums(cursor, plan, scope=_scope(plan))
    stage_references(cursor, plan, goes=_goes(plan))
    if not plan.skip_facts:
        _write_facts(cursor, plan, facts, load_id=load_id, faults=faults)
    faults.reach("before_references")
    return LoadEffects(facts=facts, references=write_references(cursor, plan), replaced_sums=sums)


def rows_held(cursor: Cursor, plan: LoadPlan, *, load_id: int) -> RowsHeld:
    """What the month now holds, counted after `publish`, in its transaction.

    Of an upsert all rows count whose keys were sent, since equal ones keep the load that brought them. Raises
    RowsNotKept where the rows of the load are not as many as were sent.
    """
    sent = 0 if plan.skip_facts else len(plan.gold)
    month = "select count(*) from {target} as fact where {month} = {first_day}"
    of_month = _count(cursor, plan, sql.SQL(month))
    if plan.mode is LoadMode.UPSERT and sent:
        of_load = _count(cursor, plan, sql.SQL("select count(*) from {target} as fact join {stage} using ({key})"))
    else:
        cursor.execute(_fill(sql.SQL(month + " and _load_id = %s"), plan), (load_id,))
        of_load = int(cursor.fetchall()[0][0])
    if of_load != sent:
        raise RowsNotKept(
            f"{plan.domain.table} holds {of_load:,} of the {sent:,} rows that were sent to it",
            domain=plan.domain.name,
            operation="load",
            rule="every row that is sent is there afterwards, once",
            hint="look for a trigger or a rule on the table that changes what is written",
        )
    return RowsHeld(of_load=of_load, of_month=of_month)


def _write_facts(cursor: Cursor, plan: LoadPlan, facts: TableEffect, *, load_id: int, faults: Faults) -> None:
    target = table_identifier(plan.domain.table)
    if plan.mode is LoadMode.UPSERT:
        faults.reach("before_copy")
        cursor.execute(_upsert(plan), {"load_id": load_id})
        return
    if facts.deleted + facts.unchanged and plan.mode is LoadMode.DELETE_INSERT:
        cursor.execute(sql.SQL("delete from {} as fact where {}").format(target, _scope(plan)))
        faults.reach("after_delete")
    faults.reach("before_copy")
    rows = plan.gold.assign(_load_id=load_id)
    copy_frame(cursor, rows, into=target, between=lambda: faults.reach("inside_copy"))


def _compare(cursor: Cursor, plan: LoadPlan) -> TableEffect:
    """Count what the month loses, gains and keeps, as multisets of its business columns."""
    incoming = len(plan.gold)
    if plan.mode is LoadMode.APPEND:
        return TableEffect(table=plan.domain.table, inserted=incoming)
    if plan.mode is LoadMode.UPSERT:
        return _compare_keys(cursor, plan)
    if plan.scope:
        copy_frame(cursor, plan.gold[plan.business_columns], into=sql.Identifier(STAGE))
    existing = _count(cursor, plan, sql.SQL("select count(*) from {target} as fact where {scope}"))
    if existing == 0:
        return TableEffect(table=plan.domain.table, inserted=incoming)
    if not plan.scope:
        copy_frame(cursor, plan.gold[plan.business_columns], into=sql.Identifier(STAGE))
    cursor.execute("set local work_mem = '256MB'")
    deleted = _count(
        cursor,
        plan,
        sql.SQL(
            "select count(*) from (select {columns} from {target} as fact where {scope}"
            " except all select {columns} from {stage}) as vanished"
        ),
    )
    effect = TableEffect(
        table=plan.domain.table,
        deleted=deleted,
        inserted=incoming - (existing - deleted),
        unchanged=existing - deleted,
    )
    _refuse_shrink(plan, existing=existing, incoming=incoming)
    return effect


def _compare_keys(cursor: Cursor, plan: LoadPlan) -> TableEffect:
    """Count which keys are new, which hold other values and which the same."""
    copy_frame(cursor, plan.gold[_staged(plan)], into=sql.Identifier(STAGE))
    known = _count(cursor, plan, sql.SQL("select count(*) from {target} as fact join {stage} as given using ({key})"))
    updated = _count(
        cursor,
        plan,
        sql.SQL("select count(*) from {target} as fact join {stage} as given using ({key}) where {differs}"),
    )
    return TableEffect(
        table=plan.domain.table, inserted=len(plan.gold) - known, updated=updated, unchanged=known - updated
    )


def _refuse_shrink(plan: LoadPlan, *, existing: int, incoming: int) -> None:
    if plan.allow_shrink or not is_shrunken(existing=existing, incoming=incoming):
        return
    raise ShrinkRefused(
        f"{plan.domain.table} has {existing} rows to replace for {plan.period:%Y-%m}, the file has {incoming}",
        domain=plan.domain.name,
        operation="load",
        rule=f"a month has at most {LARGEST_SHRINK:.0%} fewer rows after a load than before",
        hint="check that the file is complete; if it is, add --allow-shrink",
    )


def _count(cursor: Cursor, plan: LoadPlan, statement: sql.SQL) -> int:
    cursor.execute(_fill(statement, plan))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _fill(statement: sql.SQL, plan: LoadPlan) -> sql.Composed:
    return statement.format(
        target=table_identifier(plan.domain.table),
        scope=_scope(plan),
        columns=column_list(plan.business_columns),
        stage=sql.Identifier(STAGE),
        key=column_list(list(plan.domain.unique_key)),
        differs=_differs(plan, "given"),
        month=sql.Identifier(plan.domain.load.column),
        first_day=sql.Literal(plan.period),
    )


def _staged(plan: LoadPlan) -> list[str]:
    """The columns that wait beside the table: those that are compared; for an upsert also those that only travel."""
    return list(plan.gold.columns) if plan.mode is LoadMode.UPSERT else plan.business_columns


def _differs(plan: LoadPlan, other: str) -> sql.Composed:
    """Whether a fact and the row of the same key hold other values."""
    names = [sql.Identifier(name) for name in plan.business_columns]
    mine = sql.SQL(", ").join(sql.SQL("fact.{}").format(name) for name in names)
    theirs = sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(other), name) for name in names)
    return sql.SQL("({}) is distinct from ({})").format(mine, theirs)


def _upsert(plan: LoadPlan) -> sql.Composed:
    """Add new keys and overwrite those whose values differ; equal rows keep the load that brought them."""
    names = _staged(plan)
    changed = [name for name in (*names, "_load_id") if name not in plan.domain.unique_key]
    return sql.SQL(
        "insert into {target} as fact ({columns}, _load_id) select {columns}, %(load_id)s from {stage}"
        " on conflict ({key}) do update set {changes}, updated_at = now() where {differs}"
    ).format(
        target=table_identifier(plan.domain.table),
        columns=column_list(names),
        stage=sql.Identifier(STAGE),
        key=column_list(list(plan.domain.unique_key)),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
        differs=_differs(plan, "excluded"),
    )


def _scope(plan: LoadPlan) -> sql.Composable:
    """The rows that the load replaces: the month, or those of it whose combinations the file holds."""
    month = sql.SQL("fact.{} = {}").format(sql.Identifier(plan.domain.load.column), sql.Literal(plan.period))
    if not plan.scope:
        return month
    same = sql.SQL(" and ").join(
        sql.SQL("fact.{0} is not distinct from given.{0}").format(sql.Identifier(name)) for name in plan.scope
    )
    return sql.SQL("{} and exists (select from (select distinct {} from {}) as given where {})").format(
        month, column_list(list(plan.scope)), sql.Identifier(STAGE), same
    )


def _goes(plan: LoadPlan) -> sql.Composable:
    """The facts that are no longer there after the load, or are there with other values."""
    if plan.skip_facts or plan.mode is LoadMode.APPEND:
        return NOTHING_GOES
    if plan.mode is LoadMode.DELETE_INSERT:
        return sql.SQL("({})").format(_scope(plan))
    same = sql.SQL(" and ").join(
        sql.SQL("given.{0} = fact.{0}").format(sql.Identifier(name)) for name in plan.domain.unique_key
    )
    return sql.SQL("exists (select from {} as given where {})").format(sql.Identifier(STAGE), same)


def _statements(plan: LoadPlan) -> Sequence[sql.Composable]:
    """The statements of the load, in order, for people to read."""
    target = table_identifier(plan.domain.table)
    delete = sql.SQL("delete from {} as fact where {}").format(target, _scope(plan))
    copy = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        target, column_list([*plan.gold.columns, "_load_id"])
    )
    by_mode = {
        LoadMode.DELETE_INSERT: [delete, copy],
        LoadMode.APPEND: [copy],
        LoadMode.UPSERT: [_upsert(plan)] if plan.domain.unique_key else [],
    }
    facts = [] if plan.skip_facts else by_mode[plan.mode]
    return [*facts, *map(_reference_statement, plan.references)]


def _reference_statement(plan: ReferencePlan) -> sql.Composable:
    """What is done to a reference table, for people to read."""
    forms = {
        Mode.INSERT_MISSING: "insert into {table} ({columns}) … on conflict ({key}) do nothing",
        Mode.FILL_NULL_ONLY: "update {table} set … where {key} is known and a column is null ({columns})",
        Mode.RECOMPUTE: "update {table} set … where facts differ; insert into it ({columns}) … where {key} is missing",
    }
    return sql.SQL(forms[plan.reference.mode]).format(
        table=table_identifier(plan.reference.table),
        columns=column_list([plan.reference.key, *plan.reference.targets]),
        key=sql.Identifier(plan.reference.key),
    )


def _skipped(plan: LoadPlan) -> TableEffect:
    return TableEffect(table=plan.domain.table)
