"""Whether the month that should be in by now is in; months nobody can have expected count for nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from work_data_hub.domain.period import Period

NEVER_DUE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthStanding:
    """What is known of a domain's last closed month: whether it is as it should be, and in words why.

    `month` is None where none is expected; `missing` are earlier months without a load, oldest first.
    """

    passed: bool
    text: str
    month: Period | None = None
    due: date | None = None
    newest: Period | None = None
    missing: tuple[Period, ...] = ()


def expected_month(today: date, *, due_day: int) -> Period:
    """The newest month that is due: the one before today's from `due_day` on, until then the one before that."""
    last = Period.of(today).previous
    return last if today.day >= due_day else last.previous


def judge_month(loaded: Collection[Period], *, today: date, due_day: int) -> MonthStanding:
    """How a domain stands that has loaded these months, whose months are due on `due_day` of the month after.

    Nothing is expected of a domain that has not loaded any month, nor of months before its first, nor where
    `due_day` is 0.
    """
    if due_day == NEVER_DUE:
        return MonthStanding(passed=True, text="no month is ever due: its due_day is 0")
    if not loaded:
        return MonthStanding(passed=True, text="no month has been loaded yet, so none is expected")
    month, first, newest = expected_month(today, due_day=due_day), min(loaded), max(loaded)
    if month < first:
        return MonthStanding(passed=True, text=f"{first} is the first month, and no later one is due", newest=newest)
    due = _due(month, due_day)
    missing = tuple(one for one in _months(first, month.previous) if one not in loaded)
    is_in = month in loaded
    said = f"{month} is in" if is_in else f"{month} was due on {due} and is not in; the newest month is {newest}"
    gaps = f"; missing before it: {_spans(missing)}" if missing else ""
    return MonthStanding(passed=is_in, text=f"{said}{gaps}", month=month, due=due, newest=newest, missing=missing)


def _due(month: Period, due_day: int) -> date:
    return month.following.first_day.replace(day=due_day)


def _spans(months: Sequence[Period]) -> str:
    """Months in a row as first to last."""
    spans: list[list[Period]] = []
    for month in months:
        if spans and spans[-1][-1].following == month:
            spans[-1].append(month)
        else:
            spans.append([month])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans)


def _months(first: Period, last: Period) -> list[Period]:
    months = []
    while first <= last:
        months.append(first)
        first = first.following
    return months
