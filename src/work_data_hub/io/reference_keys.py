"""Whether the schema is what the rules of config/foreign_keys.yml take it for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from work_data_hub.domain.reference_rules import Reference
from work_data_hub.errors import ConfigError
from work_data_hub.io.foreign_keys import FOREIGN_KEYS_FILE
from work_data_hub.io.postgres import Connection, warehouse_errors
from work_data_hub.io.queries import query

ORIGIN_COLUMNS = ("_source", "_needs_review", "_derived_from_domain", "_derived_at")
"""What every reference row says about where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A table that is there: its columns with their types, and the columns that are a unique key alone."""

    columns: Mapping[str, str]
    keys: tuple[str, ...]


def check_keys(connection: Connection, references: Iterable[Reference]) -> None:
    """Raise ConfigError unless each rule's key is a unique key of its table and each target a column of it.

    A key of several columns, of an expression, of a part of the rows, or one that is checked late, is
    none: PostgreSQL could not add a missing row by it. Reads only and leaves no transaction open.
    """
    rules = list(references)
    with warehouse_errors(), connection.cursor() as cursor:
        cursor.execute(query("references", "targets"), {"tables": sorted({rule.table for rule in rules})})
        targets = {
            str(table): _Target(columns=dict(zip(names, types, strict=True)), keys=tuple(sorted(keys)))
            for table, names, types, keys in cursor.fetchall()
        }
    connection.rollback()
    for rule in rules:
        _check(rule, targets.get(rule.table))


def _check(rule: Reference, target: _Target | None) -> None:
    if target is None:
        raise _wrong(rule, "target_table", rule.table, expected="a table of the warehouse", hint="wdh db migrate")
    columns, keys = ", ".join(target.columns), ", ".join(target.keys) or "none"
    if rule.key not in target.keys:
        raise _wrong(
            rule,
            "target_key",
            rule.key,
            expected=f"a unique key of {rule.table}, of one column and for all rows",
            hint=f"the unique keys of {rule.table}: {keys}",
        )
    for name in (*(column.target for column in rule.columns), *ORIGIN_COLUMNS):
        if name not in target.columns:
            raise _wrong(rule, "backfill_columns", name, expected=f"a column of {rule.table}", hint=f"it has {columns}")
    for tag in rule.tags:
        if target.columns[tag.target] != "jsonb":
            raise _wrong(
                rule, "backfill_columns", tag.target, expected="a column of type jsonb", hint="tags are a list"
            )


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
