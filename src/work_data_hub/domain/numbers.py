"""Amounts and rates as people write them, read exactly."""

import re
from decimal import Decimal

from work_data_hub.domain.text import is_blank, narrow

_CURRENCY = "¥$€£₽"
_NUMBER = re.compile(
    rf"""
    (?P<lead>[-+({_CURRENCY}]*)
    (?P<whole>[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[1-9][0-9]{{0,3}}(?:,[0-9]{{4}})+|[0-9]+|(?=\.[0-9]))
    (?:\.(?P<fraction>[0-9]*))?
    (?:[eE](?P<exponent>[-+]?[0-9]{{1,2}}))?
    (?P<tail>[-+)%万亿元{_CURRENCY}]*)
    """,
    re.VERBOSE,
)
_UNIT = re.compile(r"万元|亿元|万|亿|元|%")
_POWER_OF_TEN = {"": 0, "元": 0, "万": 4, "万元": 4, "亿": 8, "亿元": 8, "%": -2}
_SIGN = {"#": "", "+#": "", "#+": "", "-#": "-", "#-": "-", "(#)": "-"}
_LOOSE_SPACE = re.compile(r"(?<![0-9.,]) | (?![0-9.,])")

# The first that fits tells the reader which rule the text breaks.
_RULES = (
    (re.compile(r"\x00"), "no NUL character in a number"),
    (re.compile(r"[-+]?inf(inity)?", re.IGNORECASE), "a finite number"),
    (re.compile(r"\..*\."), "one decimal point at most"),
    (re.compile(r"[^\W\d_万亿元]"), "digits without letters or words; 元 万 亿 % may follow"),
    (re.compile(r","), "commas only between whole groups of three (or four) digits, before the point"),
    (re.compile(r"[0-9.]\s+[0-9.]"), "one number in a cell, no space between digits"),
    (re.compile(r"[0-9][-+/*][0-9]"), "one number in a cell, no range, sum or fraction"),
)
_OTHERWISE = "a number such as -1,234.50, (100), 1.5万 or 12%"


def parse_number(text: str, *, unit_power: int = 0) -> Decimal | None:
    """Return the exact number that the text writes, None for a placeholder.

    Read are digits, points, signs and commas of both widths; commas only where they part
    the whole into groups of three digits (1,234,567) or of four (1,2345,6789), so that 1,2
    and 0,5 are refused rather than guessed; one currency sign on either side; 元, 万, 万元,
    亿, 亿元 or % behind (12% is 0.12); one minus or plus before or behind, or parentheses
    for a negative; an exponent up to two digits. Spaces may stand anywhere but between
    digits. Raises ValueError, its message the rule that is broken.

    A written unit is converted into that of the column, 10 ** `unit_power` 元: 1.5亿 in a column of
    亿元 (8) is 1.5. A bare number is in the column's unit already.
    """
    if is_blank(text):
        return None
    written = _LOOSE_SPACE.sub("", " ".join(narrow(text).replace("−", "-").split()))
    found = _NUMBER.fullmatch(written)
    marks = _read_marks(found["lead"], found["tail"], unit_power) if found else None
    if found is None or marks is None:
        raise ValueError(_broken_rule(written))
    sign, power = marks
    return _exact(sign, found["whole"], found["fraction"], int(found["exponent"] or 0) + power)


def _read_marks(lead: str, tail: str, unit_power: int) -> tuple[str, int] | None:
    """Return sign and power of ten of the marks around the digits, None when they contradict."""
    bare, currencies = re.subn(f"[{_CURRENCY}]", "", f"{lead}#{tail}")
    unit = _UNIT.search(bare)
    frame = _UNIT.sub("", bare, count=1)
    if currencies > 1 or frame not in _SIGN:
        return None
    written = unit[0] if unit else ""
    return _SIGN[frame], _POWER_OF_TEN[written] - (unit_power if written not in ("", "%") else 0)


def _exact(sign: str, whole: str, fraction: str | None, exponent: int) -> Decimal:
    # Arithmetic would round to the context's precision; reading digits never does.
    value = Decimal(f"{sign}{whole.replace(',', '') or '0'}.{fraction or ''}e{exponent}")
    return Decimal(f"{value:f}") if value else Decimal(0)


def _broken_rule(written: str) -> str:
    return next((words for pattern, words in _RULES if pattern.search(written)), _OTHERWISE)
