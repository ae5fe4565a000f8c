"""One sheet of a rejects workbook that came back, beside what was sent out: which cells and rows say something new."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from work_data_hub.domain.corrections import ROW
from work_data_hub.domain.settled import count_of, shown
from work_data_hub.io.rejects_form import MARKED, REOPENED, WAIVED, SheetForm

CHANGES = (*ROW, "column", "value", "found", "file", "cell", "was_marked", "knowing")
STATUS, REASONS_HERE, LINE = "_status", "_reasons", "line"
OTHER = "_other "
"""How the name of a column begins that nobody loads."""
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReturnedSheet:
    """One sheet: its declared cells as texts before and after, line by line the same rows, and how they stand.

    Both frames have the columns of `ROW` and `file`; `before` has every row that was sent out, `after` those that
    came back, with the status, the reasons and the line of each in the workbook.
    """

    form: SheetForm
    before: pd.DataFrame
    after: pd.DataFrame

    @property
    def matched(self) -> pd.DataFrame:
        """The rows before, in the order of those that came back."""
        return self.after[ROW].merge(self.before, how="left", on=ROW)

    @property
    def is_given_up(self) -> np.ndarray:
        """Which of the rows that came back were given up."""
        return np.asarray(self.after[STATUS] == WAIVED, dtype=bool)

    def edited(self) -> pd.DataFrame:
        """Which declared cells of the rows that came back hold something else."""
        names = list(self.form.headings)
        return self.after[names].ne(self.matched[names])

    def differing(self) -> pd.DataFrame:
        """Which of them are changes; none of a row that was given up."""
        differing = self.edited()
        differing.loc[self.is_given_up] = False
        return differing

    def changes(self) -> pd.DataFrame:
        """One row per changed cell, by row of the source and column."""
        return self._cells(self.differing())

    def kept_open(self) -> pd.DataFrame:
        """The rows that came back and were not given up, and whether their status says to replace what stands."""
        kept = self.after[~self.is_given_up]
        return kept[[*ROW, "file"]].assign(knowing=kept[STATUS] == REOPENED).reset_index(drop=True)

    def remarks(self, *, domain: str) -> Iterator[str]:
        """What was edited and is not taken, in words: cells of rows given up, cells of columns that nobody loads."""
        edited = self.edited()
        edited.loc[~self.is_given_up] = False
        lost = self._cells(edited)
        for sheet, cell, column, value in (
            lost[["sheet", "cell", "column", "value"]].head(_SHOWN).itertuples(index=False)
        ):
            yield f"not taken: {sheet}!{cell} {column} {shown(value)}; the row is given up"
        if len(lost) > _SHOWN:
            yield f"not taken: {len(lost) - _SHOWN:,} more cells of rows that are given up"
        for name in self.after.columns[self.after.columns.str.startswith(OTHER)]:
            count = int(self.after[name].ne(self.matched[name]).sum())
            if count:
                heading = name.removeprefix(OTHER)
                yield f"{heading} is not a column of {domain}: {count_of(count, 'edit')} ignored"

    def _cells(self, differing: pd.DataFrame) -> pd.DataFrame:
        names, matched = list(self.form.headings), self.matched
        lines, columns = np.nonzero(differing.to_numpy())
        column = pd.Series([names[at] for at in columns], dtype="string")
        after = self.after.iloc[lines].reset_index(drop=True)
        marked = zip(column, matched[MARKED].iloc[lines], strict=True)
        changes = after[[*ROW, "file"]].assign(
            column=column,
            value=_blank_as_null(self.after[names].to_numpy(dtype=object)[lines, columns]),
            found=_blank_as_null(matched[names].to_numpy(dtype=object)[lines, columns]),
            cell=column.map(self.form.letters) + after["row"].astype("string"),
            was_marked=[name in str(words).split("\n") for name, words in marked],
            knowing=after[STATUS] == REOPENED,
        )
        return changes[list(CHANGES)].sort_values("row", kind="stable", ignore_index=True)

    def waived(self) -> pd.DataFrame:
        """One row per row that was given up, with the reasons that stand there."""
        given_up = self.after[self.is_given_up].rename(columns={REASONS_HERE: "reason"})
        return given_up[[*ROW, "reason", "file"]].sort_values("row", ignore_index=True)

    def untouched(self) -> pd.DataFrame:
        """The rows neither changed nor given up, deleted ones included."""
        touched = self.differing().any(axis=1) | self.is_given_up
        known = pd.MultiIndex.from_frame(self.after.loc[touched, ROW])
        return self.before.loc[~pd.MultiIndex.from_frame(self.before[ROW]).isin(known), [*ROW, "file"]]


def _blank_as_null(values: np.ndarray) -> pd.Series:
    texts = pd.Series(values, dtype="string")
    return texts.mask(texts == "")
