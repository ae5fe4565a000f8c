"""What a sheet's totals state against what its rows add up to: as parsed, as cleaned, as loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.exact import exact_sum, written
from work_data_hub.domain.findings import Rejected
from work_data_hub.domain.kinds import parse_column
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.total_rows import TotalRow, sheet_starts
from work_data_hub.errors import TotalsDiffer

_EXCEL_DIGITS = 15
_MOST_NAMED, _MOST_TOLD = 5, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTotal:
    """One stated amount against its rows; all amounts exact, in the column's unit.

    `parsed` adds up every row that can be read, `rejected` the part of it in rejected rows,
    `typed` the part in cells typed as text, which Excel's SUM leaves out. `cleaned` is what is
    to be stored, `loaded` what the warehouse holds of it, None before a load. `allowed` is how far
    apart two sums may be; `unreadable` counts the cells of the column that hold no readable amount.
    """

    total: TotalRow
    column: str
    unit: str
    rows: int
    stated: Decimal
    parsed: Decimal
    rejected: Decimal
    typed: Decimal
    cleaned: Decimal
    allowed: Decimal
    unreadable: int = 0
    loaded: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        """What the total states beyond its rows as parsed."""
        return self.stated - self.parsed

    @property
    def is_kept(self) -> bool:
        """Whether cleaning kept every amount of the rows it accepted."""
        return abs(self.parsed - self.rejected - self.cleaned) <= self.allowed

    @property
    def explanation(self) -> str | None:
        """Why stated and parsed may stand as they are: blank where they agree, None where nothing explains them."""
        if self._agrees(self.parsed):
            return ""
        if self._agrees(self.cleaned):
            return "leaves out the rejected rows"
        if self._agrees(self.parsed - self.typed):
            return "leaves out the amounts typed as text, as Excel's SUM does"
        return f"{self.unreadable} of its cells cannot be read" if self.unreadable else None

    @property
    def is_refused(self) -> bool:
        """Whether the load must not happen."""
        return not self.is_kept or self.explanation is None

    def as_json(self) -> dict[str, str | int | None]:
        """The facts of the report, amounts as text."""
        return {
            "label": self.total.label,
            "file": self.total.file,
            "sheet": self.total.sheet,
            "row": self.total.row,
            "cell": self.total.cells[self.column],
            "column": self.column,
            "stated": f"{self.stated:f}",
            "parsed": f"{self.parsed:f}",
            "cleaned": f"{self.cleaned:f}",
            "loaded": None if self.loaded is None else f"{self.loaded:f}",
            "difference": f"{self.difference:f}",
            "explanation": self.explanation,
        }

    def _agrees(self, found: Decimal) -> bool:
        return abs(self.stated - found) <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The totals that were set aside, and what came of comparing them."""

    set_aside: tuple[TotalRow, ...] = ()
    compared: tuple[ControlTotal, ...] = ()

    def lines(self) -> list[str]:
        """What there is to tell, a sentence a line; nothing where a sheet has no totals."""
        if not self.set_aside:
            return []
        agreed = sum(control.explanation == "" and control.is_kept for control in self.compared)
        others = [control for control in self.compared if control.explanation or control.is_refused]
        uncovered = [total for total in self.set_aside if total.stated and not total.first_row]
        return [
            f"{len(self.set_aside)} row{'s' * (len(self.set_aside) > 1)} of totals set aside: {_named(self.set_aside)}",
            *([f"{agreed} stated sums agree with their rows"] if agreed else []),
            *(_sentence(control) for control in others[:_MOST_TOLD]),
            *([f"and {len(others) - _MOST_TOLD} more"] if len(others) > _MOST_TOLD else []),
            *([f"not compared, no rows above them: {_named(uncovered)}"] if uncovered else []),
        ]


def compare(
    totals: Sequence[TotalRow], *, domain: Domain, bronze: Bronze, outcome: Outcome, tolerance: Decimal
) -> Controls:
    """Every stated amount against its rows; `bronze` and `outcome` are those of one run, totals set aside.

    `tolerance` is in the unit of each column; half a unit of the last stored decimal a row, and what
    Excel's fifteen digits cannot tell, come on top.
    """
    covering = [total for total in totals if total.first_row]
    if not covering:
        return Controls(set_aside=tuple(totals))
    parsed, gold = _Rows(bronze.frame), _Rows(outcome.gold)
    rejected = _mask(outcome.rejects["position"], bronze.rows_read)
    names = dict.fromkeys(name for total in covering for name in total.stated)
    columns = {name: _Parsed.of(domain.by_name[name], bronze=bronze) for name in names}
    compared = [
        columns[name].against(
            total, rows=parsed.of(total), rejected=rejected, cleaned=gold.sum(total, name), tolerance=tolerance
        )
        for total in covering
        for name in total.stated
    ]
    return Controls(set_aside=tuple(totals), compared=tuple(compared))


def refuse(controls: Sequence[ControlTotal], *, domain: str) -> None:
    """Raise TotalsDiffer for the first stated amount that is not what its rows are, naming its cell."""
    differing = [control for control in controls if control.is_refused]
    if differing:
        raise _differs(differing[0], domain=domain, others=len(differing) - 1)


