"""The YAML files people edit: where workbooks lie and what values mean, checked when read."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from work_data_hub.domain.source import Fallback, FileSelection, OnArrival, SheetChoice, Source, VersionStrategy
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import ConfigError
from work_data_hub.io.yaml_entries import Entry, read_entry

SOURCES_FILE = "data_sources.yml"
SCHEMA_VERSIONS = ("1.0", "1.1", "1.2")
PLACEHOLDERS = ("YYYYMM", "YYYY", "MM")
DEFAULT_KEYS = (
    "exclude_patterns",
    "version_strategy",
    "fallback",
    "file_selection",
    "max_gap_rows",
    "all_domains",
    "totals_tolerance",
    "anomaly_share",
    "on_arrival",
    "due_day",
)
# Every month has it.
_LAST_DUE_DAY = 28
DOMAIN_KEYS = ("base_path", "file_patterns", "sheet_names", "version", *DEFAULT_KEYS)


def load_sources(config_dir: Path) -> dict[str, Source]:
    """Return every domain's settings, defaults merged in, in the order of the file."""
    root = read_entry(config_dir / SOURCES_FILE)
    root.refuse_unknown(("schema_version", "defaults", "domains"))
    root.require("schema_version", *SCHEMA_VERSIONS)
    defaults, domains = root.block("defaults", optional="defaults" not in root.values), root.block("domains")
    defaults.refuse_unknown(DEFAULT_KEYS)
    return {name: _source(name, _merged(defaults, domains.block(name))) for name in domains.values}


def source_for(config_dir: Path, domain: str) -> Source:
    """Return one domain's settings; raise ConfigError naming the domains there are."""
    sources = load_sources(config_dir)
    if domain in sources:
        return sources[domain]
    raise ConfigError(
        f"no domain {domain!r} in {config_dir / SOURCES_FILE}",
        field="domain",
        input_data=domain,
        rule=f"one of {', '.join(sources)}",
        hint=did_you_mean(domain, sources) or "choose one of these, or add a block under `domains`",
    )


def load_mapping(config_dir: Path, name: str) -> dict[str, str]:
    """Return the value map `config/mappings/NAME.yml`, text to text."""
    root = read_entry(config_dir / "mappings" / f"{name}.yml")
    root.refuse_unknown(("version", "sample", "entries"))
    root.require("version", 1)
    root.flag("sample", False)
    entries = root.block("entries")
    return {key: entries.text(key, "") for key in entries.values}


def load_mappings(config_dir: Path) -> dict[str, dict[str, str]]:
    """Return every value map of `config/mappings`, by name."""
    names = sorted(path.stem for path in (config_dir / "mappings").glob("*.yml"))
    return {name: load_mapping(config_dir, name) for name in names}


def config_version(config_dir: Path) -> str:
    """Return sixteen hex digits that change with any configuration file's name or content.

    Batch pipelines are left out: no load of a month depends on them.
    """
    digest = hashlib.sha256()
    files = (path for path in config_dir.rglob("*") if path.suffix in {".yml", ".yaml"} and path.is_file())
    named = ((path.relative_to(config_dir).as_posix(), path) for path in files)
    for name, path in sorted(one for one in named if not one[0].startswith("pipelines/")):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _merged(defaults: Entry, own: Entry) -> Entry:
    """A domain's block with the defaults in it."""
    own.refuse_unknown(DOMAIN_KEYS)
    keys = {**defaults.values, **own.values}
    return replace(own, values={key: _inherited(key, defaults.values, own.values) for key in keys})


