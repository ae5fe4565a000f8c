"""The cells below the headings: one fast typed read, put right by what the scan of the XML found."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import fastexcel
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.cell_address import address
from work_data_hub.io.cell_reports import CellReport, Content, parse_report
from work_data_hub.io.headings import Layout
from work_data_hub.io.long_numbers import LONG_CODE, excel_digits, shared_long_texts, text_cells
from work_data_hub.io.preflight import Workbook
from work_data_hub.io.sheet_scan import FoundCell, SheetScan
from work_data_hub.io.untitled_columns import untitled_columns, untitled_places

STRING = pd.StringDtype(storage="pyarrow")
KNOWN_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"})

Cells = dict[tuple[int, str], str]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPlace:
    """Which sheet of which workbook, and the part that holds it."""

    workbook: Workbook
    part: str
    sheet: str

    @property
    def path(self) -> Path:
        return self.workbook.path

    @property
    def label(self) -> str:
        return self.workbook.label

    def refused(self, message: str, *, hint: str, cell: str | None = None) -> UnreadableWorkbook:
        return UnreadableWorkbook(message, file=self.label, sheet=self.sheet, cell=cell, hint=hint)


@dataclass(slots=True, kw_only=True)
class _Grid:
    """The rows below the headings while they are put together; `texts` and `broken` by (position, column).

    `untitled` counts the texts below blank headings by column.
    """

    layout: Layout
    rows: int
    numbers: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    strings: dict[str, Any] = field(default_factory=dict)
    texts: Cells = field(default_factory=dict)
    broken: Cells = field(default_factory=dict)
    untitled: dict[int, int] = field(default_factory=dict)

    def placed(self, cells: Iterable[FoundCell]) -> Iterator[tuple[int, str, str]]:
        """Position, column and text of those cells that stand below the headings in a declared column."""
        names = {column: name for name, column in self.layout.columns.items()}
        for cell in cells:
            if cell.row > self.layout.heading_row and cell.column in names:
                yield cell.row - self.layout.heading_row - 1, names[cell.column], cell.text


def read_cells(place: SheetPlace, *, layout: Layout, scan: SheetScan, numbers: Collection[str]) -> Bronze:
    """Return the rows below the headings as bronze: blank rows left out, vertically merged texts filled.

    A merged amount stays in its first row only: repeated, it would count several times.
    """
    _refuse_unknown_errors(place, scan)
    grid = _load(place, layout, scan, numbers)
    _mark_broken(grid, scan)
    _write_booleans(grid, scan)
    _keep_long_numbers(place, grid, scan)
    filled = _filled(grid)
    _fill_merged(grid, scan)
    untitled = untitled_columns(grid.untitled, layout=layout, scan=scan, file=place.label, sheet=place.sheet)
    return replace(_bronze(place, grid, kept=np.flatnonzero(filled)), untitled=untitled)


def _refuse_unknown_errors(place: SheetPlace, scan: SheetScan) -> None:
    for cell in scan.errors:
        if cell.text not in KNOWN_ERRORS:
            raise place.refused(
                f"the error {cell.text} cannot be read", cell=address(cell.row, cell.column), hint="repair the formula"
            )


def _sheet(place: SheetPlace, layout: Layout, dtypes: dict[int, str]) -> fastexcel.ExcelSheet:
    try:
        # Chosen by a function, since a column that is asked for by number has to be there.
        return fastexcel.read_excel(place.path).load_sheet(
            place.sheet,
            header_row=None,
            skip_rows=layout.heading_row,
            use_columns=lambda column: column.absolute_index in dtypes,
            dtypes=dtypes,
        )
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise place.refused(f"cannot be read: {reason}", hint="open it in Excel and save it again") from error


def _load(place: SheetPlace, layout: Layout, scan: SheetScan, numbers: Collection[str]) -> _Grid:
    """The typed read; texts in number columns come from its reports, blank ones left out."""
    names = {column: name for name, column in layout.columns.items()}
    dtypes = {column: "float" if name in numbers else "string" for column, name in names.items()}
    sheet = _sheet(place, layout, dtypes | dict.fromkeys(untitled_places(layout, scan), "string"))
    batch, reports = sheet.to_arrow_with_errors()
    by_index = {info.index: names.get(info.absolute_index) for info in sheet.selected_columns}
    grid = _Grid(layout=layout, rows=batch.num_rows)
    for info, values in zip(sheet.selected_columns, batch.columns, strict=True):
        name = by_index[info.index]
        if name is None:
            grid.untitled[info.absolute_index] = int((~_blank(values)).sum())
        elif name in numbers:
            grid.numbers[name] = _floats(values)
            _take_not_a_number(grid, name, values)
        else:
            grid.strings[name] = values
    for report in reports.errors if reports else ():
        row, column = report.offset_position
        if (name := by_index[column]) is not None:
            _take_report(grid, row, name, parse_report(report.detail))
    return grid


def _blank(texts: Any) -> npt.NDArray[np.bool_]:
    """Which texts are null or white space."""
    blank: npt.NDArray[np.bool_] = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), True).to_numpy(
        zero_copy_only=False
    )
    return blank


def _floats(values: Any) -> npt.NDArray[np.float64]:
    floats: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return floats if floats.flags.writeable else floats.copy()


def _take_not_a_number(grid: _Grid, name: str, values: Any) -> None:
    """The words nan and inf are texts, though the reader takes them for floats."""
    odd = ~np.isfinite(grid.numbers[name])
    if odd.sum() > values.null_count:
        for position in np.flatnonzero(odd & values.is_valid().to_numpy(zero_copy_only=False)):
            grid.texts[int(position), name] = str(grid.numbers[name][position])
            grid.numbers[name][position] = np.nan


def _take_report(grid: _Grid, row: int, name: str, report: CellReport) -> None:
    if report.content is Content.ERROR:
        grid.broken[row, name] = f"#{report.text}"
    elif name in grid.numbers and report.text.strip():
        grid.texts[row, name] = report.text
    elif name in grid.strings:
        grid.strings[name] = _with(grid.strings[name], {row: report.text})


def _mark_broken(grid: _Grid, scan: SheetScan) -> None:
    """Errors with their own text, formulas never calculated, and TRUE or FALSE where a number belongs."""
    in_numbers = (cell for cell in grid.placed(scan.booleans) if cell[1] in grid.numbers)
    for position, name, found in (*grid.placed(scan.errors), *grid.placed(scan.uncached), *in_numbers):
        grid.broken[position, name] = found
    missing = max((position + 1 for position, _ in grid.broken), default=0) - grid.rows
    if missing > 0:
        # The reader ends at the last value; a formula without one may stand below it.
        grid.rows += missing
        grid.numbers = {n: np.append(v, np.full(missing, np.nan)) for n, v in grid.numbers.items()}
        grid.strings = {n: pa.concat_arrays([v, pa.nulls(missing, v.type)]) for n, v in grid.strings.items()}
    for position, name in grid.broken:
        grid.texts.pop((position, name), None)
        if name in grid.numbers:
            grid.numbers[name][position] = np.nan


def _write_booleans(grid: _Grid, scan: SheetScan) -> None:
    """TRUE and FALSE in text columns as Excel shows them."""
    by_name: dict[str, dict[int, str]] = {}
    for position, name, found in grid.placed(scan.booleans):
        if name in grid.strings:
            by_name.setdefault(name, {})[position] = found
    for name, found_texts in by_name.items():
        grid.strings[name] = _with(grid.strings[name], found_texts)


def _with(values: Any, texts: dict[int, str]) -> Any:
    mask = np.zeros(len(values), dtype=bool)
    mask[list(texts)] = True
    return pc.replace_with_mask(values, pa.array(mask), pa.array([texts[at] for at in sorted(texts)], values.type))


def _keep_long_numbers(place: SheetPlace, grid: _Grid, scan: SheetScan) -> None:
    """Texts of more digits than a float holds stay as written; codes typed as numbers get Excel's digits."""
    codes = _long_codes(grid)
    if scan.long_texts or shared_long_texts(place.workbook):
        names = {grid.layout.columns[name]: name for name in (*grid.numbers, *codes)}
        for cell in text_cells(place.workbook, place.part, prefix=scan.prefix, columns=names):
            position, name = cell.row - grid.layout.heading_row - 1, names[cell.column]
            if name in codes:
                codes[name].pop(position, None)
            elif 0 <= position < grid.rows:
                _take_inexact(grid, position, name, cell.content)
    for name, digits in codes.items():
        grid.strings[name] = _with(grid.strings[name], digits)


