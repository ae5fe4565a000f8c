"""Why a run's rows were rejected, a line a rule and column: what a reader asks before opening the rejects workbook."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_SHEET
from work_data_hub.domain.rules import RULES, Rule

_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectReason:
    """A rule that rows broke in one column: how many of them, and the first cell as `file › sheet!cell`."""

    code: str
    column: str
    rows: int
    first: str

    @property
    def rule(self) -> Rule:
        return RULES[self.code]

    @property
    def name(self) -> str:
        """Column and rule in a few words."""
        return f"{self.column}: {self.rule.title} ({self.code})"


def reject_reasons(rejects: pd.DataFrame) -> tuple[RejectReason, ...]:
    """The reasons behind `rejects` (one row an offending cell, as an Outcome has them), most rows first.

    A row with two bad cells counts for both reasons.
    """
    reasons = [
        RejectReason(
            code=str(code), column=str(column), rows=cells["position"].nunique(), first=_address(cells.iloc[0])
        )
        for (code, column), cells in rejects.groupby(["rule", "column"], sort=False)
    ]
    return tuple(sorted(reasons, key=lambda reason: -reason.rows))


def reasons_table(reasons: Sequence[RejectReason]) -> str:
    """The reasons as a Markdown table; those beyond the first twenty are counted in its last line."""
    heading = "| rule | column | what it means | what to do | rows | first cell |\n|---|---|---|---|---|---|"
    lines = [
        f"| {one.code} {one.rule.title} | {_cell(one.column)} | {_cell(one.rule.requirement)} | {_cell(one.rule.hint)} "
        f"| {one.rows:,} | {_cell(one.first)} |"
        for one in reasons[:_MOST_LISTED]
    ]
    left = len(reasons) - _MOST_LISTED
    return "\n".join([heading, *lines, *([f"\n… and {left} more reasons"] if left > 0 else [])])


def _address(cell: pd.Series) -> str:
    name = str(cell[SOURCE_FILE]).rpartition("/")[2]
    return f"{name} › {cell[SOURCE_SHEET]}!{cell['cell']}"


def _cell(text: str) -> str:
    """Text as a cell of a Markdown table: what came from a workbook must not break the table, nor be a link."""
    plain = "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in text)
    return " ".join(plain.split())
