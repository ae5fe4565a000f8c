"""Tables of words: columns to the left, Chinese in its true width, the last column wrapped to the page."""

import shutil
import sys
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

_GAP = 2
_NARROWEST = 24


def page_width() -> int | None:
    """The width of the terminal; None in a pipe, where nothing is wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_lines(rows: Sequence[Sequence[str]], *, width: int | None, indent: int = 2) -> list[str]:
    """Rows of equally many cells as lines; no line ends in blanks."""
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    start = indent + sum(one + _GAP for one in widths)
    room = max(width - start, _NARROWEST) if width else None
    lines = []
    for row in rows:
        cells = [cell + " " * (one - cell_len(cell) + _GAP) for cell, one in zip(row, widths, strict=False)]
        first, *more = wrapped(row[-1], room)
        lines += [" " * indent + "".join(cells) + first, *(" " * start + line for line in more)]
    return [line.rstrip() for line in lines]


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in lines no wider than `width`, cut between words where there are any."""
    if width is None:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines = [line for line in lines if line] + chop_cells(word, width)
    return lines
