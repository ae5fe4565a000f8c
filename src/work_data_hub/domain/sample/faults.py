"""The mistakes that a sample drop can contain on purpose."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Self

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import Cell, ErrorCell, FormulaCell
from work_data_hub.domain.sample.layouts import Layout
from work_data_hub.errors import UsageError

CELLS_PLANTED = 3


class Reach(StrEnum):
    """How much of a workbook a fault touches."""

    CELL = "cell"
    SHEET = "sheet"
    FILE = "file"


class Fault(StrEnum):
    """One kind of mistake; `words` says in a line what is planted."""

    reach: Reach
    words: str

    def __new__(cls, value: str, reach: Reach, words: str) -> Self:
        """Make a member that is its name as text and carries reach and words."""
        member = str.__new__(cls, value)
        member._value_, member.reach, member.words = value, reach, words
        return member

    TEXT_IN_AMOUNT = "text_in_amount", Reach.CELL, "words where an amount belongs"
    FUTURE_DATE = "future_date", Reach.CELL, "December 2099 as the month"
    WRONG_MONTH = "wrong_month", Reach.CELL, "the month before the one of the folder"
    BLANK_MONTH = "blank_month", Reach.CELL, "no month"
    ERROR_CELL = "error_cell", Reach.CELL, "#N/A, #REF! or #DIV/0! as an amount"
    UNCACHED_FORMULA = "uncached_formula", Reach.CELL, "a formula that was never calculated"
    BOOLEAN_IN_AMOUNT = "boolean_in_amount", Reach.CELL, "TRUE or FALSE as an amount"
    NUL_CHARACTER = "nul_character", Reach.CELL, "a NUL character inside a text"
    RATE_OUT_OF_RANGE = "rate_out_of_range", Reach.CELL, "a rate of 4321 %"
    TOO_LONG_TEXT = "too_long_text", Reach.CELL, "a text of 300 characters"
    MISSING_COLUMN = "missing_column", Reach.SHEET, "a required column left out"
    RENAMED_HEADING = "renamed_heading", Reach.SHEET, "a required heading under another name"
    MOVED_COLUMNS = "moved_columns", Reach.SHEET, "the two halves of the columns swapped"
    DUPLICATE_HEADING = "duplicate_heading", Reach.SHEET, "a second heading that differs only in width and spaces"
    TITLE_ROW = "title_row", Reach.SHEET, "a title above the headings"
    HEADER_ONLY = "header_only", Reach.SHEET, "headings without rows"
    EMPTY_SHEET = "empty_sheet", Reach.SHEET, "a sheet without a cell"
    WRONG_SHEET = "wrong_sheet", Reach.SHEET, "the sheet under another name"
    SHRUNKEN = "shrunken", Reach.SHEET, "two fifths of the rows lost"
    TOTAL_ROWS = "total_rows", Reach.SHEET, "subtotals and a grand total that agree"
    WRONG_TOTAL = "wrong_total", Reach.SHEET, "a grand total that is off"
    TWO_CANDIDATES = "two_candidates", Reach.FILE, "a second workbook that fits as well"
    NO_FILE = "no_file", Reach.FILE, "no workbook, only the lock file and the answers beside it"
    CORRUPT = "corrupt", Reach.FILE, "garbage in the middle of the sheet"
    TRUNCATED = "truncated", Reach.FILE, "the end of the file cut off"
    ENCRYPTED = "encrypted", Reach.FILE, "a workbook under a password"
    XLS_RENAMED = "xls_renamed", Reach.FILE, "an old .xls called .xlsx"
    CSV_RENAMED = "csv_renamed", Reach.FILE, "a .csv called .xlsx"
    HTML_RENAMED = "html_renamed", Reach.FILE, "a web page called .xlsx"
    ZIP_BOMB = "zip_bomb", Reach.FILE, "a small file that inflates to 256 MiB"

    @property
    def empties(self) -> bool:
        """Whether no data row is left in the sheet."""
        return self in (Fault.HEADER_ONLY, Fault.EMPTY_SHEET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A cell to be replaced: data row and column, both counted from 0."""

    fault: Fault
    row: int
    column: int
    cell: Cell


