"""A rejects workbook that came back: what its owner changed, found by comparing cells, told apart by provenance."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_ROW, Bronze
from work_data_hub.domain.corrections import ROW
from work_data_hub.domain.returned import Returned, RunFacts
from work_data_hub.domain.source import SheetChoice
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import HeadingsMissing, NoDataRows, SheetMissing, UnreadableWorkbook
from work_data_hub.io.readers import read_sheet
from work_data_hub.io.rejects_form import (
    FACTS,
    HEADINGS,
    MARKED,
    MARKED_HEADING,
    OPEN,
    PLACE,
    PLACE_ROW,
    STATUSES,
    WAIVED,
    SheetForm,
    read_facts,
)

CHANGES = (*ROW, "column", "value", "found", "file", "cell", "was_marked")
_STATUS, _REASONS = "_status", "_reasons"
_LINE = "line"
_STATUS_WORDS = {"": OPEN, **{word.strip(): status for status in STATUSES for word in (status, *status.split("·"))}}
_AGAIN = "take the rejects workbook as wdh wrote it, and correct that one"
_FEWEST_SWAPPED = 2


def read_returned(path: Path, *, domains: Mapping[str, Domain]) -> Returned:
    """Return what the owner changed in a rejects workbook; rows may be sorted or deleted, the file renamed.

    Raises UnreadableWorkbook, naming file, sheet and cell, for a workbook that wdh did not write, for rows whose
    hidden columns are damaged, doubled or another row's, and for a changed cell that holds no usable value.
    """
    facts, forms = _facts(path)
    if facts.domain not in domains:
        raise UnreadableWorkbook(
            f"its domain {facts.domain!r} is not declared", file=path.name, hint=f"declared are {', '.join(domains)}"
        )
    sheets = [_sheet(path, form, domains[facts.domain]) for form in forms]
    return Returned(
        path=str(path.absolute()),
        facts=facts,
        changes=pd.concat([sheet.changes() for sheet in sheets], ignore_index=True),
        waived=pd.concat([sheet.waived() for sheet in sheets], ignore_index=True),
        untouched=pd.concat([sheet.untouched() for sheet in sheets], ignore_index=True),
    )


def _facts(path: Path) -> tuple[RunFacts, tuple[SheetForm, ...]]:
    try:
        lines = _read(path, FACTS, {"name": "name", "value": "value"}, numbers=()).frame
    except (SheetMissing, NoDataRows) as error:
        raise UnreadableWorkbook(
            "this is not a rejects workbook of wdh, or its hidden sheets are gone",
            file=path.name,
            hint="give the .xlsx that a run wrote (rejects_path in its report), saved as .xlsx",
        ) from error
    return read_facts(list(zip(lines["name"], lines["value"], strict=True)), label=path.name)


def _read(path: Path, sheet: str, headings: Mapping[str, str], *, numbers: Collection[str]) -> Bronze:
    try:
        return read_sheet(
            path,
            sheet=SheetChoice(names=(sheet,)),
            headings=headings,
            required=list(headings.values()),
            numbers=numbers,
            file_label=path.name,
        )
    except HeadingsMissing as error:
        raise HeadingsMissing(
            error.message,
            file=path.name,
            sheet=sheet,
            field=error.field,
            hint=f"undo the change of headings, or {_AGAIN}",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sheet:
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

    def differing(self) -> pd.DataFrame:
        """Which cells of the rows that came back hold something else; none of a row that was given up."""
        names = list(self.form.headings)
        differing = self.after[names].ne(self.matched[names])
        differing.loc[(self.after[_STATUS] == WAIVED).to_numpy()] = False
        return differing

    def changes(self) -> pd.DataFrame:
        """One row per changed cell, by row of the source and column."""
        names, matched = list(self.form.headings), self.matched
        lines, columns = np.nonzero(self.differing().to_numpy())
        column = pd.Series([names[at] for at in columns], dtype="string")
        after = self.after.iloc[lines].reset_index(drop=True)
        marked = zip(column, matched[MARKED].iloc[lines], strict=True)
        changes = after[[*ROW, "file"]].assign(
            column=column,
            value=_blank_as_null(self.after[names].to_numpy(dtype=object)[lines, columns]),
            found=_blank_as_null(matched[names].to_numpy(dtype=object)[lines, columns]),
            cell=column.map(self.form.letters) + after["row"].astype("string"),
            was_marked=[name in str(words).split("\n") for name, words in marked],
        )
        return changes[list(CHANGES)].sort_values("row", kind="stable", ignore_index=True)

    def waived(self) -> pd.DataFrame:
        """One row per row that was given up, with the reasons that stand there."""
        given_up = self.after[self.after[_STATUS] == WAIVED].rename(columns={_REASONS: "reason"})
        return given_up[[*ROW, "reason", "file"]].sort_values("row", ignore_index=True)

    def untouched(self) -> pd.DataFrame:
        """The rows neither changed nor given up, deleted ones included."""
        touched = self.differing().any(axis=1) | (self.after[_STATUS] == WAIVED)
        known = pd.MultiIndex.from_frame(self.after.loc[touched, ROW])
        return self.before.loc[~pd.MultiIndex.from_frame(self.before[ROW]).isin(known), [*ROW, "file"]]


def _sheet(path: Path, form: SheetForm, domain: Domain) -> _Sheet:
    names = list(form.headings)
    numbers = {name for name in names if name in domain.by_name and domain.by_name[name].is_number} | {PLACE_ROW}
    cells = {heading: name for name, heading in form.headings.items()}
    places = {HEADINGS[name]: name for name in PLACE}
    answers = {HEADINGS[name]: name for name in (_STATUS, _REASONS)}
    try:
        sent = _read(path, form.cells_title, cells | places | {MARKED_HEADING: MARKED}, numbers=numbers)
    except (SheetMissing, NoDataRows) as error:
        raise UnreadableWorkbook(
            "its hidden sheet of original cells is gone", file=path.name, sheet=form.cells_title, hint=_AGAIN
        ) from error
    before = _placed(sent, names)
    try:
        came = _read(path, form.title, cells | places | answers, numbers=numbers)
    except NoDataRows:
        return _Sheet(form=form, before=before, after=_nothing_back(before))
    except SheetMissing as error:
        raise UnreadableWorkbook("the sheet is gone", file=path.name, sheet=form.title, hint=_AGAIN) from error
    return _checked(path.name, came, _Sheet(form=form, before=before, after=_placed(came, names)))


def _blank_as_null(values: np.ndarray) -> pd.Series:
    texts = pd.Series(values, dtype="string")
    return texts.mask(texts == "")


def _placed(cells: Bronze, names: list[str]) -> pd.DataFrame:
    """The declared cells as texts, blank ones empty; and where each row comes from, 0 where its number is damaged."""
    frame = cells.frame
    others = [name for name in (MARKED, _STATUS, _REASONS) if name in frame]
    sha256, file, sheet, _ = PLACE
    texts = {name: _texts(cells, name) for name in names}
    place = {"file_sha256": frame[sha256], "file": frame[file], "sheet": frame[sheet]}
    row = frame[PLACE_ROW].fillna(0).astype("int64")
    return pd.DataFrame(
        {**texts, **{name: frame[name].fillna("") for name in others}, **place, "row": row, _LINE: frame[SOURCE_ROW]}
    )


def _texts(cells: Bronze, name: str) -> pd.Series:
    """A column as texts: numbers in their shortest form, texts as typed, broken cells as found, blanks empty."""
    values = cells.frame[name]
    if values.dtype == "float64":
        texts = ["" if np.isnan(number) else _shortest(number) for number in values]
    else:
        texts = [text if text.strip() else "" for text in values.fillna("")]
    for extra, word in ((cells.texts, "text"), (cells.broken, "found")):
        here = extra[extra["column"] == name]
        for position, text in zip(here["position"], here[word], strict=True):
            texts[position] = text
    return pd.Series(texts, index=values.index, dtype=object)


def _shortest(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def _nothing_back(before: pd.DataFrame) -> pd.DataFrame:
    return before.iloc[:0].assign(**{_STATUS: "", _REASONS: ""})


def _checked(label: str, came: Bronze, sheet: _Sheet) -> _Sheet:
    """The sheet without rows that were cleared; refused where a row is not one that was sent out."""
    after = sheet.after.assign(**{_STATUS: _statuses(label, came, sheet)})
    cleared = ~after[list(sheet.form.headings)].astype(bool).any(axis=1) & (after[_STATUS] == OPEN)
    _refuse_strangers(label, came, after[~cleared], sheet)
    checked = _Sheet(form=sheet.form, before=sheet.before, after=after[~cleared].reset_index(drop=True))
    _refuse_sorted_apart(label, checked)
    _refuse_broken(label, came, checked)
    return checked


def _statuses(label: str, came: Bronze, sheet: _Sheet) -> pd.Series:
    written = sheet.after[_STATUS].str.strip()
    statuses = written.str.casefold().map(_STATUS_WORDS)
    for line in np.flatnonzero(statuses.isna()).tolist():
        raise UnreadableWorkbook(
            "not a status",
            file=label,
            sheet=sheet.form.title,
            cell=f"{came.letters[_STATUS]}{sheet.after[_LINE].iat[line]}",
            input_data=str(written.iat[line]),
            rule=f"{OPEN} or {WAIVED}",
            hint="choose one of the list",
        )
    return statuses


def _refuse_strangers(label: str, came: Bronze, after: pd.DataFrame, sheet: _Sheet) -> None:
    places = pd.MultiIndex.from_frame(after[[*ROW, "file"]])
    known = places.isin(pd.MultiIndex.from_frame(sheet.before[[*ROW, "file"]]))
    for wrong, message, hint in (
        (
            ~known,
            "its hidden columns do not name a row that was rejected",
            "delete this row; rows cannot be added here",
        ),
        (places.duplicated(), "the same rejected row stands here twice", "delete one of the two rows"),
    ):
        if wrong.any():
            number = after[_LINE].tolist()[int(np.flatnonzero(wrong)[0])]
            raise UnreadableWorkbook(
                message,
                file=label,
                sheet=sheet.form.title,
                cell=f"{came.letters[PLACE_ROW]}{number}",
                row_number=number,
                hint=f"{hint}, or {_AGAIN}",
            )


def _refuse_sorted_apart(label: str, sheet: _Sheet) -> None:
    """Rows that hold just what other rows held were sorted without their hidden columns."""
    names = list(sheet.form.headings)
    changed = sheet.after[sheet.differing().any(axis=1)]
    held = pd.MultiIndex.from_frame(sheet.before[names])
    swapped = changed[pd.MultiIndex.from_frame(changed[names]).isin(held)] if len(changed) else changed
    if len(swapped) >= _FEWEST_SWAPPED:
        raise UnreadableWorkbook(
            f"{len(swapped)} rows hold the cells of other rows: they were sorted without their hidden columns",
            file=label,
            sheet=sheet.form.title,
            row_number=swapped[_LINE].tolist()[0],
            hint=f"undo the sorting and sort by the filter's arrows, or {_AGAIN}",
        )


def _refuse_broken(label: str, came: Bronze, sheet: _Sheet) -> None:
    """A changed cell that holds an error, or a formula that was never calculated, says nothing."""
    differing = sheet.differing().set_index(sheet.after[_LINE])
    numbers = came.frame[SOURCE_ROW].tolist()
    for position, name, found in came.broken[["position", "column", "found"]].itertuples(index=False):
        number = numbers[position]
        if name in differing and number in differing.index and differing.at[number, name]:
            raise UnreadableWorkbook(
                "a changed cell holds no usable value",
                file=label,
                sheet=sheet.form.title,
                cell=f"{came.letters[name]}{number}",
                field=name,
                input_data=str(found),
                hint="type the value; let Excel calculate a formula and save the workbook",
            )