def _long_codes(grid: _Grid) -> dict[str, dict[int, str]]:
    """By text column: the codes that would be written otherwise if their cell is a number."""
    codes: dict[str, dict[int, str]] = {}
    for name, values in grid.strings.items():
        positions = np.flatnonzero(pc.fill_null(pc.greater_equal(pc.utf8_length(values), 16), False))
        found = values.take(pa.array(positions))
        digital = pc.match_substring_regex(found, LONG_CODE).to_numpy(zero_copy_only=False)
        texts = zip(positions[digital], found.filter(pa.array(digital)).to_pylist(), strict=True)
        changed = {int(at): digits for at, text in texts if (digits := excel_digits(text)) != text}
        if changed:
            codes[name] = changed
    return codes


def _take_inexact(grid: _Grid, position: int, name: str, text: str) -> None:
    number = grid.numbers[name][position]
    if not np.isnan(number) and not _same_number(text, number):
        grid.texts[position, name] = text
        grid.numbers[name][position] = np.nan


def _same_number(text: str, number: float) -> bool:
    try:
        return Decimal(text) == Decimal(repr(float(number)))
    except InvalidOperation:
        return False


def _filled(grid: _Grid) -> npt.NDArray[np.bool_]:
    """Which rows hold anything: a number, a text that is not blank, a broken cell."""
    filled = np.zeros(grid.rows, dtype=bool)
    for numbers in grid.numbers.values():
        filled |= ~np.isnan(numbers)
    filled[[position for position, _ in (*grid.texts, *grid.broken)]] = True
    for texts in grid.strings.values():
        left = np.flatnonzero(~filled)
        if not len(left):
            break
        filled[left] = ~_blank(texts.take(pa.array(left)))
    return filled


