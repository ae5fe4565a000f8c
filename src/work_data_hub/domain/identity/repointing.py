"""Which stored rows belong to another company by now: what was undone goes back, what is known moves on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Self

import pandas as pd

from work_data_hub.domain.identity.identified import DECISION
from work_data_hub.domain.identity.temporary import is_temporary

MERGE, DELIVERED = "merge", "existing_id"
BY_PLAN = ("index_plan_code", "same_load")
"""The sources of companies that rows have because of what other rows of their plan said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The company that rows stand under, by which matcher and how surely; source and confidence of facts only."""

    company_id: str | None
    source: str | None = None
    confidence: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has named the company yet: a temporary id, or none."""
        return self.company_id is None or is_temporary(self.company_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChange:
    """A change of an earlier apply, to be taken back: where its rows stood before and after it."""

    change_id: int
    before: Holding
    after: Holding
    decision_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of one table that are alike in all that decides their company.

    `undone` are the changes to take back, newest first. Facts are of one `month` (its first day) and have
    `money`, sums by column; `key` is the key of reference rows, which may have changed before (`has_past`).
    """

    table: str
    held: Holding
    row_ids: tuple[int, ...]
    name: str | None = None
    plan: str | None = None
    plan_type: str | None = None
    key: str | None = None
    undone: tuple[PastChange, ...] = ()
    has_past: bool = False
    month: date | None = None
    money: Mapping[str, Decimal | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of a group's holding: by a decision, back from an earlier change, or by knowledge alone."""

    before: Holding
    after: Holding
    decision_id: int | None = None
    reverses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repointed:
    """A group that changes, and the steps that lead there; the last one is where it ends."""

    group: Group
    steps: tuple[Step, ...]

    @property
    def after(self) -> Holding:
        return self.steps[-1].after

    @property
    def rows(self) -> int:
        return len(self.group.row_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the cascade says of a group today, merges left out, and the name and plan that it asked with."""

    holding: Holding
    name: str | None
    plan: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulings:
    """What people have decided: in force by name and plan (null: any plan), merges by company; and what was undone.

    `chosen` gives the decision; `ruled_out`, by name, the plan, the company and the decision; `withdrawn`, by
    name, the plan and the company that an undone decision named. `merges` gives the company a company was
    merged into and the decision, `unmerged` the companies whose merge into a company was undone. `doubted`
    gives, by plan and company, the decision that a name which taught the plan this company is not its.
    """

    chosen: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    ruled_out: Mapping[str, Sequence[tuple[str | None, str, int]]] = field(default_factory=dict)
    merges: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    withdrawn: Mapping[str, Sequence[tuple[str | None, str]]] = field(default_factory=dict)
    unmerged: Mapping[str, Sequence[str]] = field(default_factory=dict)
    doubted: Mapping[tuple[str | None, str | None], int] = field(default_factory=dict)

    @classmethod
    def of(cls, in_force: pd.DataFrame, *, undone: pd.DataFrame | None = None) -> Self:
        """Read frames of decision_id, kind, name, plan, from_company, to_company; null where there is none."""
        chosen: dict[tuple[str, str | None], int] = {}
        ruled_out: dict[str, list[tuple[str | None, str, int]]] = defaultdict(list)
        merges: dict[str, tuple[str, int]] = {}
        for number, kind, name, plan, start, end in _decisions(in_force):
            if kind == MERGE:
                merges[start] = (end, number)
            elif end is not None:
                chosen[name, plan] = number
            else:
                ruled_out[name].append((plan, start, number))
        withdrawn: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
        unmerged: dict[str, list[str]] = defaultdict(list)
        for _, kind, name, plan, start, end in _decisions(undone) if undone is not None else ():
            if kind == MERGE:
                unmerged[end] = [*{*unmerged[end], start}]
            elif end is not None:
                withdrawn[name].append((plan, end))
        return cls(chosen=chosen, ruled_out=ruled_out, merges=merges, withdrawn=withdrawn, unmerged=unmerged)

    def choosing(self, answer: Answer) -> int | None:
        """The decision that names the company of the name within the plan, else of the name."""
        if answer.holding.source != DECISION or answer.name is None:
            return None
        return self.chosen.get((answer.name, answer.plan), self.chosen.get((answer.name, None)))

    def against(self, answer: Answer, company: str | None) -> int | None:
        """The decision that the name, or the name within the plan, is not the company."""
        made = self.ruled_out.get(answer.name or "", ())
        found = (number for plan, out, number in made if self._is_about(answer, company, plan=plan, named=out))
        return next(found, None)

    def doubting(self, held: Holding, plan: str | None) -> int | None:
        """The decision against what made rows of the plan this company's, where nothing but the plan did."""
        return self.doubted.get((plan, held.company_id)) if held.source in BY_PLAN else None

    def withdrew(self, answer: Answer, company: str | None) -> bool:
        """Whether an undone decision said that the name, or the name within the plan, is the company."""
        made = self.withdrawn.get(answer.name or "", ())
        return any(self._is_about(answer, company, plan=plan, named=named) for plan, named in made)

    def followed(self, company: str | None) -> str | None:
        """The company that stands for this one after all merges."""
        return next((end for end, _ in reversed([*self.hops(company)])), company)

    def hops(self, company: str | None) -> Iterator[tuple[str, int]]:
        """Each company that the merges lead to from this one, and the decision; a circle ends where it repeats."""
        seen = {company}
        while company is not None and company in self.merges and self.merges[company][0] not in seen:
            company, number = self.merges[company]
            seen.add(company)
            yield company, number

    def left_by_undone(self, company: str) -> frozenset[str]:
        """The companies that merges led to this one which no longer do, in whichever order those were undone."""
        reached, found = {company}, set[str]()
        while more := {
            start
            for end, starts in self.unmerged.items()
            if reached & {end, self.followed(end)}
            for start in starts
            if start not in reached and self.followed(start) != company
        }:
            reached |= more
            found |= more
        return frozenset(found)

    def is_merged_into(self, company: str | None) -> bool:
        """Whether any merge leads to the company."""
        return any(self.followed(start) == company for start in self.merges)

    def _is_about(self, answer: Answer, company: str | None, *, plan: str | None, named: str) -> bool:
        return plan in (None, answer.plan) and company in (named, self.followed(named))


def _decisions(frame: pd.DataFrame) -> Iterator[tuple[int, str, Any, Any, Any, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    columns = ("decision_id", "kind", "name", "plan", "from_company", "to_company")
    return zip(*(plain[column] for column in columns), strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where facts went, by which decision, and whether they only went back."""

    company_id: str
    decision_id: int | None = None
    is_back: bool = False


Moves = Mapping[tuple[str | None, str | None], Move]
"""By key (null: any) and company of reference rows: where the facts moved that had both."""


def repointed_facts(groups: Sequence[Group], answers: Sequence[Answer], *, decisions: Rulings) -> tuple[Repointed, ...]:
    """The groups of facts that change, given what the cascade says of each.

    First go back the changes whose decision was undone, with all that came on top of them. Then a temporary
    or missing id becomes what the cascade names; a decision for, or against, a company is followed; rows that
    stand somewhere by a decision that is no more go where they would be without it, and so do rows that only
    their plan named, where a decision is against the name that taught it. Then merges are followed. Nothing
    else moves: a real id that knowledge alone contradicts stays.
    """
    return tuple(
        changed
        for group, answer in zip(groups, answers, strict=True)
        if (changed := _repointed(group, decisions, answer=answer))
    )


def repointed_values(groups: Sequence[Group], *, decisions: Rulings, moves: Moves) -> tuple[Repointed, ...]:
    """The groups of other rows holding a company that change: taken back, moved as the facts of their key, merged."""
    return tuple(changed for group in groups if (changed := _repointed(group, decisions, moves=moves)))


def _repointed(
    group: Group, decisions: Rulings, *, answer: Answer | None = None, moves: Moves | None = None
) -> Repointed | None:
    steps = list(_taken_back(group))
    held = steps[-1].after if steps else group.held
    again = _anew(held, answer, decisions) if answer else _moved(held, group, moves or {})
    if again:
        steps.append(again)
        held = again.after
    for company, number in decisions.hops(held.company_id):
        after = Holding(company_id=company, source=held.source and DECISION, confidence=held.confidence)
        steps.append(Step(before=held, after=after, decision_id=number))
        held = after
    if not steps or (held.company_id, held.source) == (group.held.company_id, group.held.source):
        return None
    return Repointed(group=group, steps=tuple(steps))


def _taken_back(group: Group) -> Iterator[Step]:
    """Back from one change after the other, as long as the rows stand where the change had put them."""
    held = group.held
    for change in group.undone:
        if change.after.company_id != held.company_id:
            return
        yield Step(before=held, after=change.before, decision_id=change.decision_id, reverses=change.change_id)
        held = change.before


def _anew(held: Holding, answer: Answer, decisions: Rulings) -> Step | None:
    """The step to what the cascade says, where that counts."""
    said, doubt = answer.holding, decisions.doubting(held, answer.plan)
    if held.is_open:
        after = None if said.is_open else said
    elif doubt is not None and said.source != DECISION:
        after = None if said.company_id == held.company_id else said
    elif said.source == DECISION or decisions.against(answer, held.company_id) is not None:
        after = None if decisions.followed(said.company_id) == held.company_id else said
    elif held.source == DECISION:
        after = _without_decision(held, answer, decisions)
    else:
        after = None
    if after is None:
        return None
    number = decisions.choosing(answer) or decisions.against(answer, held.company_id) or doubt
    return Step(before=held, after=after, decision_id=number)


def _without_decision(held: Holding, answer: Answer, decisions: Rulings) -> Holding | None:
    """Where rows go whose decision was undone; None where one in force may still be why they stand here.

    A row that was loaded while a merge was in force may have come with the id that was merged: where nothing
    else knows that id, or knows better, it comes back rather than another one.
    """
    said, company = answer.holding, held.company_id or ""
    if decisions.withdrew(answer, company):
        return said if said.company_id else None
    left, merged = decisions.left_by_undone(company), decisions.unmerged.get(company, ())
    if decisions.followed(said.company_id) in left:
        return said
    if len(merged) == 1 and not decisions.is_merged_into(company):
        return Holding(company_id=merged[0], source=DELIVERED, confidence=held.confidence)
    return said if merged and not said.is_open else None


def _moved(held: Holding, group: Group, moves: Moves) -> Step | None:
    """The step after the facts; a row with a past of its own goes back by that alone."""
    found = moves.get((group.key, held.company_id)) or moves.get((None, held.company_id))
    if found is None or (found.is_back and group.has_past):
        return None
    return Step(before=held, after=Holding(company_id=found.company_id), decision_id=found.decision_id)
