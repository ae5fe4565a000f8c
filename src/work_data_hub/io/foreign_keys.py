"""The rules of config/foreign_keys.yml: which reference rows the facts of a domain imply, checked when read."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from string import Formatter

from work_data_hub.domain.reference_rules import (
    DATE_FORMATS,
    Aggregate,
    Describer,
    Given,
    Mode,
    Reference,
    ReferenceColumn,
)
from work_data_hub.domain.spec import Domain, Kind
from work_data_hub.io.yaml_entries import Entry, read_entry

FOREIGN_KEYS_FILE = "foreign_keys.yml"
SCHEMA_VERSION = "1.2"
RULE_KEYS = (
    "name",
    "source_column",
    "target_schema",
    "target_table",
    "target_key",
    "mode",
    "depends_on",
    "skip_blank_values",
    "skip_values",
    "backfill_columns",
)
COLUMN_KEYS = ("source", "target", "optional", "skip_values", "aggregation")
AGGREGATION_KEYS: dict[Aggregate, tuple[str, ...]] = {
    Aggregate.FIRST: (),
    Aggregate.MAX_BY: ("order_column",),
    Aggregate.CONCAT_DISTINCT: ("separator", "sort", "excluding"),
    Aggregate.COUNT_DISTINCT: (),
    Aggregate.TEMPLATE: ("template",),
    Aggregate.TAG: ("date_column", "format", "suffix", "given"),
}


def load_references(config_dir: Path, domains: Mapping[str, Domain]) -> dict[str, tuple[Reference, ...]]:
    """Return every domain's rules, each after those it depends on; a domain without rules has none.

    Raises ConfigError naming file and key for whatever a run could not follow.
    """
    root = read_entry(config_dir / FOREIGN_KEYS_FILE)
    root.refuse_unknown(("schema_version", "precedence", "domains"))
    root.require("schema_version", SCHEMA_VERSION)
    blocks = root.block("domains")
    blocks.refuse_unknown(domains, what="domain")
    rules = {name: _ordered(blocks.block(name), domains[name]) for name in blocks.values}
    described = _describers(root, rules, domains)
    return {name: tuple(_described(rule, described) for rule in rules.get(name, ())) for name in domains}


def _ordered(block: Entry, domain: Domain) -> tuple[Reference, ...]:
    """The domain's rules, each after those it depends on, else in the order of the file."""
    block.refuse_unknown(("foreign_keys",))
    entries = list(block.blocks("foreign_keys"))
    rules = {rule.name: rule for rule in (_rule(entry, domain) for entry in entries)}
    _refuse_repeats(entries, "name")
    _refuse_repeats(entries, "target_table")
    for entry, rule in zip(entries, rules.values(), strict=True):
        others = [name for name in rules if name != rule.name]
        for name in rule.depends_on:
            if name not in others:
                raise entry.wrong("depends_on", "other rules of the same domain", found=name, known=others)
    try:
        names = TopologicalSorter({name: rule.depends_on for name, rule in rules.items()}).static_order()
        return tuple(rules[name] for name in names)
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        raise block.wrong("foreign_keys", "rules depend on each other in no circle", found=cycle) from None


def _refuse_repeats(entries: list[Entry], key: str) -> None:
    seen: set[object] = set()
    for entry in entries:
        value = entry.values[key]
        if key == "target_table":
            value = f"{entry.text('target_schema', 'public')}.{value}"
        if value in seen:
            raise entry.wrong(key, "each rule of a domain has a name and a table of its own", found=value)
        seen.add(value)


def _rule(entry: Entry, domain: Domain) -> Reference:
    entry.refuse_unknown(RULE_KEYS)
    rule = Reference(
        domain=domain.name,
        name=entry.text("name"),
        table=f"{entry.text('target_schema', 'public')}.{entry.text('target_table')}",
        key=entry.text("target_key"),
        source=_known(entry, "source_column", domain),
        mode=entry.choice("mode", Mode.INSERT_MISSING),
        depends_on=entry.names("depends_on"),
        skip_blank_values=entry.flag("skip_blank_values", False),
        skip_values=entry.names("skip_values"),
        facts=domain.table,
    )
    columns = tuple(_columns(entry, rule, domain))
    _refuse_tags(entry, rule.mode, columns)
    if rule.mode is Mode.FILL_NULL_ONLY and not columns:
        raise entry.wrong("backfill_columns", "a column to fill, beside the key")
    return replace(rule, columns=columns)


