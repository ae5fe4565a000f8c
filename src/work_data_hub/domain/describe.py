"""A domain in words: where its workbook lies, what each column and step does, what can reject a cell."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from work_data_hub.domain.columns import Column, Kind
from work_data_hub.domain.reference_rules import Mode, Reference
from work_data_hub.domain.rules import RULES
from work_data_hub.domain.source import Fallback, FileSelection, Source, VersionStrategy
from work_data_hub.domain.spec import Domain

VERSIONS = {
    VersionStrategy.HIGHEST_NUMBER: "the folder V<n> with the highest number",
    VersionStrategy.LATEST_MODIFIED: "the folder V<n> changed last",
    VersionStrategy.MANUAL: "the folder",
}
SELECTIONS = {
    FileSelection.ERROR: "refused: the user chooses",
    FileSelection.NEWEST: "the newest",
    FileSelection.OLDEST: "the oldest",
    FileSelection.FIRST: "the first by name",
}
MODES = {
    Mode.INSERT_MISSING: "adds missing rows",
    Mode.FILL_NULL_ONLY: "fills blanks of rows that are there",
    Mode.RECOMPUTE: "adds missing rows, describes derived ones anew",
}
Rows = list[tuple[str, ...]]
_EVERY_CELL = ("WDH-V401", "WDH-V402")
_NUMBERS = ("WDH-V201", "WDH-V203", "WDH-V403")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a description: rows of as many cells each."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a domain's declaration does not say: where its workbook lies, value maps, headings, references.

    `source` is None for a domain that the configuration does not know; `mappings` gives the number of
    entries by name, `accepted` the headings accepted for a column,
    `ignored` the headings left out by configuration.
    """

    source: Source | None
    mappings: Mapping[str, int]
    accepted: Mapping[str, Collection[str]]
    references: Sequence[Reference]
    ignored: Sequence[str] = ()


def describe(domain: Domain, given: Surroundings) -> tuple[Section, ...]:
    """The domain's sections in reading order; those with nothing to tell are left out."""
    sections = (
        Section(title="workbook", rows=tuple(_workbook(given.source))),
        Section(title="load", rows=tuple(_load(domain))),
        Section(title="columns", rows=tuple(_columns(domain, given.accepted))),
        Section(title="headings read over", rows=_ignored((*domain.ignored_headings, *given.ignored))),
        Section(title="steps", rows=tuple((f"{at}", step.says) for at, step in enumerate(domain.steps, 1))),
        Section(title="value maps", rows=tuple(_mappings(domain, given.mappings))),
        Section(title="references", rows=tuple(_references(given.references))),
        Section(title="rules that can reject a cell (wdh rule CODE)", rows=tuple(_rules(domain))),
    )
    return tuple(section for section in sections if section.rows)


def overview(domains: Mapping[str, Domain], sources: Mapping[str, Source]) -> Rows:
    """One row a domain, declared ones first: name, title, table, and how it is called."""
    rows: Rows = [("domain", "title", "table", "loaded")]
    rows += [(name, domain.title, domain.table, _called(sources.get(name))) for name, domain in domains.items()]
    rows += [(name, "", "", "configured, not declared") for name in sources if name not in domains]
    return rows


def rules_of(column: Column) -> tuple[str, ...]:
    """The codes of the rules that can reject a cell of the column."""
    if column.kind is Kind.FLAG:
        return ()
    if column.kind is Kind.MONTH:
        return ("WDH-V101", "WDH-V102", *(_EVERY_CELL if column.headings else ()))
    blank = () if column.nullable else ("WDH-V303",)
    return (*_readings(column), *blank, *_EVERY_CELL) if column.headings else blank


def _readings(column: Column) -> tuple[str, ...]:
    """The rules of what a day, a text or a number must be."""
    match column.kind:
        case Kind.DATE:
            blank = () if column.nullable else ("WDH-V102",)
            return () if column.lenient else ("WDH-V101", *blank)
        case Kind.RATE:
            return (*_NUMBERS, "WDH-V202")
        case Kind.COUNT:
            return (*_NUMBERS, "WDH-V205")
        case Kind.MONEY:
            return _NUMBERS if column.lowest is None else (*_NUMBERS, "WDH-V204")
        case _:
            return ("WDH-V302",) if column.length is None else ("WDH-V301", "WDH-V302")


