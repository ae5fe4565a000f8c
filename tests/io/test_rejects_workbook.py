"""The rejects workbook as its owner opens it."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from tests.faulty_months import HEADINGS, SHEET, good_row, send_out, write_month
from tests.sheets import write_rows

from work_data_hub.domain.corrections import corrections
from work_data_hub.io.rejects_form import OPEN, STATUSES

pytestmark = pytest.mark.unit


def source(folder: Path, *rows: dict[str, Any], headings: tuple[str, ...] = HEADINGS) -> Path:
    """A workbook of good rows with these cells in them, and one bad amount in each row."""
    cells = [
        [{**dict(zip(HEADINGS, good_row(at), strict=True)), "投资收益": "待定", **row}.get(name) for name in headings]
        for at, row in enumerate(rows)
    ]
    return write_rows(folder / "month.xlsx", [headings, *cells], sheet=SHEET)


def page(workbook: Path) -> Worksheet:
    return load_workbook(workbook)[SHEET]


def column(workbook: Path, heading: str) -> list[Any]:
    sheet = page(workbook)
    at = [cell.value for cell in sheet[1]].index(heading)
    return [row[at].value for row in sheet.iter_rows(min_row=2)]


def test_the_sheet_has_the_source_columns_in_their_places_and_the_bad_rows_in_order(tmp_path: Path) -> None:
    month = write_month(tmp_path, rows=40, faulty=6)
    workbook = send_out(month.path)

    assert [cell.value for cell in page(workbook)[1]][: len(HEADINGS)] == list(HEADINGS)
    assert column(workbook, "来源行 · row") == [fault.row for fault in month.faults]
    assert column(workbook, "备注") == [f"内部{fault.row - 2:06d}" for fault in month.faults]


def test_bad_cells_are_coloured_and_say_why(tmp_path: Path) -> None:
    month = write_month(tmp_path, rows=40, faulty=6)
    sheet = page(send_out(month.path))

    cells = [cell for row in sheet.iter_rows() for cell in row]
    marked = {cell.coordinate for cell in cells if cell.comment}
    coloured = {cell.coordinate for cell in cells if cell.fill.fgColor.rgb == "FFFFC7CE"}
    assert marked == coloured == {f"{fault.cell[0]}{line}" for line, fault in enumerate(month.faults, start=2)}
    assert month.faults[0].rule in str(sheet["H2"].comment)
    reasons = [row[len(HEADINGS) + 1].value for row in sheet.iter_rows(min_row=2)]
    assert all(fault.rule in str(reason) for fault, reason in zip(month.faults, reasons, strict=True))


def test_every_row_waits_for_an_answer_from_a_list(tmp_path: Path) -> None:
    workbook = send_out(write_month(tmp_path, rows=40, faulty=6).path)
    (answers,) = page(workbook).data_validations.dataValidation

    assert column(workbook, "状态 · status") == [OPEN] * 6
    assert (str(answers.sqref), answers.formula1) == ("N2:N7", f'"{",".join(STATUSES)}"')


def test_where_rows_come_from_is_hidden_and_sorted_along(tmp_path: Path) -> None:
    book = load_workbook(send_out(write_month(tmp_path, rows=40, faulty=6).path))
    sheet = book[SHEET]

    assert sheet.column_dimensions["P"].hidden
    assert (sheet.auto_filter.ref, sheet.freeze_panes) == ("A1:S7", "A2")
    assert {name: book[name].sheet_state for name in book.sheetnames} == {
        "说明 · guide": "visible",
        SHEET: "visible",
        "wdh.facts": "veryHidden",
        "wdh.cells.1": "veryHidden",
    }
    assert any("wdh requeue r.xlsx" in str(row[0].value) for row in book["说明 · guide"].iter_rows())


def test_numbers_stay_numbers_and_texts_texts(tmp_path: Path) -> None:
    workbook = send_out(
        source(tmp_path, {"子企业号": "00042", "计划代码": 12345, "期初资产规模": 1234567890.12345, "备注": 7})
    )

    for heading, value in {"子企业号": "00042", "计划代码": 12345, "期初资产规模": 1234567890.12345, "备注": 7}.items():
        assert column(workbook, heading) == [value]


def test_days_and_shares_look_as_in_the_source(tmp_path: Path) -> None:
    path = source(tmp_path, {"月度": date(2024, 10, 1), "当期收益率": 0.0536})
    book = load_workbook(path)
    book[SHEET]["K2"].number_format = "0.00%"
    book.save(path)
    cells = {str(head.value): cell for head, cell in zip(*page(send_out(path)).iter_rows(max_row=2), strict=True)}

    assert (cells["月度"].value.date(), cells["月度"].is_date) == (date(2024, 10, 1), True)
    assert (cells["当期收益率"].value, cells["当期收益率"].number_format) == (0.0536, "0.00%")


def test_leading_zeros_can_be_typed_where_text_belongs(tmp_path: Path) -> None:
    sheet = page(send_out(source(tmp_path, {"计划代码": "00001", "月度": None})))

    assert (sheet["D2"].number_format, sheet["A2"].number_format, sheet["I2"].number_format) == ("@", "@", "General")


def test_a_merged_text_is_shown_in_each_of_its_rows(tmp_path: Path) -> None:
    path = source(tmp_path, {"客户名称": "甲公司"}, {"客户名称": None})
    book = load_workbook(path)
    book[SHEET].merge_cells("F2:F3")
    book.save(path)

    assert column(send_out(path), "客户名称") == ["甲公司", "甲公司"]


def test_errors_and_truth_values_are_shown_as_they_are(tmp_path: Path) -> None:
    workbook = send_out(source(tmp_path, {"期末资产规模": "#N/A", "期初资产规模": True}))

    assert column(workbook, "期末资产规模") == ["#N/A"]
    assert column(workbook, "期初资产规模") == [True]


def test_an_earlier_correction_is_shown_in_its_cell(tmp_path: Path) -> None:
    path = source(tmp_path, {"期末资产规模": "未定", "客户名称": "甲"})
    sha = load_workbook(send_out(path))["wdh.cells.1"]["M2"].value
    given = pd.DataFrame(
        {
            "file_sha256": sha,
            "sheet": SHEET,
            "row": [2, 2],
            "column": ["期末资产规模", "客户名称"],
            "value": ["120.5", None],
        }
    )
    workbook = send_out(path, given=corrections(cells=given))

    assert (column(workbook, "期末资产规模"), column(workbook, "客户名称")) == ([120.5], [None])


def test_nothing_from_a_cell_is_a_formula(tmp_path: Path) -> None:
    path = source(tmp_path, {"客户名称": "-甲", "备注": "+1"})
    book = load_workbook(path)
    for cell in ("F2", "J2"):
        book[SHEET][cell].value = "=cmd|' /C calc'!A0"
        book[SHEET][cell].data_type = "s"
    book.save(path)
    workbook = send_out(path)

    assert {cell.data_type for row in page(workbook).iter_rows() for cell in row} <= {"s", "n"}
    assert column(workbook, "备注") == ["=cmd|' /C calc'!A0"]
    with workbook.with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        written = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in written if cell.startswith(("=", "+", "@"))]
    assert "'=cmd|' /C calc'!A0" in written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("＝1+1", "'＝1+1"),
        (" =1+1", "' =1+1"),
        ("\n\u200b＠x", "'\n\u200b＠x"),
        ("甲_x0001_=1", "甲␀=1"),
        ("甲_x000D__x0000_乙", "甲␀␀乙"),
        ("甲-乙", "甲-乙"),
    ],
)
def test_csv_cells_are_neither_formulas_nor_control_characters(tmp_path: Path, name: str, written: str) -> None:
    path = source(tmp_path, {"客户名称": "名"})
    book = load_workbook(path)
    book[SHEET]["F2"].value = name
    book[SHEET]["F2"].data_type = "s"
    book.save(path)

    with send_out(path).with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["客户名称"] == written


def test_no_half_written_file_is_left(tmp_path: Path) -> None:
    workbook = send_out(source(tmp_path, {}))

    assert sorted(path.name for path in workbook.parent.iterdir()) == ["r.csv", "r.xlsx"]
