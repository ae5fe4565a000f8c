"""Totals between and below the rows of a sample sheet, as people leave them in."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from work_data_hub.domain.sample.cells import Cell
from work_data_hub.domain.sample.layouts import Layout

TOO_MUCH = 10_000_000
"""By how many counts of 0.0001 a wrong total is off."""


class SheetTotals:
    """A 小计 below each third of the rows and a 合计 below all; `wrong` makes the first amount of the 合计 wrong."""

    def __init__(self, layout: Layout, *, rows: int, wrong: bool = False) -> None:
        self._layout, self._rows, self._wrong = layout, rows, wrong
        self._ends = sorted({rows // 3, rows * 2 // 3, rows})
        self._part = self._whole = [0] * len(layout.amounts)

    @property
    def count(self) -> int:
        """How many rows the totals are."""
        return len(self._ends) + 1

    def above(self, place: int) -> int:
        """How many totals stand above the data row, counted from 0."""
        return sum(end <= place for end in self._ends)

    def after(self, place: int, amounts: Sequence[int]) -> Iterator[list[Cell]]:
        """Add the amounts of a data row, and yield the totals that stand directly below it."""
        self._part = [total + amount for total, amount in zip(self._part, amounts, strict=True)]
        if place + 1 not in self._ends:
            return
        self._whole = [total + amount for total, amount in zip(self._whole, self._part, strict=True)]
        yield self._total("小计", self._part, as_text=place + 1 != self._rows)
        self._part = [0] * len(self._part)
        if place + 1 == self._rows:
            off = TOO_MUCH if self._wrong else 0
            yield self._total("合　计：", [self._whole[0] + off, *self._whole[1:]])

    def _total(self, label: str, amounts: Sequence[int], *, as_text: bool = False) -> list[Cell]:
        cells: list[Cell] = [None] * len(self._layout.headings)
        cells[0] = label
        for heading, amount in zip(self._layout.amounts, amounts, strict=True):
            exact = Decimal(amount).scaleb(-4)
            cells[self._layout.position(heading)] = f"{exact:,f}" if as_text else float(exact)
        return cells