def kind_words(column: Column) -> str:
    """The column's kind, unit and size: `amount in 元, 4 decimals`."""
    size = "any length" if column.length is None else f"up to {column.length}"
    words = {
        Kind.TEXT: f"text, {size}",
        Kind.CODE: f"code, {size}",
        Kind.MONTH: "month",
        Kind.DATE: "day; unreadable ones are blank, and counted" if column.lenient else "day",
        Kind.MONEY: f"amount in {column.unit}, {column.scale} decimals",
        Kind.RATE: f"rate as a {column.unit}, {column.scale} decimals",
        Kind.COUNT: "whole number",
        Kind.FLAG: "yes or no",
    }
    return words[column.kind]


def _workbook(source: Source | None) -> Rows:
    if source is None:
        return [("folder", "not configured: add a block to config/data_sources.yml")]
    sheets = [" or ".join(map(_sheet, sheet.names)) for sheet in source.sheets]
    version = VERSIONS[source.version_strategy] + (f" {source.version}" if source.version else "")
    last = "; the folder changed last, when none fits" if source.fallback is Fallback.USE_LATEST_MODIFIED else ""
    return [
        ("folder", source.base_path),
        ("files", " or ".join(source.file_patterns)),
        *([("not", " ".join(source.exclude_patterns))] if source.exclude_patterns else []),
        ("version", version + last),
        ("several files", SELECTIONS[source.file_selection]),
        ("sheets", ", then ".join(sheets)),
        ("called", _called(source)),
    ]


def _sheet(name: str | int) -> str:
    return name if isinstance(name, str) else f"sheet number {name + 1}"


def _called(source: Source | None) -> str:
    if source is None:
        return "declared, not configured"
    return "with --all-domains" if source.all_domains else "only when named"


def _load(domain: Domain) -> Rows:
    key = f"one row for each {', '.join(domain.unique_key)}" if domain.unique_key else "none: rows may repeat"
    return [
        ("table", domain.table),
        ("writes", f"replaces the month that {domain.load.column} names, whole"),
        ("key", key),
        ("order", f"{domain.load_order}, where several domains are loaded in one call"),
    ]


def _columns(domain: Domain, accepted: Mapping[str, Collection[str]]) -> Rows:
    rows: Rows = [("column", "kind", "cell", "heading", "headings; note")]
    for column in domain.columns:
        cell = "may be blank" if column.nullable else "never blank"
        heading = ("must be there" if column.required else "may be missing") if column.headings else "(computed)"
        headings = [*column.headings, *(f"{one} (accepted)" for one in accepted.get(column.name, ()))]
        words = (", ".join(headings), "" if column.stored else "read, not stored", column.note)
        rows.append((column.name, kind_words(column), cell, heading, "; ".join(word for word in words if word)))
    return rows


def _ignored(headings: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return ((", ".join(headings),),) if headings else ()


def _mappings(domain: Domain, entries: Mapping[str, int]) -> Rows:
    """The value maps that the steps name in their sentences."""
    named = dict.fromkeys(word for step in domain.steps for word in re.findall(r"[a-z_]+", step.says))
    return [(name, f"{entries[name]} entries", f"config/mappings/{name}.yml") for name in named if name in entries]


def _references(references: Sequence[Reference]) -> Rows:
    return [
        (rule.table, f"{rule.key} ← {rule.source}", f"{MODES[rule.mode]}: {', '.join(c.target for c in rule.columns)}")
        for rule in references
    ]


def _rules(domain: Domain) -> Rows:
    columns: dict[str, list[str]] = {}
    for column in domain.columns:
        for code in rules_of(column):
            columns.setdefault(code, []).append(column.name)
    for name in domain.unique_key:
        if name not in columns.setdefault("WDH-V303", []) and domain.by_name[name].kind is not Kind.MONTH:
            columns["WDH-V303"].append(name)
        columns["WDH-V304"] = [name]
    every = [column.name for column in domain.read]
    return [
        (code, RULES[code].title, "every column of the sheet" if columns[code] == every else ", ".join(columns[code]))
        for code in sorted(columns)
    ]
