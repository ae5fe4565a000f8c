"""Rows beside the facts that hold a company: reference values and customers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import sql

from work_data_hub.domain.identity.repointing import Group, Holding, Move, Moves, Repointed, Step
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.reference_rules import Aggregate, Reference
from work_data_hub.domain.spec import Domain
from work_data_hub.io.company_changes import STAGE, identity_of, past_changes, taken_back
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A table whose rows, known by `id`, hold a company in `column`.

    Rows with a `key` follow the facts that have the same in `sources`: domain and column. Of rows made from facts
    (`is_derived`) those that nobody has looked at may also get a company where they had none; where a sync
    delivers the column (`is_delivered`), only those change.
    """

    table: str
    column: str
    key: str | None = None
    sources: tuple[tuple[Domain, str], ...] = ()
    is_derived: bool = False
    is_delivered: bool = False
    is_stamped: bool = False


def holders(
    cursor: Cursor,
    rules: Mapping[str, Sequence[Reference]],
    domains: Sequence[Domain],
    *,
    kept: Mapping[str, frozenset[str]],
) -> tuple[Holder, ...]:
    """The tables that hold companies beside the facts, found in the reference rules; those without `id` are left out.

    What the index and the queue know stays as it was learned: merges are followed when it is looked up.
    Contracts and snapshots are none of these tables: they are made of the facts.
    `kept` are the columns that a sync delivers, by table.
    """
    by_place: dict[tuple[str, str, str | None], list[tuple[Domain, str]]] = {}
    for domain in domains:
        for rule in rules.get(domain.name, ()):
            for column in _values(rule, company=identity_of(domain).target):
                by_place.setdefault((rule.table, column, rule.key), []).append((domain, rule.source))
    found = []
    for (table, column, key), sources in by_place.items():
        names = _columns(cursor, table)
        if "id" in names:
            found.append(
                Holder(
                    table=table,
                    column=column,
                    key=key,
                    sources=tuple(sources),
                    is_derived="_source" in names,
                    is_delivered=column in kept.get(table, frozenset()),
                    is_stamped="updated_at" in names,
                )
            )
    return tuple(found)


def _values(rule: Reference, *, company: str) -> Iterable[str]:
    """The columns that take over the company of a fact as it stands, the key left out."""
    return (
        column.target
        for column in rule.columns
        if column.source == company and column.how in (Aggregate.FIRST, Aggregate.MAX_BY)
    )


def moves(cursor: Cursor, holder: Holder, changes: Sequence[Repointed]) -> Moves:
    """Where the holder's rows follow the changing facts, which wait in the stage: by key and company held.

    A row follows when no fact of its key stays with its company; to where most of them go.
    """
    steps = {(c.group.held.company_id, c.after.company_id): c.steps[-1] for c in changes if c.after.company_id}
    rows: dict[tuple[str, str | None], dict[str, int]] = {}
    for domain, column in holder.sources:
        cursor.execute(_of_facts("moved_keys", domain, key=sql.Identifier(column)))
        for key, before, after, count in cursor.fetchall():
            found = rows.setdefault((key, before), {})
            found[after] = found.get(after, 0) + count
    chosen = {place: _most(found) for place, found in rows.items()}
    return {(key, before): _move(after, steps[before, after]) for (key, before), after in chosen.items()}


def _move(company: str, step: Step) -> Move:
    is_back = step.reverses is not None
    # A decision that was undone is nobody's reason: what it moved would be taken back again.
    return Move(company_id=company, decision_id=None if is_back else step.decision_id, is_back=is_back)


def gone_temporaries(cursor: Cursor, changes: Sequence[Repointed], *, domains: Sequence[Domain]) -> dict[str, str]:
    """The temporary ids that no fact has any more once the staged ones changed, and the company that each became.

    Where its facts went to several, the one that most of them went to.
    """
    went: dict[str, dict[str, int]] = {}
    for changed in changes:
        before, after = changed.group.held.company_id, changed.after.company_id
        if before and after and is_temporary(before) and not is_temporary(after):
            found = went.setdefault(before, {})
            found[after] = found.get(after, 0) + changed.rows
    gone = set(went)
    for domain in domains if gone else ():
        cursor.execute(_of_facts("staying_companies", domain, companies=sql.Literal(sorted(gone))))
        gone -= {row[0] for row in cursor.fetchall()}
    return {before: _most(went[before]) for before in sorted(gone)}


