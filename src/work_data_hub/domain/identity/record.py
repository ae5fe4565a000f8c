"""What a load writes down of how its companies were found, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from work_data_hub.domain.identity.identified import Identified
from work_data_hub.domain.identity.learning import BACKFLOW, Lessons, conflict_texts, lessons
from work_data_hub.domain.identity.registry_answers import NameAnswer
from work_data_hub.domain.identity.rules import IdentityRules


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IdentityRecord:
    """What the accepted rows of a load leave behind.

    `taught`: kind, key, company_id, confidence, source; `used`: entry_id, rows; `unknown`: normalized_name,
    raw_name, temp_id, rows; `conflicts`: one text a key of several companies; `answers`: of the registry.
    """

    domain: str
    taught: pd.DataFrame
    used: pd.DataFrame
    unknown: pd.DataFrame
    rules: IdentityRules
    conflicts: tuple[str, ...] = ()
    answers: Sequence[NameAnswer] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryUse:
    """What a run asked the registry: distinct names by what came of it, and why it asked no more."""

    asked: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    not_asked: int = 0
    remark: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            **dict(self.outcomes),
            "failed": self.failed,
            "not_asked": self.not_asked,
            "remark": self.remark,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEffect:
    """What the load changed of the index and the queue: entries added and replaced, requests made."""

    learned: int = 0
    replaced: int = 0
    queued: int = 0

    def as_json(self) -> dict[str, int]:
        return {"learned": self.learned, "replaced": self.replaced, "queued": self.queued}


def record_of(
    identified: Identified, *, domain: str, rules: IdentityRules, answers: Sequence[NameAnswer] = ()
) -> IdentityRecord:
    """What the accepted rows teach and ask for.

    Loads of `rules.learning_domains` teach by all their rows, others by the ids they were delivered with;
    loads of fewer than `rules.least_rows` rows with a company teach nothing.
    """
    found = identified.found()
    taught = lessons(found, rules)
    known = identified.entries.merge(taught.entries, on=["kind", "key"], suffixes=("", "_told"))
    held = known[known["company_id"].ne(known["company_id_told"]) & known["confidence"].ge(known["confidence_told"])]
    against = pd.concat([held, held.assign(company_id=held["company_id_told"])])[["kind", "key", "company_id"]]
    return IdentityRecord(
        domain=domain,
        taught=_kept(taught, found, domain=domain, rules=rules),
        used=identified.entries_used(),
        unknown=identified.unknown(),
        rules=rules,
        conflicts=conflict_texts(pd.concat([taught.conflicts, against])),
        answers=answers,
    )


def _kept(taught: Lessons, found: pd.DataFrame, *, domain: str, rules: IdentityRules) -> pd.DataFrame:
    rows = int(found.loc[found["company_id"].notna() & ~found["_identity_source"].eq("temporary_id"), "rows"].sum())
    if rows < rules.least_rows:
        return taught.entries.iloc[:0]
    entries = taught.entries
    return entries if domain in rules.learning_domains else entries[entries["source"].eq(BACKFLOW)]
