"""How a name came to its company, in words: what each matcher says, why it is silent, what has changed since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from work_data_hub.domain.identity.cascade import Trace
from work_data_hub.domain.identity.decisions import Decision, DecisionKind, followed
from work_data_hub.domain.identity.evidence import IndexEntry, Search
from work_data_hub.domain.identity.knowledge import EXCLUDED_ENTRY, KeyKind

_INDEX = "index_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An entry of the override files: its id, who answers for it, since when and why."""

    company_id: str
    owner: str
    date: str
    reason: str

    @property
    def words(self) -> str:
        """The entry in a sentence."""
        what = "no company" if self.company_id == EXCLUDED_ENTRY else self.company_id
        return f"{what}, {self.owner} {self.date}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What a row is identified by, in the form that matchers compare; null where there is nothing usable."""

    name: str | None
    plan: str | None
    is_single: bool
    existing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClues:
    """What is on record about one row's clues; `is_asked` is false without a warehouse."""

    plan_override: Settled | None = None
    name_override: Settled | None = None
    decisions: tuple[Decision, ...] = ()
    entries: tuple[IndexEntry, ...] = ()
    search: Search | None = None
    is_asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One matcher: its answer, or why it has none; the first with an answer decides.

    `company_id` is null without an answer, "" where the answer is that there is no company.
    """

    matcher: str
    says: str
    company_id: str | None
    confidence: float | None
    decides: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        """The step as JSON reports give it."""
        return {
            "matcher": self.matcher,
            "says": self.says,
            "company_id": self.company_id,
            "confidence": self.confidence,
            "decides": self.decides,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A row's whole explanation; `stored` is what the warehouse holds, `since` why today's answer may differ."""

    written: str
    clue: Clue
    rules: tuple[str, ...]
    steps: tuple[Step, ...]
    stored: tuple[str, ...] = ()
    since: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    place: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decisive(self) -> Step | None:
        """The matcher that decides, None where the row stays without a company."""
        return next((step for step in self.steps if step.decides), None)

    @property
    def company_id(self) -> str | None:
        """The company by what is known today."""
        return (self.decisive.company_id or None) if self.decisive else None

    def as_json(self) -> dict[str, Any]:
        """The explanation as JSON reports give it."""
        return {
            "place": self.place,
            "written": self.written,
            "name": self.clue.name,
            "plan": self.clue.plan,
            "is_single_plan": self.clue.is_single,
            "existing_id": self.clue.existing,
            "rules": list(self.rules),
            "steps": [step.as_json() for step in self.steps],
            "company_id": self.company_id,
            "decided_by": self.decisive.matcher if self.decisive else None,
            "stored": list(self.stored),
            "since": list(self.since),
            "not_checked": list(self.not_checked),
            **self.facts,
        }


def steps_of(traces: Sequence[Trace], clue: Clue, known: KnownClues) -> tuple[Step, ...]:
    """Each matcher's answer with its evidence, or why it has none."""
    # What merges replace keeps its matcher here, so the first answer is the one that counts.
    deciding = next((trace.matcher for trace in traces if trace.company_id is not None), None)
    return tuple(
        Step(
            matcher=trace.matcher,
            says=trace.says,
            company_id=trace.company_id,
            confidence=trace.confidence,
            decides=trace.matcher == deciding,
            detail="; ".join(_details(trace, clue, known)),
        )
        for trace in traces
    )


def differences(known: KnownClues, *, loaded_at: datetime | None) -> tuple[str, ...]:
    """What came to be known after a row was loaded, as sentences."""
    if loaded_at is None:
        return ()
    return tuple(_later(known, loaded_at))


def _details(trace: Trace, clue: Clue, known: KnownClues) -> Iterator[str]:
    if trace.matcher == "plan_override":
        yield _by_hand(known.plan_override, missing=None if clue.plan else "no plan code")
    elif trace.matcher == "name_override":
        yield _by_hand(known.name_override, missing=None if clue.name else "no usable name")
    elif trace.matcher == "decision":
        yield from _decided(known)
    elif trace.matcher.startswith(_INDEX):
        yield from _indexed(KeyKind(trace.matcher.removeprefix(_INDEX)), clue, known)
    elif trace.matcher == "existing_id":
        yield "it stands in the row" if clue.existing else "the row has no usable id"
    elif trace.matcher == "registry":
        yield _searched(known)
    elif trace.matcher == "same_load":
        yield "only the other rows of a load can tell"
    else:
        yield "made from the name" if clue.name else "no usable name: the row stays without a company"
    yield from _ruled_or_merged(trace, known)


