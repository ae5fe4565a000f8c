"""Which names are in doubt, why, and what there is to decide by; the most money first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from work_data_hub.domain.identity.decisions import Decision, followed
from work_data_hub.domain.identity.evidence import BY_HAND, Evidence, FactGroup, Proposal

_NOTHING = Decimal(0)


class Doubt(StrEnum):
    """Why a name is in doubt."""

    UNSURE = "the registry's best match is not sure"
    SEVERAL = "its rows have several companies"
    FORMER = "several companies had this name before"


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertainName:
    """A name in doubt with its evidence; `doubts` is empty where decisions in force have settled all of them.

    `candidates` are the companies beside `proposal` that the name may be. `decisions` are those in force.
    """

    name: str
    doubts: tuple[Doubt, ...]
    proposal: Proposal | None
    candidates: tuple[Proposal, ...]
    groups: tuple[FactGroup, ...]
    decisions: tuple[Decision, ...]

    @property
    def written(self) -> str:
        """The name as people write it most often; the normalised one where no row has it."""
        most = max(self.groups, key=lambda group: group.rows, default=None)
        return (most.written if most else None) or self.name

    @property
    def plans(self) -> tuple[str, ...]:
        return tuple(sorted({group.plan for group in self.groups if group.plan}))

    @property
    def companies(self) -> tuple[str, ...]:
        """The companies that its rows have now, temporary ids included."""
        return tuple(sorted({group.company_id for group in self.groups if group.company_id}))

    @property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)

    @property
    def months(self) -> str:
        """The first and the last month of its rows, blank where there are none."""
        if not self.groups:
            return ""
        first, last = min(g.first_month for g in self.groups), max(g.last_month for g in self.groups)
        return f"{first:%Y-%m}" if first == last else f"{first:%Y-%m} – {last:%Y-%m}"

    @property
    def amounts(self) -> dict[str, Decimal]:
        """The sums of its newest month in 元, by domain and column."""
        sums: dict[str, Decimal] = {}
        for group in self.groups:
            for column, amount in group.money.items():
                at = f"{group.domain} {column}"
                sums[at] = sums.get(at, _NOTHING) + amount
        return sums

    @property
    def money(self) -> Decimal:
        """The largest of the amounts in 元, without its sign."""
        return max((abs(amount) for amount in self.amounts.values()), default=_NOTHING)

    def as_json(self) -> dict[str, Any]:
        """The name as JSON reports give it; money as text, exact."""
        return {
            "name": self.name,
            "written": self.written,
            "doubts": [doubt.name.lower() for doubt in self.doubts],
            "proposal": self.proposal.as_json() if self.proposal else None,
            "candidates": [candidate.as_json() for candidate in self.candidates],
            "companies": list(self.companies),
            "plans": list(self.plans),
            "months": self.months,
            "rows": self.rows,
            "money": str(self.money),
            "amounts": {at: str(amount) for at, amount in self.amounts.items()},
            "decisions": [made.as_json() for made in self.decisions],
        }


def uncertain_names(
    evidence: Evidence, *, doubtful: Iterable[str], several: Iterable[str], ambiguous: Iterable[str]
) -> tuple[UncertainName, ...]:
    """Every name of the three lists with its evidence, the most money first.

    `doubtful` are names that the registry gave no sure match for, `several` those whose rows have more than
    one company, `ambiguous` former names of several companies.
    """
    lists = ((Doubt.UNSURE, set(doubtful)), (Doubt.SEVERAL, set(several)), (Doubt.FORMER, set(ambiguous)))
    names = sorted(set().union(*(members for _, members in lists)))
    found = [
        _uncertain(name, evidence, raised=[doubt for doubt, members in lists if name in members]) for name in names
    ]
    return tuple(sorted(found, key=lambda one: (-one.money, -one.rows, one.name)))


def _uncertain(name: str, evidence: Evidence, *, raised: Sequence[Doubt]) -> UncertainName:
    groups, decisions = tuple(evidence.groups.get(name, ())), evidence.of(name)
    proposals = evidence.proposals(name)
    proposal = proposals[0] if proposals else None
    others = [*proposals[1:], *_other_candidates(name, evidence, groups)]
    known = {proposal.company_id} if proposal else set()
    candidates = []
    for other in others:
        if other.company_id not in known:
            known.add(other.company_id)
            candidates.append(evidence.named(other))
    return UncertainName(
        name=name,
        doubts=tuple(doubt for doubt in raised if not _is_settled(doubt, name, evidence)),
        proposal=proposal,
        candidates=tuple(candidates),
        groups=groups,
        decisions=decisions,
    )


def _other_candidates(name: str, evidence: Evidence, groups: Sequence[FactGroup]) -> list[Proposal]:
    search = evidence.searches.get(name)
    in_rows = sorted({group.real_company for group in groups if group.real_company})
    return [
        *(search.candidates if search else ()),
        *(Proposal(company_id=company, source="facts") for company in in_rows),
        *(Proposal(company_id=company, source="former name") for company in evidence.former.get(name, ())),
    ]


def _is_settled(doubt: Doubt, name: str, evidence: Evidence) -> bool:
    """Whether decisions in force leave nothing to decide: for the name, for each of its plans, or by ruling out."""
    decisions, groups = evidence.of(name), evidence.groups.get(name, ())
    if any(made.plan is None and made.to_company for made in decisions):
        return True
    decided = {made.plan for made in decisions if made.to_company}
    left = [group for group in groups if group.plan not in decided]
    if groups and not left:
        return True
    ruled_out = {made.from_company for made in decisions if made.plan is None and made.to_company is None}
    match doubt:
        case Doubt.UNSURE:
            search = evidence.searches.get(name)
            return search is not None and search.company_id in ruled_out
        case Doubt.SEVERAL:
            companies = {
                followed(group.real_company, evidence.decisions)
                for group in left
                if group.real_company and group.source not in BY_HAND
            }
            return len(companies - ruled_out) < 2
        case Doubt.FORMER:
            return bool(left) and all(group.real_company for group in left)
