"""Chosen rows as they stand in a sheet's XML."""

from pathlib import Path

import pytest
from tests.sheets import MAIN, write_parts, write_rows, write_xml

from work_data_hub.io.source_rows import SourceCell, is_date, source_rows

pytestmark = pytest.mark.unit

HEADINGS = {"月度": "月度", "金额": "金额"}


def cells(path: Path, *rows: int, sheet: str = "规模明细") -> dict[int, dict[int, SourceCell]]:
    found = source_rows(path, label="x.xlsx", sheet=sheet, headings=HEADINGS, rows=rows)
    return {row: dict(cells) for row, cells in found.cells.items()}


def test_every_column_of_the_rows_asked_for_is_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.xlsx", [["备注", "月度", None, "金额"], ["甲", "202410", 3, 4.5], ["乙"], [True]])

    found = source_rows(path, label="x.xlsx", sheet="规模明细", headings=HEADINGS, rows=[2, 4, 99])

    assert found.headings == {0: "备注", 1: "月度", 3: "金额"}
    assert found.columns == {"月度": 1, "金额": 3}
    assert found.cells == {
        2: {0: SourceCell("甲"), 1: SourceCell("202410"), 2: SourceCell(3.0), 3: SourceCell(4.5)},
        4: {0: SourceCell(True)},
    }


def test_headings_may_stand_below_blank_rows(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.xlsx", [["月度", "金额"], ["202410", 7]], at=(4, 3))

    assert cells(path, 5) == {5: {2: SourceCell("202410"), 3: SourceCell(7.0)}}


@pytest.mark.parametrize(
    ("xml", "cell"),
    [
        ('<c r="A2"><f>1+1</f><v>2</v></c>', SourceCell(2.0)),
        ('<c r="A2" t="str"><f>"a"</f><v>甲&amp;乙</v></c>', SourceCell("甲&乙")),
        ('<c r="A2"><f>1+1</f></c>', None),
        ('<c r="A2" t="e"><v>#N/A</v></c>', None),
        ('<c r="A2" t="b"><v>0</v></c>', SourceCell(False)),
        ('<c r="A2"><v>1e999</v></c>', SourceCell("1e999")),
        ('<c r="A2"><v>1,5</v></c>', None),
    ],
)
def test_a_cell_is_its_stored_value(tmp_path: Path, xml: str, cell: SourceCell | None) -> None:
    head = '<row r="1"><c r="A1" t="inlineStr"><is><t>月度</t></is></c></row>'

    found = cells(write_xml(tmp_path / "x.xlsx", f'{head}<row r="2">{xml}</row>'), 2)

    assert found == {2: {} if cell is None else {0: cell}}


@pytest.mark.parametrize(
    ("number_format", "shows_days"),
    [(14, True), (9, False), (0, False), ("yyyy-mm", True), ('0.00"天d"', False), ("[Red]0.0", False), ("mm:ss", True)],
)
def test_formats_of_days_are_told_from_others(number_format: int | str, shows_days: bool) -> None:
    assert is_date(number_format) is shows_days


def test_days_counted_from_1904_are_counted_anew(tmp_path: Path) -> None:
    path = write_parts(
        tmp_path / "x.xlsx",
        {
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/'
            '2006/relationships"><workbookPr date1904="1"/><sheets><sheet name="规模明细" sheetId="1" r:id="rId1"/>'
            "</sheets></workbook>",
            "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
            "</styleSheet>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="inlineStr">'
            '<is><t>月度</t></is></c></row><row r="2"><c r="A2" s="1"><v>100</v></c><c r="B2"><v>100</v></c></row>'
            "</sheetData></worksheet>",
        },
    )

    assert cells(path, 2) == {2: {0: SourceCell(1562.0, 14), 1: SourceCell(100.0)}}