def _by_hand(entry: Settled | None, *, missing: str | None) -> str:
    return entry.words if entry else missing or "no entry in the configuration"


def _decided(known: KnownClues) -> Iterator[str]:
    if not known.is_asked:
        yield "not looked at: no warehouse"
        return
    about = [made for made in known.decisions if made.kind is not DecisionKind.MERGE]
    if not about:
        yield "nobody has decided about this name"
    for made in about:
        yield _made(made)


def _made(made: Decision) -> str:
    when = f" {made.decided_at:%Y-%m-%d}" if made.decided_at else ""
    undone = f", undone by {made.undone_by}: {made.undone_reason}" if not made.is_in_force else ""
    return f"decision {made.decision_id} of {made.actor}{when}: {made.says} ({made.reason}){undone}"


def _indexed(kind: KeyKind, clue: Clue, known: KnownClues) -> Iterator[str]:
    missing = _no_key(kind, clue)
    if missing or not known.is_asked:
        yield missing or "not looked at: no warehouse"
        return
    found = [entry for entry in known.entries if entry.kind is kind]
    if not found:
        yield "no entry for this key"
    for entry in found:
        yield _entry(entry)


def _no_key(kind: KeyKind, clue: Clue) -> str | None:
    if kind is not KeyKind.PLAN_CODE and clue.name is None:
        return "no usable name"
    if kind in (KeyKind.PLAN_CODE, KeyKind.PLAN_CUSTOMER) and clue.plan is None:
        return "no plan code"
    if kind is KeyKind.PLAN_CODE and not clue.is_single:
        return "not a single plan: its code stands for many companies"
    return None


def _entry(entry: IndexEntry) -> str:
    where = f" from {entry.source_domain}" if entry.source_domain else ""
    learnt = f"{entry.company_id}, {entry.source}{where} {entry.updated_at:%Y-%m-%d}, used {entry.hit_count:,} times"
    if entry.is_ambiguous:
        return f"{learnt}; not usable: several companies had this name"
    if entry.is_expired:
        return f"{learnt}; not usable: expired {entry.expires_at:%Y-%m-%d}"
    if entry.is_outdated:
        return f"{learnt}; not usable: its key is of normaliser {entry.normaliser_version}"
    return learnt


def _searched(known: KnownClues) -> str:
    if not known.is_asked:
        return "not asked: no warehouse to know what it answered"
    search = known.search
    if search is None:
        return "not asked here; it was never asked for this name"
    best = f", best {search.best.words}" if search.best else ""
    return f"not asked here; asked on {search.asked_at:%Y-%m-%d} for {search.searched_name!r}: {search.outcome}{best}"


def _ruled_or_merged(trace: Trace, known: KnownClues) -> Iterator[str]:
    """Decisions beside the matcher's own that change its answer."""
    if trace.matcher == "decision":
        return
    told = {entry.company_id for entry in known.entries if trace.matcher == f"{_INDEX}{entry.kind}"}
    for made in known.decisions:
        if not made.is_in_force:
            continue
        if made.kind is DecisionKind.MERGE and trace.company_id == followed(str(made.from_company), known.decisions):
            if made.from_company in told or not told:
                yield f"merged: {_made(made)}"
        elif trace.company_id is None and made.to_company is None and made.from_company in told:
            yield f"ruled out: {_made(made)}"


def _later(known: KnownClues, loaded_at: datetime) -> Iterator[str]:
    for made in known.decisions:
        if made.decided_at and made.decided_at > loaded_at:
            yield f"decided since: {_made(made)}"
        elif made.undone_at and made.undone_at > loaded_at:
            yield f"undone since: {_made(made)}"
    for entry in known.entries:
        if entry.updated_at > loaded_at:
            yield f"the index learned since: {entry.kind} {_entry(entry)}"
    if known.search and known.search.asked_at > loaded_at:
        yield f"the registry was asked since, {known.search.asked_at:%Y-%m-%d}: {known.search.outcome}"
