"""A fact table brought into parts by month, and back: one transaction, and every row, key and right as before."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from psycopg2 import sql

from work_data_hub.domain.partitions import Action, Part, PartitionReport, PartRows, Span, Wish, parts_for
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import WarehouseError
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.copying import column_list
from work_data_hub.io.fact_tables import FactTable, Grant, read_fact_table
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, Cursor, read_only, transaction

_ASIDE = "wdh_aside"
_REST = "rest"


def plan_partitions(connection: Connection, domain: Domain, *, wish: Wish) -> PartitionReport:
    """What `partition_facts` would do, read in a transaction that cannot write; raises as that would."""
    with read_only(connection), connection.cursor() as cursor:
        table = read_fact_table(cursor, domain.table, month=domain.load.column)
        return _report(cursor, domain, table, wish=wish)


def partition_facts(
    connection: Connection, domain: Domain, *, wish: Wish, lock_wait_seconds: float, faults: Faults
) -> PartitionReport:
    """Bring the domain's table into the parts that are wished, or back into one; tells what was done.

    All of it is one transaction, in which nobody else sees or writes the table. Raises WarehouseError, and leaves
    everything as it was, where something hangs on the table that cannot be carried over, where rows would not be
    the same afterwards, or where somebody works on the table for longer than `lock_wait_seconds`; LoadLocked where
    somebody makes contracts for as long.
    """
    with transaction(connection), connection.cursor() as cursor:
        _require_owner(cursor, domain)
        lock_contracts(cursor, wait_seconds=lock_wait_seconds)
        _lock(cursor, domain, lock_wait_seconds)
        table = read_fact_table(cursor, domain.table, month=domain.load.column)
        report = _report(cursor, domain, table, wish=wish)
        new = {part.name: Part(part.begin, part.end) for part in report.parts if part.is_new}
        if report.action is Action.EXTEND:
            _extend(cursor, table, new, faults=faults)
        elif report.action is not Action.NOTHING:
            _rebuild(cursor, table, new, faults=faults)
        return report


def _lock(cursor: Cursor, domain: Domain, wait_seconds: float) -> None:
    # A load that came first is waited for; whoever comes later waits for us.
    cursor.execute("select set_config('lock_timeout', %s, true)", (f"{max(round(wait_seconds * 1000), 1)}ms",))
    cursor.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(*domain.schema_and_table)))


def _require_owner(cursor: Cursor, domain: Domain) -> None:
    cursor.execute(
        "select pg_has_role(relowner, 'member'), pg_get_userbyid(relowner) from pg_class where oid = to_regclass(%s)",
        (sql.Identifier(*domain.schema_and_table).as_string(cursor),),
    )
    row = cursor.fetchone()
    if row and not row[0]:
        raise WarehouseError(
            f"{domain.table} belongs to {row[1]}",
            domain=domain.name,
            operation="partition",
            rule="only its owner brings a table into another form",
            hint=f"run it with a DATABASE_URL of {row[1]}",
        )


def _report(cursor: Cursor, domain: Domain, table: FactTable, *, wish: Wish) -> PartitionReport:
    _refuse_obstacles(domain, table, wish=wish)
    counts = _rows_by_month(cursor, table)
    action, parts = _undone(table) if wish.undo else _decided(table, counts, by=wish.by or table.span)
    return PartitionReport(
        domain=domain.name,
        table=domain.table,
        action=action,
        rows=sum(counts.values()),
        rest=_rest_rows(table, counts),
        parts=parts,
    )


def _undone(table: FactTable) -> tuple[Action, tuple[PartRows, ...]]:
    return (Action.UNDO if table.is_partitioned else Action.NOTHING), ()


def _decided(table: FactTable, counts: Mapping[date, int], *, by: Span) -> tuple[Action, tuple[PartRows, ...]]:
    """What there is to do, and the parts there are to be."""
    kept = table.parts if table.is_partitioned and table.span is by else {}
    missing = [part for part in parts_for(counts, today=table.today, by=by) if part not in kept.values()]
    named = {**kept, **{f"{table.name}_{part.suffix}": part for part in missing}}
    parts = tuple(
        PartRows(name=name, begin=part.begin, end=part.end, rows=_rows_of(part, counts), is_new=part in missing)
        for name, part in sorted(named.items(), key=lambda item: item[1])
    )
    if not kept:
        return Action.PARTITION, parts
    return (Action.EXTEND if missing else Action.NOTHING), parts


def _rows_of(part: Part, counts: Mapping[date, int]) -> int:
    return sum(rows for month, rows in counts.items() if part.begin <= month < part.end)


def _rest_rows(table: FactTable, counts: Mapping[date, int]) -> int:
    """The rows that lie in the part for what has none of its own, now."""
    if not table.is_partitioned:
        return 0
    return sum(counts.values()) - sum(_rows_of(part, counts) for part in table.parts.values())


def _refuse_obstacles(domain: Domain, table: FactTable, *, wish: Wish) -> None:
    unique = {key.name: key.columns for key in table.keys if key.kind == "u"}
    unique |= {index.name: index.unique for index in table.indexes if index.unique}
    narrow = [f"{name} does not name {table.month}" for name, columns in unique.items() if table.month not in columns]
    found = [*table.obstacles, *([] if wish.undo else narrow)]
    if found:
        raise WarehouseError(
            f"{domain.table} cannot be brought into another form: {'; '.join(found)}",
            domain=domain.name,
            operation="partition",
            rule="what hangs on the table must be carried over",
            hint="take away what is named, run this, and put it back",
        )


def _rows_by_month(cursor: Cursor, table: FactTable) -> dict[date, int]:
    month = sql.Identifier(table.month)
    cursor.execute(sql.SQL("select {0}, count(*) from {1} group by 1 order by 1").format(month, table.identifier))
    return dict(cursor.fetchall())


def _extend(cursor: Cursor, table: FactTable, new: Mapping[str, Part], *, faults: Faults) -> None:
    """Add parts; rows of the rest move into those that are theirs."""
    rest = sql.Identifier(table.schema, table.rest) if table.rest else None
    before = _fingerprint(cursor, table.identifier)
    if rest:
        _run(cursor, "alter table {} detach partition {}", table.identifier, rest)
    _make_parts(cursor, table, new)
    if rest:
        _copy_rows(cursor, table, origin=rest)
        faults.reach("inside_partition")
        _run(cursor, "drop table {}", rest)
    _make_rest(cursor, table)
    _require_same(cursor, table, before)


def _rebuild(cursor: Cursor, table: FactTable, new: Mapping[str, Part], *, faults: Faults) -> None:
    """Set the table aside, make its like in the other form, carry all over, compare, and drop what was set aside."""
    before = _fingerprint(cursor, table.identifier)
    aside = sql.Identifier(_ASIDE, table.name)
    _run(cursor, "create schema {}", sql.Identifier(_ASIDE))
    for name in (table.name, *table.part_names):
        _run(cursor, "alter table {} set schema {}", sql.Identifier(table.schema, name), sql.Identifier(_ASIDE))
    form = sql.SQL(" partition by range ({})").format(sql.Identifier(table.month)) if new else sql.SQL("")
    _run(cursor, "create table {} (like {} including all excluding indexes){}", table.identifier, aside, form)
    if new:
        _make_parts(cursor, table, new)
        _make_rest(cursor, table)
    _copy_rows(cursor, table, origin=aside)
    faults.reach("inside_partition")
    for statement in _carried(table, is_partitioned=bool(new)):
        cursor.execute(statement)
    _carry_rights(cursor, table)
    _require_same(cursor, table, before)
    # Without cascade: what still hangs on it stops all of this.
    _run(cursor, "drop table {}", aside)
    _run(cursor, "drop schema {}", sql.Identifier(_ASIDE))
    _run(cursor, "analyze {}", table.identifier)


def _make_parts(cursor: Cursor, table: FactTable, parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        _run(
            cursor,
            "create table {} partition of {} for values from ({}) to ({})",
            sql.Identifier(table.schema, name),
            table.identifier,
            sql.Literal(part.begin),
            sql.Literal(part.end),
        )
        _give(cursor, table, name)


def _make_rest(cursor: Cursor, table: FactTable) -> None:
    """The part for months that have none: a load never fails for want of one."""
    name = f"{table.name}_{_REST}"
    _run(cursor, "create table {} partition of {} default", sql.Identifier(table.schema, name), table.identifier)
    _give(cursor, table, name)


def _give(cursor: Cursor, table: FactTable, name: str) -> None:
    _run(cursor, "alter table {} owner to {}", sql.Identifier(table.schema, name), sql.Identifier(table.owner))


def _copy_rows(cursor: Cursor, table: FactTable, *, origin: sql.Composable) -> None:
    columns = column_list(list(table.columns))
    _run(
        cursor,
        "insert into {} ({}) overriding system value select {} from {}",
        table.identifier,
        columns,
        columns,
        origin,
    )


def _carried(table: FactTable, *, is_partitioned: bool) -> Iterator[sql.Composable]:
    """Keys, indexes, comment, views and the counters; definitions are the server's own text."""
    for key in table.keys:
        text = sql.SQL("alter table {} add constraint {} {}")
        definition = _primary(table, key.columns, is_partitioned) if key.is_primary else sql.SQL(key.definition)
        yield text.format(table.identifier, sql.Identifier(key.name), definition)
    for index in table.indexes:
        yield sql.SQL(index.definition)
        if index.comment:
            name = sql.Identifier(table.schema, index.name)
            yield sql.SQL("comment on index {} is {}").format(name, sql.Literal(index.comment))
    yield sql.SQL("comment on table {} is {}").format(table.identifier, sql.Literal(table.comment))
    for view in table.views:
        options = sql.SQL(f" with ({', '.join(view.options)})" if view.options else "")
        # Replaced, not made anew: its owner, grants and the views upon it stay.
        text = sql.SQL("create or replace view {}{} as {}")
        yield text.format(sql.Identifier(view.schema, view.name), options, sql.SQL(view.text))


