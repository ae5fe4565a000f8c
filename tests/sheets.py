"""Workbooks for tests: written by openpyxl, or from XML by hand where only the XML shows the point."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
RELS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{RELATIONS}/%s" Target="%s"/></Relationships>'
)


def write_rows(
    path: Path, rows: Sequence[Sequence[Any]], *, sheet: str = "规模明细", at: tuple[int, int] = (1, 1)
) -> Path:
    """A workbook of one sheet whose first cell stands at row and column `at`."""
    workbook = Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    worksheet.title = sheet
    for down, row in enumerate(rows):
        for right, value in enumerate(row):
            worksheet.cell(at[0] + down, at[1] + right, value)
    workbook.save(path)
    return path


def write_xml(
    path: Path,
    rows: str,
    *,
    before: str = "",
    after: str = "",
    sheet: str = "规模明细",
    more: Mapping[str, str] | None = None,
) -> Path:
    """A workbook whose only sheet has this XML inside, before and behind its `sheetData`."""
    worksheet = f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'
    return write_parts(path, {"xl/worksheets/sheet1.xml": worksheet, **(more or {})}, sheet=sheet)


def write_parts(path: Path, parts: Mapping[str, str | bytes], *, sheet: str = "规模明细") -> Path:
    """A workbook of the parts every workbook has, and these."""
    workbook = (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
        f'<sheets><sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    usual = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": RELS % ("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": workbook,
        "xl/_rels/workbook.xml.rels": RELS % ("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**usual, **parts}.items():
            archive.writestr(name, content)
    return path


def texts(row: int, *values: str, first: str = "A") -> str:
    """A row of inline texts from column `first` on."""
    cells = (
        f'<c r="{chr(ord(first) + at)}{row}" t="inlineStr"><is><t>{value}</t></is></c>'
        for at, value in enumerate(values)
    )
    return f'<row r="{row}">{"".join(cells)}</row>'
