"""CSV files for spreadsheets: UTF-8 with its mark, and nothing that came from a cell is ever a formula."""

import csv
from pathlib import Path

import pandas as pd

from work_data_hub.domain.text import narrow
from work_data_hub.io.rejected_sheets import is_missing, printable

_FORMULA_STARTS = ("=", "+", "-", "@")


def write_csv(path: Path, rows: pd.DataFrame) -> None:
    """Write the rows under their column names; what is missing is empty, a text like a formula gets a `'` in front."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(rows.columns)
        for values in rows.itertuples(index=False):
            writer.writerow([_csv_cell(value) for value in values])


def _csv_cell(value: object) -> object:
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        return value
    text = printable(value)
    # A spreadsheet may skip white space and read full-width signs before it decides what a cell is.
    is_formula = text.startswith(("\t", *_FORMULA_STARTS)) or narrow(text).lstrip().startswith(_FORMULA_STARTS)
    return "'" + text if is_formula else text
