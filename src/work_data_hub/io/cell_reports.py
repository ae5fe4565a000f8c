"""What the fast reader says about cells that do not fit their column, as values."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from work_data_hub.errors import UnreadableWorkbook

_REPORT = re.compile(r"Expected \w+ but got '(\w+)\((.*)\)'", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_DATE_TIME = re.compile(
    r"ExcelDateTime \{ value: (-?[0-9.e+-]+), datetime_type: (DateTime|TimeDelta), is_1904: (true|false) \}"
)
_ESCAPE = re.compile(r"\\(u\{([0-9a-fA-F]+)\}|.)", re.DOTALL)
_SHORT_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", '"': '"', "'": "'", "\\": "\\"}


class Content(StrEnum):
    """What a cell holds instead of what its column holds."""

    TEXT = "text"
    ERROR = "error"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class CellReport:
    """One such cell's content and its text; of an error the text is the reader's name for it."""

    content: Content
    text: str


def parse_report(detail: str) -> CellReport:
    """Return what the reader's sentence says; raise UnreadableWorkbook where it says something unknown.

    The content stands there as Rust prints values for debugging: `String("1,234.5")`, `Error(NA)`.
    """
    found = _REPORT.fullmatch(detail)
    kind, content = (found[1], found[2]) if found else ("", "")
    quoted, moment = _QUOTED.fullmatch(content), _DATE_TIME.fullmatch(content)
    if kind in {"String", "DateTimeIso", "DurationIso"} and quoted:
        return CellReport(Content.TEXT, _unescaped(quoted[1]))
    if kind == "DateTime" and moment:
        return CellReport(Content.TEXT, _moment(float(moment[1]), from_1904=moment[3] == "true"))
    if kind == "Error" and content.isalnum():
        return CellReport(Content.ERROR, content)
    if kind == "Bool" and content in {"true", "false"}:
        return CellReport(Content.BOOLEAN, content.upper())
    raise UnreadableWorkbook(
        "the reader reports a cell in a way this version does not know",
        input_data=detail,
        hint="this is a defect in WorkDataHub: install the locked version of fastexcel, or report it",
    )


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[2], 16)) if found[2] else _SHORT_ESCAPES[found[1]], text)


def _moment(serial: float, *, from_1904: bool) -> str:
    # Excel counts a 29 February 1900 that never was: up to 60, its days lie one later.
    first = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 31 if serial < 60 else 30)
    try:
        moment = first + timedelta(days=serial)
    except OverflowError:
        return str(serial)
    rounded = (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
    return rounded.isoformat(sep=" ")