def _columns(entry: Entry, rule: Reference, domain: Domain) -> Iterator[ReferenceColumn]:
    """The columns beside the key; the key may be listed too, for the reader's sake."""
    targets: dict[str, ReferenceColumn] = {}
    entries = list(entry.blocks("backfill_columns"))
    for block in entries:
        column = _column(block, domain)
        if column.target in targets:
            raise block.wrong("target", "each target once in a rule")
        targets[column.target] = column
    if rule.key in targets and targets.pop(rule.key) != ReferenceColumn(target=rule.key, source=rule.source):
        raise entry.wrong("target_key", f"filled by {rule.source}, if it is listed at all")
    for block in entries:
        _refuse_excluding(block, targets)
    yield from targets.values()


def _column(entry: Entry, domain: Domain) -> ReferenceColumn:
    entry.refuse_unknown(COLUMN_KEYS)
    asked = entry.block("aggregation") if "aggregation" in entry.values else replace(entry, values={})
    how = asked.choice("type", Aggregate.FIRST)
    asked.refuse_unknown(("type", *AGGREGATION_KEYS[how]))
    optional = entry.flag("optional", False)
    has_source = how not in (Aggregate.TEMPLATE, Aggregate.TAG) or "source" in entry.values
    source = _known(entry, "source", domain, optional=optional) if has_source else ""
    column = ReferenceColumn(
        target=entry.text("target"),
        source=source,
        how=how,
        optional=optional,
        skip_values=entry.names("skip_values"),
    )
    match how:
        case Aggregate.MAX_BY:
            return replace(column, by=_number(asked, domain, optional=optional))
        case Aggregate.CONCAT_DISTINCT:
            return replace(
                column,
                separator=asked.text("separator", "+"),
                is_sorted=asked.flag("sort", True),
                excluding=asked.text("excluding", ""),
            )
        case Aggregate.TEMPLATE:
            return replace(column, source="", template=_template(asked, domain))
        case Aggregate.TAG:
            return _tag(asked, column, domain)
        case _:
            return column


def _number(entry: Entry, domain: Domain, *, optional: bool) -> str:
    name = _known(entry, "order_column", domain, optional=optional)
    if not domain.by_name[name].is_number:
        raise entry.wrong("order_column", "a column of numbers")
    return name


def _template(entry: Entry, domain: Domain) -> str:
    template = entry.text("template")
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise entry.wrong("template", f"braces come in pairs: {error}") from None
    for _, field, form, conversion in parts:
        if field is not None and (form or conversion or not _is_stored(domain, field)):
            raise entry.wrong("template", f"`{{column}}` names a stored column of {domain.name}", found=f"{{{field}}}")
    return template


def _tag(entry: Entry, column: ReferenceColumn, domain: Domain) -> ReferenceColumn:
    day = _known(entry, "date_column", domain)
    if domain.by_name[day].kind not in (Kind.MONTH, Kind.DATE):
        raise entry.wrong("date_column", "a column of dates")
    form = entry.text("format", "yyMM")
    if form not in DATE_FORMATS:
        raise entry.wrong("format", f"one of {', '.join(DATE_FORMATS)}")
    given = entry.choice("given", Given.EACH_MONTH)
    return replace(column, source=day, date_format=form, suffix=entry.text("suffix"), given=given)


def _refuse_excluding(entry: Entry, targets: Mapping[str, ReferenceColumn]) -> None:
    column = targets.get(entry.values["target"])
    if column is None or not column.excluding:
        return
    other = targets.get(column.excluding)
    if other is None or other.excluding or other.how is Aggregate.TAG:
        place = entry.block("aggregation")
        raise place.wrong("excluding", "another target of the rule that leaves nothing out itself", known=targets)


