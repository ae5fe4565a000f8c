"""What the totals of a sheet state: each amount with its cell, and the cells that hold none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.spec import Domain, Kind
from work_data_hub.domain.total_labels import SHEET, Label


class TotalKind(StrEnum):
    """Whether a total stands for a part of its sheet or for the sheet."""

    SUB = "sub"
    GRAND = "grand"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadAmount:
    """A cell of a total in a column of amounts that holds no readable one, and why."""

    column: str
    cell: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """One total of a sheet and the rows it stands for.

    `stated` is the exact amount of each column of money or counts that has a readable one, `cells` its
    address; `unread` are the filled cells of those columns that have none.
    `first_row` and `last_row` are the Excel rows of the first and the last data row it stands for,
    both 0 where there is none.
    """

    label: str
    kind: TotalKind
    file: str
    sheet: str
    row: int
    stated: Mapping[str, Decimal]
    cells: Mapping[str, str]
    first_row: int = 0
    last_row: int = 0
    unread: tuple[UnreadAmount, ...] = ()

    def as_json(self) -> dict[str, str | int | None]:
        """Where the row stands and what it is called."""
        return {"file": self.file, "sheet": self.sheet, "row": self.row, "label": self.label, "kind": self.kind.value}

    @property
    def is_uncovered(self) -> bool:
        """Whether it states amounts and stands for no rows."""
        return bool(self.stated) and not self.first_row

    def not_compared(self) -> list[dict[str, str | int | None]]:
        """What of the total could not be compared, and why: cells that cannot be read, or the whole row."""
        unread = [
            {**self.as_json(), "cell": amount.cell, "column": amount.column, "why": f"cannot be read ({amount.why})"}
            for amount in self.unread
        ]
        whole = [{**self.as_json(), "cell": None, "column": None, "why": "no rows above it"}]
        return [*unread, *(whole if self.is_uncovered else [])]


def read_rows(domain: Domain, bronze: Bronze, labels: Mapping[int, Label]) -> Iterator[TotalRow]:
    """The totals as they stand, what they stand for not known yet."""
    added_up = [column.name for column in domain.stored if column.kind in (Kind.MONEY, Kind.COUNT)]
    names = [name for name in added_up if name in bronze.frame]
    places = bronze.frame.iloc[list(labels)]
    texts, broken = _cells_of(bronze.texts, labels, holding="text"), _cells_of(bronze.broken, labels, holding="found")
    numbers = places[names].to_numpy(dtype="float64")
    provenance = places[[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].itertuples(index=False, name=None)
    for (at, label), amounts, (file, sheet, row) in zip(labels.items(), numbers, provenance, strict=True):
        letters = bronze.letters_of(file, sheet)
        cells = {name: f"{letters.get(name, '')}{row}" for name in names}
        held = {name: texts.get((at, name), number) for name, number in zip(names, amounts, strict=True)}
        stated, unread = _read(held, {name: broken[at, name] for name in names if (at, name) in broken})
        yield TotalRow(
            label=label.text,
            kind=TotalKind.GRAND if label.rank >= SHEET else TotalKind.SUB,
            file=file,
            sheet=sheet,
            row=int(row),
            stated=stated,
            cells={name: cells[name] for name in stated},
            unread=tuple(UnreadAmount(column=name, cell=cells[name], why=why) for name, why in unread.items()),
        )


def _read(held: Mapping[str, str | float], broken: Mapping[str, str]) -> tuple[dict[str, Decimal], dict[str, str]]:
    """The amounts of one row by column, and why the others have none; blank cells are neither."""
    stated, unread = {}, {}
    for name, cell in held.items():
        try:
            amount = _amount(cell, broken=broken.get(name))
        except ValueError as error:
            unread[name] = str(error)
        else:
            if amount is not None:
                stated[name] = amount
    return stated, unread


def _cells_of(cells: pd.DataFrame, labels: Mapping[int, Label], *, holding: str) -> dict[tuple[int, str], str]:
    """What the cells of those rows hold, by position and column."""
    wanted = cells.loc[cells["position"].isin(list(labels)), ["position", "column", holding]]
    return {(int(at), name): str(held) for at, name, held in wanted.itertuples(index=False, name=None)}


def _amount(cell: str | float, *, broken: str | None) -> Decimal | None:
    """The amount of a total's cell, None for a blank one; raises ValueError, in words, where there is none."""
    if broken is not None:
        held = broken.startswith("#") or broken in ("TRUE", "FALSE")
        raise ValueError(broken if held else "its formula was never calculated")
    if not isinstance(cell, str):
        return None if np.isnan(cell) else Decimal(repr(float(cell)))
    try:
        return parse_number(cell)
    except ValueError as error:
        raise ValueError(f"{cell.strip()} is no number") from error
