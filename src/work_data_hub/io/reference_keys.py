"""Whether the schema is what the rules of config/foreign_keys.yml take it for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from work_data_hub.domain.reference_rules import Aggregate, Reference, ReferenceColumn
from work_data_hub.errors import ConfigError
from work_data_hub.io.foreign_keys import FOREIGN_KEYS_FILE
from work_data_hub.io.postgres import Connection, warehouse_errors
from work_data_hub.io.queries import query

ORIGIN_COLUMNS = ("_source", "_needs_review", "_derived_from_domain", "_derived_at")
"""What every reference row says about where it comes from."""


TEXT_TYPES = ("text", "character varying", "character")
COUNT_TYPES = ("integer", "bigint", "numeric")
LIST_TYPES = ("jsonb",)
_OWN_COLUMNS = (*ORIGIN_COLUMNS, "id", "created_at", "updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A table that is there: its columns with their types, those nobody else may fill, and the unique keys."""

    columns: Mapping[str, str]
    taken: tuple[str, ...]
    keys: tuple[str, ...]


def check_keys(connection: Connection, references: Iterable[Reference]) -> None:
    """Raise ConfigError unless each rule's key is a unique key of its table, and each target a column for its values.

    A key of several columns, of an expression, of a part of the rows, or one that is checked late, is
    none: PostgreSQL could not add a missing row by it. Reads only and leaves no transaction open.
    """
    rules = list(dict.fromkeys(found for rule in references for found in _with_describers(rule)))
    tables = sorted({table for rule in rules for table in (rule.table, rule.facts)})
    with warehouse_errors(), connection.cursor() as cursor:
        cursor.execute(query("references", "targets"), {"tables": tables})
        targets = {
            str(table): _Target(
                columns=dict(zip(names, types, strict=True)), taken=(*_OWN_COLUMNS, *taken), keys=tuple(sorted(keys))
            )
            for table, names, types, taken, keys in cursor.fetchall()
        }
    connection.rollback()
    for rule in rules:
        facts = targets.get(rule.facts)
        _check(rule, targets.get(rule.table), facts=facts.columns if facts else {})


def _with_describers(rule: Reference) -> Iterator[Reference]:
    """The rule, and those of other domains that describe its rows too."""
    yield rule
    yield from (describer.rule for describer in rule.described_by if describer.domain != rule.domain)


def _check(rule: Reference, target: _Target | None, *, facts: Mapping[str, str]) -> None:
    if target is None:
        raise _wrong(rule, "target_table", rule.table, expected="a table of the warehouse", hint="wdh db migrate")
    _check_key(rule, target)
    for name in (*rule.targets, *ORIGIN_COLUMNS):
        if name not in target.columns:
            columns = ", ".join(target.columns)
            raise _wrong(rule, "backfill_columns", name, expected=f"a column of {rule.table}", hint=f"it has {columns}")
    for column in rule.columns:
        _check_column(rule, column, target, facts=facts)


def _check_key(rule: Reference, target: _Target) -> None:
    if rule.key not in target.keys:
        keys = ", ".join(target.keys) or "none"
        raise _wrong(
            rule,
            "target_key",
            rule.key,
            expected=f"a unique key of {rule.table}, of one column and for all rows",
            hint=f"the unique keys of {rule.table}: {keys}",
        )
    if rule.key in target.taken or _bare(target.columns[rule.key]) not in TEXT_TYPES:
        raise _unfit(rule, "target_key", rule.key, target, expected=f"a key of type {' or '.join(TEXT_TYPES)}")


def _check_column(rule: Reference, column: ReferenceColumn, target: _Target, *, facts: Mapping[str, str]) -> None:
    """A column that the warehouse keeps itself is no target; nor one whose type the values do not have."""
    if column.target in target.taken:
        expected = f"a column that is not kept by the warehouse itself, as are {', '.join(target.taken)}"
        raise _unfit(rule, "backfill_columns", column.target, target, expected=expected)
    found, types = target.columns[column.target], _types(column.how)
    # A value that is taken over as it stands also fits a column of its own type.
    own = facts.get(column.source, "") if column.how in (Aggregate.FIRST, Aggregate.MAX_BY) else ""
    if _bare(found) not in types and not (own and found in (own, _bare(own))):
        listed = " or ".join(types) + (f", or {own} as {column.source}" if own and _bare(own) not in types else "")
        expected = f"a column of type {listed} for {column.how}"
        raise _unfit(rule, "backfill_columns", column.target, target, expected=expected)


def _types(how: Aggregate) -> tuple[str, ...]:
    match how:
        case Aggregate.TAG:
            return LIST_TYPES
        case Aggregate.COUNT_DISTINCT:
            return COUNT_TYPES
        case _:
            return TEXT_TYPES


def _bare(type_name: str) -> str:
    """The type without its length: character varying(255) → character varying."""
    return type_name.split("(")[0]


def _unfit(rule: Reference, key: str, name: str, target: _Target, *, expected: str) -> ConfigError:
    return _wrong(rule, key, name, expected=expected, hint=f"{rule.table}.{name} is of type {target.columns[name]}")


def _wrong(rule: Reference, key: str, value: str, *, expected: str, hint: str) -> ConfigError:
    return ConfigError(
        f"rule {rule.name} does not fit the schema",
        file=FOREIGN_KEYS_FILE,
        domain=rule.domain,
        field=f"domains.{rule.domain}.foreign_keys.{rule.name}.{key}",
        input_data=value,
        rule=expected,
        hint=hint,
    )
