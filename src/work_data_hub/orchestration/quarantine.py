"""Rejected rows in a run: what was sent back goes into the sheet, what stays rejected is borne or refused, and kept."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import Bronze, rows_kept
from work_data_hub.domain.corrections import (
    ROW,
    Corrections,
    apply,
    corrections,
    keys_of,
    positions_of,
    rows_in,
)
from work_data_hub.domain.findings import Counted, counted
from work_data_hub.domain.loads import LastLoad
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.quarantine import first_reject_facts, quarantine_rows
from work_data_hub.domain.returned import OriginalFile, QuarantineRecord, Returned, RunFacts
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.settled import not_applied, refuse_loaded, refuse_outdated, settled
from work_data_hub.errors import DataError, LoadLocked, UsageError
from work_data_hub.io.source_files import FoundFile
from work_data_hub.orchestration.requests import FileRequest
from work_data_hub.orchestration.rework import repeated_load


class Quarantine:
    """One run's knowledge of its rejected rows, gathered in the order of the methods.

    `rows` is the sheet as it was refined, `given` all corrections of its files, `parent` the load
    that a requeue repeats, `rejects_path` the workbook of the rejected rows where one was written,
    `warnings` what was sent back of files that this run replaces.
    """

    def __init__(self, request: FileRequest) -> None:
        self.request, self.returned = request, request.rework
        self.files: tuple[FoundFile, ...] = ()
        self.parent: LastLoad | None = None
        self.given: Corrections = request.rework.corrections if request.rework else corrections()
        self.rows: Bronze | None = None
        self.rejects_path: str | None = None
        self.warnings: tuple[str, ...] = ()
        self._loads: tuple[LastLoad, ...] = ()
        self._borne = corrections().waived[ROW]
        self._counts: tuple[Counted, ...] = ()
        self._is_applied = False
        self._refined = np.zeros(0, dtype=bool)

    @property
    def parent_load_id(self) -> int | None:
        """The load that a requeue repeats."""
        return self.parent.load_id if self.parent else None

    @property
    def sha_by_label(self) -> Mapping[str, str]:
        return {file.label: file.sha256 for file in self.files}

    def watch(self, files: tuple[FoundFile, ...]) -> None:
        """Take the files of the run."""
        self.files = files

    def repeat(self, loads: tuple[LastLoad, ...]) -> int | None:
        """Take the month's loads, newest first; returns the id of the one that this requeue repeats, if it does.

        Raises DataError where the month has been loaded from another file since.
        """
        self._loads = loads
        self.parent = repeated_load(self.returned, loads) if self.returned else None
        return self.parent_load_id

    @property
    def hashes(self) -> list[str]:
        """The files of the run, then those of the loads that it replaces: all whose corrections it asks for."""
        replaced = self._loads if self.request.mode is LoadMode.DELETE_INSERT else ()
        own = tuple(self.sha_by_label.values())
        return list(dict.fromkeys((*own, *(sha for load in replaced for sha in load.fingerprint.files))))

    def know(self, kept: Corrections, left_open: pd.DataFrame) -> None:
        """Take what was sent back of these files earlier, and the rows that the repeated load left open.

        What comes back now is the later word, as far as it differs. Raises LoadLocked where the sheet holds
        other corrections already, DataError for what was settled since the workbook was written.
        """
        own = list(self.sha_by_label.values())
        stored = kept.of_files(own)
        loads = {sha: load.load_id for load in reversed(self._loads) for sha in load.fingerprint.files}
        self.warnings = not_applied(kept.of_files(own, others=True), load_by_file=loads)
        rework = self.request.rework
        given = stored.then(self._settle(rework, stored, left_open).corrections) if rework else stored
        if self._is_applied and given.digest != self.given.digest:
            raise LoadLocked(
                "corrections of this file were loaded while it was read",
                domain=self.request.domain,
                operation="refine",
                hint="run it again",
            )
        self.given, self._borne = given, left_open

    def _settle(self, rework: Returned, stored: Corrections, left_open: pd.DataFrame) -> Returned:
        """What came back, as far as it differs from what stands."""
        now = settled(rework, stored)
        refuse_outdated(now)
        seen = now.returned.facts.standing_load_id or 0
        if self.parent is not None and self.parent.load_id > seen:
            refuse_loaded(now, left_open=left_open, load_id=self.parent.load_id)
        self.returned = now.returned
        return now.returned

    def corrected(self, sheets: Bronze) -> Bronze:
        """The sheets with every correction in them."""
        done = apply(sheets, self.given, sha_by_label=self.sha_by_label)
        self._counts, self._is_applied = done.counts, True
        return done.bronze

    def to_refine(self, bronze: Bronze) -> Bronze:
        """The rows to be refined: without those given up, and of an appended file only those not loaded yet."""
        self._refined = np.ones(bronze.rows_read, dtype=bool)
        if self.parent is not None and self.request.mode is LoadMode.APPEND:
            self._refined[:] = False
            self._refined[positions_of(bronze, self._borne, sha_by_label=self.sha_by_label)] = True
        waived = positions_of(bronze, self.given.waived, sha_by_label=self.sha_by_label)
        waived = waived[self._refined[waived]]
        self._refined[waived] = False
        if len(waived):
            self._counts += (Counted(name="waived", rows=len(waived)),)
        self.rows = bronze if self._refined.all() else rows_kept(bronze, self._refined)
        return self.rows

    def completed(self, outcome: Outcome) -> Outcome:
        """The outcome with given-up rows read and rejected, and everything that was sent back counted."""
        waived = sum(count.rows for count in self._counts if count.name == "waived")
        still = self._still_wrong(outcome)
        places = still["_source_sheet"] + "!" + still["cell"] + " " + still["rule"]
        counts = (*outcome.counts, *self._counts, *((counted("still wrong", places),) if len(still) else ()))
        return replace(outcome, rows_read=outcome.rows_read + waived, counts=counts)

    def as_read(self, outcome: Outcome) -> Outcome:
        """The outcome by the positions of the whole sheet; rows that were not refined count as rejected there."""
        if self._refined.all():
            return outcome
        refined, left = np.flatnonzero(self._refined), np.flatnonzero(~self._refined)
        rejects = outcome.rejects.assign(position=refined[outcome.rejects["position"].to_numpy(dtype="int64")])
        return replace(outcome, rejects=pd.concat([rejects, pd.DataFrame({"position": left})], ignore_index=True))

    def refuse(self, outcome: Outcome) -> None:
        """Raise DataError when a corrected row still breaks a rule, or more rows are rejected than tolerated."""
        still = self._still_wrong(outcome)
        if len(still) and self.returned:
            raise DataError(
                f"{still['position'].nunique()} corrected rows still break a rule; the first",
                domain=self.request.domain,
                operation="refine",
                **first_reject_facts(still, more=f"; correct it in {self.returned.path} and send that again"),
            )
        rejected, tolerance = int((~rows_in(self._keys(outcome), self._borne)).sum()), self.request.tolerance
        if not tolerance.bears(rejected=rejected, read=outcome.rows_read):
            raise DataError(
                f"{rejected} of {outcome.rows_read} rows rejected, {tolerance} tolerated; the first",
                domain=self.request.domain,
                operation="refine",
                **first_reject_facts(outcome.rejects, more=self._way_back()),
            )

    def record(self, outcome: Outcome, *, actor: str) -> QuarantineRecord:
        """What the load of this outcome writes down."""
        shas = self.sha_by_label
        return QuarantineRecord(
            domain=self.request.domain,
            period=outcome.period.first_day,
            actor=actor,
            hashes=tuple(shas.values()),
            rows=quarantine_rows(outcome.rejects, waived=self.given.waived, sha_by_label=shas),
            sent_back=self.returned.corrections if self.returned else corrections(),
        )

    def facts(self, outcome: Outcome) -> RunFacts:
        """What a rejects workbook has to say about this run."""
        request = self.request
        return RunFacts(
            run_id=request.run_id,
            domain=request.domain,
            period=outcome.period,
            files=tuple(
                OriginalFile(path=str(f.path.absolute()), label=f.label, sha256=f.sha256, version=f.version)
                for f in self.files
            ),
            sheet=request.sheet,
            mode=request.mode,
            scope=request.scope,
            skip_facts=request.skip_facts,
            standing_load_id=self._loads[0].load_id if self._loads else None,
        )

    def _way_back(self) -> str:
        if self.rejects_path is None:
            return ""
        return f"; all of them stand in the rejects workbook: correct them there, then wdh requeue {self.rejects_path}"

    def _still_wrong(self, outcome: Outcome) -> pd.DataFrame:
        """The rejected cells of rows that were corrected just now."""
        if self.returned is None or outcome.rejects.empty:
            return outcome.rejects.iloc[:0]
        touched = outcome.rejects["position"].unique()[rows_in(self._keys(outcome), self.returned.changes)]
        return outcome.rejects[outcome.rejects["position"].isin(touched)]

    def _keys(self, outcome: Outcome) -> pd.DataFrame:
        """File hash, sheet and row number of each rejected row, in their order."""
        if self.rows is None:
            raise UsageError("the run has not refined its rows yet", operation="publish")
        positions = outcome.rejects["position"].unique().astype("int64")
        return keys_of(self.rows, positions, sha_by_label=self.sha_by_label)
