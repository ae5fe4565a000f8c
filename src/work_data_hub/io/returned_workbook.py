"""A rejects workbook that came back: what its owner changed, found by comparing cells, told apart by provenance."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_ROW, Bronze
from work_data_hub.domain.corrections import ROW
from work_data_hub.domain.moved_rows import moved_rows
from work_data_hub.domain.returned import Returned, RunFacts
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import NoDataRows, SheetMissing, UnreadableWorkbook
from work_data_hub.io.form_sheets import facts_lines, read_form_sheet
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
from work_data_hub.io.returned_sheet import LINE, OTHER, REASONS_HERE, STATUS, ReturnedSheet

_STATUS_WORDS = {"": OPEN, **{word.strip(): status for status in STATUSES for word in (status, *status.split("·"))}}
_AGAIN = "take the rejects workbook as wdh wrote it, and correct that one"


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
        kept_open=pd.concat([sheet.kept_open() for sheet in sheets], ignore_index=True),
        reopened=pd.DataFrame(columns=[*ROW, "file"]),
        remarks=tuple(remark for sheet in sheets for remark in sheet.remarks(domain=facts.domain)),
    )


def _facts(path: Path) -> tuple[RunFacts, tuple[SheetForm, ...]]:
    try:
        return read_facts(facts_lines(path, FACTS, again=_AGAIN), label=path.name)
    except (SheetMissing, NoDataRows) as error:
        raise UnreadableWorkbook(
            "this is not a rejects workbook of wdh, or its hidden sheets are gone",
            file=path.name,
            hint="give the .xlsx that a run wrote (rejects_path in its report), saved as .xlsx",
        ) from error


def _sheet(path: Path, form: SheetForm, domain: Domain) -> ReturnedSheet:
    names = list(form.headings)
    numbers = {name for name in names if name in domain.by_name and domain.by_name[name].is_number} | {PLACE_ROW}
    cells = {heading: name for name, heading in form.headings.items()}
    places = {HEADINGS[name]: name for name in PLACE}
    answers = {HEADINGS[name]: name for name in (STATUS, REASONS_HERE)}
    others = {heading: OTHER + heading for heading in form.others}
    try:
        sent = read_form_sheet(
            path,
            form.cells_title,
            cells | places | {MARKED_HEADING: MARKED},
            again=_AGAIN,
            numbers=numbers,
            others=others,
        )
    except (SheetMissing, NoDataRows) as error:
        raise UnreadableWorkbook(
            "its hidden sheet of original cells is gone", file=path.name, sheet=form.cells_title, hint=_AGAIN
        ) from error
    before = _placed(sent, names)
    try:
        came = read_form_sheet(path, form.title, cells | places | answers, again=_AGAIN, numbers=numbers, others=others)
    except NoDataRows:
        return ReturnedSheet(form=form, before=before, after=_nothing_back(before))
    except SheetMissing as error:
        raise UnreadableWorkbook("the sheet is gone", file=path.name, sheet=form.title, hint=_AGAIN) from error
    return _checked(path.name, came, ReturnedSheet(form=form, before=before, after=_placed(came, names)))


def _placed(cells: Bronze, names: list[str]) -> pd.DataFrame:
    """The declared cells as texts, blank ones empty; and where each row comes from, 0 where its number is damaged."""
    frame = cells.frame
    others = [name for name in (MARKED, STATUS, REASONS_HERE) if name in frame]
    sha256, file, sheet, _ = PLACE
    texts = {name: _texts(cells, name) for name in (*names, *(n for n in frame.columns if n.startswith(OTHER)))}
    place = {"file_sha256": frame[sha256], "file": frame[file], "sheet": frame[sheet]}
    row = frame[PLACE_ROW].fillna(0).astype("int64")
    return pd.DataFrame(
        {**texts, **{name: frame[name].fillna("") for name in others}, **place, "row": row, LINE: frame[SOURCE_ROW]}
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
    return before.iloc[:0].assign(**{STATUS: "", REASONS_HERE: ""})


def _checked(label: str, came: Bronze, sheet: ReturnedSheet) -> ReturnedSheet:
    """The sheet without rows that were cleared; refused where a row is not one that was sent out."""
    after = sheet.after.assign(**{STATUS: _statuses(label, came, sheet)})
    cleared = ~after[list(sheet.form.headings)].astype(bool).any(axis=1) & (after[STATUS] == OPEN)
    _refuse_strangers(label, came, after[~cleared], sheet)
    checked = ReturnedSheet(form=sheet.form, before=sheet.before, after=after[~cleared].reset_index(drop=True))
    _refuse_sorted_apart(label, checked)
    _refuse_broken(label, came, checked)
    return checked


def _statuses(label: str, came: Bronze, sheet: ReturnedSheet) -> pd.Series:
    written = sheet.after[STATUS].str.strip()
    statuses = written.str.casefold().map(_STATUS_WORDS)
    for line in np.flatnonzero(statuses.isna()).tolist():
        raise UnreadableWorkbook(
            "not a status",
            file=label,
            sheet=sheet.form.title,
            cell=f"{came.letters[STATUS]}{sheet.after[LINE].iat[line]}",
            input_data=str(written.iat[line]),
            rule=f"{OPEN} or {WAIVED}",
            hint="choose one of the list",
        )
    return statuses


def _refuse_strangers(label: str, came: Bronze, after: pd.DataFrame, sheet: ReturnedSheet) -> None:
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
            number = after[LINE].tolist()[int(np.flatnonzero(wrong)[0])]
            raise UnreadableWorkbook(
                message,
                file=label,
                sheet=sheet.form.title,
                cell=f"{came.letters[PLACE_ROW]}{number}",
                row_number=number,
                hint=f"{hint}, or {_AGAIN}",
            )


def _refuse_sorted_apart(label: str, sheet: ReturnedSheet) -> None:
    """Rows that are nearer to other rows than to what they were: sorted apart from their hidden columns."""
    swapped = moved_rows(sheet.after, sheet.before, names=list(sheet.form.headings), is_edited=_edited_unasked(sheet))
    if len(swapped):
        raise UnreadableWorkbook(
            f"{len(swapped)} rows hold the cells of other rows: they were sorted without their hidden columns",
            file=label,
            sheet=sheet.form.title,
            row_number=sheet.after[LINE].tolist()[swapped[0]],
            hint=f"undo the sorting and sort by the filter's arrows, or {_AGAIN}",
        )


def _edited_unasked(sheet: ReturnedSheet) -> np.ndarray:
    """Which rows that came back hold another value in a cell that was not marked."""
    marked = [set(str(words).split("\n")) for words in sheet.matched[MARKED]]
    edited = sheet.edited()
    unasked = [
        bool(changed) and any(name not in asked for name in edited.columns[row])
        for asked, row, changed in zip(marked, edited.to_numpy(), edited.any(axis=1), strict=True)
    ]
    return np.asarray(unasked, dtype=bool)


def _refuse_broken(label: str, came: Bronze, sheet: ReturnedSheet) -> None:
    """A changed cell that holds an error, or a formula that was never calculated, says nothing."""
    differing = sheet.differing().set_index(sheet.after[LINE])
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
