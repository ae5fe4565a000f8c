"""A review workbook that came back: what its owner decided, row by row, each still the row that was sent out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import SOURCE_ROW, Bronze
from work_data_hub.errors import NoDataRows, SheetMissing, UnreadableWorkbook
from work_data_hub.io.form_sheets import facts_lines, read_form_sheet
from work_data_hub.io.review_form import (
    AGAIN,
    ANSWERS,
    DECISION,
    DECISIONS,
    FACTS,
    HEADINGS,
    ITEM,
    LATER,
    NAME,
    SHEET,
    TAKEN_BACK,
    WRITTEN,
    ReviewFacts,
    ReviewItem,
    read_facts,
)

_WORDS = {
    "": LATER,
    **{part.strip().casefold(): word for word, shown in DECISIONS.items() for part in (shown, *shown.split("·"))},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One row that came back; `decision` is its word, or what stands there where that is none.

    `cells` are the addresses of its answers, such as C5, by their names; `broken` those of cells that hold no
    usable value.
    """

    item: ReviewItem
    decision: str
    company: str
    plan: str
    why: str
    cells: Mapping[str, str]
    broken: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was decided and nothing else written."""
        return self.decision == LATER and not (self.company or self.plan or self.why)

    @property
    def is_known(self) -> bool:
        """Whether its decision is one of the list."""
        return self.decision in DECISIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedReview:
    """A review workbook that came back, in the order of its rows; rows without an answer are left out."""

    path: str
    facts: ReviewFacts
    answers: tuple[Answer, ...]
    left_open: int


def read_review(path: Path) -> ReturnedReview:
    """Return what was decided in a review workbook; rows may be sorted, copied or deleted, the file renamed.

    Raises UnreadableWorkbook, naming file, sheet and cell, for a workbook that wdh did not write and for rows
    whose evidence is not what was sent out under their hidden number.
    """
    facts = _facts(path)
    try:
        came = read_form_sheet(path, SHEET, {HEADINGS[name]: name for name in TAKEN_BACK}, again=AGAIN)
    except NoDataRows:
        return ReturnedReview(path=str(path.absolute()), facts=facts, answers=(), left_open=0)
    except SheetMissing as error:
        raise UnreadableWorkbook("the sheet is gone", file=path.name, sheet=SHEET, hint=AGAIN) from error
    items = {str(item.item): item for item in facts.items}
    names, broken = [*TAKEN_BACK, SOURCE_ROW], _broken(came)
    cells = came.frame[names].fillna("").itertuples(index=False)
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in cells]
    answers = [_answer(row, items, came=came, broken=broken, label=path.name) for row in rows if not _is_cleared(row)]
    made = tuple(answer for answer in answers if not (answer.is_blank and not answer.broken))
    return ReturnedReview(path=str(path.absolute()), facts=facts, answers=made, left_open=len(answers) - len(made))


def _facts(path: Path) -> ReviewFacts:
    try:
        return read_facts(facts_lines(path, FACTS, again=AGAIN), label=path.name)
    except (SheetMissing, NoDataRows) as error:
        raise UnreadableWorkbook(
            "this is not a review workbook of wdh, or its hidden sheet is gone",
            file=path.name,
            hint="give the .xlsx that `wdh identity review --xlsx` wrote, saved as .xlsx",
        ) from error


def _is_cleared(row: Mapping[str, Any]) -> bool:
    return not any(str(row[name]).strip() for name in TAKEN_BACK if name != ITEM)


def _broken(came: Bronze) -> dict[int, tuple[str, ...]]:
    """The answers of each row, by its place, that hold an error or a formula that was never calculated."""
    cells: pd.DataFrame = came.broken[came.broken["column"].isin(ANSWERS)]
    numbers = came.frame[SOURCE_ROW].tolist()
    found: dict[int, tuple[str, ...]] = {}
    for position, column in cells[["position", "column"]].itertuples(index=False):
        found[numbers[position]] = (*found.get(numbers[position], ()), column)
    return found


def _answer(
    row: Mapping[str, Any],
    items: Mapping[str, ReviewItem],
    *,
    came: Bronze,
    broken: Mapping[int, tuple[str, ...]],
    label: str,
) -> Answer:
    number = int(row[SOURCE_ROW])
    item = items.get(str(row[ITEM]).strip())
    if item is None:
        raise _refused("its hidden number is none that was sent out", ITEM, number, came=came, label=label)
    for name, sent in ((NAME, item.name), (WRITTEN, item.written)):
        if str(row[name]).strip() != sent.strip():
            message = "the evidence is another row's, or was edited"
            raise _refused(message, name, number, came=came, label=label, found=str(row[name]), sent=sent)
    texts = {name: str(row[name]).strip() for name in ANSWERS}
    return Answer(
        item=item,
        decision=_WORDS.get(texts.pop(DECISION).casefold(), str(row[DECISION])),
        cells={name: f"{came.letters[name]}{number}" for name in ANSWERS},
        broken=broken.get(number, ()),
        **texts,
    )


def _refused(
    message: str,
    name: str,
    number: int,
    *,
    came: Bronze,
    label: str,
    found: str | None = None,
    sent: str | None = None,
) -> UnreadableWorkbook:
    return UnreadableWorkbook(
        message,
        file=label,
        sheet=SHEET,
        cell=f"{came.letters[name]}{number}",
        row_number=number,
        input_data=found,
        rule=f"{sent}, as it was sent out" if sent else None,
        hint=f"undo the change or sort by the filter's arrows, or {AGAIN}",
    )
