"""Rejected rows on disk: a workbook like its source, made to be corrected and sent back, and the same as CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
from rich.cells import cell_len

from work_data_hub.domain.quarantine import rejected_rows
from work_data_hub.domain.returned import Quarantined
from work_data_hub.io.cell_address import address
from work_data_hub.io.guarded_csv import write_csv
from work_data_hub.io.rejected_sheets import (
    TEXT_FORMAT,
    RejectedRow,
    RejectedSheet,
    printable,
    rejected_sheets,
)
from work_data_hub.io.rejects_form import (
    FACTS,
    GUIDE,
    HEADINGS,
    MARKED_HEADING,
    OPEN,
    PLACE,
    STATUSES,
    fact_lines,
)
from work_data_hub.io.source_rows import NumberFormat, SourceCell
from work_data_hub.io.whole_files import replace_file

_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_LONGEST_TEXT, _MEASURED_ROWS = 32_767, 200
_NARROWEST, _WIDEST, _REASONS_WIDTH = 8, 32, 60


def write_rejects(folder: Path, *, name: str, rows: Quarantined) -> Path:
    """Write `name`.xlsx and `name`.csv into `folder`, each whole or not at all; returns the workbook's path.

    The rejected rows are read again from their original files, with all their columns. Texts are
    written as texts: nothing that came from a cell is ever a formula.
    """
    sheets = list(rejected_sheets(rows))
    folder.mkdir(parents=True, exist_ok=True)
    workbook = folder / f"{name}.xlsx"
    with replace_file(workbook) as path, xlsxwriter.Workbook(path, _OPTIONS) as book:
        _Pen(book).write(rows, sheets, name=workbook.name)
    with replace_file(workbook.with_suffix(".csv")) as path:
        write_csv(path, rejected_rows(rows.bronze, rows.rejects))
    return workbook


class _Pen:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._formats: dict[tuple[NumberFormat, bool], Any] = {}
        self._bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._ours = book.add_format({"bold": True, "bottom": 1, "bg_color": "#FFF2CC", "valign": "top"})
        self._answer = book.add_format({"bg_color": "#FFF2CC"})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def write(self, rows: Quarantined, sheets: Sequence[RejectedSheet], *, name: str) -> None:
        self._guide(rows, sheets, name=name)
        for sheet in sheets:
            self._visible(sheet)
        self._facts(fact_lines(rows.facts, [sheet.form for sheet in sheets]))
        for sheet in sheets:
            self._original(sheet)

    def _guide(self, rows: Quarantined, sheets: Sequence[RejectedSheet], *, name: str) -> None:
        page = self._book.add_worksheet(GUIDE)
        page.set_column(0, 0, 110, self._wrapped)
        count = sum(len(sheet.rows) for sheet in sheets)
        files = ", ".join(file.label for file in rows.facts.files)
        page.write_string(
            0,
            0,
            printable(f"{rows.facts.domain} {rows.facts.period} · {count} 行未入库 rows rejected · {files}"),
            self._bold,
        )
        for line, words in enumerate(_guide_lines(name), start=1):
            page.write_string(line, 0, words, self._wrapped)

    def _visible(self, sheet: RejectedSheet) -> None:
        page = self._book.add_worksheet(sheet.form.title)
        width, last = sheet.width, sheet.width + len(HEADINGS) - 1
        for column in range(width):
            page.write_string(0, column, sheet.headings.get(column, ""), self._bold)
            page.set_column(column, column, _width(sheet, column), self._column_format(sheet, column))
        for column, heading in enumerate(HEADINGS.values(), start=width):
            page.write_string(0, column, heading, self._ours)
        for line, row in enumerate(sheet.rows, start=1):
            for column, cell in row.cells.items():
                self._cell(page, line, column, cell=cell, marked=column in row.marked)
            for column, words in row.marked.items():
                if column not in row.cells:
                    page.write_blank(line, column, None, self._format(_blank_format(sheet, column), marked=True))
                page.write_comment(line, column, words, {"x_scale": 2.4, "y_scale": 1.4})
            self._answers(page, line, width, row)
        page.data_validation(1, width, max(len(sheet.rows), 1), width, {"validate": "list", "source": list(STATUSES)})
        page.set_column(width, width, 15)
        page.set_column(width + 1, width + 1, _REASONS_WIDTH)
        page.set_column(width + 2, last, 12, None, {"hidden": True})
        page.ignore_errors({"number_stored_as_text": f"A1:{address(len(sheet.rows) + 1, last)}"})
        page.freeze_panes(1, 0)
        # The hidden columns belong to it: sorted by Excel, they move with their rows.
        page.autofilter(0, 0, len(sheet.rows), last)

    def _answers(self, page: Any, line: int, width: int, row: RejectedRow) -> None:
        page.write_string(line, width, OPEN, self._answer)
        page.write_string(line, width + 1, printable(row.reasons)[:_LONGEST_TEXT], self._wrapped)
        self._place(page, line, width + 2, row)

    def _place(self, page: Any, line: int, column: int, row: RejectedRow) -> None:
        *texts, number = row.place
        for at, text in enumerate(texts):
            page.write_string(line, column + at, text)
        page.write_number(line, column + len(texts), number)

    def _column_format(self, sheet: RejectedSheet, column: int) -> Any:
        return self._format(_blank_format(sheet, column), marked=False)

    def _facts(self, lines: Sequence[tuple[str, str]]) -> None:
        page = self._book.add_worksheet(FACTS)
        for line, pair in enumerate([("name", "value"), *lines]):
            for column, text in enumerate(pair):
                page.write_string(line, column, text)
        page.very_hidden()

    def _original(self, sheet: RejectedSheet) -> None:
        """The cells as they were, to be compared with; in the same types and formats."""
        page = self._book.add_worksheet(sheet.form.cells_title)
        after = len(sheet.columns) + len(PLACE)
        columns = [*enumerate(sheet.columns.values()), *enumerate(sheet.others.values(), start=after + 1)]
        places = [HEADINGS[name] for name in PLACE]
        headings = [*sheet.form.headings.values(), *places, MARKED_HEADING, *sheet.others]
        for column, heading in enumerate(headings):
            page.write_string(0, column, heading)
        by_column = {column: name for name, column in sheet.columns.items()}
        for line, row in enumerate(sheet.rows, start=1):
            for column, at in columns:
                if (cell := row.cells.get(at)) is not None:
                    self._cell(page, line, column, cell=cell, marked=False)
            self._place(page, line, len(sheet.columns), row)
            page.write_string(line, after, "\n".join(by_column[column] for column in row.marked))
        page.very_hidden()

    def _cell(self, page: Any, line: int, column: int, *, cell: SourceCell, marked: bool) -> None:
        style = self._format(cell.number_format, marked=marked)
        if isinstance(cell.value, bool):
            page.write_boolean(line, column, cell.value, style)
        elif isinstance(cell.value, int | float):
            page.write_number(line, column, cell.value, style)
        else:
            # Excel refuses texts beyond its own limit.
            page.write_string(line, column, printable(str(cell.value))[:_LONGEST_TEXT], style)

    def _format(self, number_format: NumberFormat, *, marked: bool) -> Any:
        """The general format is one of its own: without any, a cell would take its column's."""
        if (number_format, marked) not in self._formats:
            colours = {"bg_color": "#FFC7CE", "font_color": "#9C0006"} if marked else {}
            numbers = {"num_format": number_format} if number_format else {}
            self._formats[number_format, marked] = self._book.add_format(colours | numbers)
        return self._formats[number_format, marked]


