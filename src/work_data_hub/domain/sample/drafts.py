"""One sheet of a sample drop: its rows as a stream, its faults, and the totals it will have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import Cell, Row
from work_data_hub.domain.sample.corrections import Corrections, corrected_count, shrunken_count
from work_data_hub.domain.sample.faults import Fault, Plant, Reach, plants
from work_data_hub.domain.sample.layouts import INCOME, PERFORMANCE, TRUSTEE, Layout
from work_data_hub.domain.sample.plans import Book
from work_data_hub.domain.sample.registers import register_rows, trustee_rows
from work_data_hub.domain.sample.rows import income_rows, performance_rows
from work_data_hub.domain.sample.totals import SheetTotals

FIRST_VERSION = "V1"

_INCOME_SHARE = 0.41
_REGISTER_ROWS, _TRUSTEE_ROWS = 36, 48
_ID_HEADING = "公司代码"
_OTHER_NAMES = {"期末资产规模": "期末规模", "固费": "固定费用", "客户全称": "客户全名", "计划代码": "计划号码"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMonth:
    """What every sheet of a drop is made from; `rows` counts 规模明细."""

    period: Period
    seed: int
    rows: int
    book: Book
    company_ids: bool = False

    def rows_of(self, layout: Layout) -> int:
        """Return how many rows the first version of the sheet has."""
        counts = {
            PERFORMANCE.sheet: self.rows,
            INCOME.sheet: max(int(self.rows * _INCOME_SHARE), 20),
            TRUSTEE.sheet: _TRUSTEE_ROWS,
        }
        return counts.get(layout.sheet, _REGISTER_ROWS)

    def stream(self, layout: Layout, *, rows: int, seed: int | str) -> Iterator[Row]:
        """Yield rows of the sheet, the same ones for the same seed."""
        book, period = self.book, self.period
        if layout.sheet == PERFORMANCE.sheet:
            return performance_rows(book, period=period, rows=rows, seed=seed, company_ids=self.company_ids)
        if layout.sheet == INCOME.sheet:
            return income_rows(book, period=period, rows=rows, seed=seed)
        if layout.sheet == TRUSTEE.sheet:
            return trustee_rows(book, period=period, rows=rows, seed=seed)
        return register_rows(book, layout, period=period, rows=rows, seed=seed)


@dataclass(slots=True, kw_only=True)
class SheetDraft:
    """A sheet on its way to a file; `totals` are complete once `cells` has been read to its end."""

    layout: Layout
    rows: Iterator[Row]
    count: int
    planted: tuple[Plant, ...] = ()
    fault: Fault | None = None
    totals: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The sheet's name in the workbook."""
        return "Sheet1" if self.fault is Fault.WRONG_SHEET else self.layout.sheet

    @property
    def first_row(self) -> int:
        """The Excel row number of the first data row."""
        return 3 if self.fault is Fault.TITLE_ROW else 2

    @property
    def height(self) -> int:
        """How many rows the sheet has, title and headings included."""
        totals = SheetTotals(self.layout, rows=self.count).count if self._has_totals else 0
        return 0 if self.fault is Fault.EMPTY_SHEET else self.first_row - 1 + self.count + totals

    def row_number(self, place: int) -> int:
        """The Excel row number of a data row, counted from 0."""
        above = SheetTotals(self.layout, rows=self.count).above(place) if self._has_totals else 0
        return self.first_row + place + above

    @property
    def wrong_totals(self) -> tuple[Plant, ...]:
        """The total that is off: the first amount of the sheet's last row."""
        if self.fault is not Fault.WRONG_TOTAL:
            return ()
        column = self.layout.position(self.layout.amounts[0])
        return (Plant(fault=self.fault, row=self.height, column=column, cell=None),)

    @property
    def _has_totals(self) -> bool:
        return self.fault in (Fault.TOTAL_ROWS, Fault.WRONG_TOTAL)

    @property
    def width(self) -> int:
        """How many columns the sheet has."""
        added = {Fault.MISSING_COLUMN: -1, Fault.DUPLICATE_HEADING: 1}
        return len(self.layout.headings) + (added.get(self.fault, 0) if self.fault else 0)

    @property
    def sums(self) -> dict[str, Decimal]:
        """The exact total of each amount column over the rows without a planted cell."""
        totals = self.totals or [0] * len(self.layout.amounts)
        return {name: Decimal(total).scaleb(-4) for name, total in zip(self.layout.amounts, totals, strict=True)}

    def cells(self) -> Iterator[Sequence[Cell]]:
        """Yield what stands in the sheet, title and headings first; to be read once."""
        if self.fault is Fault.EMPTY_SHEET:
            return
        if self.fault is Fault.TITLE_ROW:
            yield (f"年金{self.layout.sheet}数据表",)
        yield from self._shaped([*self.layout.headings], self._data())

    def _data(self) -> Iterator[list[Cell]]:
        planted = {plant.row: plant for plant in self.planted}
        self.totals = [0] * len(self.layout.amounts)
        sheet_totals = SheetTotals(self.layout, rows=self.count, wrong=self.fault is Fault.WRONG_TOTAL)
        for place, (cells, amounts) in enumerate(islice(self.rows, self.count)):
            if plant := planted.get(place):
                cells[plant.column] = plant.cell
            else:
                self.totals = [total + amount for total, amount in zip(self.totals, amounts, strict=True)]
            yield cells
            if self._has_totals:
                yield from sheet_totals.after(place, self._as_written(amounts, plant))

    def _as_written(self, amounts: tuple[int, ...], plant: Plant | None) -> list[int]:
        """The row's amounts without the one that a planted cell replaces."""
        headings = zip(self.layout.amounts, amounts, strict=True)
        return [0 if plant and self.layout.position(name) == plant.column else amount for name, amount in headings]

    def _shaped(self, headings: list[Cell], data: Iterator[list[Cell]]) -> Iterator[Sequence[Cell]]:
        required = self.layout.position(self.layout.required)
        if self.fault is Fault.MISSING_COLUMN:
            yield from ([*row[:required], *row[required + 1 :]] for row in (headings, *data))
            return
        if self.fault is Fault.RENAMED_HEADING:
            headings[required] = _OTHER_NAMES[self.layout.required]
        if self.fault is Fault.DUPLICATE_HEADING:
            headings.append(f"　{self.layout.required} ")
        yield headings
        yield from data


