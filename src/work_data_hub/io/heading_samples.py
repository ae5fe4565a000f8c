"""The headings of a sheet with a sample of the cells below them, read without reading the rest."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.domain.heading_signals import Sheet, SheetColumn
from work_data_hub.domain.source import SheetChoice
from work_data_hub.domain.text import fold, is_blank, visible
from work_data_hub.errors import NoDataRows
from work_data_hub.io.headings import HeadingRow
from work_data_hub.io.preflight import Workbook, inspect
from work_data_hub.io.readers import choose_sheet, filled_rows
from work_data_hub.io.sheet_scan import HEAD_ROWS, HeadRow
from work_data_hub.io.workbook_parts import prefix_of, sheet_parts

SAMPLE_ROWS = 2_000
MOST_BYTES = 32 * 1024 * 1024

_ROW_NUMBER = re.compile(rb'[^>]*?\sr="([0-9]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetSample:
    """The first rows of a sheet that hold anything: the headings, and rows of data below them."""

    sheet: str
    headings: HeadingRow
    rows: tuple[HeadingRow, ...]

    @property
    def head(self) -> tuple[HeadingRow, ...]:
        """The first rows, the headings among them, wherever they stand."""
        return (self.headings, *self.rows[: HEAD_ROWS - 1])

    def columns(self, known: Mapping[str, str]) -> Sheet:
        """Return the columns that have a heading, by place; `known` gives the meaning of headings."""
        meanings = {fold(heading): column for heading, column in known.items()}
        return tuple(
            SheetColumn(
                heading=visible(text),
                place=place,
                meaning=meanings.get(fold(text)),
                values=tuple(row.texts[place] for row in self.rows if not is_blank(row.texts.get(place))),
            )
            for place, text in sorted(self.headings.texts.items())
        )


def sample_sheet(path: Path, *, sheet: SheetChoice, label: str, rows: int = SAMPLE_ROWS) -> SheetSample:
    """Return the sheet's headings and at most `rows` rows below them, numbers as the file writes them.

    Raises UnreadableWorkbook, SheetMissing, and NoDataRows where the sheet is empty.
    """
    workbook = inspect(path, label=label)
    part = choose_sheet(sheet_parts(workbook), sheet, file=label)
    xml = _start(workbook, part.part, rows=rows + HEAD_ROWS)
    prefix = prefix_of(xml)
    found = filled_rows(workbook, list(_rows(xml, prefix)), prefix=prefix)
    if not found:
        raise NoDataRows("the sheet is empty", file=label, sheet=part.name, hint="check that this is the right sheet")
    return SheetSample(sheet=part.name, headings=found[0], rows=tuple(found[1 : rows + 1]))


def _start(workbook: Workbook, part: str, *, rows: int) -> bytes:
    """The sheet's XML until that many rows are whole, or to its end."""
    xml, row = bytearray(), b""
    for chunk in workbook.chunks(part):
        xml += chunk
        row = row or b"<" + prefix_of(chunk) + b"row"
        if xml.count(row) > rows or len(xml) > MOST_BYTES:
            return bytes(xml[: xml.rfind(row)])
    return bytes(xml)


def _rows(xml: bytes, prefix: bytes) -> Iterator[HeadRow]:
    end = xml.find(b"</" + prefix + b"sheetData")
    for cells in xml[: end if end >= 0 else len(xml)].split(b"<" + prefix + b"row")[1:]:
        number = _ROW_NUMBER.match(cells)
        if number is not None:
            yield HeadRow(number=int(number[1]), cells=cells)
