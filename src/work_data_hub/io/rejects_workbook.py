"""Rejected rows on disk: a workbook with the bad cells coloured, and the same as CSV."""

import csv
import math
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.quarantine import PLACE, REASONS, rejected_cells, rejected_rows
from work_data_hub.domain.text import narrow
from work_data_hub.io.whole_files import replace_file

_FORMULA_STARTS = ("=", "+", "-", "@")
_WIDTHS = {PLACE[0]: 30, PLACE[1]: 12, PLACE[2]: 8, REASONS: 60}


def write_rejects(folder: Path, *, name: str, bronze: Bronze, rejects: pd.DataFrame) -> Path:
    """Write `name`.xlsx and `name`.csv into `folder`, each whole or not at all; returns the workbook's path.

    Texts are written as texts: nothing that came from a cell is ever a formula.
    """
    rows = rejected_rows(bronze, rejects)
    folder.mkdir(parents=True, exist_ok=True)
    workbook = folder / f"{name}.xlsx"
    with replace_file(workbook) as path:
        _write_workbook(path, rows, rejected_cells(rejects))
    with replace_file(workbook.with_suffix(".csv")) as path:
        _write_csv(path, rows)
    return workbook


def _write_workbook(path: Path, rows: pd.DataFrame, wrong: dict[tuple[int, str], str]) -> None:
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("rejects")
        bold = book.add_format({"bold": True, "bottom": 1})
        coloured = book.add_format({"bg_color": "#FFC7CE", "font_color": "#9C0006"})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        for column, heading in enumerate(rows.columns):
            sheet.write_string(0, column, heading, bold)
            sheet.set_column(column, column, _WIDTHS.get(heading, 16), wrapped if heading == REASONS else None)
        for row, values in enumerate(rows.itertuples(index=False)):
            for column, (heading, value) in enumerate(zip(rows.columns, values, strict=True)):
                reason = wrong.get((row, heading))
                _write_cell(sheet, row + 1, column, value, coloured if reason else None)
                if reason:
                    sheet.write_comment(row + 1, column, reason)
        sheet.freeze_panes(1, len(PLACE) + 1)
        sheet.autofilter(0, 0, len(rows), len(rows.columns) - 1)


def _write_cell(sheet: Any, row: int, column: int, value: object, style: Any) -> None:
    if _is_missing(value):
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, style)
    else:
        # Excel refuses texts beyond its own limit.
        sheet.write_string(row, column, _printable(str(value))[:32_767], style)


def _printable(text: str) -> str:
    """The text without the control characters that Excel refuses."""
    return "".join(c if c >= " " or c in "\t\n" else "␀" for c in text)


def _write_csv(path: Path, rows: pd.DataFrame) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(rows.columns)
        for values in rows.itertuples(index=False):
            writer.writerow([_csv_cell(value) for value in values])


def _csv_cell(value: object) -> object:
    if _is_missing(value):
        return ""
    if not isinstance(value, str):
        return value
    text = _printable(value)
    # A spreadsheet may skip white space and read full-width signs before it decides what a cell is.
    is_formula = text.startswith(("\t", *_FORMULA_STARTS)) or narrow(text).lstrip().startswith(_FORMULA_STARTS)
    return "'" + text if is_formula else text


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
