"""The state of every contract at every step of time, as a function of the facts alone."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from work_data_hub.domain.customers.contract_months import NO_FACTS, ContractMonth, by_month
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import (
    CONTRACT_KEY,
    NORMAL,
    STATES,
    STOPPED,
    month_of,
)

DAY = "datetime64[s]"
_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A day at which states are seen: the end of a month, or the turn of a year where `month` is None."""

    day: date
    month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The months that count, as month numbers in rising order, and the years that were cut over early."""

    months: tuple[int, ...]
    turns: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if list(self.months) != sorted(set(self.months)):
            raise ValueError("the months of a timeline stand in order, each once")

    def steps(self) -> tuple[Step, ...]:
        """The month ends and turns of the year in order.

        Every year after the first one turns, years without a month in between as well. The year after the
        last month turns when it was cut over.
        """
        made: list[Step] = []
        for before, month in zip((None, *self.months), self.months, strict=False):
            if before is not None:
                made += [_turn(year) for year in range(before // _MONTHS + 1, month // _MONTHS + 1)]
            made.append(Step(day=month_of(month + 1) - timedelta(days=1), month=month))
        made += [_turn(year) for year in self._early_turns()]
        return tuple(made)

    def first_step(self, month: int) -> date:
        """The day from which on steps depend on `month`, whether it counts (still) or not.

        It is the day after the end of the month that counts before it, so that turns in a gap belong to
        the month that ends the gap; `date.min` where no month counts before it.
        """
        before = self._month_before(month)
        return date.min if before is None else month_of(before + 1)

    def facts_from(self, month: int, *, rules: CustomerRules) -> int:
        """The first month whose facts the steps from `first_step(month)` on depend on.

        Mostly 12 months earlier. A turn looks at the month that counts before it, which may lie further back.
        """
        before = self._month_before(month)
        first_window = (month if before is None else before) - rules.contribution_months + 1
        judged_years = (month // _MONTHS, rules.status_year or month // _MONTHS)
        return min(first_window, *map(december_before, judged_years))

    def missing_decembers(self, *, since: int | None = None) -> tuple[int, ...]:
        """The Decembers that do not count though steps from `since` on ask for them: nothing is existing by them."""
        begin = date.min if since is None else self.first_step(since)
        asked = {december_before(step.day.year) for step in self.steps() if step.day >= begin}
        return tuple(sorted(asked - set(self.months)))

    def _early_turns(self) -> set[int]:
        return {month // _MONTHS + 1 for month in self.months[-1:]} & self.turns

    def _month_before(self, month: int) -> int | None:
        return max((one for one in self.months if one < month), default=None)


def december_before(year: int) -> int:
    """The month number of the December that a year is judged by."""
    return year * _MONTHS - 1


def states(facts: pd.DataFrame, timeline: Timeline, *, rules: CustomerRules, since: int | None = None) -> pd.DataFrame:
    """Return MONTHLY_FACTS as STATES: one row a step and contract that is there, in order of step and key.

    With `since`, only the steps from `timeline.first_step(since)` on; facts from
    `timeline.facts_from(since)` on are then enough, of all contracts: they are ranked against each other.
    Facts of months that do not count are left out. Raises DataError for amounts too large to be added.
    """
    begin = date.min if since is None else timeline.first_step(since)
    facts = facts[facts["month"].isin(timeline.months)]
    (codes,), keys = key_codes(facts)
    walk = _Walk(by_month(facts, codes, rules=rules), contracts=len(keys), rules=rules)
    seen = [walk.see(step) for step in timeline.steps()]
    return _frame([one for one in seen if one.day >= begin], keys)


def key_codes(*frames: pd.DataFrame) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Number the contracts of several frames alike, in order of their keys; the keys come as a frame.

    Raises ValueError for a key with a missing part.
    """
    together = pd.concat([frame[list(CONTRACT_KEY)] for frame in frames], ignore_index=True).astype("string")
    combined, distinct = np.zeros(len(together), dtype="int64"), []
    for name in CONTRACT_KEY:
        codes, texts = pd.factorize(together[name], sort=True)
        if (codes < 0).any():
            raise ValueError(f"{name} of a contract is missing")
        combined = combined * max(len(texts), 1) + codes
        distinct.append(texts)
    codes, found = pd.factorize(combined, sort=True)
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    return np.split(codes, ends), _keys(np.asarray(found), distinct)


