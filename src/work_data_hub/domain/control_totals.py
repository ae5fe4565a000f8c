"""What a sheet's totals state against what its rows add up to: as parsed, as cleaned, as loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.exact import exact_sum, written
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.sheet_amounts import SheetAmounts, SheetRows, mask
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.stated_totals import TotalRow
from work_data_hub.domain.total_rows import LabelledRow, data_rows_called_totals
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
        known = next((why for found, why in self._readings if self._agrees(found)), None)
        if known is not None:
            return known
        if self.unreadable:
            return f"{self.unreadable} of its cells cannot be read, so the difference cannot be verified"
        return None

    @property
    def is_verified(self) -> bool:
        """Whether the cells that can be read say alone why stated and parsed stand as they do."""
        return any(self._agrees(found) for found, _ in self._readings)

    @property
    def is_refused(self) -> bool:
        """Whether the load must not happen."""
        return not self.is_kept or self.explanation is None

    def as_json(self) -> dict[str, str | int | bool | None]:
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
            "verified": self.is_verified,
        }

    def said(self, amount: Decimal) -> str:
        """An amount of the column as people read it, with its unit; a count has none."""
        return f"{self.figure(amount)} {self.unit}".rstrip()

    def figure(self, amount: Decimal) -> str:
        """An amount of the column as people read it, without its unit."""
        return written(amount) if self.unit else f"{amount.normalize():,f}"

    @property
    def _readings(self) -> tuple[tuple[Decimal, str], ...]:
        """What a total may state, and why."""
        return (
            (self.parsed, ""),
            (self.cleaned, "leaves out the rejected rows"),
            (self.parsed - self.typed, "leaves out the amounts typed as text, as Excel's SUM does"),
        )

    def _agrees(self, found: Decimal) -> bool:
        return abs(self.stated - found) <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The totals that were set aside, what came of comparing them, and the data rows that are called as totals are."""

    set_aside: tuple[TotalRow, ...] = ()
    compared: tuple[ControlTotal, ...] = ()
    called_totals: tuple[LabelledRow, ...] = ()

    def lines(self) -> list[str]:
        """What there is to tell, a sentence a line; nothing where a sheet has no totals."""
        agreed = sum(control.explanation == "" and control.is_kept for control in self.compared)
        others = [control for control in self.compared if control.explanation or control.is_refused]
        told = sorted(others, key=lambda control: (not control.is_refused, control.is_verified))
        uncovered = [total for total in self.set_aside if total.is_uncovered]
        rows = f"{len(self.set_aside)} row{'s' * (len(self.set_aside) > 1)}"
        return [
            *([f"{rows} of totals set aside: {_named(self.set_aside)}"] if self.set_aside else []),
            *([f"{agreed} stated sums agree with their rows"] if agreed else []),
            *_first([_sentence(control) for control in told]),
            *([f"not compared, no rows above them: {_named(uncovered)}"] if uncovered else []),
            *_first([f"not compared: {place} cannot be read ({why})" for place, why in self._unread()]),
            *_first([row.sentence() for row in self.called_totals]),
        ]

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """The facts of the report: every total, every comparison, and what was not compared."""
        return {
            "control_totals": [control.as_json() for control in self.compared],
            "totals_set_aside": [total.as_json() for total in self.set_aside],
            "totals_not_compared": [facts for total in self.set_aside for facts in total.not_compared()],
            "rows_called_totals": [row.as_json() for row in self.called_totals],
        }

    def _unread(self) -> list[tuple[str, str]]:
        """Each cell of a total that cannot be read, with its column, and why."""
        several = len({total.file for total in self.set_aside}) > 1
        return [
            (f"{f'{total.file} › ' if several else ''}{total.sheet}!{amount.cell} {amount.column}", amount.why)
            for total in self.set_aside
            for amount in total.unread
        ]


