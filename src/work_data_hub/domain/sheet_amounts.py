"""The amounts of a sheet's rows, exact, and where the rows of each sheet stand in a frame."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Self

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.exact import exact_sum
from work_data_hub.domain.findings import Rejected
from work_data_hub.domain.kinds import parse_column
from work_data_hub.domain.spec import Column, Kind
from work_data_hub.domain.stated_totals import TotalRow
from work_data_hub.domain.total_rows import sheet_starts


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetAmounts:
    """One column of money or counts: exact amounts by position, and which cells are typed or unreadable.

    A count that is a fraction is unreadable, as its rounded value is in no total.
    """

    column: Column
    amounts: pd.Series
    typed: np.ndarray
    unreadable: np.ndarray

    @classmethod
    def of(cls, column: Column, *, bronze: Bronze) -> Self:
        """The column as its rows are parsed."""
        amounts, findings = parse_column(column, bronze)
        count = bronze.rows_read
        refused = mask(_positions(bronze.broken, column), count)
        for finding in findings:
            if isinstance(finding, Rejected):
                refused |= mask(finding.cells["position"], count)
        if column.kind is Kind.COUNT:
            amounts = amounts.mask(refused)
        typed = mask(_positions(bronze.texts, column), count)
        return cls(column=column, amounts=amounts, typed=typed, unreadable=refused & amounts.isna().to_numpy())

    def rounded_off(self, rows: int) -> Decimal:
        """How far the stored decimals of so many rows may be from their sum: half a unit each, none for counts."""
        return Decimal(0) if self.column.kind is Kind.COUNT else rows * self.half_a_unit

    @property
    def half_a_unit(self) -> Decimal:
        """Half of the last stored decimal."""
        return Decimal(5).scaleb(-self.column.scale - 1)


class SheetRows:
    """Where the rows of each sheet stand in a frame, found by their Excel row numbers."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame, self._numbers = frame, frame[SOURCE_ROW].to_numpy(dtype="int64")
        self._sheets = {
            (frame[SOURCE_FILE].iloc[begin], frame[SOURCE_SHEET].iloc[begin]): slice(begin, end)
            for begin, end in pairwise(sheet_starts(frame).tolist())
            if begin < end
        }

    def of(self, total: TotalRow) -> slice:
        """The rows that the total stands for."""
        sheet = self._sheets.get((total.file, total.sheet), slice(0, 0))
        first, end = np.searchsorted(self._numbers[sheet], [total.first_row, total.last_row + 1])
        return slice(sheet.start + int(first), sheet.start + int(end))

    def sum(self, total: TotalRow, name: str) -> Decimal:
        """The exact sum of the column over those rows."""
        return exact_sum(self._frame[name].iloc[self.of(total)])


def mask(positions: pd.Series, count: int) -> np.ndarray:
    """True at the given positions of so many rows."""
    marked = np.zeros(count, dtype=bool)
    marked[positions.to_numpy(dtype="int64")] = True
    return marked


def _positions(cells: pd.DataFrame, column: Column) -> pd.Series:
    return cells.loc[cells["column"] == column.name, "position"]
