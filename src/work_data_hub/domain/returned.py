"""What a rejects workbook says about its run, and what its owner sent back in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.corrections import Corrections, corrections
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalFile:
    """The workbook that rejected rows came from; `path` is absolute, `label` its name in reports."""

    path: str
    label: str
    sha256: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run that rejected the rows: its files, and everything else that decides what it loads.

    `standing_load_id` is the newest load of the month when the run looked, None where there was
    none or no database was looked at.
    """

    run_id: str
    domain: str
    period: Period
    files: tuple[OriginalFile, ...]
    sheet: str | None = None
    mode: LoadMode = LoadMode.DELETE_INSERT
    scope: tuple[str, ...] = ()
    skip_facts: bool = False
    standing_load_id: int | None = None

    @property
    def sha_by_label(self) -> dict[str, str]:
        return {file.label: file.sha256 for file in self.files}

    @property
    def hashes(self) -> list[str]:
        """The files' hashes in the order of the text."""
        return sorted(file.sha256 for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quarantined:
    """The rows a run rejected, as they go into a workbook.

    `bronze` is the sheet as it was refined, `rejects` the rejected cells by position in it,
    `headings` the declared column of every heading, `given` the corrections `bronze` holds.
    """

    facts: RunFacts
    bronze: Bronze
    rejects: pd.DataFrame
    headings: Mapping[str, str]
    given: Corrections

    @property
    def numbers(self) -> frozenset[str]:
        """The declared columns that were read as numbers."""
        return frozenset(self.bronze.frame.select_dtypes("float64").columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Returned:
    """A rejects workbook that came back.

    `changes` has one row per changed cell: file_sha256, sheet, row, column, value, found, then file,
    cell (its address in the original), was_marked, and knowing: the row's status says to replace what
    stands now. `waived` is as in `Corrections`, with file. `untouched` (file_sha256, sheet, row, file) are
    the workbook's other rows, deleted ones included. `kept_open` are the rows that came back and are not
    given up, with `knowing`; `reopened` those of them that take a giving up back. `remarks` say what is not taken.
    """

    path: str
    facts: RunFacts
    changes: pd.DataFrame
    waived: pd.DataFrame
    untouched: pd.DataFrame
    kept_open: pd.DataFrame
    reopened: pd.DataFrame
    remarks: tuple[str, ...] = ()

    @property
    def corrections(self) -> Corrections:
        """The changed cells, the waived rows and the rows opened again, alone."""
        return corrections(cells=self.changes, waived=self.waived.assign(workbook=self.path), reopened=self.reopened)

    @property
    def is_untouched(self) -> bool:
        return self.changes.empty and self.waived.empty and self.reopened.empty


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuarantineRecord:
    """What a load writes down about rejected rows, in its own transaction.

    `rows` has one row per rejected or waived row of the load: file_sha256, file, sheet, row_number,
    cells (JSON text), status. `sent_back` are the corrections that came with this load.
    """

    domain: str
    period: date
    actor: str
    hashes: tuple[str, ...]
    rows: pd.DataFrame
    sent_back: Corrections