def _refuse_tags(entry: Entry, mode: Mode, columns: Iterable[ReferenceColumn]) -> None:
    """A tag comes and goes with the facts, which needs rows that are recomputed."""
    for tag in (column for column in columns if column.how is Aggregate.TAG):
        if mode is not Mode.RECOMPUTE:
            raise entry.wrong("mode", f"{Mode.RECOMPUTE} where a tag is given {tag.given}", found=mode)


def _known(entry: Entry, key: str, domain: Domain, *, optional: bool = False) -> str:
    """A column of the domain; one that is not stored only where it is optional."""
    name = entry.text(key)
    if name not in domain.by_name or not (optional or _is_stored(domain, name)):
        stored = [column.name for column in domain.stored]
        raise entry.wrong(key, f"a stored column of {domain.name}", known=stored, message="unknown column")
    return name


def _is_stored(domain: Domain, name: str) -> bool:
    return name in domain.by_name and domain.by_name[name].stored


# -- which domain describes a row that several know


def _describers(
    root: Entry, rules: Mapping[str, tuple[Reference, ...]], domains: Mapping[str, Domain]
) -> dict[str, tuple[Describer, ...]]:
    """For each table with rows that are recomputed, the domains that know them, in order of precedence."""
    found: dict[str, dict[str, Reference]] = defaultdict(dict)
    for rule in (rule for of_domain in rules.values() for rule in of_domain if rule.mode is Mode.RECOMPUTE):
        _refuse_unusable(root, rule, domains[rule.domain])
        found[rule.table][rule.domain] = rule
    asked = root.block("precedence") if found or "precedence" in root.values else root
    if asked is not root:
        asked.refuse_unknown(tuple(found))
    described: dict[str, tuple[Describer, ...]] = {}
    for table, known in found.items():
        names = asked.names(table)
        if set(names) != set(known):
            raise asked.wrong(table, f"the domains that recompute {table}, each once: {', '.join(known)}")
        if len({rule.key for rule in known.values()}) > 1:
            raise asked.wrong(table, f"all rules that recompute {table} have one target_key", found=", ".join(known))
        _refuse_other_tags(root, known)
        described[table] = tuple(
            Describer(
                domain=name, month=domains[name].load.column, rule=known[name].without_tags, tags=known[name].tags
            )
            for name in names
        )
    return described


def _refuse_other_tags(root: Entry, rules: Mapping[str, Reference]) -> None:
    """Tags that end alike are one tag: no two domains give it otherwise."""
    seen: dict[tuple[str, str], ReferenceColumn] = {}
    for rule in rules.values():
        place = replace(root, place=f"domains.{rule.domain}.foreign_keys.{rule.name}")
        for tag in rule.tags:
            first = seen.setdefault((tag.target, tag.suffix), tag)
            if (first.date_format, first.given) != (tag.date_format, tag.given):
                raise place.wrong(tag.target, f"format and given of {tag.suffix} as in the other rules of {rule.table}")


def _refuse_unusable(root: Entry, rule: Reference, domain: Domain) -> None:
    """Rows are recomputed from the facts of all months, so those must be stored and tags must be the month's."""
    place = replace(root, place=f"domains.{domain.name}.foreign_keys.{rule.name}")
    for column in rule.columns:
        if any(not _is_stored(domain, name) for name in column.reads):
            raise place.wrong(column.target, "rows are recomputed from stored columns", found=column.source)
        if column.how is Aggregate.TAG and column.source != domain.load.column:
            rule_of_tags = f"the date_column of a recomputed tag is {domain.load.column}"
            raise place.wrong(column.target, rule_of_tags, found=column.source)
    if not re.fullmatch(r"[^.]+\.[^.]+", rule.table):
        raise place.wrong("target_table", "schema and table without dots", found=rule.table)


def _described(rule: Reference, described: Mapping[str, tuple[Describer, ...]]) -> Reference:
    return replace(rule, described_by=described[rule.table]) if rule.mode is Mode.RECOMPUTE else rule