def loaded(controls: Sequence[ControlTotal], sums: Sequence[Decimal], *, domain: str) -> tuple[ControlTotal, ...]:
    """The controls with what the warehouse holds of each; raises TotalsDiffer where that is not what was cleaned."""
    known = tuple(replace(control, loaded=held) for control, held in zip(controls, sums, strict=True))
    wrong = next((control for control in known if control.loaded != control.cleaned), None)
    if wrong is not None:
        raise _held_differs(wrong, domain=domain)
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """One money column of the sheets: exact amounts by position, and which cells are typed or unreadable."""

    column: Column
    amounts: pd.Series
    typed: np.ndarray
    unreadable: np.ndarray

    @classmethod
    def of(cls, column: Column, *, bronze: Bronze) -> Self:
        amounts, findings = parse_column(column, bronze)
        count = bronze.rows_read
        unreadable = _mask(_positions(bronze.broken, column), count)
        for finding in findings:
            if isinstance(finding, Rejected):
                unreadable |= _mask(finding.cells["position"], count)
        typed = _mask(_positions(bronze.texts, column), count)
        unreadable &= amounts.isna().to_numpy()
        return cls(column=column, amounts=amounts, typed=typed, unreadable=unreadable)

    def against(
        self, total: TotalRow, *, rows: slice, rejected: np.ndarray, cleaned: Decimal, tolerance: Decimal
    ) -> ControlTotal:
        amounts, stated = self.amounts.iloc[rows], total.stated[self.column.name]
        count = rows.stop - rows.start
        half_a_unit = Decimal(5).scaleb(-self.column.scale - 1)
        lost_digits = Decimal(5).scaleb(stated.adjusted() - _EXCEL_DIGITS)
        return ControlTotal(
            total=total,
            column=self.column.name,
            unit=self.column.unit,
            rows=count,
            stated=stated,
            parsed=exact_sum(amounts),
            rejected=exact_sum(amounts[rejected[rows]]),
            typed=exact_sum(amounts[self.typed[rows]]),
            cleaned=cleaned,
            allowed=(tolerance + count * half_a_unit + lost_digits).quantize(half_a_unit),
            unreadable=int(self.unreadable[rows].sum()),
        )


class _Rows:
    """Where the rows of each sheet stand in a frame, found by their Excel row numbers."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame, self._numbers = frame, frame[SOURCE_ROW].to_numpy(dtype="int64")
        self._sheets = {
            (frame[SOURCE_FILE].iloc[begin], frame[SOURCE_SHEET].iloc[begin]): slice(begin, end)
            for begin, end in pairwise(sheet_starts(frame).tolist())
            if begin < end
        }

    def of(self, total: TotalRow) -> slice:
        """The rows that the total stands for."""
        sheet = self._sheets.get((total.file, total.sheet), slice(0, 0))
        first, end = np.searchsorted(self._numbers[sheet], [total.first_row, total.last_row + 1])
        return slice(sheet.start + int(first), sheet.start + int(end))

    def sum(self, total: TotalRow, name: str) -> Decimal:
        """The exact sum of the column over those rows."""
        return exact_sum(self._frame[name].iloc[self.of(total)])


def _positions(cells: pd.DataFrame, column: Column) -> pd.Series:
    return cells.loc[cells["column"] == column.name, "position"]


def _mask(positions: pd.Series, count: int) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[positions.to_numpy(dtype="int64")] = True
    return mask


def _named(totals: Sequence[TotalRow]) -> str:
    sheets = {(total.file, total.sheet) for total in totals}
    names = [f"{f'{total.sheet} ' if len(sheets) > 1 else ''}row {total.row} {total.label}" for total in totals]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(control: ControlTotal) -> str:
    total, unit = control.total, control.unit
    why = control.explanation or ("cleaning changed the amounts" if not control.is_kept else "nothing explains it")
    return (
        f"row {total.row} {total.label}: {control.column} states {written(control.stated)} {unit}, its {control.rows}"
        f" rows have {written(control.parsed)} parsed, {written(control.cleaned)} cleaned,"
        f" difference {written(control.difference)} — {why}"
    )


def _differs(control: ControlTotal, *, domain: str, others: int) -> TotalsDiffer:
    total, unit = control.total, control.unit
    found = f"its {control.rows} rows (row {total.first_row} to {total.last_row}) add up to"
    if control.explanation is None:
        message = (
            f"{total.label} states {written(control.stated)} {unit}, {found} {written(control.parsed)} {unit}, "
            f"a difference of {written(control.difference)} {unit}"
        )
        hint = "find the missing or doubled row, or correct the total"
    else:
        kept = control.parsed - control.rejected
        message = f"{found} {written(kept)} {unit} as parsed and {written(control.cleaned)} {unit} as cleaned"
        hint = "a step of the domain changes the amounts: wdh domain show names the steps"
    more = f"; {others} more stated sums differ" if others else ""
    return TotalsDiffer(
        message + more,
        operation="compare totals",
        domain=domain,
        rule=f"a total is the sum of its rows, give or take {written(control.allowed)} {unit}",
        hint=f"{hint}; totals_tolerance in config/data_sources.yml says how far the two may be apart",
        **_place(control),
    )


def _held_differs(control: ControlTotal, *, domain: str) -> TotalsDiffer:
    held = "nothing" if control.loaded is None else f"{written(control.loaded)} {control.unit}"
    return TotalsDiffer(
        f"the warehouse would hold {held} where {written(control.cleaned)} {control.unit} were cleaned",
        operation="load",
        domain=domain,
        rule="the warehouse holds what was cleaned, to the last decimal",
        hint="look for a trigger or a rule on the table that changes or drops rows; nothing was loaded",
        **_place(control),
    )


def _place(control: ControlTotal) -> dict[str, Any]:
    total = control.total
    return {
        "file": total.file,
        "sheet": total.sheet,
        "cell": total.cells[control.column],
        "row_number": total.row,
        "field": control.column,
        "input_data": f"{control.stated:f}",
    }
