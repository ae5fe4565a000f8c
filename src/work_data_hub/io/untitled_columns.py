"""Columns that hold values below a blank heading: found while the sheet is read, and told."""

from collections import Counter
from collections.abc import Mapping

from work_data_hub.domain.bronze import Untitled
from work_data_hub.io.cell_address import column_letter
from work_data_hub.io.headings import Layout
from work_data_hub.io.sheet_scan import SheetScan

MOST_PLACES = 64


def untitled_places(layout: Layout, scan: SheetScan) -> list[int]:
    """Return the columns with a blank heading that may hold values, those left of the headings last.

    Some may not exist in the sheet; of very many, the first `MOST_PLACES` are looked at.
    """
    first = min(layout.titled)
    blank = (column for column in range(scan.columns) if column not in layout.titled)
    return sorted(blank, key=lambda column: (column < first, column))[:MOST_PLACES]


def untitled_columns(
    texts: Mapping[int, int], *, layout: Layout, scan: SheetScan, file: str, sheet: str
) -> tuple[Untitled, ...]:
    """Return the columns with filled cells below a blank heading; `texts` counts their values by column.

    Errors and formulas that were never calculated fill a cell too.
    """
    below = [cell for cell in (*scan.errors, *scan.uncached) if cell.row > layout.heading_row]
    filled = Counter(texts) + Counter(cell.column for cell in below if cell.column not in layout.titled)
    return tuple(
        Untitled(file=file, sheet=sheet, letter=column_letter(column), filled=count)
        for column, count in sorted(filled.items())
    )
