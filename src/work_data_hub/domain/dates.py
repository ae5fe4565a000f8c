"""Days and months as people and spreadsheets write them."""

import calendar
import re
from datetime import date, timedelta

from work_data_hub.domain.period import FIRST_YEAR, LAST_YEAR
from work_data_hub.domain.text import is_blank, narrow

YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
"""The years that facts may be of."""

_TIME = r"(?:(?:T|\s+)(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?:(?P<day>\d\d){_TIME})?(?:\.0*)?",
        rf"(?P<year>\d{{4}})\s*(?P<dash>[-/.])\s*(?P<month>\d\d?)(?:\s*(?P=dash)\s*(?P<day>\d\d?){_TIME})?",
        rf"(?P<year>\d{{4}}|\d\d)\s*年\s*(?P<month>\d\d?)\s*月(?:份|\s*(?P<day>\d\d?)\s*[日号]?{_TIME})?",
    )
)
_SERIAL = re.compile(r"(?P<days>[0-9]{5})(?:\.[0-9]*)?")
_SERIAL_ZERO = date(1899, 12, 30)
_YEAR_ALONE = re.compile(r"[0-9]{4}\s*年?(?:\.0*)?")


def parse_day(text: str, *, serials: bool = True, years: range = YEARS) -> date | None:
    """Return the day that the text writes, None for a placeholder.

    A month stands for its first day. Read are, in both widths: 20251015, 202510, the same as
    a whole float (202510.0); year, month and day parted by `-`, `/` or `.`, with one or two
    digits, the day left out or not; 2025年10月15日, 2025年10月, 25年10月 (two digits below 50
    are 20xx); a time behind a day, of which nothing is kept; and, with `serials`, the day
    count of a spreadsheet (45566, 45566.25). 2025.1 is January: a number cell that lost the
    zero of 2025.10 looks the same, so compare with the period where there is one.
    A day outside `years` is refused. Raises ValueError, its message the rule that is broken.
    """
    if is_blank(text):
        return None
    written = narrow(text).strip()
    for form in _FORMS:
        if found := form.fullmatch(written):
            return _existing_day(_full_year(found["year"]), int(found["month"]), int(found["day"] or 1), years=years)
    if serials and (counted := _SERIAL.fullmatch(written)):
        return _within(years, _SERIAL_ZERO + timedelta(days=int(counted["days"])))
    if _YEAR_ALONE.fullmatch(written):
        raise ValueError("a year and a month, not a year alone")
    raise ValueError("a date such as 2025-10-15, 2025年10月 or 202510")


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 50 else 1900)


def _existing_day(year: int, month: int, day: int, *, years: range) -> date:
    if not 1 <= month <= 12:
        raise ValueError("a month from 1 to 12")
    if year not in years:
        raise ValueError(_rule(years))
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueError("a day that the month has")
    return date(year, month, day)


def _within(years: range, day: date) -> date:
    if day.year not in years:
        raise ValueError(_rule(years))
    return day


def _rule(years: range) -> str:
    return f"a year from {years[0]} to {years[-1]}"