def compare(
    totals: Sequence[TotalRow], *, domain: Domain, bronze: Bronze, outcome: Outcome, tolerance: Decimal
) -> Controls:
    """Every stated amount against its rows; `bronze` and `outcome` are those of one run, totals set aside.

    `tolerance` is in the unit of each column; half a unit of the last stored decimal a row, and what
    Excel's fifteen digits cannot tell, come on top.
    """
    controls = Controls(set_aside=tuple(totals), called_totals=data_rows_called_totals(domain, bronze))
    covering = [total for total in totals if total.first_row]
    if not covering:
        return controls
    sides = _Sides(
        parsed=SheetRows(bronze.frame),
        gold=SheetRows(outcome.gold),
        rejected=mask(outcome.rejects["position"], bronze.rows_read),
        tolerance=tolerance,
    )
    names = dict.fromkeys(name for total in covering for name in total.stated)
    columns = {name: SheetAmounts.of(domain.by_name[name], bronze=bronze) for name in names}
    compared = [sides.of(total, amounts=columns[name]) for total in covering for name in total.stated]
    return replace(controls, compared=tuple(compared))


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
class _Sides:
    """What a stated amount is held against: the rows as parsed and as cleaned, and which of them were rejected."""

    parsed: SheetRows
    gold: SheetRows
    rejected: np.ndarray
    tolerance: Decimal

    def of(self, total: TotalRow, *, amounts: SheetAmounts) -> ControlTotal:
        rows, column = self.parsed.of(total), amounts.column
        values, stated = amounts.amounts.iloc[rows], total.stated[column.name]
        count = rows.stop - rows.start
        lost_digits = Decimal(5).scaleb(stated.adjusted() - _EXCEL_DIGITS)
        allowed = self.tolerance + amounts.rounded_off(count) + lost_digits
        return ControlTotal(
            total=total,
            column=column.name,
            unit=column.unit,
            rows=count,
            stated=stated,
            parsed=exact_sum(values),
            rejected=exact_sum(values[self.rejected[rows]]),
            typed=exact_sum(values[amounts.typed[rows]]),
            cleaned=self.gold.sum(total, column.name),
            allowed=allowed.quantize(amounts.half_a_unit),
            unreadable=int(amounts.unreadable[rows].sum()),
        )


def _first(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - _MOST_TOLD
    return [*lines[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]


def _named(totals: Sequence[TotalRow]) -> str:
    sheets = {(total.file, total.sheet) for total in totals}
    names = [f"{f'{total.sheet} ' if len(sheets) > 1 else ''}row {total.row} {total.label}" for total in totals]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(control: ControlTotal) -> str:
    total = control.total
    why = control.explanation or ("cleaning changed the amounts" if not control.is_kept else "nothing explains it")
    return (
        f"row {total.row} {total.label}: {control.column} states {control.said(control.stated)}, its {control.rows}"
        f" rows have {control.figure(control.parsed)} parsed, {control.figure(control.cleaned)} cleaned,"
        f" difference {control.figure(control.difference)} — {why}"
    )


def _differs(control: ControlTotal, *, domain: str, others: int) -> TotalsDiffer:
    total = control.total
    found = f"its {control.rows} rows (row {total.first_row} to {total.last_row}) add up to"
    if control.explanation is None:
        message = (
            f"{total.label} states {control.said(control.stated)}, {found} {control.said(control.parsed)}, "
            f"a difference of {control.said(control.difference)}"
        )
        hint = "find the missing or doubled row, or correct the total"
    else:
        kept = control.parsed - control.rejected
        message = f"{found} {control.said(kept)} as parsed and {control.said(control.cleaned)} as cleaned"
        hint = "a step of the domain changes the amounts: wdh domain show names the steps"
    more = f"; {others} more stated sums differ" if others else ""
    return TotalsDiffer(
        message + more,
        operation="compare totals",
        domain=domain,
        rule=f"a total is the sum of its rows, give or take {control.said(control.allowed)}",
        hint=f"{hint}; totals_tolerance in config/data_sources.yml says how far the two may be apart",
        **_place(control),
    )


def _held_differs(control: ControlTotal, *, domain: str) -> TotalsDiffer:
    held = "nothing" if control.loaded is None else control.said(control.loaded)
    return TotalsDiffer(
        f"the warehouse would hold {held} where {control.said(control.cleaned)} were cleaned",
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
