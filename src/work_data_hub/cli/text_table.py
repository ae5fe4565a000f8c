"""Tables as lines of text, Chinese in its true width: words to the left, numbers to the right."""

import shutil
import sys
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

_GAP = 2
_NARROWEST = 24
_LONGEST_VALUE = 40


def page_width() -> int | None:
    """The width of the terminal; None in a pipe, where nothing is wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_lines(rows: Sequence[Sequence[str]], *, width: int | None = None, indent: int = 2) -> list[str]:
    """Rows of equally many words as lines, the last column wrapped to the page; no line ends in blanks."""
    widths = _widths(rows)[:-1]
    start = indent + sum(one + _GAP for one in widths)
    room = max(width - start, _NARROWEST) if width else None
    lines = []
    for row in rows:
        cells = [cell + _blanks(cell, one + _GAP) for cell, one in zip(row, widths, strict=False)]
        first, *more = wrapped(row[-1], room)
        lines += [" " * indent + "".join(cells) + first, *(" " * start + line for line in more)]
    return [line.rstrip() for line in lines]


def number_lines(rows: Sequence[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Rows of a word and numbers as lines, the numbers to the right."""
    first, *rest = _widths(rows)
    lines = []
    for word, *numbers in rows:
        cells = [_blanks(number, one + _GAP) + number for number, one in zip(numbers, rest, strict=True)]
        lines.append(" " * indent + word + _blanks(word, first) + "".join(cells))
    return lines


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


def short_text(value: str | None) -> str:
    """A cell's value on one line, cut where it is long; `(空白)` where there is none."""
    text = " ".join((value or "").split())
    return (text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…") or "(空白)"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]


def _blanks(cell: str, width: int) -> str:
    return " " * (width - cell_len(cell))
