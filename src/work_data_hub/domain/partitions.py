"""A fact table in parts by month: which parts there are to be, and what is told of them."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class Span(StrEnum):
    """How much time a part holds."""

    YEAR = "year"
    MONTH = "month"


class Action(StrEnum):
    """What is to be done to a table."""

    PARTITION = "partition"
    EXTEND = "extend"
    UNDO = "undo"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of a table: parts `by` a span, None for those it has, years at first; or none at all."""

    by: Span | None = None
    undo: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """The days from `begin` up to `end`, which is not in it."""

    begin: date
    end: date

    @property
    def span(self) -> Span:
        """A month has at most 31 days."""
        return Span.MONTH if (self.end - self.begin).days <= 31 else Span.YEAR

    @property
    def suffix(self) -> str:
        """What the part's table is called behind its table's name: `2024`, `202410`."""
        return f"{self.begin:%Y%m}" if self.span is Span.MONTH else f"{self.begin:%Y}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRows:
    """A part of a table: its rows now, and whether it is still to be made."""

    name: str
    begin: date
    end: date
    rows: int
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionReport:
    """What is planned for a domain's table, or was done to it. `rest` are rows that no part of their own holds."""

    domain: str
    table: str
    action: Action
    rows: int
    rest: int = 0
    parts: tuple[PartRows, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report for machines; days as YYYY-MM-DD."""
        parts = [asdict(part) | {"begin": str(part.begin), "end": str(part.end)} for part in self.parts]
        return asdict(self) | {"action": self.action.value, "parts": parts}


def parts_for(months: Iterable[date], *, today: date, by: Span) -> tuple[Part, ...]:
    """Parts without a gap from the oldest month to the end of the year after the newest, or after today."""
    known = sorted([*months, today])
    return tuple(_parts(known[0], date(known[-1].year + 2, 1, 1), by=by))


def _parts(first: date, end: date, *, by: Span) -> Iterator[Part]:
    begin = first.replace(day=1) if by is Span.MONTH else date(first.year, 1, 1)
    while begin < end:
        following = _after(begin, by=by)
        yield Part(begin, following)
        begin = following


def _after(begin: date, *, by: Span) -> date:
    if by is Span.YEAR:
        return date(begin.year + 1, 1, 1)
    return date(begin.year + begin.month // 12, begin.month % 12 + 1, 1)