def _primary(table: FactTable, columns: Sequence[str], is_partitioned: bool) -> sql.Composed:
    """The key of the other form: a key over parts must name the month."""
    own = [column for column in columns if column != table.month]
    return sql.SQL("primary key ({})").format(column_list([*own, *([table.month] if is_partitioned else [])]))


def _carry_rights(cursor: Cursor, table: FactTable) -> None:
    """Owner, grants and counters as they were."""
    fresh = read_fact_table(cursor, f"{table.schema}.{table.name}", month=table.month)
    _regrant(cursor, "table", table.identifier, before=fresh.grants, after=table.grants)
    for now, was in zip(fresh.counters, table.counters, strict=True):
        if now.name != was.name:
            _run(
                cursor, "alter sequence {} rename to {}", sql.Identifier(now.schema, now.name), sql.Identifier(was.name)
            )
        name = sql.Identifier(now.schema, was.name)
        cursor.execute(
            sql.SQL("select setval({}, %s, %s)").format(sql.Literal(name.as_string(cursor))),
            (was.last_value, was.is_called),
        )
        _regrant(cursor, "sequence", name, before=now.grants, after=was.grants)
    # Last: whoever does this may be no more than a member of the owner.
    _run(cursor, "alter table {} owner to {}", table.identifier, sql.Identifier(table.owner))


