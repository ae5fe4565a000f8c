"""Excel's addresses: letters for columns, numbers from 1 for rows."""

import re
from dataclasses import dataclass

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRange:
    """A rectangle of cells; rows are Excel's numbers, columns count from 0, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


def column_letter(column: int) -> str:
    """0 → A, 26 → AA."""
    letters = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        letters, column = chr(ord("A") + letter) + letters, column - 1
    return letters


def column_index(letters: str) -> int:
    """A → 0, AA → 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def address(row: int, column: int) -> str:
    """Row 5, column 0 → A5."""
    return f"{column_letter(column)}{row}"


def parse_range(text: str) -> CellRange | None:
    """Return the rectangle written as A1:B5; None for anything else."""
    found = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})", text)
    if found is None:
        return None
    return CellRange(top=int(found[2]), left=column_index(found[1]), bottom=int(found[4]), right=column_index(found[3]))