def value_groups(cursor: Cursor, holder: Holder, moved: Moves) -> tuple[Group, ...]:
    """The holder's rows whose company may be another by now, alike by alike."""
    kept = sql.SQL("kept.{}").format(sql.Identifier(holder.key)) if holder.key else sql.SQL("null")
    statement = sql.SQL(query("company_changes", "value_groups")).format(
        taken_back=taken_back(holder.table),
        table=table_identifier(holder.table),
        table_name=sql.Literal(holder.table),
        column=sql.Identifier(holder.column),
        key=kept,
        keys=sql.Literal(sorted({key for key, _ in moved if key is not None})),
        companies=sql.Literal(sorted({company for key, company in moved if key is None and company})),
        may_change=_may_change(holder),
    )
    cursor.execute(statement)
    found = cursor.fetchall()
    past = past_changes(cursor, (row[2] for row in found))
    return tuple(
        Group(
            table=holder.table,
            key=key,
            held=Holding(company_id=company),
            undone=tuple(past[change] for change in changes or ()),
            has_past=has_past,
            row_ids=tuple(ids),
        )
        for key, company, changes, has_past, ids in found
    )


def _may_change(holder: Holder) -> sql.Composable:
    if holder.is_delivered:
        return sql.SQL("kept._source = 'auto_derived'")
    if holder.is_derived:
        column = sql.Identifier(holder.column)
        return sql.SQL("(kept.{} is not null or kept._source = 'auto_derived')").format(column)
    return sql.SQL("true")


def _most(rows: Mapping[str, int]) -> str:
    """The company with most rows; of equals the one with the smaller id."""
    return min(rows, key=lambda company: (-rows[company], company))


def lock_index(cursor: Cursor) -> None:
    """Let nobody else write the index until the transaction ends."""
    cursor.execute(query("identity", "lock_index"))


def update_values(cursor: Cursor, holder: Holder) -> int:
    """Give the holder's staged rows their new company; returns how many."""
    statement = sql.SQL(query("company_changes", "update_values")).format(
        table=table_identifier(holder.table),
        table_name=sql.Literal(holder.table),
        column=sql.Identifier(holder.column),
        touched=sql.SQL(", updated_at = now()" if holder.is_stamped else ""),
    )
    cursor.execute(statement)
    return cursor.rowcount


# -- customers that are kept under a temporary id


def kept_customers(cursor: Cursor, rule: Reference, companies: Iterable[str]) -> set[str]:
    """Which of the companies have a row in the rule's table."""
    return _known_keys(cursor, rule, companies)


def move_customers(cursor: Cursor, rule: Reference, became: Mapping[str, str]) -> None:
    """Keep the rows under the companies that their temporary ids became."""
    touched = ", updated_at = now()" if "updated_at" in _columns(cursor, rule.table) else ""
    _customers(cursor, "move_customers", rule, became, touched=sql.SQL(touched))


def drop_customers(cursor: Cursor, rule: Reference, became: Mapping[str, str]) -> None:
    """Remove the rows of temporary ids."""
    _customers(cursor, "drop_customers", rule, became)


def _customers(cursor: Cursor, name: str, rule: Reference, became: Mapping[str, str], **parts: sql.Composable) -> None:
    statement = sql.SQL(query("company_changes", name)).format(
        table=table_identifier(rule.table),
        key=sql.Identifier(rule.key),
        before=sql.Literal(list(became)),
        after=sql.Literal(list(became.values())),
        **parts,
    )
    cursor.execute(statement)


def _known_keys(cursor: Cursor, rule: Reference, keys: Iterable[str]) -> set[str]:
    statement = sql.SQL(query("company_changes", "known_keys")).format(
        table=table_identifier(rule.table), key=sql.Identifier(rule.key), keys=sql.Literal(sorted(keys))
    )
    cursor.execute(statement)
    return {str(row[0]) for row in cursor.fetchall()}


def _columns(cursor: Cursor, table: str) -> set[str]:
    quoted = table_identifier(table).as_string(cursor)
    cursor.execute(query("company_changes", "table_columns"), {"table": quoted})
    return {row[0] for row in cursor.fetchall()}


def _of_facts(name: str, domain: Domain, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(query("company_changes", name)).format(
        table=table_identifier(domain.table),
        table_name=sql.Literal(domain.table),
        company=sql.Identifier(identity_of(domain).target),
        stage=STAGE,
        **parts,
    )
