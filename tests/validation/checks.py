"""What a scenario expected and saw, and how that is printed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from unicodedata import east_asian_width


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation of a scenario, and what was seen of it."""

    what: str
    expected: str
    seen: str
    holds: bool


def equal(what: str, seen: object, expected: object) -> Check:
    """That something is exactly so."""
    return Check(what=what, expected=_told(expected), seen=_told(seen), holds=seen == expected)


def above_zero(what: str, *seen: int) -> Check:
    """That all of these numbers are above 0."""
    told = ", ".join(map(str, seen))
    return Check(what=what, expected="> 0", seen=told, holds=bool(seen) and min(seen) > 0)


def true(what: str, holds: object, *, expected: str, seen: object) -> Check:
    """That a rule holds, in words."""
    return Check(what=what, expected=expected, seen=_told(seen), holds=bool(holds))


def broken(reason: str) -> Check:
    """That the scenario broke off."""
    return Check(what="the scenario goes through", expected="no error", seen=reason, holds=False)


def table(checks: Iterable[Check]) -> Iterator[str]:
    """A line a check: mark, what, expected, seen; columns aligned."""
    rows = [("", "what", "expected", "seen")]
    rows += [("✓" if one.holds else "✗", one.what, one.expected, one.seen) for one in checks]
    widths = [max(_width(row[place]) for row in rows) for place in range(3)]
    for row in rows:
        cells = [text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=False)]
        yield "  " + "  ".join([*cells, row[3]]).rstrip()


def _told(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    if isinstance(value, dict):
        return ", ".join(map(_told, value.values()))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)
