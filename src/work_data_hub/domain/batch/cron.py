"""The five fields of a cron line, checked without anything that runs them."""

import re

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?:\*|(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?")
# February has its leap day every few years, and that is a day that comes.
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def cron_problem(cron: str) -> str | None:
    """What is wrong with `minute hour day month weekday`, such as `*/15 6-20 * * 1-5`; None where nothing is.

    A day that none of the months has, such as the 31st of February, is wrong too.
    """
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return f"a schedule has five fields, minute hour day month weekday; this one has {len(fields)}"
    for text, (name, least, most) in zip(fields, _FIELDS, strict=True):
        if not all(_is_part(part, least=least, most=most) for part in text.split(",")):
            return f"{text!r} is no {name}: * or numbers from {least} to {most}, as 5, 1-5, 1,15 or */10"
    _, _, days, months, _ = fields
    if _earliest(days) > max(_DAYS_OF_MONTH[month - 1] for month in _months(months)):
        return f"no day {days} ever comes in month {months}; this schedule would never run"
    return None


def _is_part(part: str, *, least: int, most: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    first, last = int(match["first"] or least), int(match["last"] or match["first"] or most)
    return least <= first <= last <= most and 1 <= int(match["step"] or 1) <= most


def _earliest(days: str) -> int:
    return min(_first(part) for part in days.split(","))


def _months(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        bounds, _, step = part.partition("/")
        # 3/4 goes on to the end of the year, 3 alone is one month.
        end = len(_DAYS_OF_MONTH) if step or bounds == "*" else _first(part)
        found.update(range(_first(part), int(bounds.partition("-")[2] or end) + 1, int(step or 1)))
    return found


def _first(part: str) -> int:
    """The first day or month of a part; of `*` it is the first there is."""
    match = _PART.fullmatch(part)
    return int(match["first"] or 1) if match else 1
