"""What is known about a name when somebody asks or decides: searches, index entries, rows and companies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from work_data_hub.domain.identity.decisions import Decision, followed
from work_data_hub.domain.identity.knowledge import KeyKind
from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.domain.identity.temporary import is_temporary

BY_HAND = ("plan_override", "name_override", "decision")
"""The sources of companies that people settled; rows that have them are in no doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One company that a name may be, and who says so."""

    company_id: str
    name: str | None = None
    unite_code: str | None = None
    match_type: str | None = None
    confidence: float | None = None
    score: float | None = None
    source: str = "registry"

    @classmethod
    def of_candidate(cls, candidate: Mapping[str, Any]) -> "Proposal":
        """A candidate as a registry search was stored with it."""
        return cls(
            company_id=str(candidate["company_id"]),
            name=candidate.get("name"),
            unite_code=candidate.get("unite_code"),
            match_type=candidate.get("match_type"),
            confidence=candidate.get("confidence"),
            score=candidate.get("score"),
        )

    @property
    def words(self) -> str:
        """The proposal on one line."""
        facts = (self.company_id, self.name, self.match_type, _rounded(self.confidence), _scored(self.score))
        return " ".join(fact for fact in facts if fact)

    def as_json(self) -> dict[str, Any]:
        """The proposal as JSON reports give it."""
        return {
            "company_id": self.company_id,
            "name": self.name,
            "unite_code": self.unite_code,
            "match_type": self.match_type,
            "confidence": self.confidence,
            "score": self.score,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the registry last answered for a name."""

    name: str
    searched_name: str
    outcome: str
    company_id: str | None
    confidence: float | None
    candidates: tuple[Proposal, ...]
    asked_at: datetime

    @property
    def best(self) -> Proposal | None:
        """The candidate that the search came to."""
        if self.company_id is None:
            return None
        listed = (candidate for candidate in self.candidates if candidate.company_id == self.company_id)
        # The search may be less sure than its candidate alone: two may match equally well.
        return replace(next(listed, Proposal(company_id=self.company_id)), confidence=self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One entry of the index, whether it may be used or not."""

    entry_id: int
    kind: KeyKind
    key: str
    company_id: str
    confidence: float
    source: str
    source_domain: str | None
    source_table: str | None
    is_ambiguous: bool
    normaliser_version: int
    expires_at: datetime | None
    is_expired: bool
    hit_count: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_usable(self) -> bool:
        return not (self.is_ambiguous or self.is_expired or self.is_outdated)

    @property
    def is_outdated(self) -> bool:
        """Whether its key was made by another normaliser: the same name may have another form now."""
        return self.kind is not KeyKind.PLAN_CODE and self.normaliser_version != NORMALISER_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class FactGroup:
    """The rows of a fact table that are alike in name, plan, company and how it was found.

    `money` are the sums, in 元, of the table's amounts over the newest month in which the name stands there.
    """

    domain: str
    name: str
    written: str | None
    plan: str | None
    plan_type: str | None
    company_id: str | None
    source: str | None
    rows: int
    first_month: date
    last_month: date
    money: Mapping[str, Decimal]
    load_ids: tuple[int, ...] = ()

    @property
    def real_company(self) -> str | None:
        """The company of the rows, null where it is temporary or missing."""
        return None if self.company_id is None or is_temporary(self.company_id) else self.company_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about some names.

    `searches`, `entries`, `groups` and `former` (the companies that had the name before) are by normalised
    name, `official` (name and unified code) by company.
    """

    searches: Mapping[str, Search] = field(default_factory=dict)
    entries: Mapping[str, Sequence[IndexEntry]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[FactGroup]] = field(default_factory=dict)
    former: Mapping[str, Sequence[str]] = field(default_factory=dict)
    official: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()

    def of(self, name: str) -> tuple[Decision, ...]:
        """The decisions in force about a name."""
        return tuple(made for made in self.decisions if made.name == name and made.is_in_force)

    def proposals(self, name: str) -> tuple[Proposal, ...]:
        """The companies that the registry's newest search and the index propose for a name, each once, surest first.

        A merged company is the one that stands for it; companies ruled out for the name are not among them.
        """
        ruled_out = {made.from_company for made in self.of(name) if made.plan is None and made.to_company is None}
        found = [self.searches[name].best] if name in self.searches else []
        for entry in self.entries.get(name, ()):
            if entry.kind is KeyKind.CUSTOMER_NAME and entry.is_usable:
                found.append(
                    Proposal(company_id=entry.company_id, confidence=entry.confidence, source=f"index, {entry.source}")
                )
        standing = [self._standing(one) for one in found if one and one.company_id not in ruled_out]
        by_company = {one.company_id: one for one in reversed(standing) if one.company_id not in ruled_out}
        surest = sorted(by_company.values(), key=lambda one: (-(one.confidence or 0), one.company_id))
        return tuple(self.named(one) for one in surest)

    def _standing(self, proposal: Proposal) -> Proposal:
        company = followed(proposal.company_id, self.decisions)
        if company == proposal.company_id:
            return proposal
        return replace(proposal, company_id=company, name=None, unite_code=None)

    def named(self, proposal: Proposal) -> Proposal:
        """The proposal with the company's official name and code, where they are known and it has none."""
        name, code = self.official.get(proposal.company_id, (None, None))
        return replace(proposal, name=proposal.name or name, unite_code=proposal.unite_code or code)


def _rounded(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.2f}"


def _scored(score: float | None) -> str:
    return "" if score is None else f"score {score:g}"
