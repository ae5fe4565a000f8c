"""Chosen rows of a sheet as they stand in its XML: every column, numbers as numbers, with their number format."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from work_data_hub.domain.source import SheetChoice
from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.cell_address import column_index
from work_data_hub.io.headings import HeadingRow, Layout, lay_out
from work_data_hub.io.preflight import Workbook, inspect
from work_data_hub.io.readers import choose_sheet, filled_rows
from work_data_hub.io.sheet_scan import HEAD_ROWS, HeadRow
from work_data_hub.io.workbook_parts import (
    LONGEST_BYTES,
    STYLES_PART,
    WORKBOOK_PART,
    decoded,
    prefix_of,
    shared_texts,
    sheet_parts,
    text_in,
)

_ROW_NUMBER = re.compile(rb'[^>]*?\sr="([0-9]+)"')
_ADDRESS = re.compile(rb'\sr="([A-Z]+)[0-9]+"')
_TYPE, _STYLE = re.compile(rb'\st="(\w+)"'), re.compile(rb'\ss="([0-9]+)"')
_FROM_1904 = re.compile(rb'\sdate1904="(?:1|true)"')
_DAYS_TO_1904 = 1462
_OF_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_LETTERS = re.compile(r"[ymdh]|s{1,2}(?![a-z])", re.IGNORECASE)
_NO_LETTERS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|General', re.IGNORECASE)

NumberFormat = int | str
"""One of Excel's own formats by its number, or the text of another; 0 is the general one."""


@dataclass(frozen=True, slots=True)
class SourceCell:
    """What a cell holds: a number with its format, a truth value, or a text."""

    value: float | bool | str
    number_format: NumberFormat = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """A sheet's headings by column (counting from 0), where the declared columns stand, and cells by row and column."""

    headings: Mapping[int, str]
    columns: Mapping[str, int]
    cells: Mapping[int, Mapping[int, SourceCell]]


def source_rows(
    path: Path, *, label: str, sheet: str, headings: Mapping[str, str], rows: Collection[int]
) -> SourceRows:
    """Return the rows with these Excel numbers; `headings` gives the declared column of every heading.

    Formulas give their stored result; one without a result, and an error, are left out.
    Raises UnreadableWorkbook and SheetMissing as `read_sheet` does.
    """
    workbook = inspect(path, label=label)
    part = choose_sheet(sheet_parts(workbook), SheetChoice(names=(sheet,)), file=label)
    pieces = _Pieces(workbook, part.part, wanted=set(rows))
    head: list[HeadingRow] = filled_rows(workbook, pieces.head, prefix=pieces.prefix)
    layout: Layout = lay_out(head, headings=headings, required=(), file=label, sheet=sheet)
    return SourceRows(headings=head[0].texts, columns=layout.columns, cells=_Reader(workbook, pieces).cells())


class _Pieces:
    """The XML of the wanted rows by number, and of the first rows that hold values."""

    def __init__(self, workbook: Workbook, part: str, *, wanted: set[int]) -> None:
        self.prefix, self.head, self.rows = b"", list[HeadRow](), dict[int, bytes]()
        for piece in self._rows(workbook, part):
            found = _ROW_NUMBER.match(piece)
            if found is None:
                continue
            number = int(found[1])
            if number in wanted:
                self.rows[number] = piece
            if len(self.head) < HEAD_ROWS and (self._tag("v") in piece or self._tag("is") in piece):
                self.head.append(HeadRow(number=number, cells=piece))

    def _tag(self, name: str) -> bytes:
        return b"<" + self.prefix + name.encode()

    def _rows(self, workbook: Workbook, part: str) -> Iterator[bytes]:
        """What follows each row tag, up to the next; first what stands before all rows."""
        carry = b""
        for chunk in workbook.chunks(part):
            self.prefix = self.prefix or prefix_of(chunk)
            *whole, carry = (carry + chunk).split(self._tag("row"))
            yield from whole
        yield carry.partition(b"</" + self.prefix + b"sheetData")[0]