def read_faults(names: Iterable[str]) -> tuple[Fault, ...]:
    """Return the named faults without repeats; raise UsageError for an unknown name or two that exclude each other."""
    faults = tuple(dict.fromkeys(_named(name) for name in names))
    for reach in (Reach.SHEET, Reach.FILE):
        several = [fault for fault in faults if fault.reach is reach]
        if len(several) > 1:
            raise UsageError(
                "only one of these faults can be planted at a time",
                input_data=" ".join(several),
                hint="write each into its own folder: give --out another name",
            )
    if any(fault.empties for fault in faults) and any(fault.reach is Reach.CELL for fault in faults):
        raise UsageError(
            "a sheet without rows cannot hold faulty cells",
            input_data=" ".join(faults),
            hint="leave out header_only or empty_sheet",
        )
    return faults


def plants(faults: Iterable[Fault], layout: Layout, *, period: Period, rows: int, seed: str) -> tuple[Plant, ...]:
    """Return the cells to replace: three per cell fault, each in a row of its own."""
    wanted = [fault for fault in faults if fault.reach is Reach.CELL]
    if Fault.RATE_OUT_OF_RANGE in wanted and layout.rate is None:
        raise UsageError(f"{layout.sheet} has no rate column", input_data=Fault.RATE_OUT_OF_RANGE)
    if len(wanted) * CELLS_PLANTED > rows:
        raise UsageError(f"{rows} rows are too few for {len(wanted)} faults", hint="raise --rows")
    places = Random(f"{seed}:{layout.sheet}:faults").sample(range(rows), len(wanted) * CELLS_PLANTED)
    found = []
    for number, fault in enumerate(wanted):
        heading, cells = _planted(fault, layout, period)
        rows_of_fault = sorted(places[number * CELLS_PLANTED : (number + 1) * CELLS_PLANTED])
        found += [
            Plant(fault=fault, row=row, column=layout.position(heading), cell=cells[i % len(cells)])
            for i, row in enumerate(rows_of_fault)
        ]
    return tuple(found)


def _named(name: str) -> Fault:
    known = {fault.value: fault for fault in Fault}
    if name not in known:
        raise UsageError("not a fault", input_data=name, rule=", ".join(known), hint="wdh sample --list-faults")
    return known[name]


def _planted(fault: Fault, layout: Layout, period: Period) -> tuple[str, tuple[Cell, ...]]:
    """Return the heading under which a fault is planted, and what stands there instead."""
    amount = layout.amounts[-1]
    forms: dict[Fault, tuple[str, tuple[Cell, ...]]] = {
        Fault.TEXT_IN_AMOUNT: (amount, ("待确认", "见附件", "1.2.3")),
        Fault.FUTURE_DATE: (layout.month, ("2099年12月",)),
        Fault.WRONG_MONTH: (layout.month, (_month_before(period),)),
        Fault.BLANK_MONTH: (layout.month, (None, "", "　")),
        Fault.ERROR_CELL: (amount, (ErrorCell("#N/A"), ErrorCell("#REF!"), ErrorCell("#DIV/0!"))),
        Fault.UNCACHED_FORMULA: (amount, (FormulaCell("SUM(J2:K2)"),)),
        Fault.BOOLEAN_IN_AMOUNT: (amount, (True, False)),
        Fault.NUL_CHARACTER: (layout.text, ("企业年金\x00计划",)),
        Fault.RATE_OUT_OF_RANGE: (layout.rate or "", ("4321%",)),
        Fault.TOO_LONG_TEXT: (layout.text, ("企业年金计划" * 50,)),
    }
    return forms[fault]


def _month_before(period: Period) -> int:
    return int(period.yyyymm) - 1 if period.month > 1 else (period.year - 1) * 100 + 12
