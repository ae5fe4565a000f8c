"""Rejected rows sheet by sheet, laid out like their source: all its columns, its types and its number formats."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET
from work_data_hub.domain.quarantine import marked_cells, rejected_rows, row_reasons
from work_data_hub.domain.returned import Quarantined
from work_data_hub.domain.text import fold
from work_data_hub.io.cell_address import column_letter
from work_data_hub.io.rejects_form import FACTS, GUIDE, HEADINGS, MARKED_HEADING, SheetForm
from work_data_hub.io.source_rows import SourceCell, SourceRows, source_rows

TEXT_FORMAT = 49
"""Excel's own number of the format @, under which what is typed stays as typed."""

_LONGEST_TITLE = 31
_NOT_IN_TITLES = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """One rejected row: where it comes from, its cells by column, and what is wrong with which."""

    place: tuple[str, str, str, int]
    cells: Mapping[int, SourceCell]
    reasons: str
    marked: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSheet:
    """One sheet of the workbook: the source's headings and columns, and its rejected rows.

    `columns` are the declared columns by name, `others` the rest by heading.
    """

    form: SheetForm
    headings: Mapping[int, str]
    columns: Mapping[str, int]
    others: Mapping[str, int]
    text_columns: frozenset[int]
    rows: Sequence[RejectedRow]

    @property
    def width(self) -> int:
        """The number of the source's columns."""
        return max((*self.headings, *(column for row in self.rows for column in row.cells)), default=-1) + 1


def rejected_sheets(rows: Quarantined) -> Iterator[RejectedSheet]:
    """The rejected rows by file and sheet, in the order of the source, each place once."""
    positions = rows.rejects["position"].unique().astype("int64")
    place = rows.bronze.frame.iloc[positions][[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].reset_index(drop=True)
    place = place.assign(sha256=place[SOURCE_FILE].map(rows.facts.sha_by_label), position=positions)
    place = place.drop_duplicates(["sha256", SOURCE_SHEET, SOURCE_ROW])
    taken = {GUIDE.casefold(), FACTS}
    paths = {file.label: Path(file.path) for file in rows.facts.files}
    for number, ((label, sheet), here) in enumerate(place.groupby([SOURCE_FILE, SOURCE_SHEET], sort=False), start=1):
        source = source_rows(
            paths[str(label)], label=str(label), sheet=str(sheet), headings=rows.headings, rows=here[SOURCE_ROW]
        )
        headings = {column: printable(heading.replace("\r", " ")) for column, heading in source.headings.items()}
        others = _others(headings, known=set(source.columns.values()))
        form = SheetForm(
            title=_title(str(sheet), taken),
            cells_title=f"wdh.cells.{number}",
            headings={name: headings[column] for name, column in source.columns.items()},
            letters={name: column_letter(column) for name, column in source.columns.items()},
            others=list(others),
        )
        yield RejectedSheet(
            form=form,
            headings=headings,
            columns=source.columns,
            others=others,
            text_columns=frozenset(at for name, at in source.columns.items() if name not in rows.numbers),
            rows=list(_rows(rows, source, here)),
        )


def _others(headings: Mapping[int, str], *, known: Collection[int]) -> dict[str, int]:
    """The columns that nobody loads, by heading; without those that could be taken for ours."""
    ours = {fold(heading) for heading in (*HEADINGS.values(), MARKED_HEADING)}
    return {text: at for at, text in headings.items() if at not in known and fold(text) and fold(text) not in ours}


def _rows(rows: Quarantined, source: SourceRows, here: pd.DataFrame) -> Iterator[RejectedRow]:
    """The rows of one sheet; declared cells are those that were refined, corrections and merged cells included."""
    rejects = rows.rejects[rows.rejects["position"].isin(here["position"])]
    reasons, marked = row_reasons(rejects), marked_cells(rejects)
    refined = rejected_rows(rows.bronze, rejects)
    known = {name: refined[name].tolist() for name in source.columns if name in refined}
    given, numbers = rows.given.cells, rows.numbers
    corrected = set(zip(given["file_sha256"], given["sheet"], given["row"], given["column"], strict=True))
    for at, (label, sheet, row, sha256, position) in enumerate(here.itertuples(index=False)):
        cells = dict(source.cells.get(row, {}))
        for name, values in known.items():
            cell = cells.pop(source.columns[name], None)
            is_corrected = (sha256, sheet, row, name) in corrected
            shown = _shown(None if is_corrected else cell, values[at], is_number=name in numbers)
            if shown is not None:
                cells[source.columns[name]] = shown
        yield RejectedRow(
            place=(sha256, label, sheet, row),
            cells=cells,
            reasons=reasons[position],
            marked={source.columns[n]: words for n, words in marked[position].items() if n in source.columns},
        )


def _shown(cell: SourceCell | None, refined: Any, *, is_number: bool) -> SourceCell | None:
    """A declared cell: as it stands in the source, else as it was refined; None for blank.

    A text is formatted as text where text belongs, so that 007 can be typed there, and not where a number does.
    """
    if cell is None:
        if is_missing(refined):
            return None
        cell = SourceCell(_as_number(refined) if is_number else refined)
    if not isinstance(cell.value, str):
        return cell
    return SourceCell(cell.value, 0 if is_number else cell.number_format or TEXT_FORMAT)


def _as_number(value: Any) -> Any:
    """An amount that was corrected to a plain number is a number again."""
    try:
        number = float(str(value))
    except ValueError:
        return value
    return number if math.isfinite(number) and repr(number).removesuffix(".0") == str(value) else value


def _title(sheet: str, taken: set[str]) -> str:
    """A title that Excel takes, the sheet's own where that is one, and that no other sheet has."""
    plain = printable(sheet).translate(_NOT_IN_TITLES).strip("'")[:_LONGEST_TITLE] or "sheet"
    title, number = plain, 1
    while title.casefold() in taken:
        number += 1
        title = f"{plain[: _LONGEST_TITLE - 5]} ({number})"
    taken.add(title.casefold())
    return title


def printable(text: str) -> str:
    """The text without the control characters that Excel refuses."""
    return "".join(c if c >= " " or c in "\t\n" else "␀" for c in text)


def is_missing(value: object) -> bool:
    """Say whether a cell of a frame of objects holds nothing."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
