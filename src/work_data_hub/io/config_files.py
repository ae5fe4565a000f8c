"""The YAML files people edit: where workbooks lie and what values mean, checked when read."""

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from work_data_hub.domain.source import Fallback, FileSelection, SheetChoice, Source, VersionStrategy
from work_data_hub.errors import ConfigError
from work_data_hub.io.yaml_files import read_yaml

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
)
DOMAIN_KEYS = ("base_path", "file_patterns", "sheet_names", "version", *DEFAULT_KEYS)
Choice = TypeVar("Choice", bound=StrEnum)


def load_sources(config_dir: Path) -> dict[str, Source]:
    """Return every domain's settings, defaults merged in, in the order of the file."""
    path = config_dir / SOURCES_FILE
    root = read_yaml(path)
    _refuse_unknown(path, "", root, ("schema_version", "defaults", "domains"))
    if root.get("schema_version") not in SCHEMA_VERSIONS:
        raise _wrong(path, "schema_version", root.get("schema_version"), rule=f"one of {', '.join(SCHEMA_VERSIONS)}")
    defaults = _block(path, "defaults", root.get("defaults", {}))
    _refuse_unknown(path, "defaults", defaults, DEFAULT_KEYS)
    domains = _block(path, "domains", root.get("domains"))
    return {
        name: _Block(path, f"domains.{name}", defaults, _block(path, f"domains.{name}", block)).source(name)
        for name, block in domains.items()
    }


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
        hint=_did_you_mean(domain, sources) or "choose one of these, or add a block under `domains`",
    )


def load_mapping(config_dir: Path, name: str) -> dict[str, str]:
    """Return the value map `config/mappings/NAME.yml`, text to text."""
    path = config_dir / "mappings" / f"{name}.yml"
    root = read_yaml(path)
    _refuse_unknown(path, "", root, ("version", "sample", "entries"))
    if root.get("version") != 1:
        raise _wrong(path, "version", root.get("version"), rule="1")
    if not isinstance(root.get("sample", False), bool):
        raise _wrong(path, "sample", root["sample"], rule="true or false")
    entries = _block(path, "entries", root.get("entries"))
    for key, value in entries.items():
        if not isinstance(value, str):
            raise _wrong(path, f"entries.{key}", value, rule="text; put codes made of digits in quotes")
    return entries


def load_mappings(config_dir: Path) -> dict[str, dict[str, str]]:
    """Return every value map of `config/mappings`, by name."""
    names = sorted(path.stem for path in (config_dir / "mappings").glob("*.yml"))
    return {name: load_mapping(config_dir, name) for name in names}


