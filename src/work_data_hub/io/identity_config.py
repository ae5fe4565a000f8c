"""What people configure about companies: ids settled by hand, and how sure a match must be; checked when read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.knowledge import EXCLUDED_ENTRY
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.rules import SHIPPED_RULES, IdentityRules
from work_data_hub.domain.identity.written_ids import looks_like_id
from work_data_hub.errors import ConfigError
from work_data_hub.io.config_files import load_mapping
from work_data_hub.io.yaml_entries import Entry, read_entry

RULES_FILE = "identity.yml"
OVERRIDES_FOLDER = "mappings/company_id"
PLAN_DEFAULTS = "plan_defaults"
PLANS_FILE, NAMES_FILE = "company_id_overrides_plan.yml", "company_id_overrides_name.yml"
_OVERRIDE_KEYS = ("company_id", "owner", "date", "reason")
_CONFIDENCES = ("other_match_confidence", "accept_from", "review_from", "surest_doubt")
_RULE_KEYS = (
    *("version", "match_confidence", "former_name_factor", "lesson_confidence", "learning_domains"),
    *("least_rows", "registry_days", "searched_days", *_CONFIDENCES),
)
_LONGEST_ID = 50
_MOST_DAYS = 36_500
_MOST_ROWS = 1_000_000
# As facts hold a code; any other spelling would never be met.
_PLAN_CODE = re.compile(r"[^\s\-_a-z]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HAS_DIGIT_BESIDE_ZERO = re.compile(r"[1-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One id settled by hand, and who answers for it since when and why."""

    company_id: str
    owner: str
    date: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The ids settled by hand: by plan code, and by customer name as people write it."""

    plans: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def plan_ids(self) -> dict[str, str]:
        """The company of each plan code."""
        return {plan: override.company_id for plan, override in self.plans.items()}

    @property
    def name_ids(self) -> dict[str, str]:
        """The company of each name, `__EMPTY__` for one that belongs to none."""
        return {name: override.company_id for name, override in self.names.items()}

    def of_name(self, name: str) -> Override | None:
        """The override that a name falls under, whatever its spelling."""
        form = normalise_name(name)
        return next((override for key, override in self.names.items() if form and normalise_name(key) == form), None)


def load_identity_overrides(config_dir: Path) -> Overrides:
    """Return the ids settled by hand, none where a file is not there; raise ConfigError naming file and key."""
    folder = config_dir / OVERRIDES_FOLDER
    _refuse_strange_files(folder)
    return Overrides(
        plans=_overrides(folder / PLANS_FILE, _plan_check(_placeholder_plans(config_dir))),
        names=_overrides(folder / NAMES_FILE, _name_check()),
    )


def load_identity_rules(config_dir: Path) -> IdentityRules:
    """Return the thresholds of `identity.yml`, the shipped ones where the file or a key is not there.

    Raises ConfigError naming file and key.
    """
    if not (config_dir / RULES_FILE).exists():
        return SHIPPED_RULES
    root = read_entry(config_dir / RULES_FILE)
    root.refuse_unknown(_RULE_KEYS)
    root.require("version", 1)
    confidences = {key: _share(root, key, getattr(SHIPPED_RULES, key)) for key in _CONFIDENCES}
    if confidences["review_from"] > confidences["accept_from"]:
        raise root.wrong("review_from", f"not above accept_from, {confidences['accept_from']}")
    return IdentityRules(
        match_confidence=_match_confidence(root),
        former_name_factor=_share(root, "former_name_factor", SHIPPED_RULES.former_name_factor),
        lesson_confidence=_lesson_confidence(root),
        learning_domains=_learning_domains(root),
        least_rows=_whole(root, "least_rows", SHIPPED_RULES.least_rows, least=1, most=_MOST_ROWS),
        registry_days=_days_or_ever(root),
        searched_days=_whole(root, "searched_days", SHIPPED_RULES.searched_days, least=0, most=_MOST_DAYS),
        **confidences,
    )


def _refuse_strange_files(folder: Path) -> None:
    """A file whose name is not one of the two would be overlooked, and its entries with it."""
    strange = [folder.parent / name for name in (PLANS_FILE, NAMES_FILE) if (folder.parent / name).exists()]
    strange += sorted(path for path in folder.glob("*.y*ml") if path.name not in (PLANS_FILE, NAMES_FILE))
    for path in strange:
        raise ConfigError(
            "company ids settled by hand are not read from here",
            file=str(path),
            rule=f"{PLANS_FILE} and {NAMES_FILE} in {OVERRIDES_FOLDER}",
            hint=f"move the entries into one of the two, each with {', '.join(_OVERRIDE_KEYS)}",
        )


def _overrides(path: Path, check: Callable[[Entry, str, str], None]) -> Mapping[str, Override]:
    if not path.exists():
        return MappingProxyType({})
    root = read_entry(path)
    root.refuse_unknown(("version", "entries"))
    root.require("version", 1)
    if root.values.get("entries", {}) is None:
        raise root.wrong("entries", "overrides below it; write `entries: {}` where there are none")
    entries = root.block("entries", optional=True)
    found: dict[str, Override] = {}
    for key in entries.values:
        found[key] = _override(entries.block(key))
        check(entries, key, found[key].company_id)
    return MappingProxyType(found)


def _override(block: Entry) -> Override:
    block.refuse_unknown(_OVERRIDE_KEYS)
    company_id = block.text("company_id")
    if company_id != EXCLUDED_ENTRY and not _is_company(company_id):
        raise block.wrong("company_id", "a company's id: capitals and digits, no word and no temporary id")
    return Override(
        company_id=company_id, owner=_words(block, "owner"), date=_day(block), reason=_words(block, "reason")
    )


def _is_company(text: str) -> bool:
    return len(text) <= _LONGEST_ID and looks_like_id(text) and bool(_HAS_DIGIT_BESIDE_ZERO.search(text))


def _words(block: Entry, key: str) -> str:
    words = block.text(key).strip()
    if not words:
        raise block.wrong(key, "a text that says something")
    return words


def _day(block: Entry) -> date:
    """The day, which YAML reads as one unless it stands in quotes."""
    value = block.values.get("date")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) and _DAY.fullmatch(value) else "")
    except ValueError:
        raise block.wrong("date", "a day written YYYY-MM-DD") from None


def _placeholder_plans(config_dir: Path) -> frozenset[str]:
    """The codes that rows without a plan get: many companies share one, so none is asked for its sponsor."""
    if not (config_dir / "mappings" / f"{PLAN_DEFAULTS}.yml").exists():
        return frozenset()
    return frozenset(load_mapping(config_dir, PLAN_DEFAULTS).values())


def _plan_check(placeholders: frozenset[str]) -> Callable[[Entry, str, str], None]:
    def check(entries: Entry, key: str, company_id: str) -> None:
        if company_id == EXCLUDED_ENTRY:
            raise entries.block(key).wrong("company_id", f"a company's id; {EXCLUDED_ENTRY} is for names only")
        if not _PLAN_CODE.fullmatch(key):
            rule = "a plan code as facts hold it: capitals, no white space, dash or underscore"
            raise entries.wrong(key, rule, found=key)
        if key in placeholders:
            rule = f"a plan of its own; {key} stands for no plan ({PLAN_DEFAULTS}.yml) and would never be asked"
            raise entries.wrong(key, rule, found=key)

    return check


def _name_check() -> Callable[[Entry, str, str], None]:
    """A check that knows the names it has seen: two spellings of one form would have two owners."""
    seen: dict[str, str] = {}

    def check(entries: Entry, key: str, _company_id: str) -> None:
        form = normalise_name(key)
        if not form:
            raise entries.wrong(key, "a customer's name; this one stands for none", found=key)
        if seen.setdefault(form, key) != key:
            raise entries.wrong(key, f"one entry for each normalised name; {seen[form]} has this one too", found=form)

    return check


def _match_confidence(root: Entry) -> Mapping[str, float]:
    if "match_confidence" not in root.values:
        return SHIPPED_RULES.match_confidence
    block = root.block("match_confidence", optional=True)
    return MappingProxyType({kind: _share(block, kind, 0.0) for kind in block.values})


def _lesson_confidence(root: Entry) -> Mapping[str, float]:
    shipped = SHIPPED_RULES.lesson_confidence
    block = root.block("lesson_confidence", optional=True)
    block.refuse_unknown(shipped, what="kind of key")
    return MappingProxyType({kind: _share(block, kind, confidence) for kind, confidence in shipped.items()})


def _learning_domains(root: Entry) -> tuple[str, ...]:
    if "learning_domains" not in root.values:
        return SHIPPED_RULES.learning_domains
    names, known = root.names("learning_domains"), [name for name, domain in DOMAINS.items() if domain.identity]
    for name in names:
        if name not in known:
            raise root.wrong("learning_domains", f"domains: {', '.join(known)}", found=name, known=known)
    return names


def _share(block: Entry, key: str, default: float) -> float:
    """A number from 0 to 1; the warehouse keeps two decimals of it."""
    value = block.values.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1 or round(value, 2) != value:
        raise block.wrong(key, "a number from 0 to 1 with at most two decimals")
    return float(value)


def _whole(block: Entry, key: str, default: int, *, least: int, most: int) -> int:
    value = block.values.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise block.wrong(key, f"a whole number from {least:,} to {most:,}")
    return value


def _days_or_ever(root: Entry) -> int | None:
    if root.values.get("registry_days", SHIPPED_RULES.registry_days) is None:
        return None
    return _whole(root, "registry_days", 1, least=1, most=_MOST_DAYS)
