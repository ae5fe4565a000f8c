"""Which months contracts are made of, which of them changed since, and from which one the history is made anew."""

from collections.abc import Mapping
from dataclasses import dataclass

from work_data_hub.domain.customers.contracts import Timeline
from work_data_hub.domain.customers.report import PERIODS_TABLE, TableCounts
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import month_number, month_of
from work_data_hub.domain.period import Period
from work_data_hub.io.contract_store import PeriodMark, cut_over_years, periods
from work_data_hub.io.customer_facts import fact_loads, fact_months, late_month
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.io.postgres import Cursor

_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a threading goes: to the newest month synced so far, or on to `month`; and a year opened early."""

    month: Period | None = None
    cut_over: int | None = None
    faults: Faults = NO_FAULTS


AS_FAR_AS_SYNCED = Reach()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Which months there are, which of them were loaded anew, and from which one the history is made again."""

    timeline: Timeline
    loads: Mapping[int, int | None]  # of every considered month
    marks: Mapping[int, PeriodMark]
    since: int
    other: tuple[int, ...]  # months that changed, or went, besides the one asked for

    @property
    def through(self) -> int:
        """The newest month that is considered, or was."""
        return max((*self.timeline.months, *self.marks))

    @property
    def newest(self) -> int | None:
        """The newest month that is considered."""
        return max(self.timeline.months, default=None)

    @property
    def to_note(self) -> dict[int, int | None]:
        """The months whose load has to be noted."""
        return {month: load for month, load in self.loads.items() if not _is_noted(self.marks, month, load)}

    @property
    def gone(self) -> list[int]:
        """The months that have no facts any more."""
        return sorted(set(self.marks) - set(self.timeline.months))


def look(cursor: Cursor, *, period: Period | None, reach: Reach) -> Sight | None:
    """The months as they are now, made anew from `period` (None: from the first); None where none is considered.

    Loads are read before facts: a load that commits in between is seen as new by the next sync.
    """
    marks, loaded = periods(cursor), fact_loads(cursor)
    if reach.month is None and not marks:
        return None
    end = max((*marks, *_number(reach.month)))
    months = tuple(month for month in fact_months(cursor) if month <= end)
    loads = {month: loaded.get(month) for month in months}
    changed = {month for month, load in loads.items() if not _is_noted(marks, month, load)}
    changed |= set(marks) - set(months)
    first = _number(period) or (min((*months, *marks)),)
    late = late_month(cursor)
    return Sight(
        timeline=Timeline(months=months, turns=cut_over_years(cursor) | _turn(reach)),
        loads=loads,
        marks=marks,
        since=min((*first, *changed, *(() if late is None else (late,)))),
        other=tuple(sorted(changed - {*_number(period), *_number(reach.month)})),
    )


def facts_since(sight: Sight, rules: CustomerRules, *, whole: bool) -> int:
    """The first month whose facts matter."""
    return min((*sight.timeline.months, sight.since)) if whole else sight.timeline.facts_from(sight.since, rules=rules)


def counted_months(sight: Sight) -> TableCounts:
    """The considered months: new ones, those whose load is another now, and those that went."""
    known = sum(month in sight.marks for month in sight.to_note)
    return TableCounts(
        table=PERIODS_TABLE,
        inserted=len(sight.to_note) - known,
        updated=known,
        deleted=len(sight.gone),
        skipped=len(sight.loads) - len(sight.to_note),
    )


def picked_up(sight: Sight) -> tuple[str, ...]:
    """The months besides the one asked for that the run takes along."""
    if not sight.other:
        return ()
    named = ", ".join(str(period_of(month)) for month in sight.other)
    if len(sight.other) > _MOST_NAMED:
        named = f"{len(sight.other)} months from {period_of(sight.other[0])} to {period_of(sight.other[-1])}"
    return (f"loaded or taken away since the last sync, made anew as well: {named}",)


def missing_decembers(sight: Sight) -> tuple[str, ...]:
    """The years made anew whose opening December is not there: nothing is judged as existing in them."""
    return tuple(
        f"{december} is not loaded: no contract of {december.year + 1} is existing, or strategic from the year before"
        for december in map(period_of, sight.timeline.missing_decembers(since=sight.since))
    )


def period_of(month: int) -> Period:
    """The month with that number."""
    return Period.of(month_of(month))


def _number(period: Period | None) -> tuple[int, ...]:
    return (month_number(period.first_day),) if period else ()


def _turn(reach: Reach) -> frozenset[int]:
    return frozenset() if reach.cut_over is None else frozenset((reach.cut_over,))


def _is_noted(marks: Mapping[int, PeriodMark], month: int, load: int | None) -> bool:
    return month in marks and marks[month].load_id == load
