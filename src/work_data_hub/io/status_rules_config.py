"""The file that says when a status flag of the snapshots holds: typed conditions, checked when read."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError
from pathlib import Path
from types import MappingProxyType

from work_data_hub.domain.customers.status_fields import SOURCES, TimeScope
from work_data_hub.domain.customers.status_rules import (
    DERIVED,
    LINE_FLAGS,
    RULE_NAMES,
    Operator,
    StatusDefinition,
    StatusRule,
    StatusRules,
)
from work_data_hub.io.status_conditions import Around, one_of, read_condition
from work_data_hub.io.yaml_entries import Entry, read_required

STATUS_FILE = "customer_status_rules.yml"
SCHEMA_VERSION = "1.0"


def load_status_rules(config_dir: Path) -> StatusRules:
    """Return the rules of `customer_status_rules.yml`, one for every flag of the snapshot tables.

    Raises ConfigError naming file and place where the file or a key is missing, unknown or has a wrong value,
    where a rule does not do what its status is defined as, and where rules wait for each other.
    """
    root = _root(config_dir / STATUS_FILE)
    key_fields = _key_fields(root.block("sources"))
    definitions = _definitions(root.block("status_definitions"), sources=key_fields)
    block = root.block("evaluation_rules")
    _refuse_incomplete(block, RULE_NAMES, what="rule")
    rules = {name: _rule(name, block.block(name), key_fields=key_fields) for name in RULE_NAMES}
    for name, rule in rules.items():
        _refuse_other_source(block.block(name), rule, definition=definitions[rule.status])
    try:
        return StatusRules(definitions=MappingProxyType(definitions), rules=MappingProxyType(rules))
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        allowed = "no rule uses itself, not even through others"
        told = "rules that wait for each other"
        raise block.wrong(circle[0], allowed, found=" → ".join(circle), message=told) from error


def _root(path: Path) -> Entry:
    root = read_required(path, says="when a customer is winning, lost or new")
    root.refuse_unknown(("schema_version", "sources", "status_definitions", "evaluation_rules"))
    root.require("schema_version", SCHEMA_VERSION)
    return root


def _refuse_incomplete(block: Entry, names: Iterable[str], *, what: str) -> None:
    """Raise ConfigError unless the block has these names and no other."""
    block.refuse_unknown(tuple(names), what=what)
    for name in names:
        if name not in block.values:
            raise block.wrong(name, f"a {what} for every flag of the snapshot tables")


def _key_fields(block: Entry) -> dict[str, tuple[str, ...]]:
    block.refuse_unknown(SOURCES, what="source")
    return {name: _declared_columns(name, block.block(name)) for name in block.values}


def _declared_columns(name: str, entry: Entry) -> tuple[str, ...]:
    source = SOURCES[name]
    entry.refuse_unknown(("schema", "table", "key_fields"))
    entry.require("schema", source.schema)
    entry.require("table", source.table)
    declared, columns = entry.names("key_fields"), (*source.columns.values(), source.month_column)
    for column in declared:
        if column not in columns:
            raise entry.wrong("key_fields", f"of {', '.join(columns)}", found=column, known=columns)
    return declared


def _definitions(block: Entry, *, sources: Iterable[str]) -> dict[str, StatusDefinition]:
    _refuse_incomplete(block, LINE_FLAGS, what="status")
    return {name: _definition(block.block(name), known=(*sources, DERIVED)) for name in LINE_FLAGS}


def _definition(entry: Entry, *, known: tuple[str, ...]) -> StatusDefinition:
    entry.refuse_unknown(("description", "source", "time_scope"))
    entry.require("time_scope", *TimeScope)
    return StatusDefinition(
        description=entry.text("description"),
        source=one_of(entry, "source", known),
        time_scope=entry.choice("time_scope", TimeScope.YEARLY),
    )


def _rule(name: str, entry: Entry, *, key_fields: Mapping[str, tuple[str, ...]]) -> StatusRule:
    entry.refuse_unknown(("granularity", "operator", "conditions"))
    entry.require("granularity", RULE_NAMES[name])
    around = Around(granularity=RULE_NAMES[name], key_fields=key_fields)
    return StatusRule(
        name=name,
        granularity=around.granularity,
        operator=entry.choice("operator", Operator.AND),
        conditions=tuple(read_condition(block, around) for block in entry.blocks("conditions")),
    )


def _refuse_other_source(entry: Entry, rule: StatusRule, *, definition: StatusDefinition) -> None:
    """Raise ConfigError unless a status with a source of its own is told from that source and from no other."""
    if definition.source == DERIVED:
        return
    found = {pair for condition in rule.conditions for pair in condition.sources}
    if found != {(definition.source, definition.time_scope)} or rule.references:
        told = [f"{source} ({scope})" for source, scope in sorted(found)] + sorted(rule.references)
        raise entry.wrong(
            "conditions",
            f"status_definitions.{rule.status} says {definition.source} ({definition.time_scope}) and nothing else",
            found=", ".join(told) or "no source",
            message="conditions that contradict what the status is defined as",
        )