def _fill_merged(grid: _Grid, scan: SheetScan) -> None:
    """Give every cell of a vertical merge in a text column what its first cell holds."""
    first = grid.layout.heading_row + 1
    names = {grid.layout.columns[name]: name for name in grid.strings}
    origins: dict[str, Positions] = {}
    for merged in scan.merged:
        name = names.get(merged.left)
        if name is not None and first <= merged.top < merged.bottom:
            origin = origins.setdefault(name, np.arange(grid.rows))
            origin[merged.top - first + 1 : merged.bottom - first + 1] = merged.top - first
    for name, origin in origins.items():
        grid.strings[name] = grid.strings[name].take(pa.array(origin))
        for position in np.flatnonzero(origin != np.arange(grid.rows)):
            found = grid.broken.get((int(origin[position]), name))
            if found is not None:
                grid.broken[int(position), name] = found


def _bronze(place: SheetPlace, grid: _Grid, *, kept: Positions) -> Bronze:
    whole = len(kept) == grid.rows
    columns: dict[str, Any] = {}
    for name in grid.layout.columns:
        if name in grid.numbers:
            numbers = grid.numbers.pop(name)
            columns[name] = numbers if whole else numbers[kept]
        else:
            texts = grid.strings.pop(name)
            columns[name] = pd.array(texts if whole else texts.take(pa.array(kept)), dtype=STRING)
    for name, value in ((SOURCE_FILE, place.label), (SOURCE_SHEET, place.sheet)):
        columns[name] = pd.array(pa.repeat(pa.scalar(value, pa.large_string()), len(kept)), dtype=STRING)
    columns[SOURCE_ROW] = kept + grid.layout.heading_row + 1
    moved = {int(old): new for new, old in enumerate(kept)} if grid.texts or grid.broken else {}
    return Bronze(
        frame=pd.DataFrame(columns, copy=False),
        texts=_cell_frame(grid.texts, moved, value="text"),
        broken=_cell_frame(grid.broken, moved, value="found"),
        letters=grid.layout.letters,
        unknown_headings=grid.layout.unknown,
    )


def _cell_frame(cells: Cells, moved: dict[int, int], *, value: str) -> pd.DataFrame:
    ordered = sorted((moved[position], name, text) for (position, name), text in cells.items() if position in moved)
    positions, names, texts = zip(*ordered, strict=True) if ordered else ((), (), ())
    return pd.DataFrame(
        {
            "position": np.array(positions, dtype="int64"),
            "column": pd.array(list(names), dtype=STRING),
            value: pd.array(list(texts), dtype=STRING),
        }
    )