def _regrant(
    cursor: Cursor, kind: str, name: sql.Identifier, *, before: Sequence[Grant], after: Sequence[Grant]
) -> None:
    for grantee in {grant.grantee for grant in before}:
        _run(cursor, f"revoke all on {kind} {{}} from {{}}", name, _whom(grantee))
    for grant in after:
        column = sql.SQL(" ({})").format(sql.Identifier(grant.column)) if grant.column else sql.SQL("")
        option = sql.SQL(" with grant option" if grant.with_grant_option else "")
        text = f"grant {{}}{{}} on {kind} {{}} to {{}}{{}}"
        _run(cursor, text, sql.SQL(grant.privilege), column, name, _whom(grant.grantee), option)


def _whom(grantee: str | None) -> sql.Composable:
    return sql.Identifier(grantee) if grantee else sql.SQL("public")


def _fingerprint(cursor: Cursor, name: sql.Identifier) -> tuple[int, str]:
    """How many rows, and a number that changes when any value of any row does."""
    text = "select count(*), coalesce(sum(hashtextextended(fact::text, 0)::numeric), 0)::text from {} as fact"
    _run(cursor, text, name)
    row = cursor.fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _require_same(cursor: Cursor, table: FactTable, before: tuple[int, str]) -> None:
    if _fingerprint(cursor, table.identifier) != before:
        raise WarehouseError(
            f"{table.schema}.{table.name} would hold other rows than before",
            operation="partition",
            rule="every row stays as it is",
            hint="nothing was changed; report it",
        )


def _run(cursor: Cursor, statement: str, *parts: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(*parts))
