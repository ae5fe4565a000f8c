"""Random histories of contracts, a store that threads them, and what they must come to, said slowly and plainly."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import NamedTuple

import pandas as pd
from hypothesis import strategies as st

from work_data_hub.domain.customers.contracts import Timeline, states
from work_data_hub.domain.customers.history import HistoryChanges, compare, thread
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import (
    AMOUNT_SCALE,
    CONTRACT_KEY,
    MONTHLY_FACTS,
    NORMAL,
    OPEN_END,
    STOPPED,
    VERSIONS,
    month_of,
)

DAYS = "datetime64[s]"
Key = tuple[str, str, str]
Attributes = tuple[str, bool, bool, int]  # in the order of ATTRIBUTES


class Fact(NamedTuple):
    """What a contract has in a branch in a month; amounts in whole 元."""

    aum: int
    paid: int = 0
    company: str = "600000001"
    plan: str = "P0001"
    line: str = "PL202"
    branch: str | None = "G01"

    @property
    def key(self) -> Key:
        """The contract that the fact is of."""
        return (self.company, self.plan, self.line)


Months = Mapping[int, Sequence[Fact]]
Deed = tuple[int, list[Fact] | None, bool]  # a month, its facts or None where they are taken away, is a sync to follow?


def month(text: str) -> int:
    """The number of the month that is written as 2024-10."""
    year, number = text.split("-")
    return int(year) * 12 + int(number) - 1


def monthly_facts(months: Months) -> pd.DataFrame:
    """MONTHLY_FACTS of months that list at most one fact a contract and branch."""
    rows = [
        (*fact.key, fact.branch, number, fact.aum * AMOUNT_SCALE, fact.paid * AMOUNT_SCALE)
        for number, facts in months.items()
        for fact in facts
    ]
    texts = dict.fromkeys((*CONTRACT_KEY, "branch_code"), "string")
    numbers = dict.fromkeys(("month", "aum", "contributions"), "int64")
    return pd.DataFrame(rows, columns=list(MONTHLY_FACTS)).astype({**texts, **numbers})


def versions_frame(rows: Iterable[tuple[Key, date, date, Attributes]]) -> pd.DataFrame:
    """VERSIONS in order of key and first day."""
    listed = [(*key, begun, ended, *attributes) for key, begun, ended, attributes in sorted(rows)]
    return pd.DataFrame(listed, columns=list(VERSIONS)).astype(
        {
            **dict.fromkeys((*CONTRACT_KEY, "contract_status"), "string"),
            **dict.fromkeys(("valid_from", "valid_to"), DAYS),
            **dict.fromkeys(("is_existing", "is_strategic"), "bool"),
            "status_year": "int64",
        }
    )


def expected_days(months: Iterable[int], turns: Iterable[int] = ()) -> list[tuple[date, int | None]]:
    """The steps: each day with its month, or with None where a year opens."""
    numbers = sorted(months)
    days: list[tuple[date, int | None]] = []
    for number in range(numbers[0], numbers[-1] + 13) if numbers else ():
        first_day = month_of(number)
        opens = first_day.month == 1 and number > numbers[0]
        is_next = opens and first_day.year == month_of(numbers[-1]).year + 1
        if opens and (number <= numbers[-1] or (is_next and first_day.year in set(turns))):
            days.append((first_day, None))
        if number in numbers:
            days.append((month_of(number + 1) - timedelta(days=1), number))
    return days


def expected_states(
    months: Months, rules: CustomerRules, turns: Iterable[int] = ()
) -> list[tuple[date, dict[Key, Attributes]]]:
    """The attributes of each contract that is there, at each step, from all facts."""
    seen: list[tuple[date, dict[Key, Attributes]]] = []
    for day, number in expected_days(months, turns):
        if number is None:
            there = {key: attributes[0] for key, attributes in seen[-1][1].items()}
            upgrades: list[int] = []
        else:
            there = {fact.key: _status(months, fact.key, number, rules) for fact in months[number]}
            upgrades = [one for one in months if one // 12 == number // 12 and one <= number]
        december = day.year * 12 - 1
        strategic = set[Key]().union(*(_strategic(months.get(one, ()), rules) for one in (december, *upgrades)))
        existing = {key for key in there if _aum(months.get(december, ()), key) > 0}
        seen.append(
            (day, {key: (status, key in existing, key in strategic, day.year) for key, status in there.items()})
        )
    return seen


def expected_versions(months: Months, rules: CustomerRules, turns: Iterable[int] = ()) -> pd.DataFrame:
    """The whole history, step by step and contract by contract."""
    running: dict[Key, tuple[date, Attributes]] = {}
    ended: list[tuple[Key, date, date, Attributes]] = []
    opening = {day for day, number in expected_days(months, turns) if number is None}
    for day, there in expected_states(months, rules, turns):
        for key, (begun, attributes) in list(running.items()):
            if there.get(key) != attributes or day in opening:
                ended.append((key, begun, day, attributes))
                del running[key]
        for key, attributes in there.items():
            running.setdefault(key, (day, attributes))
    return versions_frame([*ended, *((key, begun, OPEN_END, one) for key, (begun, one) in running.items())])


def _status(months: Months, key: Key, number: int, rules: CustomerRules) -> str:
    window = range(number - rules.contribution_months + 1, number + 1)
    paid = sum(fact.paid for one in window for fact in months.get(one, ()) if fact.key == key)
    return NORMAL if _aum(months[number], key) > 0 and paid > 0 else STOPPED


def _aum(facts: Sequence[Fact], key: Key) -> int:
    return sum(fact.aum for fact in facts if fact.key == key)


def _strategic(facts: Sequence[Fact], rules: CustomerRules) -> set[Key]:
    return {
        fact.key
        for fact in facts
        if fact.aum > 0 and (fact.aum >= rules.strategic_threshold or _is_top(fact, facts, rules))
    }


def _is_top(fact: Fact, facts: Sequence[Fact], rules: CustomerRules) -> bool:
    larger = [one for one in facts if (one.branch, one.line) == (fact.branch, fact.line) and one.aum > fact.aum]
    return len(larger) < rules.whitelist_top_n


@dataclass(kw_only=True)
class Store:
    """Facts, versions and considered months as a warehouse keeps them: every sync threads what changed, no more."""

    rules: CustomerRules
    facts: dict[int, Sequence[Fact]] = field(default_factory=dict)
    versions: pd.DataFrame = field(default_factory=lambda: versions_frame([]))
    synced: set[int] = field(default_factory=set)
    turns: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)

    def put(self, number: int, facts: Sequence[Fact] | None) -> None:
        """Load a month without threading; None takes all its facts away."""
        self.changed.add(number)
        self.facts.pop(number, None)
        if facts is not None:
            self.facts[number] = facts

    def sync(self, number: int) -> HistoryChanges:
        """Thread from the earliest month that differs, reading only the facts that this takes."""
        through = max({*self.synced, number})
        considered = {one for one in self.facts if one <= through}
        since = min({number, *(considered ^ self.synced), *(one for one in self.changed if one <= through)})
        self.synced, self.changed = considered, {one for one in self.changed if one > through}
        return self.thread(since)

    def cut_over(self, year: int) -> HistoryChanges:
        """Open a year before its first month."""
        self.turns.add(year)
        return self.thread(year * 12)

    def thread(self, since: int | None) -> HistoryChanges:
        """Thread from a month on, and apply what differs."""
        read = min(self.synced, default=0) if since is None else self.timeline.facts_from(since, rules=self.rules)
        facts = monthly_facts({one: self.facts[one] for one in self.synced if one >= read})
        found = states(facts, self.timeline, rules=self.rules, since=since)
        changes = compare(self.versions, thread(self.versions, found, timeline=self.timeline, since=since))
        self.versions = applied(self.versions, changes)
        return changes

    @property
    def timeline(self) -> Timeline:
        """The considered months and the years cut over."""
        return Timeline(months=tuple(sorted(self.synced)), turns=frozenset(self.turns))

    @property
    def considered(self) -> dict[int, Sequence[Fact]]:
        """The facts that count."""
        return {one: self.facts[one] for one in sorted(self.synced)}


def applied(stored: pd.DataFrame, changes: HistoryChanges) -> pd.DataFrame:
    """The stored versions after the changes, as a database applies them: found by key and first day."""
    rows = _by_first_day(stored)
    for gone in _by_first_day(changes.deleted):
        del rows[gone]
    for frame in (changes.closed, changes.updated):
        new = _by_first_day(frame)
        assert new.keys() <= rows.keys()
        rows |= new
    added = _by_first_day(changes.inserted)
    assert not added.keys() & rows.keys()
    return versions_frame((key, begun, *rest) for (key, begun), rest in (rows | added).items())


def _by_first_day(versions: pd.DataFrame) -> dict[tuple[Key, date], tuple[date, Attributes]]:
    return {
        ((company, plan, line), begun.date()): (ended.date(), (status, existing, strategic, year))
        for company, plan, line, begun, ended, status, existing, strategic, year in versions.itertuples(index=False)
    }


# Few values, so that contracts meet: the end of a year, gaps of months and of more than a year, a month much later.
MONTHS = tuple(
    month(text)
    for text in (
        *("2021-11", "2021-12", "2022-01", "2022-02", "2022-03", "2022-12"),
        *("2023-01", "2023-07", "2025-03"),
    )
)


def facts_of_a_month() -> st.SearchStrategy[list[Fact]]:
    """A month in which most contracts meet most others, few are there, or none is."""
    return st.integers(min_value=0, max_value=2**32).map(_month_by_chance)


def _month_by_chance(seed: int) -> list[Fact]:
    # Drawn from a seed: lists that Hypothesis grows itself are mostly too short for contracts to meet.
    chance = random.Random(seed)
    share = chance.choice((0.0, 0.3, 0.8, 0.8, 0.8))
    places = product(("600000001", "600000002"), ("PL201", "PL202"), (None, "G01"))
    return [
        Fact(
            aum=chance.choice((-3, 0, 1, 1, 1, 2, 10)),
            paid=chance.choice((-1, 0, 0, 0, 1)),
            company=company,
            line=line,
            branch=branch,
        )
        for company, line, branch in places
        if chance.random() < share
    ]


def some_rules() -> st.SearchStrategy[CustomerRules]:
    """Rules under which few facts decide much."""
    return st.builds(
        CustomerRules,
        strategic_threshold=st.sampled_from((Decimal(2), Decimal(10))),
        whitelist_top_n=st.sampled_from((0, 0, 1)),
        contribution_months=st.sampled_from((1, 3, 12, 15)),
    )


def whole_histories() -> st.SearchStrategy[dict[int, list[Fact]]]:
    """Facts of some months."""
    return st.dictionaries(st.sampled_from(MONTHS), facts_of_a_month(), min_size=3) | st.just({})


def deeds() -> st.SearchStrategy[list[Deed]]:
    """Months in any order with their facts (None: taken away), corrections among them, and whether a sync follows."""
    deed = st.tuples(st.sampled_from(MONTHS), st.none() | facts_of_a_month() | facts_of_a_month(), st.booleans())
    return st.lists(deed, min_size=5, max_size=10)


def played(rules: CustomerRules, done: Iterable[Deed], cut_over: Iterable[int] = ()) -> Store:
    """A store after those deeds, all synced at last; a year is cut over as soon as its December is the newest month."""
    store = Store(rules=rules)
    for number, facts, is_synced in done:
        store.put(number, facts)
        if is_synced:
            store.sync(number)
        for year in set(cut_over) - store.turns:
            if store.synced and max(store.synced) == year * 12 - 1:
                store.cut_over(year)
    store.sync(max((*store.facts, *store.changed, *store.synced), default=MONTHS[-1]))
    return store
