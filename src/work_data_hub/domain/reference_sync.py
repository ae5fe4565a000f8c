"""Reference tables kept by others: which jobs bring them, what a sync would do or did, in counts."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from work_data_hub.domain.report import error_json
from work_data_hub.errors import UsageError, WorkDataHubError

TRACKING = ("_source", "_needs_review", "_derived_from_domain", "_derived_at")
USUAL_OVERLAP = timedelta(days=1)


class SyncMode(StrEnum):
    """What becomes of rows that the source does not have."""

    UPSERT = "upsert"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A CSV or YAML file below the configuration folder."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacySource:
    """A table or view of the legacy database."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"legacy {self.schema}.{self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """One reference table and the source that is right about its columns.

    `columns` maps source columns to target columns; `key` is a target column. `changed_at`, where
    given, is the source column that says when a row was changed last; `overlap` is how much before
    the newest change taken over an incremental read begins, for rows that were committed late.
    """

    name: str
    target: str
    key: str
    mode: SyncMode
    columns: Mapping[str, str]
    source: FileSource | LegacySource
    enabled: bool = True
    changed_at: str | None = None
    overlap: timedelta = USUAL_OVERLAP

    @property
    def targets(self) -> list[str]:
        """The target columns that the source delivers, in order."""
        return list(self.columns.values())

    @property
    def source_key(self) -> str:
        """The source column that holds the key."""
        return next(source for source, target in self.columns.items() if target == self.key)

    @property
    def version(self) -> str:
        """Sixteen hex digits that change with whatever decides which rows and columns are read."""
        read = (self.target, self.key, sorted(self.columns.items()), str(self.source), self.changed_at)
        return hashlib.sha256(repr(read).encode()).hexdigest()[:16]

    def answers_to(self, name: str) -> bool:
        """Say whether a user who types `name` means this job: its name or its table, with or without schema."""
        return name in (self.name, self.target, self.target.rpartition(".")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """How far a job has come: the moment up to which the source's changes are taken over, and rows read last."""

    last_synced_at: datetime | None
    rows: int
    job_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEffect:
    """What a sync does to one table, in rows; an incremental read left out rows stamped before `since`."""

    job: SyncJob
    rows_read: int
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    temporary: int = 0
    since: datetime | None = None

    @property
    def changes(self) -> int:
        """Rows that are not as they were."""
        return self.inserted + self.updated + self.deleted

    def as_json(self) -> dict[str, Any]:
        """The effect as the JSON report gives it."""
        return {
            "job": self.job.name,
            "table": self.job.target,
            "source": str(self.job.source),
            "mode": str(self.job.mode),
            "since": self.since.isoformat() if self.since else None,
            "rows_read": self.rows_read,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "temporary_ids_left_out": self.temporary,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """A whole sync, planned or executed; `disabled` names the jobs that are switched off."""

    mode: str
    run_id: str
    database: Mapping[str, str] | None
    seconds: float
    tables: tuple[SyncEffect, ...] = ()
    disabled: tuple[str, ...] = ()
    error: WorkDataHubError | None = None

    @property
    def status(self) -> str:
        """planned, synced, unchanged or failed."""
        if self.error:
            return "failed"
        if not any(effect.changes for effect in self.tables):
            return "unchanged"
        return "planned" if self.mode == "plan" else "synced"

    def as_json(self) -> dict[str, Any]:
        """The one document of `--report json`."""
        return {
            "command": "reference sync",
            "mode": self.mode,
            "status": self.status,
            "run_id": self.run_id,
            "seconds": round(self.seconds, 3),
            "database": dict(self.database) if self.database else None,
            "tables": [effect.as_json() for effect in self.tables],
            "disabled": list(self.disabled),
            "error": error_json(self.error) if self.error else None,
        }


def chosen_jobs(jobs: Iterable[SyncJob], names: Iterable[str]) -> tuple[SyncJob, ...]:
    """Return the enabled jobs, or those that `names` mean; raise UsageError for unknown or disabled ones."""
    jobs, names = tuple(jobs), tuple(names)
    for name in names:
        if not any(job.answers_to(name) for job in jobs):
            known = ", ".join(job.target for job in jobs)
            raise UsageError("no sync job", field="--table", input_data=name, hint=f"there are {known}")
        if not any(job.answers_to(name) and job.enabled for job in jobs):
            hint = "set `enabled: true` in config/reference_sync.yml"
            raise UsageError("its sync job is switched off", field="--table", input_data=name, hint=hint)
    asked = [job for job in jobs if job.enabled]
    return tuple(job for job in asked if not names or any(job.answers_to(name) for name in names))


def mark_of(job: SyncJob, state: SyncState | None) -> datetime | None:
    """Return the moment up to which changes are taken over, None where all rows are to be read.

    A job that has never run, or whose declaration is another since, reads everything.
    """
    if job.changed_at is None or state is None or state.job_version != job.version:
        return None
    return state.last_synced_at


def reached_mark(newest: datetime | None, settled: datetime, *, is_day: bool) -> datetime | None:
    """Return the moment up to which a source's changes are taken over: its newest change, at most `settled`.

    Where changes are stamped with the day alone, the whole day of `settled` is still open.
    """
    if newest is None:
        return None
    return min(newest, settled.replace(hour=0, minute=0, second=0, microsecond=0) if is_day else settled)