def _guide_lines(name: str) -> Iterator[str]:
    yield (
        "1. 改正标红的单元格（批注写明原因和要求）；可以排序、筛选、删行，请勿改动标题行。 "
        "Correct the red cells; their comments say what is wrong. Rows may be sorted, filtered or deleted; "
        "leave the headings as they are."
    )
    yield (
        "2. 不要入库的行：把“状态 · status”改为“放弃 · waived”。没有改动的行保持待改。 "
        "A row that shall not be loaded: set its status to 放弃 · waived. Rows left alone stay open."
    )
    yield (
        "   已放弃或已由他人改过的行若仍要改：把状态改为“重开 · reopened”。 "
        "A row that was given up, or corrected by someone else since, and shall be changed all the same: "
        "set its status to 重开 · reopened."
    )
    yield (
        f"3. 存盘后交回：wdh requeue {name} 先显示改动，加 --execute 入库。 "
        f"Save it as .xlsx and send it back: `wdh requeue {name}` shows what changed, --execute loads it."
    )


def _blank_format(sheet: RejectedSheet, column: int) -> NumberFormat:
    return TEXT_FORMAT if column in sheet.text_columns else 0


def _width(sheet: RejectedSheet, column: int) -> int:
    cells = [row.cells[column] for row in sheet.rows[:_MEASURED_ROWS] if column in row.cells]
    longest = max((cell_len(str(cell.value)[: 2 * _WIDEST]) for cell in cells), default=0)
    return min(max(longest, cell_len(sheet.headings.get(column, "")), _NARROWEST - 2) + 2, _WIDEST)