def load_identity_overrides(config_dir: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return company ids settled by hand: by plan code, and by customer name."""
    return (
        load_mapping(config_dir, "company_id_overrides_plan"),
        load_mapping(config_dir, "company_id_overrides_name"),
    )


def config_version(config_dir: Path) -> str:
    """Return sixteen hex digits that change with any configuration file's name or content."""
    digest = hashlib.sha256()
    files = (path for path in config_dir.rglob("*") if path.suffix in {".yml", ".yaml"} and path.is_file())
    for name, path in sorted((path.relative_to(config_dir).as_posix(), path) for path in files):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


class _Block:
    """One domain's keys over the defaults; every getter names file and key when a value is wrong."""

    def __init__(self, path: Path, place: str, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        self.path, self.place = path, place
        _refuse_unknown(path, place, own, DOMAIN_KEYS)
        self.values = {key: _inherit(defaults.get(key), own.get(key), key in own) for key in {*defaults, *own}}

    def source(self, domain: str) -> Source:
        return Source(
            domain=domain,
            base_path=self.base_path(),
            file_patterns=self.patterns("file_patterns", least=1),
            sheets=self.sheets(),
            exclude_patterns=self.patterns("exclude_patterns"),
            version_strategy=self.choice("version_strategy", VersionStrategy.HIGHEST_NUMBER),
            version=self.version(),
            fallback=self.choice("fallback", Fallback.ERROR),
            file_selection=self.choice("file_selection", FileSelection.ERROR),
            max_gap_rows=self.rows("max_gap_rows"),
            all_domains=self.switch("all_domains"),
            totals_tolerance=self.amount("totals_tolerance", "0.01"),
            anomaly_share=self.amount("anomaly_share", "0.5"),
        )

    def base_path(self) -> str:
        value = self.values.get("base_path")
        if not isinstance(value, str) or not value.strip():
            raise self.wrong("base_path", "a path below the data root")
        for name in re.findall(r"\{([^{}]*)\}", value):
            if name not in PLACEHOLDERS:
                raise self.wrong("base_path", "placeholders are {YYYYMM}, {YYYY} and {MM}", found="{" + name + "}")
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", value)):
            raise self.wrong("base_path", "braces come in pairs")
        self._refuse_escape("base_path", value)
        return value

    def patterns(self, key: str, *, least: int = 0) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) < least or not all(isinstance(p, str) and p for p in value):
            raise self.wrong(key, f"a list of at least {least} patterns")
        for pattern in value:
            self._refuse_escape(key, pattern)
        return tuple(value)

    def sheets(self) -> tuple[SheetChoice, ...]:
        value = self.values.get("sheet_names")
        if not isinstance(value, list) or not value:
            raise self.wrong("sheet_names", "a list of sheet names, or of lists of the names one sheet goes by")
        return tuple(SheetChoice(names=self._sheet_names(item)) for item in value)

    def _sheet_names(self, item: object) -> tuple[str | int, ...]:
        names = item if isinstance(item, list) else [item]
        if not names or not all(_is_sheet_name(name) for name in names):
            raise self.wrong("sheet_names", "text, or a number from 0", found=item)
        return tuple(names)

    def version(self) -> str | None:
        value = self.values.get("version")
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"V\d+", value)):
            raise self.wrong("version", "a folder name such as V2")
        return value

    def choice(self, key: str, default: Choice) -> Choice:
        value = self.values.get(key, default.value)
        choices = type(default)
        if value not in [choice.value for choice in choices]:
            raise self.wrong(key, f"one of {', '.join(choices)}")
        return choices(value)

    def rows(self, key: str) -> int:
        value = self.values.get(key, 1000)
        if type(value) is not int or value < 1:
            raise self.wrong(key, "a whole number of rows, at least 1")
        return value

    def switch(self, key: str) -> bool:
        value = self.values.get(key, True)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def amount(self, key: str, default: str) -> Decimal:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value)):
            raise self.wrong(key, f"a decimal number from 0, such as {default}")
        return Decimal(str(value))

    def _refuse_escape(self, key: str, value: str) -> None:
        parts = re.split(r"[/\\]", value)
        if ".." in parts or parts[0] in {"", "~"} or re.match(r"[A-Za-z]:", value):
            raise self.wrong(key, "relative, below the data root, without `..`", found=value)

    def wrong(self, key: str, rule: str, *, found: object = None) -> ConfigError:
        return _wrong(self.path, f"{self.place}.{key}", found or self.values.get(key), rule=rule)


def _is_sheet_name(name: object) -> bool:
    return bool(name.strip()) if isinstance(name, str) else type(name) is int and name >= 0


def _inherit(default: object, own: object, is_own: bool) -> object:
    """A scalar or list of the domain wins; list items that start with "+" are added to the rest."""
    if not is_own:
        return default
    if not isinstance(own, list):
        return own
    added = [item[1:] for item in own if isinstance(item, str) and item.startswith("+")]
    plain = [item for item in own if not (isinstance(item, str) and item.startswith("+"))]
    inherited = default if added and not plain and isinstance(default, list) else []
    return [*inherited, *plain, *added]


def _block(path: Path, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, key, value, rule="a block of keys and values")
    for name in value:
        if not isinstance(name, str):
            raise _wrong(path, key, name, rule="keys are text; put keys made of digits in quotes")
    return value


def _refuse_unknown(path: Path, place: str, block: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in block:
        if key not in known:
            raise ConfigError(
                "unknown key",
                file=str(path),
                field=f"{place}.{key}".strip("."),
                rule=f"known keys are {', '.join(known)}",
                hint=_did_you_mean(key, known) or "remove it",
            )


def _did_you_mean(word: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else None


def _wrong(path: Path, key: str, found: object, *, rule: str) -> ConfigError:
    return ConfigError(
        "missing" if found is None else "not a value this key can have",
        file=str(path),
        field=key,
        input_data=None if found is None else str(found),
        rule=rule,
        hint=f"correct {key} in {path.name}",
    )
