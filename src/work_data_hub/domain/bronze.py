"""What a sheet held, before anything is interpreted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW = "_source_file", "_source_sheet", "_source_row"
PROVENANCE = (SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untitled:
    """A column that holds values below a blank heading: they are not read."""

    file: str
    sheet: str
    letter: str
    filled: int

    @property
    def words(self) -> str:
        """The column and its number of filled cells in a sentence."""
        cells = f"{self.filled:,} filled cell{'s' if self.filled != 1 else ''}"
        return f"column {self.letter} has no heading and {cells}; it was not read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bronze:
    """One frame of cells, and beside it the cells that a column of numbers cannot hold.

    `frame` has one row per data row of the sheet, index 0…n-1, in sheet order: one column per
    declared column found (named as declared; numbers float64, all else `string`) and the three
    provenance columns; `_source_row` is the Excel row number, 1-based.
    `texts` (position, column, text) are the cells of number columns that hold text.
    `broken` (position, column, found) are cells that hold no usable value: an Excel error, a
    formula that was never calculated, TRUE or FALSE where a number belongs.
    `letters` gives the sheet's column letter of each declared column; where several sheets are
    joined, the first that has the column. `letters_of` knows each sheet's own.
    `unknown_headings` are headings that no declaration knows; their cells are not read. Neither are
    those of the `untitled` columns. `empty_sheets` (file › sheet) had headings only, others had rows.
    """

    frame: pd.DataFrame
    texts: pd.DataFrame
    broken: pd.DataFrame
    letters: dict[str, str]
    unknown_headings: tuple[str, ...] = ()
    letters_by_sheet: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    untitled: tuple[Untitled, ...] = ()
    empty_sheets: tuple[str, ...] = ()

    def letters_of(self, file: str, sheet: str) -> Mapping[str, str]:
        """The column letters of one sheet: declared name → letter."""
        return self.letters_by_sheet.get((file, sheet), self.letters)

    @property
    def rows_read(self) -> int:
        """The number of data rows, fully blank ones not counted."""
        return len(self.frame)

    def rows_by_file(self) -> dict[str, int]:
        """Data rows of each source file."""
        return {str(file): int(rows) for file, rows in self.frame[SOURCE_FILE].value_counts().items()}


def joined(parts: Sequence[Bronze]) -> Bronze:
    """Several sheets as one, in order; positions go on counting."""
    if len(parts) == 1:
        return parts[0]
    starts = [sum(part.rows_read for part in parts[:at]) for at in range(len(parts))]
    return Bronze(
        frame=pd.concat([part.frame for part in parts], ignore_index=True),
        texts=_shifted([part.texts for part in parts], starts),
        broken=_shifted([part.broken for part in parts], starts),
        letters={name: letter for part in reversed(parts) for name, letter in part.letters.items()},
        unknown_headings=tuple(dict.fromkeys(name for part in parts for name in part.unknown_headings)),
        letters_by_sheet={_sheet(part): part.letters for part in parts},
        untitled=tuple(column for part in parts for column in part.untitled),
    )


def row_blocks(bronze: Bronze, rows: int) -> Iterator[Bronze]:
    """The sheet in blocks of so many rows, the last one shorter; positions count from each block's first row."""
    for start in range(0, bronze.rows_read, rows):
        yield replace(
            bronze,
            frame=bronze.frame.iloc[start : start + rows].reset_index(drop=True),
            texts=_between(bronze.texts, start, start + rows),
            broken=_between(bronze.broken, start, start + rows),
        )


def _between(cells: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    if cells.empty:
        return cells
    inside: pd.DataFrame = cells[cells["position"].between(start, stop, inclusive="left")]
    return inside.assign(position=inside["position"] - start).reset_index(drop=True)


def _sheet(part: Bronze) -> tuple[str, str]:
    """The file and sheet of a part that comes from one sheet."""
    return str(part.frame[SOURCE_FILE].iat[0]), str(part.frame[SOURCE_SHEET].iat[0])


def _shifted(frames: list[pd.DataFrame], starts: list[int]) -> pd.DataFrame:
    moved = [frame.assign(position=frame["position"] + start) for frame, start in zip(frames, starts, strict=True)]
    return pd.concat(moved, ignore_index=True)


def rows_kept(bronze: Bronze, kept: np.ndarray) -> Bronze:
    """The rows of the sheet where `kept` is true; positions count anew."""
    moved = np.cumsum(kept) - 1
    return replace(
        bronze,
        frame=bronze.frame[kept].reset_index(drop=True),
        texts=_moved(bronze.texts, kept, moved),
        broken=_moved(bronze.broken, kept, moved),
    )


def _moved(cells: pd.DataFrame, kept: np.ndarray, moved: np.ndarray) -> pd.DataFrame:
    if cells.empty:
        return cells
    positions = cells["position"].to_numpy(dtype="int64")
    stays: pd.DataFrame = cells.assign(position=moved[positions])[kept[positions]]
    return stays.reset_index(drop=True)
