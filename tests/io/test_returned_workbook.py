"""What an owner changed in a rejects workbook, however it was sorted, shortened or renamed; and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from tests.faulty_months import SHEET, FaultyMonth, correct, send_out, shuffle, take_back, write_month
from tests.sheets import write_rows

from work_data_hub.domain.returned import Returned
from work_data_hub.errors import SourceError, UnreadableWorkbook

pytestmark = pytest.mark.unit


@pytest.fixture
def month(tmp_path: Path) -> FaultyMonth:
    return write_month(tmp_path, rows=60, faulty=6)


@pytest.fixture
def workbook(month: FaultyMonth) -> Path:
    return send_out(month.path)


def edited(workbook: Path, change: Callable[[Worksheet], object], *, sheet: str = SHEET) -> Path:
    book = load_workbook(workbook)
    change(book[sheet])
    book.save(workbook)
    return workbook


def changes(returned: Returned) -> list[tuple[Any, ...]]:
    frame = returned.changes[["cell", "column", "found", "value", "was_marked"]]
    return [tuple(row) for row in frame.fillna("").itertuples(index=False)]


def test_an_untouched_workbook_holds_no_change(workbook: Path, month: FaultyMonth) -> None:
    returned = take_back(workbook)

    assert (returned.is_untouched, returned.facts.domain, returned.facts.period.yyyymm) == (
        True,
        "annuity_performance",
        "202410",
    )
    assert returned.untouched["row"].tolist() == [fault.row for fault in month.faults]
    assert returned.facts.files[0].path == str(month.path)


def test_changed_cells_are_named_as_in_the_original(workbook: Path, month: FaultyMonth) -> None:
    returned = take_back(correct(workbook, month.good))

    found = [(fault.cell, fault.heading, str(fault.good).removesuffix(".0"), True) for fault in month.faults]
    assert [(cell, column, value, marked) for cell, column, _, value, marked in changes(returned)] == found
    assert {before for _, _, before, *_ in changes(returned)} == {"待确认", "", "4321%", "计划" * 150, "#N/A", "TRUE"}
    assert returned.untouched.empty


def test_rows_may_be_sorted_deleted_and_the_file_renamed(workbook: Path, month: FaultyMonth) -> None:
    gone = month.faults[2].row
    rest = {row: good for row, good in month.good.items() if row != gone}

    straight, mixed = (take_back(correct(workbook, rest, deleted=[gone], shuffled=s)) for s in (False, True))

    assert changes(mixed) == changes(straight)
    assert mixed.untouched["row"].tolist() == [gone]


def test_a_cleared_cell_is_blank_and_a_cleared_row_is_left_alone(workbook: Path, month: FaultyMonth) -> None:
    def clear(page: Worksheet) -> None:
        page["F2"].value = None
        for column in range(1, 14):
            page.cell(3, column).value = None

    returned = take_back(edited(workbook, clear))

    name = f"第{(month.faults[0].row - 2) % 499}纺织有限公司"
    assert changes(returned) == [(f"F{month.faults[0].row}", "客户名称", name, "", False)]
    assert month.faults[1].row in returned.untouched["row"].tolist()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1234.5, "1234.5"),
        ("1,234.50", "1,234.50"),
        ("1.5万", "1.5万"),
        (7, "7"),
        (0.1, "0.1"),
        (-1e-7, "-1e-07"),
    ],
)
def test_amounts_come_back_as_typed(workbook: Path, written: Any, read: str) -> None:
    returned = take_back(edited(workbook, lambda page: page.__setitem__("H2", written)))

    assert [value for *_, value, _ in changes(returned)] == [read]


@pytest.mark.parametrize("heading", ["备注", "原因 · reasons"])
def test_columns_that_nobody_loads_may_be_written_in(workbook: Path, month: FaultyMonth, heading: str) -> None:
    assert take_back(correct(workbook, {month.faults[0].row: {heading: "问过了"}})).is_untouched


@pytest.mark.parametrize("word", ["放弃 · waived", "放弃", " Waived "])
def test_a_row_given_up_brings_its_reason_and_no_changes(workbook: Path, word: str) -> None:
    def give_up(page: Worksheet) -> None:
        page["N2"].value, page["O2"].value, page["H2"].value = word, "停业", 5

    returned = take_back(edited(workbook, give_up))

    assert returned.changes.empty
    assert returned.waived["reason"].tolist() == ["停业"]
    assert len(returned.untouched) == 5


def test_edits_of_a_row_given_up_and_of_columns_nobody_loads_are_told(workbook: Path, month: FaultyMonth) -> None:
    rows = [fault.row for fault in month.faults]
    good: dict[int, dict[str, Any]] = {rows[0]: {"期末资产规模": 5, "备注": "x"}, rows[1]: {"备注": "y"}}

    assert take_back(correct(workbook, good, waived=[rows[0]])).remarks == (
        f"not taken: {SHEET}!H{rows[0]} 期末资产规模 5; the row is given up",
        "备注 is not a column of annuity_performance: 2 edits ignored",
    )


def test_a_column_nobody_loads_may_be_deleted(workbook: Path) -> None:
    returned = take_back(edited(workbook, lambda page: page.delete_cols(10)))

    assert (returned.is_untouched, returned.remarks) == (True, ())


def refusal(workbook: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        take_back(workbook)
    return caught.value


@pytest.mark.parametrize(
    ("cell", "value", "place", "words"),
    [
        ("N3", "也许", "N3", "not a status"),
        ("S3", "x", "S3", "do not name a row"),
        ("S3", 999, "S3", "do not name a row"),
        ("S3", None, "S3", "do not name a row"),
        ("P3", "0" * 64, "S3", "do not name a row"),
        ("Q3", "另一个.xlsx", "S3", "do not name a row"),
        ("H3", "=1+1", "H3", "no usable value"),
        ("H3", "#REF!", "H3", "no usable value"),
        ("D1", "计划编号", None, "lacks 计划代码"),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_its_place(
    workbook: Path, cell: str, value: Any, place: str | None, words: str
) -> None:
    error = refusal(edited(workbook, lambda page: page.__setitem__(cell, value)))

    assert (error.file, error.sheet, error.cell) == (workbook.name, SHEET, place)
    assert words in error.message
    assert error.hint


def test_a_row_that_stands_twice_is_refused(workbook: Path) -> None:
    error = refusal(edited(workbook, lambda page: page.append([cell.value for cell in page[3]])))

    assert (error.row_number, "twice" in error.message) == (8, True)


def test_a_row_that_was_added_is_refused(workbook: Path) -> None:
    error = refusal(edited(workbook, lambda page: page.append(["202410", "企年受托"])))

    assert (error.row_number, "do not name a row" in error.message) == (8, True)


def test_rows_sorted_without_their_hidden_columns_are_refused(workbook: Path) -> None:
    def sort_apart(page: Worksheet) -> None:
        hidden = [[page.cell(line, column).value for column in range(16, 20)] for line in range(2, 8)]
        shuffle(page)
        for line, place in enumerate(hidden, start=2):
            for column, value in enumerate(place, start=16):
                page.cell(line, column).value = value

    assert "sorted without their hidden columns" in refusal(edited(workbook, sort_apart)).message


def exchange(page: Worksheet, first: int, second: int, columns: range) -> None:
    for column in columns:
        one, two = page.cell(first, column), page.cell(second, column)
        one.value, two.value = two.value, one.value


def test_rows_sorted_apart_are_refused_even_when_each_was_corrected(workbook: Path, month: FaultyMonth) -> None:
    def sort_and_correct(page: Worksheet) -> None:
        exchange(page, 2, 3, range(1, 14))
        page["A2"].value, page["H3"].value, page["G3"].value = "202410", 9, 7

    assert "2 rows hold the cells of other rows" in refusal(edited(workbook, sort_and_correct)).message


def test_one_of_two_moved_rows_may_be_gone(workbook: Path) -> None:
    def sort_and_delete(page: Worksheet) -> None:
        exchange(page, 2, 3, range(1, 14))
        exchange(page, 3, 4, range(1, 14))
        page.delete_rows(4)

    assert "sorted without their hidden columns" in refusal(edited(workbook, sort_and_delete)).message


def test_values_that_another_row_has_too_may_be_typed(workbook: Path) -> None:
    def agree(page: Worksheet) -> None:
        for line in range(2, 8):
            for column in (1, 2, 3, 6, 8):
                page.cell(line, column).value = page.cell(4, column).value

    assert not take_back(edited(workbook, agree)).is_untouched


def test_other_workbooks_are_refused(tmp_path: Path, month: FaultyMonth) -> None:
    assert "not a rejects workbook" in refusal(month.path).message
    assert "not a rejects workbook" in refusal(write_rows(tmp_path / "x.xlsx", [["a"], [1]], sheet="wdh")).message
    assert isinstance(refusal(tmp_path / "none.xlsx"), UnreadableWorkbook)


@pytest.mark.parametrize(
    ("sheet", "cell", "value"),
    [("wdh.facts", "B2", "{}"), ("wdh.facts", "B2", "["), ("wdh.facts", "A3", "x"), ("wdh.cells.1", "A1", "x")],
)
def test_damaged_hidden_sheets_are_refused(workbook: Path, sheet: str, cell: str, value: str) -> None:
    error = refusal(edited(workbook, lambda page: page.__setitem__(cell, value), sheet=sheet))

    assert (error.file, error.sheet) == (workbook.name, sheet)


def test_a_lost_sheet_is_refused_and_an_emptied_one_is_not(workbook: Path) -> None:
    assert len(take_back(edited(workbook, lambda page: page.delete_rows(2, 9))).untouched) == 6
    book = load_workbook(workbook)
    del book[SHEET]
    book.save(workbook)

    assert "the sheet is gone" in refusal(workbook).message