class _Reader:
    """Turns the XML of rows into cells."""

    def __init__(self, workbook: Workbook, pieces: _Pieces) -> None:
        p = re.escape(pieces.prefix)
        self._cell = re.compile(rb"<%bc\b([^>]*?)(?:/>|>(.*?)</%bc>)" % (p, p), re.DOTALL)
        self._value = re.compile(rb"<%bv\b[^>]*>([^<]*)<" % p)
        self._workbook, self._pieces = workbook, pieces
        self._formats = number_formats(workbook)
        self._from_1904 = _FROM_1904.search(workbook.content(WORKBOOK_PART)) is not None
        self._shared: dict[int, str] = {}

    def cells(self) -> dict[int, dict[int, SourceCell]]:
        raw = {number: list(self._raw(piece)) for number, piece in self._pieces.rows.items()}
        wanted = {int(text) for cells in raw.values() for _, kind, text, _ in cells if kind == "s" and text.isdecimal()}
        self._shared = shared_texts(self._workbook, wanted)
        return {
            number: {column: cell for column, kind, text, style in cells if (cell := self._typed(kind, text, style))}
            for number, cells in raw.items()
        }

    def _raw(self, piece: bytes) -> Iterator[tuple[int, str, str, int]]:
        """Column, type, raw text and style of each cell that holds a value."""
        for attributes, content in self._cell.findall(piece):
            where, kind, style = (pattern.search(attributes) for pattern in (_ADDRESS, _TYPE, _STYLE))
            value = self._value.search(content)
            name = kind[1].decode() if kind else "n"
            if where is None or (value is None and name != "inlineStr"):
                continue
            text = text_in(content) if value is None else decoded(value[1])
            yield column_index(where[1].decode()), name, text, int(style[1]) if style else 0

    def _typed(self, kind: str, text: str, style: int) -> SourceCell | None:
        match kind:
            case "s":
                return SourceCell(self._shared.get(int(text), "")) if text.isdecimal() else None
            case "b":
                return SourceCell(text == "1")
            case "n":
                return self._number(text, self._formats.get(style, 0))
            case "e":
                return None
            case _:
                return SourceCell(text)

    def _number(self, text: str, number_format: NumberFormat) -> SourceCell | None:
        try:
            number = float(text)
        except ValueError:
            return None
        if not math.isfinite(number):
            return SourceCell(text)
        if self._from_1904 and is_date(number_format):
            number += _DAYS_TO_1904
        return SourceCell(number, number_format)


def number_formats(workbook: Workbook) -> dict[int, NumberFormat]:
    """Return the number format of each cell style that has another than the general one."""
    part = workbook.parts.get(STYLES_PART)
    if part is None or part.file_size > LONGEST_BYTES:
        return {}
    try:
        root = fromstring(workbook.content(STYLES_PART), forbid_dtd=True)
    except (ParseError, DefusedXmlException) as error:
        raise UnreadableWorkbook(
            f"part {STYLES_PART} is damaged ({error})", file=workbook.label, hint="get the file again"
        ) from error
    namespace = root.tag.rpartition("}")[0] + "}" if "}" in root.tag else ""
    own = {f.get("numFmtId", ""): f.get("formatCode", "") for f in root.iter(f"{namespace}numFmt")}
    styles = (style.get("numFmtId", "0") for cells in root.iter(f"{namespace}cellXfs") for style in cells)
    known: dict[int, NumberFormat] = {}
    for number, name in enumerate(styles):
        given = own.get(name) or (int(name) if name.isdecimal() else 0)
        if given:
            known[number] = given
    return known


def is_date(number_format: NumberFormat) -> bool:
    """Say whether Excel shows a number of this format as a day or a time."""
    if isinstance(number_format, int):
        return number_format in _OF_DATES
    return _DATE_LETTERS.search(_NO_LETTERS.sub("", number_format)) is not None
