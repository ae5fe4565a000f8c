"""The rejects workbook as its owner opens it."""

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook
from tests.performance_rows import performance_rows, refined

from work_data_hub.io.rejects_workbook import write_rejects

pytestmark = pytest.mark.unit

ROWS = performance_rows(供款=["=1+1", "@x", 1.0], 客户名称=["=cmd|' /C calc'!A0", "-甲", "乙"])


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return write_rejects(tmp_path, name="r", bronze=ROWS, rejects=refined(ROWS).rejects)


def test_the_bad_cell_is_coloured_and_says_why(workbook: Path) -> None:
    sheet = load_workbook(workbook)["rejects"]
    headings = [cell.value for cell in sheet[1]]
    bad = sheet.cell(2, headings.index("供款") + 1)
    good = sheet.cell(2, headings.index("客户名称") + 1)

    assert bad.fill.fgColor.rgb == "FFFFC7CE"
    assert bad.comment is not None
    assert "WDH-V201" in bad.comment.text
    assert good.fill.fill_type is None


def test_nothing_from_a_cell_is_a_formula(workbook: Path) -> None:
    sheet = load_workbook(workbook)["rejects"]

    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    with workbook.with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert "'=cmd|' /C calc'!A0" in cells


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("＝1+1", "'＝1+1"),
        (" =1+1", "' =1+1"),
        ("\n\u200b＠x", "'\n\u200b＠x"),
        ("\x01=1", "␀=1"),
        ("甲\r\0乙", "甲␀␀乙"),
        ("甲-乙", "甲-乙"),
    ],
)
def test_csv_cells_are_neither_formulas_nor_control_characters(tmp_path: Path, name: str, written: str) -> None:
    rows = performance_rows(供款="x", 客户名称=name)
    workbook = write_rejects(tmp_path, name="r", bronze=rows, rejects=refined(rows).rejects)

    with workbook.with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["客户名称"] == written


def test_no_half_written_file_is_left(workbook: Path) -> None:
    assert sorted(path.name for path in workbook.parent.iterdir()) == ["r.csv", "r.xlsx"]