def draft_sheet(month: SampleMonth, layout: Layout, *, version: str, faults: Sequence[Fault] = ()) -> SheetDraft:
    """Return the sheet as that version holds it: V1 as first delivered, any other one corrected."""
    fault = next((fault for fault in faults if fault.reach is Reach.SHEET), None)
    rows, count = _version(month, layout, version)
    count = _left(count, fault)
    layout = _with_id_heading(layout) if month.company_ids else layout
    if fault is Fault.MOVED_COLUMNS:
        layout, rows = _moved(layout, rows)
    return SheetDraft(
        layout=layout,
        rows=rows,
        count=count,
        fault=fault,
        planted=plants(faults, layout, period=month.period, rows=count, seed=f"{month.seed}:{month.period}"),
    )


def _version(month: SampleMonth, layout: Layout, version: str) -> tuple[Iterator[Row], int]:
    count = month.rows_of(layout)
    rows = month.stream(layout, rows=count, seed=month.seed)
    if version == FIRST_VERSION:
        return rows, count
    seed = f"{month.seed}:{month.period}:{version}"
    corrections = Corrections.drawn(layout, rows=count, seed=seed)
    added = month.stream(layout, rows=10, seed=seed)
    return corrections.applied(rows, layout, added=added), corrected_count(count)


def _left(count: int, fault: Fault | None) -> int:
    if fault is None:
        return count
    return 0 if fault.empties else shrunken_count(count) if fault is Fault.SHRUNKEN else count


def _moved(layout: Layout, rows: Iterator[Row]) -> tuple[Layout, Iterator[Row]]:
    """The second half of the columns before the first one."""
    half = len(layout.headings) // 2
    headings = (*layout.headings[half:], *layout.headings[:half])
    return replace(layout, headings=headings), (Row([*r.cells[half:], *r.cells[:half]], r.amounts) for r in rows)


def _with_id_heading(layout: Layout) -> Layout:
    if layout.sheet != PERFORMANCE.sheet:
        return layout
    return replace(layout, headings=(*layout.headings, _ID_HEADING))
