"""Workbooks as Excel saves them, written as a stream, the same to the byte each time.

xlsxwriter keeps every cell in memory, or leaves out the shared strings that real files have,
and it always gives a formula a value; a month of 300,000 rows and planted faults need neither.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from work_data_hub.domain.sample.cells import Cell, ErrorCell, FormulaCell

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_START = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_START}<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf xfId="0"/><xf numFmtId="14" applyNumberFormat="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_DAY_ZERO = date(1899, 12, 30)
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ROWS_AT_ONCE = 500
_COMPRESSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetContent:
    """A sheet to write: rows of cells in order, read once, and how many there will be.

    Height and width go into the sheet's head, where readers look them up.
    """

    name: str
    rows: Iterable[Sequence[Cell]]
    height: int
    width: int

    @property
    def extent(self) -> str:
        """The range of its cells: `A1:W33001`, `A1` for an empty sheet."""
        return f"A1:{column_letters(self.width - 1)}{self.height}" if self.height else "A1"


def write_workbook(path: Path, sheets: Sequence[SheetContent]) -> None:
    """Write the sheets as one xlsx; the first is `xl/worksheets/sheet1.xml`."""
    strings: dict[str, int] = {}
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as archive:
        for name, text in _small_parts([sheet.name for sheet in sheets]).items():
            _write_part(archive, name, [text])
        for number, sheet in enumerate(sheets, start=1):
            _write_part(archive, f"xl/worksheets/sheet{number}.xml", _sheet_xml(sheet, strings))
        _write_part(archive, "xl/sharedStrings.xml", _strings_xml(strings))


def column_letters(position: int) -> str:
    """Return the letters of a column counted from 0: 0 is A, 26 is AA."""
    before, last = divmod(position, 26)
    return (column_letters(before - 1) if before else "") + chr(ord("A") + last)


def _write_part(archive: ZipFile, name: str, chunks: Iterable[str]) -> None:
    # Opened by name, a part is dated 1980: the bytes do not depend on the clock.
    with archive.open(name, "w", force_zip64=False) as part:
        for chunk in chunks:
            part.write(chunk.encode())


def _sheet_xml(sheet: SheetContent, strings: dict[str, int]) -> Iterator[str]:
    yield f'{_START}<worksheet xmlns="{MAIN}"><dimension ref="{sheet.extent}"/><sheetData>'
    numbered = enumerate(sheet.rows, start=1)
    letters = [column_letters(place) for place in range(sheet.width)]
    while batch := list(islice(numbered, _ROWS_AT_ONCE)):
        yield "".join(_row_xml(number, row, letters, strings) for number, row in batch)
    yield "</sheetData></worksheet>"


def _row_xml(number: int, row: Sequence[Cell], letters: list[str], strings: dict[str, int]) -> str:
    cells = [
        _XML_OF[type(cell)](f"{letter}{number}", cell, strings)
        for letter, cell in zip(letters, row, strict=False)
        if cell is not None
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


def _number_xml(place: str, cell: Cell, _: dict[str, int]) -> str:
    return f'<c r="{place}"><v>{cell!r}</v></c>'


def _text_xml(place: str, cell: Cell, strings: dict[str, int]) -> str:
    return f'<c r="{place}" t="s"><v>{strings.setdefault(str(cell), len(strings))}</v></c>'


def _flag_xml(place: str, cell: Cell, _: dict[str, int]) -> str:
    return f'<c r="{place}" t="b"><v>{cell:d}</v></c>'


def _day_xml(place: str, cell: Cell, _: dict[str, int]) -> str:
    return f'<c r="{place}" s="1"><v>{(cell - _DAY_ZERO).days}</v></c>' if isinstance(cell, date) else ""


def _error_xml(place: str, cell: Cell, _: dict[str, int]) -> str:
    return f'<c r="{place}" t="e"><v>{cell.text}</v></c>' if isinstance(cell, ErrorCell) else ""


def _formula_xml(place: str, cell: Cell, _: dict[str, int]) -> str:
    return f'<c r="{place}"><f>{escape(cell.text)}</f></c>' if isinstance(cell, FormulaCell) else ""


_XML_OF: dict[type, Callable[[str, Cell, dict[str, int]], str]] = {
    int: _number_xml,
    float: _number_xml,
    str: _text_xml,
    bool: _flag_xml,
    date: _day_xml,
    ErrorCell: _error_xml,
    FormulaCell: _formula_xml,
}


def _strings_xml(strings: dict[str, int]) -> Iterator[str]:
    yield f'{_START}<sst xmlns="{MAIN}" uniqueCount="{len(strings)}">'
    for text in strings:
        yield f'<si><t xml:space="preserve">{_UNWRITABLE.sub(_excel_escape, escape(text))}</t></si>'
    yield "</sst>"


def _excel_escape(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _small_parts(names: Sequence[str]) -> dict[str, str]:
    """Return the parts that hold no cell: content types, relations, the list of sheets, styles."""
    sheets = [(number, f"worksheets/sheet{number}.xml", quoteattr(name)) for number, name in enumerate(names, start=1)]
    listed = "".join(f'<sheet name={name} sheetId="{number}" r:id="rId{number}"/>' for number, _, name in sheets)
    return {
        "[Content_Types].xml": _content_types([part for _, part, _ in sheets]),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'{_START}<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(
            [
                *(("worksheet", part) for _, part, _ in sheets),
                ("styles", "styles.xml"),
                ("sharedStrings", "sharedStrings.xml"),
            ]
        ),
        "xl/styles.xml": _STYLES,
    }


def _content_types(sheets: Sequence[str]) -> str:
    kinds = {"workbook.xml": "sheet.main", "styles.xml": "styles", "sharedStrings.xml": "sharedStrings"}
    kinds |= dict.fromkeys(sheets, "worksheet")
    parts = "".join(
        f'<Override PartName="/xl/{part}" ContentType="{_CONTENT}.{kind}+xml"/>' for part, kind in kinds.items()
    )
    return (
        f'{_START}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{parts}</Types>"
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'{_START}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'
