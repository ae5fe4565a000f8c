"""A sheet whose headings changed, beside the declaration and last month's sheet: proposals, never guesses."""

from collections.abc import Sequence
from dataclasses import dataclass

from work_data_hub.domain.heading_signals import (
    LEAST_READABLE,
    HeadingWords,
    Sheet,
    SheetColumn,
    Signal,
    declared_position_signal,
    name_signal,
    other_unit,
    position_signal,
    type_signal,
    values_signal,
)
from work_data_hub.domain.spec import Column, Domain

LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An unknown heading that may mean a missing column; an obstacle says why it cannot be taken as it stands."""

    column: Column
    found: SheetColumn
    confidence: float
    reasons: tuple[str, ...]
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A known column that stands elsewhere than last month; places count from 0."""

    column: str
    was: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What differs: missing columns, headings without a meaning, proposals by confidence, and, where
    last month is known, moved columns and unknown headings that it did not have."""

    missing: tuple[Column, ...]
    unknown: tuple[SheetColumn, ...]
    proposals: tuple[Proposal, ...] = ()
    moved: tuple[Moved, ...] = ()
    new: tuple[SheetColumn, ...] = ()


def compare(sheet: Sheet, *, last: Sheet | None, domain: Domain, words: HeadingWords) -> Drift:
    """Return how the sheet differs from the domain's declaration and, where given, from last month's sheet.

    Columns of both sheets come in the order of their places. Each missing column and each unknown
    heading is proposed once at most, and only from `LEAST_CONFIDENCE` on; the same sheets give
    the same answer.
    """
    there = {column.meaning for column in sheet}
    missing = tuple(column for column in domain.read if column.name not in there)
    unknown = tuple(column for column in sheet if column.meaning is None)
    order = [column.name for column in domain.read]
    weighed = (
        _proposal(column, found, sheet=sheet, last=last, order=order, words=words)
        for column in missing
        for found in unknown
    )
    proposals = _one_to_one([proposal for proposal in weighed if proposal is not None])
    if last is None:
        return Drift(missing=missing, unknown=unknown, proposals=proposals)
    moved = tuple(moved for moved in _moved(sheet, last) if moved.column in domain.by_name)
    return Drift(missing=missing, unknown=unknown, proposals=proposals, moved=moved, new=_new(unknown, last))


def _proposal(
    column: Column,
    found: SheetColumn,
    *,
    sheet: Sheet,
    last: Sheet | None,
    order: Sequence[str],
    words: HeadingWords,
) -> Proposal | None:
    before = next((known for known in last or () if known.meaning == column.name), None)
    signals = [
        name_signal(found.heading, words.names[column.name], synonyms=words.synonyms),
        position_signal(found, sheet, before=before, last=last)
        if before is not None and last is not None
        else declared_position_signal(found, sheet, column=column.name, order=order),
        type_signal(column, found),
        values_signal(column, found, before=before, vocabulary=words.vocabularies.get(column.name, frozenset())),
    ]
    return _weighed(column, found, [signal for signal in signals if signal is not None])


def _weighed(column: Column, found: SheetColumn, signals: Sequence[Signal]) -> Proposal | None:
    """The proposal these signals make together; None where they say too little or the cells do not fit."""
    unfit = any(signal.name == "type" and signal.score < LEAST_READABLE for signal in signals)
    whole = sum(signal.weight for signal in signals)
    confidence = round(sum(signal.weight * signal.score for signal in signals) / whole, 2)
    if unfit or confidence < LEAST_CONFIDENCE:
        return None
    unit = other_unit(found.heading, column)
    return Proposal(
        column=column,
        found=found,
        confidence=confidence,
        reasons=tuple(signal.reason for signal in signals if signal.reason),
        obstacle=f"it is in {unit}, the column in {column.unit}" if unit else "",
    )


def _one_to_one(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The surest first; what a column or heading is taken for is not proposed again. Ties go by the order given."""
    taken: list[Proposal] = []
    for proposal in sorted(proposals, key=lambda p: -p.confidence):
        if all(proposal.column != other.column and proposal.found != other.found for other in taken):
            taken.append(proposal)
    return tuple(taken)


def _moved(sheet: Sheet, last: Sheet) -> tuple[Moved, ...]:
    places = {column.meaning: column.place for column in last if column.meaning is not None}
    return tuple(
        Moved(column=column.meaning, was=places[column.meaning], now=column.place)
        for column in sheet
        if column.meaning is not None and places.get(column.meaning, column.place) != column.place
    )


def _new(unknown: Sequence[SheetColumn], last: Sheet) -> tuple[SheetColumn, ...]:
    there = {column.identity for column in last}
    return tuple(column for column in unknown if column.identity not in there)
