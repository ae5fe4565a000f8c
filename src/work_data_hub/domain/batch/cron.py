"""The five fields of a cron line, checked without anything that runs them."""

import re

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART = re.compile(r"(?:\*|(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?")


def cron_problem(cron: str) -> str | None:
    """What is wrong with `minute hour day month weekday`, such as `*/15 6-20 * * 1-5`; None where nothing is."""
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return f"a schedule has five fields, minute hour day month weekday; this one has {len(fields)}"
    for text, (name, least, most) in zip(fields, _FIELDS, strict=True):
        if not all(_is_part(part, least=least, most=most) for part in text.split(",")):
            return f"{text!r} is no {name}: * or numbers from {least} to {most}, as 5, 1-5, 1,15 or */10"
    return None


def _is_part(part: str, *, least: int, most: int) -> bool:
    match = _PART.fullmatch(part)
    if match is None:
        return False
    first, last = int(match["first"] or least), int(match["last"] or match["first"] or most)
    return least <= first <= last <= most and 1 <= int(match["step"] or 1) <= most
