"""Texts in columns, Chinese in its true width."""

from collections.abc import Sequence

from rich.cells import cell_len


def to_the_left(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines of equal columns, every column to the left, without blanks at the end of a line."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
