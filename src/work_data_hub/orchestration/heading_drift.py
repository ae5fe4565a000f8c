"""Workbooks read with an eye on their headings: what changed since last month is told, and nothing is guessed."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_SHEET, Bronze
from work_data_hub.domain.heading_drift import Drift, Proposal, compare
from work_data_hub.domain.heading_signals import SheetColumn
from work_data_hub.domain.period import Period
from work_data_hub.domain.source import FileSelection, SheetChoice
from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.spreading import SERIAL, Mapper
from work_data_hub.domain.text import fold
from work_data_hub.errors import HeadingsMissing, WorkDataHubError
from work_data_hub.io.accepted_headings import accepted_headings, heading_words, ignored_headings
from work_data_hub.io.cell_address import address, column_letter
from work_data_hub.io.heading_samples import SAMPLE_ROWS, SheetSample, sample_sheet
from work_data_hub.io.headings import known_headings, row_of_headings
from work_data_hub.io.readers import read_workbooks
from work_data_hub.io.source_files import Found, find_workbooks
from work_data_hub.log import get_logger
from work_data_hub.orchestration.requests import FileRequest, Workplace

SHOWN = 6

log = get_logger(__name__)


def read_with_headings(
    found: Found, *, domain: Domain, request: FileRequest, place: Workplace, mapper: Mapper = SERIAL
) -> tuple[Bronze, tuple[str, ...]]:
    """Return the found workbooks as bronze, and what is to be said about their headings.

    Headings that are missing raise HeadingsMissing with proposals and the commands that settle them:
    required ones always, optional ones where an unknown heading may be theirs. Other differences
    are warnings, and so are columns with values below a blank heading. Headings that are ignored
    are no longer unknown in the bronze. With every heading in its place, nothing is compared. `mapper`
    says where each sheet is read.
    """
    accepted, watch = accepted_headings(place.config_dir, domain), _Watch(found, domain, request, place)
    try:
        bronze = read_workbooks(found, domain=domain, sheet=request.sheet, accepted=accepted, mapper=mapper)
    except HeadingsMissing as error:
        raise watch.explained(error) from error
    ignored = {fold(heading) for heading in ignored_headings(place.config_dir, domain)}
    unknown = tuple(heading for heading in bronze.unknown_headings if fold(heading) not in ignored)
    bronze = replace(bronze, unknown_headings=unknown)
    untitled = (f"{column.file} › {column.sheet}: {column.words}" for column in bronze.untitled)
    empty = (f"{place} has headings and no rows" for place in bronze.empty_sheets)
    return bronze, (*empty, *untitled, *dict.fromkeys(watch.warnings(bronze)))


@dataclass(frozen=True, slots=True)
class _Watch:
    """One run's sheets beside the declaration and last month's sheets."""

    found: Found
    domain: Domain
    request: FileRequest
    place: Workplace

    def explained(self, error: HeadingsMissing) -> HeadingsMissing:
        """The error with what may be meant; the error itself where the headings stand in another row."""
        try:
            sample = self._sample(error.file or "", error.sheet or "")
        except WorkDataHubError:
            return error
        known, required = self._known(), [column.name for column in self.domain.read if column.required]
        if row_of_headings(sample.head, headings=known, required=required) is not None:
            return error
        drift = self._drift(sample)
        return _refusal(error, drift, row=sample.headings.number, domain=self.domain) if drift.unknown else error

    def warnings(self, bronze: Bronze) -> Iterator[str]:
        """What is to be said of each sheet that lacks a column; raises HeadingsMissing where one may be renamed."""
        sheets = bronze.frame[[SOURCE_FILE, SOURCE_SHEET]].drop_duplicates()
        for file, sheet in sheets.itertuples(index=False, name=None):
            letters = bronze.letters_of(file, sheet)
            missing = [column for column in self.domain.read if column.name not in letters]
            if missing and bronze.unknown_headings:
                yield from self._compared(file, sheet)
            yield from self._gone(missing, sheet)

    def _compared(self, file: str, sheet: str) -> Iterator[str]:
        try:
            sample = self._sample(file, sheet)
        except WorkDataHubError:
            return
        drift = self._drift(sample)
        if drift.proposals:
            error = HeadingsMissing("", file=file, sheet=sheet)
            raise _refusal(error, drift, row=sample.headings.number, domain=self.domain)
        if drift.missing and drift.unknown:
            yield from _remarks(drift, row=sample.headings.number)

    def _gone(self, missing: Iterable[Column], sheet: str) -> Iterator[str]:
        """Columns that are read but not kept: missed only where last month had them, for many files never do."""
        unkept = [column for column in missing if not column.stored]
        last = self._last(sheet, rows=0) if unkept else None
        there = {column.meaning for column in last.columns(self._known())} if last else set()
        gone = [column.headings[0] for column in unkept if column.name in there]
        if gone:
            yield f"headings missing that last month's file had: {_few(gone)}"

    def _drift(self, sample: SheetSample) -> Drift:
        # Headings that are ignored on purpose have a meaning of their own: they are no candidates.
        ignored = ignored_headings(self.place.config_dir, self.domain)
        known = {heading: f"={heading}" for heading in ignored} | self._known()
        last = self._last(sample.sheet)
        drift = compare(
            sample.columns(known),
            last=last.columns(known) if last else None,
            domain=self.domain,
            words=heading_words(self.place.config_dir, self.domain),
        )
        log.info(
            "headings.compared",
            domain=self.domain.name,
            missing=len(drift.missing),
            unknown=len(drift.unknown),
            proposals=len(drift.proposals),
            has_last_month=last is not None,
        )
        return drift

    def _known(self) -> dict[str, str]:
        return known_headings(self.domain, accepted=accepted_headings(self.place.config_dir, self.domain))

    def _sample(self, label: str, sheet: str) -> SheetSample:
        path = next(file.path for file in self.found.files if file.label == label)
        return sample_sheet(path, sheet=SheetChoice(names=(sheet,)), label=label)

    def _last(self, sheet: str, *, rows: int = SAMPLE_ROWS) -> SheetSample | None:
        """The same sheet of last month; None where it cannot be had, for whatever reason."""
        if self.request.period is None:
            return None
        try:
            path = self._last_file(self.request.period)
            return sample_sheet(path, sheet=SheetChoice(names=self._names(sheet)), label=str(path), rows=rows)
        except WorkDataHubError:
            return None

    def _last_file(self, period: Period) -> Path:
        last = find_workbooks(
            self.found.source,
            data_root=self.place.data_root,
            period=period.previous,
            selection=FileSelection.NEWEST,
        )
        return last.files[0].path

    def _names(self, sheet: str) -> tuple[str | int, ...]:
        """The names the sheet may have had: its own, else those of the configured sheet it is."""
        choices = self.found.source.sheets
        own = next((choice for choice in choices if sheet in choice.names), choices[0] if len(choices) == 1 else None)
        return (sheet, *(own.names if own else ()))


def _refusal(error: HeadingsMissing, drift: Drift, *, row: int, domain: Domain) -> HeadingsMissing:
    """The error with every missing column that is required or proposed, and what to do about each."""
    proposals = sorted(drift.proposals, key=lambda proposal: not proposal.column.required)
    proposed = {proposal.column.name for proposal in proposals}
    lacks = [" or ".join(c.headings) for c in drift.missing if c.required or c.name in proposed]
    helpless = [column.name for column in drift.missing if column.required and column.name not in proposed]
    nothing = [f"none of them looks like {_few(helpless) if proposals else 'what is missing'}"] if helpless else []
    guesses = [*(_words(proposal, row) for proposal in proposals[:SHOWN]), *nothing]
    return HeadingsMissing(
        "; ".join((f"lacks {_few(lacks)}", f"unknown headings: {_few(_cells(drift.unknown, row))}", *guesses)),
        domain=domain.name,
        file=error.file,
        sheet=error.sheet,
        cell=address(row, proposals[0].found.place) if proposals else None,
        row_number=row,
        field=proposals[0].column.name if proposals else error.field,
        hint="; ".join((*_ways_out(proposals, domain), *([error.hint] if helpless and error.hint else []))),
    )


def _ways_out(proposals: Iterable[Proposal], domain: Domain) -> Iterator[str]:
    """The commands that accept what is proposed, and those that ignore what is proposed for optional columns."""
    shown = list(proposals)[:SHOWN]
    accepted = [_command("accept-heading", domain, p.column.name, p.found.heading) for p in shown if not p.obstacle]
    ignored = [_command("ignore-heading", domain, p.found.heading) for p in shown if not p.column.required]
    if accepted:
        yield f"if that is meant: {'; '.join(accepted)}"
    if ignored:
        yield f"if it is something else: {'; '.join(ignored)}"


def _remarks(drift: Drift, *, row: int) -> Iterator[str]:
    if drift.new:
        yield f"headings that last month's file did not have: {_few(_cells(drift.new, row))}"
    if drift.moved:
        moves = (f"{m.column} {column_letter(m.was)} → {column_letter(m.now)}" for m in drift.moved)
        yield f"columns that stand elsewhere than last month, read as usual: {_few(moves)}"


def _words(proposal: Proposal, row: int) -> str:
    """计划号码 (D1) may be 计划代码, confidence 0.93: name 0.86 · same letter · …"""
    found, obstacle = proposal.found, f", but {proposal.obstacle}" if proposal.obstacle else ""
    reasons = " · ".join(proposal.reasons)
    return (
        f"{found.heading} ({address(row, found.place)}) may be {proposal.column.name}, "
        f"confidence {proposal.confidence:.2f}: {reasons}{obstacle}"
    )


def _command(name: str, domain: Domain, *texts: str) -> str:
    dash = "-- " if any(text.startswith("-") for text in texts) else ""
    return f"wdh domain {name} {dash}{' '.join((domain.name, *map(_shell_word, texts)))}"


def _shell_word(text: str) -> str:
    """Letters of any script need no quotes; `shlex` would put them in some."""
    return text if re.fullmatch(r"[\w.:/@%+=,-]+", text) else shlex.quote(text)


def _cells(columns: Iterable[SheetColumn], row: int) -> list[str]:
    return [f"{column.heading} ({address(row, column.place)})" for column in columns]


def _few(words: Iterable[str]) -> str:
    every = list(words)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return f"{', '.join(every[:SHOWN])}{more}"