def _inherited(key: str, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> object:
    """A scalar or list of the domain wins; list items that start with "+" are added to the rest."""
    default, value = defaults.get(key), own.get(key)
    if key not in own or not isinstance(value, list):
        return value if key in own else default
    added = [item[1:] for item in value if isinstance(item, str) and item.startswith("+")]
    plain = [item for item in value if not (isinstance(item, str) and item.startswith("+"))]
    inherited = default if added and not plain and isinstance(default, list) else []
    return [*inherited, *plain, *added]


def _source(domain: str, block: Entry) -> Source:
    return Source(
        domain=domain,
        base_path=_base_path(block),
        file_patterns=_patterns(block, "file_patterns", least=1),
        sheets=_sheets(block),
        exclude_patterns=_patterns(block, "exclude_patterns"),
        version_strategy=block.choice("version_strategy", VersionStrategy.HIGHEST_NUMBER),
        version=_version(block),
        fallback=block.choice("fallback", Fallback.ERROR),
        file_selection=block.choice("file_selection", FileSelection.ERROR),
        max_gap_rows=_rows(block, "max_gap_rows"),
        all_domains=block.flag("all_domains", True),
        totals_tolerance=_amount(block, "totals_tolerance", "0.01"),
        anomaly_share=_amount(block, "anomaly_share", "0.5"),
        on_arrival=block.choice("on_arrival", OnArrival.PLAN),
        due_day=_due_day(block),
    )


def _base_path(block: Entry) -> str:
    value = block.values.get("base_path")
    if not isinstance(value, str) or not value.strip():
        raise block.wrong("base_path", "a path below the data root")
    for name in re.findall(r"\{([^{}]*)\}", value):
        if name not in PLACEHOLDERS:
            raise block.wrong("base_path", "placeholders are {YYYYMM}, {YYYY} and {MM}", found="{" + name + "}")
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", value)):
        raise block.wrong("base_path", "braces come in pairs")
    _refuse_escape(block, "base_path", value)
    return value


def _patterns(block: Entry, key: str, *, least: int = 0) -> tuple[str, ...]:
    value = block.values.get(key, [])
    if not isinstance(value, list) or len(value) < least or not all(isinstance(p, str) and p for p in value):
        raise block.wrong(key, f"a list of at least {least} patterns")
    for pattern in value:
        _refuse_escape(block, key, pattern)
    return tuple(value)


def _refuse_escape(block: Entry, key: str, value: str) -> None:
    parts = re.split(r"[/\\]", value)
    if ".." in parts or parts[0] in {"", "~"} or re.match(r"[A-Za-z]:", value):
        raise block.wrong(key, "relative, below the data root, without `..`", found=value)


def _sheets(block: Entry) -> tuple[SheetChoice, ...]:
    value = block.values.get("sheet_names")
    if not isinstance(value, list) or not value:
        raise block.wrong("sheet_names", "a list of sheet names, or of lists of the names one sheet goes by")
    return tuple(SheetChoice(names=_sheet_names(block, item)) for item in value)


def _sheet_names(block: Entry, item: object) -> tuple[str | int, ...]:
    names = item if isinstance(item, list) else [item]
    if not names or not all(_is_sheet_name(name) for name in names):
        raise block.wrong("sheet_names", "text, or a number from 0", found=item)
    return tuple(names)


def _is_sheet_name(name: object) -> bool:
    return bool(name.strip()) if isinstance(name, str) else type(name) is int and name >= 0


def _version(block: Entry) -> str | None:
    value = block.values.get("version")
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"V\d+", value)):
        raise block.wrong("version", "a folder name such as V2")
    return value


def _rows(block: Entry, key: str) -> int:
    value = block.values.get(key, 1000)
    if type(value) is not int or value < 1:
        raise block.wrong(key, "a whole number of rows, at least 1")
    return value


def _due_day(block: Entry) -> int:
    value = block.values.get("due_day", 10)
    if type(value) is not int or not 0 <= value <= _LAST_DUE_DAY:
        raise block.wrong("due_day", f"a day of the month from 1 to {_LAST_DUE_DAY}, or 0 where no month is due")
    return value


def _amount(block: Entry, key: str, default: str) -> Decimal:
    value = block.values.get(key, default)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value)):
        raise block.wrong(key, f"a decimal number from 0, such as {default}")
    return Decimal(str(value))
