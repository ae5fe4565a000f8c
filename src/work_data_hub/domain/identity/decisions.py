"""What people decide about companies: which decisions can be made, which stand already, which contradict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.identity.written_ids import looks_like_id
from work_data_hub.domain.text import narrow, visible
from work_data_hub.errors import UsageError

_NOT_A_CUSTOMER = "0"
_CODE_NOISE = str.maketrans("", "", "-_ ")
_LONGEST_COMPANY = 100


class DecisionKind(StrEnum):
    """What was decided: the proposed company is right, another is, this one is not, two are one, one no longer is."""

    ACCEPT = "accept"
    CHOOSE = "choose"
    REJECT = "reject"
    MERGE = "merge"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a person; `decision_id` and `decided_at` are null until it is written.

    `name` is normalised; `plan` null means the name in every plan. A merge has no name. `from_company` is the
    company that is ruled out (reject, split) or replaced (merge), `to_company` the right one.
    """

    kind: DecisionKind
    name: str | None
    plan: str | None = None
    from_company: str | None = None
    to_company: str | None = None
    reason: str
    actor: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    decision_id: int | None = None
    decided_at: datetime | None = None
    undone_at: datetime | None = None
    undone_by: str | None = None
    undone_reason: str | None = None

    @classmethod
    def choose(
        cls, name: str, company: str, *, plan: str | None, why: "Why", kind: DecisionKind = DecisionKind.CHOOSE
    ) -> Self:
        """The decision that a name is a company; raises UsageError, as all of these do, for what is no id or name."""
        return cls._of(kind, why, written=name, plan=plan_key(plan), to_company=company_key(company))

    @classmethod
    def reject(cls, name: str, company: str, *, plan: str | None, why: "Why") -> Self:
        """The decision that a name is not a company."""
        facts = {"written": name, "plan": plan_key(plan), "from_company": company_key(company)}
        return cls._of(DecisionKind.REJECT, why, **facts)

    @classmethod
    def split(cls, name: str, company: str, *, into: str | None, plan: str | None, why: "Why") -> Self:
        """The decision that a name no longer belongs to a company, and to which other it does, if any."""
        facts = {"written": name, "plan": plan_key(plan), "from_company": company_key(company)}
        return cls._of(DecisionKind.SPLIT, why, **facts, to_company=company_key(into) if into else None)

    @classmethod
    def merge(cls, from_company: str, into: str, *, why: "Why") -> Self:
        """The decision that two ids are one company."""
        companies = {"from_company": company_key(from_company), "to_company": company_key(into)}
        return cls._of(DecisionKind.MERGE, why, written=None, **companies)

    @classmethod
    def _of(
        cls,
        kind: DecisionKind,
        why: "Why",
        *,
        written: str | None,
        plan: str | None = None,
        from_company: str | None = None,
        to_company: str | None = None,
    ) -> Self:
        """The name as written is kept: another version of the normaliser would make another form of it."""
        if from_company == to_company:
            raise UsageError(
                "a company cannot become itself", field="COMPANY", input_data=to_company, hint="name two companies"
            )
        return cls(
            kind=kind,
            name=None if written is None else comparable_name(written),
            plan=plan,
            from_company=from_company,
            to_company=to_company,
            reason=why.reason,
            actor=why.actor,
            evidence=dict(why.evidence) if written is None else {"written": visible(written), **why.evidence},
        )

    @property
    def is_in_force(self) -> bool:
        return self.undone_at is None

    @property
    def companies(self) -> tuple[str, ...]:
        """The companies it names."""
        return tuple(company for company in (self.from_company, self.to_company) if company)

    @property
    def says(self) -> str:
        """The decision in a sentence."""
        within = f" in plan {self.plan}" if self.plan else ""
        match self.kind:
            case DecisionKind.MERGE:
                return f"{self.from_company} is {self.to_company}"
            case DecisionKind.REJECT:
                return f"{self.name}{within} is not {self.from_company}"
            case DecisionKind.SPLIT:
                then = f" but {self.to_company}" if self.to_company else ""
                return f"{self.name}{within} is no longer {self.from_company}{then}"
            case DecisionKind.ACCEPT | DecisionKind.CHOOSE:
                return f"{self.name}{within} is {self.to_company}"

    def as_json(self) -> dict[str, Any]:
        """The decision as JSON reports give it."""
        return {
            "decision_id": self.decision_id,
            "kind": self.kind.value,
            "name": self.name,
            "plan": self.plan,
            "from_company": self.from_company,
            "to_company": self.to_company,
            "reason": self.reason,
            "actor": self.actor,
            "decided_at": self.decided_at.isoformat() if self.decided_at else None,
            "undone_at": self.undone_at.isoformat() if self.undone_at else None,
            "undone_by": self.undone_by,
            "undone_reason": self.undone_reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Who decides and why; raises UsageError when either is blank."""

    reason: str
    actor: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, option in (("reason", "--why"), ("actor", "--by")):
            object.__setattr__(self, name, visible(getattr(self, name)))
            if not getattr(self, name):
                raise UsageError("a decision says who made it and why", field=option, hint=f"give {option} TEXT")


def comparable_name(name: str) -> str:
    """The normalised form of a name; raises UsageError for one that names nobody."""
    form = normalise_name(name)
    if form in ("", _NOT_A_CUSTOMER):
        raise UsageError(
            "not the name of a customer",
            field="NAME",
            input_data=name,
            rule="a name with something left of it after normalising",
            hint="`wdh identity names NAME` shows what a name becomes",
        )
    return form


def company_key(written: str) -> str:
    """A company id in its stored form; raises UsageError for temporary ids and for what looks like no id."""
    text = "".join(narrow(written).split()).upper()
    if is_temporary(text):
        raise UsageError(
            "a temporary id stands for a name that nobody has identified, not for a company",
            field="COMPANY",
            input_data=written,
            hint="name the company itself; its rows follow by the name",
        )
    if len(text) > _LONGEST_COMPANY or not looks_like_id(text):
        raise UsageError(
            "not a company id",
            field="COMPANY",
            input_data=written,
            rule="capitals, digits, - and _",
            hint="`wdh identity review` shows the ids it knows",
        )
    return text


def plan_key(written: str | None) -> str | None:
    """A plan code in the form that facts hold it; null for none."""
    return (narrow(written).translate(_CODE_NOISE).strip().upper() or None) if written else None


def stands_already(wanted: Decision, standing: Iterable[Decision]) -> Decision | None:
    """The decision in force that says what `wanted` says, None where it is news.

    Raises UsageError, naming the standing decision, where the two cannot both be true or where merges
    would go round in a circle.
    """
    in_force = [made for made in standing if made.is_in_force]
    check = _check_merge if wanted.kind is DecisionKind.MERGE else _check_name
    return check(wanted, in_force)


def same_claim(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same, whoever made them and whether accepted or chosen."""
    same_place = (one.name, one.plan, one.to_company) == (other.name, other.plan, other.to_company)
    return same_place and (one.to_company is not None or one.from_company == other.from_company)


def followed(company: str, standing: Iterable[Decision]) -> str:
    """The company that stands for this one after all merges in force."""
    direct = {made.from_company: made for made in standing if made.kind is DecisionKind.MERGE and made.is_in_force}
    seen = {company}
    while (merge := direct.get(company)) and merge.to_company and merge.to_company not in seen:
        company = merge.to_company
        seen.add(company)
    return company


def _check_merge(wanted: Decision, standing: Sequence[Decision]) -> Decision | None:
    merges = {made.from_company: made for made in standing if made.kind is DecisionKind.MERGE}
    own = merges.get(wanted.from_company)
    if own is not None:
        return _same_or_refused(own, is_same=own.to_company == wanted.to_company)
    company = wanted.to_company
    while (made := merges.get(company)) is not None:
        company = made.to_company
        if company == wanted.from_company:
            raise _refused(made, "the two would be merged in a circle")
    return None


def _check_name(wanted: Decision, standing: Sequence[Decision]) -> Decision | None:
    if wanted.to_company:
        _refuse_merged(wanted, standing)
    own = [made for made in standing if made.name == wanted.name]
    if wanted.kind is DecisionKind.REJECT:
        known = (made for made in own if _rules_out(made, wanted.from_company, plan=wanted.plan))
        if (same := next(known, None)) is not None:
            return same
    else:
        settling = (made for made in own if made.plan == wanted.plan and made.kind is not DecisionKind.REJECT)
        if (there := next(settling, None)) is not None:
            return _same_or_refused(there, is_same=same_claim(wanted, there))
    for made in own:
        if _contradicts(wanted, made):
            raise _refused(made, "it cannot be true beside a decision in force")
    return None


def _rules_out(made: Decision, company: str | None, *, plan: str | None) -> bool:
    return made.to_company is None and made.from_company == company and made.plan in (None, plan)


def _contradicts(wanted: Decision, made: Decision) -> bool:
    """A company that is ruled out cannot be the right one there; ruling out within a plan may be an exception."""
    if wanted.to_company:
        return _rules_out(made, wanted.to_company, plan=wanted.plan)
    return made.to_company == wanted.from_company and wanted.plan in (None, made.plan)


def _refuse_merged(wanted: Decision, standing: Sequence[Decision]) -> None:
    for made in standing:
        if made.kind is DecisionKind.MERGE and made.from_company == wanted.to_company:
            now = followed(str(wanted.to_company), standing)
            raise _refused(made, f"{wanted.to_company} was merged", hint=f"name {now} instead, or undo the merge")


def _same_or_refused(made: Decision, *, is_same: bool) -> Decision:
    if is_same:
        return made
    raise _refused(made, "another decision is in force")


def _refused(made: Decision, message: str, *, hint: str | None = None) -> UsageError:
    who, undo = f"decision {made.decision_id} of {made.actor}", f"`wdh identity undo {made.decision_id} --why …`"
    if made.decision_id is None:
        who, undo = "another row", "correcting one of the two rows"
    return UsageError(
        f"{message}: {who} says {made.says}",
        operation="decide",
        input_data=made.reason,
        hint=hint or f"{undo} takes it back",
    )