def _keys(combined: np.ndarray, distinct: Sequence[pd.Index]) -> pd.DataFrame:
    columns = {}
    for name, texts in zip(reversed(CONTRACT_KEY), reversed(distinct), strict=True):
        combined, position = np.divmod(combined, max(len(texts), 1))
        columns[name] = pd.array(texts, dtype="string").take(position)
    return pd.DataFrame({name: columns[name] for name in CONTRACT_KEY})


def _turn(year: int) -> Step:
    return Step(day=date(year, 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The contracts that are there on a day, and their attributes; the arrays are parallel."""

    day: date
    contracts: np.ndarray
    is_normal: np.ndarray
    is_existing: np.ndarray
    is_strategic: np.ndarray
    status_year: int


class _Walk:
    """What is known of all contracts while the steps go by in order."""

    def __init__(self, facts: Mapping[int, ContractMonth], *, contracts: int, rules: CustomerRules) -> None:
        self._facts, self._rules = facts, rules
        self._paid = np.zeros(contracts, dtype="int64")
        self._paid_months: deque[int] = deque()
        self._upgraded, self._year = np.zeros(contracts, dtype=bool), 0
        self._there, self._is_normal = NO_FACTS.contracts, NO_FACTS.is_strategic

    def see(self, step: Step) -> _Seen:
        """The contracts that are there at the next step.

        At the end of a month those with facts in it; as a year opens those of the step before.
        """
        if step.month is not None:
            return self._month_end(step.day, self._facts.get(step.month, NO_FACTS), month=step.month)
        return self._seen(step.day, upgraded=np.zeros(len(self._there), dtype=bool))

    def _month_end(self, day: date, facts: ContractMonth, *, month: int) -> _Seen:
        self._pay(month, facts)
        self._upgrade(day.year, facts)
        self._there = facts.contracts
        self._is_normal = (facts.aum > 0) & (self._paid[facts.contracts] > 0)
        return self._seen(day, upgraded=self._upgraded[facts.contracts])

    def _pay(self, month: int, facts: ContractMonth) -> None:
        self._paid[facts.contracts] += facts.contributions
        self._paid_months.append(month)
        while self._paid_months and self._paid_months[0] <= month - self._rules.contribution_months:
            gone = self._facts.get(self._paid_months.popleft(), NO_FACTS)
            self._paid[gone.contracts] -= gone.contributions

    def _upgrade(self, year: int, facts: ContractMonth) -> None:
        if year != self._year:
            self._upgraded[:], self._year = False, year
        self._upgraded[facts.contracts[facts.is_strategic]] = True

    def _seen(self, day: date, *, upgraded: np.ndarray) -> _Seen:
        status_year = self._rules.status_year or day.year
        december = self._facts.get(december_before(status_year), NO_FACTS)
        return _Seen(
            day=day,
            contracts=self._there,
            is_normal=self._is_normal,
            is_existing=self._marked(december.contracts[december.aum > 0]),
            is_strategic=self._marked(december.contracts[december.is_strategic]) | upgraded,
            status_year=status_year,
        )

    def _marked(self, contracts: np.ndarray) -> np.ndarray:
        marks = np.zeros(len(self._paid), dtype=bool)
        marks[contracts] = True
        return np.asarray(marks[self._there])


def _frame(seen: Sequence[_Seen], keys: pd.DataFrame) -> pd.DataFrame:
    def joined(name: str, dtype: str) -> np.ndarray:
        return np.concatenate([np.empty(0, dtype=dtype), *(getattr(one, name) for one in seen)]).astype(dtype)

    contracts, counts = joined("contracts", "int64"), [len(one.contracts) for one in seen]
    frame = pd.DataFrame({name: keys[name].array.take(contracts) for name in CONTRACT_KEY})
    return frame.assign(
        step=np.repeat(np.array([one.day for one in seen], dtype=DAY), counts),
        contract_status=pd.array([STOPPED, NORMAL], dtype="string").take(joined("is_normal", "int64")),
        is_existing=joined("is_existing", "bool"),
        is_strategic=joined("is_strategic", "bool"),
        status_year=np.repeat(np.array([one.status_year for one in seen], dtype="int64"), counts),
    )[list(STATES)]
