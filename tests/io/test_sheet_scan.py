from pathlib import Path
from typing import Any

import pytest
from tests.sheets import MAIN, texts, write_parts, write_rows, write_xml

from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io import preflight, sheet_scan
from work_data_hub.io.cell_address import CellRange, address, column_index, column_letter
from work_data_hub.io.preflight import inspect
from work_data_hub.io.sheet_scan import FoundCell, SheetScan, scan_sheet
from work_data_hub.io.workbook_parts import shared_texts, sheet_parts

pytestmark = pytest.mark.unit


def scan(path: Path, **how: Any) -> SheetScan:
    workbook = inspect(path, label="a.xlsx")
    return scan_sheet(workbook, sheet_parts(workbook)[0].part, sheet="规模明细", **how)


def scan_xml(tmp_path: Path, rows: str, **how: Any) -> SheetScan:
    return scan(write_xml(tmp_path / "a.xlsx", rows, **how))


def refusal(tmp_path: Path, rows: str) -> str:
    with pytest.raises(UnreadableWorkbook) as caught:
        scan_xml(tmp_path, rows)
    return str(caught.value)


@pytest.fixture(params=[7, 64, 256 * 1024])
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that every tag is cut somewhere, and pieces as in life."""
    monkeypatch.setattr(preflight, "CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("chunk_bytes")
def test_special_cells_are_told_apart_wherever_the_stream_is_cut(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["h"], ["#N/A"], ["=1+1"], [True], [None], [""], ["text"], [1.5], [False], ["#REF!"]]

    found = scan(write_rows(tmp_path / "a.xlsx", rows, at=(4, 3)))

    assert found.errors == [FoundCell(5, 2, "#N/A"), FoundCell(13, 2, "#REF!")]
    assert found.uncached == [FoundCell(6, 2, "=1+1")]
    assert found.booleans == [FoundCell(7, 2, "TRUE"), FoundCell(12, 2, "FALSE")]
    assert (found.first_row, found.last_row) == (4, 13)


@pytest.mark.parametrize(
    ("cell", "uncached"),
    [
        ('<c r="A2"><f>A1</f></c>', ["=A1"]),
        ('<c r="A2"><f>A1</f><v></v></c>', ["=A1"]),
        ('<c r="A2"><f>A1&amp;"x"</f><v/></c>', ['=A1&"x"']),
        ('<c r="A2" t="str"><f>A1</f></c>', ["=A1"]),
        ('<c r="A2" t="str"><f>""</f><v></v></c>', []),
        ('<c r="A2" t="str"><f>""</f><v/></c>', []),
        ('<c r="A2" t="str"><f>A1</f><v>x</v></c>', []),
        ('<c r="A2"><f>A1</f><v>0</v></c>', []),
        ('<c r="A2"><f t="shared" si="0"/></c>', ["="]),
        ('<c r="A2"><f t="shared" si="0"/><v>1</v></c>', []),
        ('<c r="A2">\n <f t="array" ref="A2:A3">1</f>\n <v>3</v>\n</c>', []),
        ('<c r="A2" s="1"/><c r="B2"><f>A1</f></c>', ["=A1"]),
    ],
)
def test_a_formula_without_a_stored_result_is_found(tmp_path: Path, cell: str, uncached: list[str]) -> None:
    found = scan_xml(tmp_path, texts(1, "h") + f'<row r="2">{cell}</row><row r="3"><c r="A3"><v>1</v></c></row>')

    assert [cell.text for cell in found.uncached] == uncached


def test_an_error_in_a_formula_is_an_error_only(tmp_path: Path) -> None:
    found = scan_xml(tmp_path, '<row r="1"><c r="B1" s="2" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>')

    assert found.errors == [FoundCell(1, 1, "#DIV/0!")]
    assert not found.uncached


def test_the_dimension_tag_is_not_believed(tmp_path: Path) -> None:
    found = scan_xml(tmp_path, texts(1, "h"), before='<dimension ref="A1:XFD1048576"/>')

    assert (found.last_row, found.columns) == (1, 26)


def test_styled_blank_rows_are_not_data(tmp_path: Path) -> None:
    blank = "".join(f'<row r="{row}"><c r="A{row}" s="1"/><c r="XFD{row}" s="1"/></row>' for row in range(2, 20_000))

    found = scan_xml(tmp_path, texts(1, "h") + blank)

    assert (found.last_row, found.columns) == (1, 26)


def test_a_prefixed_sheet_is_read_as_well(tmp_path: Path) -> None:
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="b"><x:v>1</x:v></x:c>'
        '<x:c r="B1"><x:f>A1</x:f><x:v/></x:c></x:row></x:sheetData>'
        '<x:mergeCells><x:mergeCell ref="A1:A2"/></x:mergeCells></x:worksheet>'
    )

    found = scan(write_parts(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet}))

    assert (found.booleans, found.uncached) == ([FoundCell(1, 0, "TRUE")], [FoundCell(1, 1, "=A1")])
    assert found.merged == [CellRange(top=1, left=0, bottom=2, right=0)]


@pytest.mark.usefixtures("chunk_bytes")
def test_merged_ranges_stand_behind_the_rows(tmp_path: Path) -> None:
    after = (
        '<mergeCells count="2"><mergeCell ref="A2:A4"/><mergeCell ref="B2:AA2"/></mergeCells><pageMargins left="1"/>'
    )

    found = scan_xml(tmp_path, texts(1, "h"), after=after)

    assert [(m.top, m.left, m.bottom, m.right) for m in found.merged] == [(2, 0, 4, 0), (2, 1, 2, 26)]


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("blank_rows", ["", "".join(f'<row r="{row}"/>' for row in range(2, 1003))])
def test_data_behind_a_wide_gap_is_refused_with_its_row(tmp_path: Path, blank_rows: str) -> None:
    message = refusal(tmp_path, texts(1, "h") + blank_rows + texts(1003, "far"))

    assert "row 1003 holds data after 1001 blank rows" in message


@pytest.mark.usefixtures("chunk_bytes")
def test_a_gap_as_wide_as_allowed_is_kept(tmp_path: Path) -> None:
    assert scan_xml(tmp_path, texts(1, "h") + texts(1002, "near")).last_row == 1002


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (texts(1, "h") + '<row r="2"><c r="XFD2"><v>1</v></c></row>', "far to the right, in column 16384"),
        (texts(1, "h") + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>', "blank rows"),
        ('<row r="1048577"><c r="A1"><v>1</v></c></row>', "not in order"),
        ("<row><c><v>1</v></c></row>", "carry no numbers"),
        ('<row r="1"><c t="b"><v>1</v></c></row>', "carry no addresses"),
        ("<row r='1'><c r='XFD1'><v>1</v></c></row>", "carry no numbers"),
        ("<row r=\"1\"><c r='XFD1'><v>1</v></c></row>", "unusual way"),
        (texts(1, "h") + "<!-- <c/> -->", "unusual way"),
    ],
)
def test_a_sheet_that_is_not_as_sheets_are_is_refused(tmp_path: Path, rows: str, words: str) -> None:
    assert words in refusal(tmp_path, rows)


def test_too_many_cells_are_refused_before_they_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_scan, "MAX_CELLS", 90)

    assert "4 rows of 26 columns are too many cells" in refusal(tmp_path, texts(1, "h") + texts(4, "x"))


def test_too_many_special_cells_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_scan, "MAX_SPECIAL_CELLS", 2)
    cells = "".join(f'<c r="{letter}1" t="b"><v>1</v></c>' for letter in "ABC")

    assert "more than 2 errors" in refusal(tmp_path, f'<row r="1">{cells}</row>')


@pytest.mark.parametrize("sheet", ["<worksheet/>", "<worksheet><sheetData><row r='1'>", "<worksheet><sheetData>"])
def test_a_sheet_without_an_end_is_refused(tmp_path: Path, sheet: str) -> None:
    with pytest.raises(UnreadableWorkbook, match=r"damaged|cut off"):
        scan(write_parts(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet}))


def test_an_empty_sheet_has_no_rows(tmp_path: Path) -> None:
    found = scan(write_parts(tmp_path / "a.xlsx", {}))

    assert (found.first_row, found.last_row, found.head) == (None, None, [])


@pytest.mark.usefixtures("chunk_bytes")
def test_shared_texts_are_found_by_number(tmp_path: Path) -> None:
    table = (
        f'<sst xmlns="{MAIN}"><si><t>零</t></si><si/><si><r><t>二</t></r><rPh sb="0" eb="1"><t>er</t></rPh>'
        '<r><t xml:space="preserve"> &amp; 三</t></r></si><si><t>a_x000D_b</t></si></sst>'
    )
    workbook = inspect(write_parts(tmp_path / "a.xlsx", {"xl/sharedStrings.xml": table}), label="a.xlsx")

    assert shared_texts(workbook, {0, 1, 2, 3, 9}) == {0: "零", 1: "", 2: "二 & 三", 3: "a\rb"}


@pytest.mark.parametrize(("letters", "column"), [("A", 0), ("Z", 25), ("AA", 26), ("XFD", 16_383)])
def test_letters_and_numbers_of_columns(letters: str, column: int) -> None:
    assert (column_letter(column), column_index(letters), address(7, column)) == (letters, column, f"{letters}7")
