"""The cells below the headings: one fast typed read, put right by what the scan of the XML found."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from work_data_hub.domain.bronze import Bronze
from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.headings import Layout
from work_data_hub.io.sheet_scan import SheetScan

STRING = pd.StringDtype(storage="pyarrow")
EXACT_BELOW = 1e11
"""From here on a float does not hold four decimals of every number that a text can write."""

KNOWN_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"})

Cells = dict[tuple[int, str], str]
"""Text by (position, column)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPlace:
    """Which sheet of which file, and how the file is named in reports."""

    path: Path
    label: str
    sheet: str

    def refused(self, message: str, *, hint: str, cell: str | None = None) -> UnreadableWorkbook:
        return UnreadableWorkbook(message, file=self.label, sheet=self.sheet, cell=cell, hint=hint)


def read_cells(place: SheetPlace, *, layout: Layout, scan: SheetScan, numbers: Collection[str]) -> Bronze:
    """Return the rows below the headings as bronze; blank rows left out, merged cells filled downwards."""
    _refuse_unknown_errors(place, scan)
    numbers = [name for name in layout.columns if name in numbers]
    columns, texts = _load(place, layout, numbers)
    broken = _broken(layout, scan, numbers)
    _refuse_disagreement(place, layout, texts.errors, broken)
    _blank_out(columns, numbers, [*texts.cells, *broken])
    _write_booleans(columns, layout, scan, numbers)
    _move_unholdable(place, layout, columns, numbers, texts.cells)
    cells, broken = {cell: text for cell, text in texts.cells.items() if cell not in broken}, broken
    keep = _filled_rows(columns, numbers, {position for position, _ in (*cells, *broken)})
    source = _merge_sources(layout, scan, rows=len(keep))
    for name, origin in source.items():
        columns[name] = columns[name].take(origin)
        cells, broken = _spread(cells, name, origin), _spread(broken, name, origin)
    return _bronze(place, layout, columns, cells, broken, keep)
