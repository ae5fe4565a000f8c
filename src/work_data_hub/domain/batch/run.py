"""What a run is made of: pages of rows, the place it has come to, and what it counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in the order of the source: the key of the row that was read last, and its id.

    Both are texts as PostgreSQL writes them, microseconds and all. A full run by `unique_key` has no `value`.
    """

    value: str | None = None
    id: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The cursor as the batch ledger keeps it."""
        return {"value": self.value, "id": self.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """An output column of a query: its name, and its type as PostgreSQL writes it (`numeric(5,2)`)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows that are written, or set aside, in one transaction; in the order in which they were read.

    `records` holds each row as the text of a PostgreSQL record of the query's columns; `rows` holds them as
    dictionaries of Python values instead. One of both is None. `cursor` is the place of the last row read,
    whatever became of the rows since; None where the order of the source has no meaning. `rows_rescanned`, of
    them all, were read before and are looked at again; they come first. A page that `is_keyless` has the rows
    without an incremental key, and no cursor. `csv`, the records as they are sent to a table, and `content_hash`
    are there where they were made ahead, while an earlier page was written.
    """

    columns: tuple[Column, ...]
    rows_read: int
    records: Sequence[str] | None = None
    rows: Sequence[Mapping[str, Any]] | None = None
    cursor: Cursor | None = None
    rows_rescanned: int = 0
    is_keyless: bool = False
    csv: bytes | None = None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was read and what became of it. `written` are the rows that the target took, changed by them or not."""

    read: int = 0
    written: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rescanned: int = 0
    deleted: int = 0
    dlq: int = 0
    stale: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A row that the target does not take: what it holds, and why.

    `place` is where it stood among the rows of its page, from 0. One that `is_overtaken` was followed there by
    another row of its key, so that it is kept for the record alone.
    """

    payload: Mapping[str, Any]
    error: str
    sqlstate: str | None = None
    key: str | None = None
    place: int | None = None
    is_overtaken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a page: its counts, and the rows that were set aside."""

    counts: Counts
    dead: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that a runner holds: what is run, who holds it, and where the run before it stopped.

    `epoch` is the fencing token: whoever claims later has a higher one, and every batch checks it. `claimed_at`
    is the database's clock, aware; so is `scan_began_at`, when rows up to `resume_at` began to be read.
    """

    run_id: UUID
    pipeline_id: UUID
    pipeline: Pipeline
    worker_id: str
    epoch: int
    claimed_at: datetime
    trigger: str = "api"
    resumed_from: UUID | None = None
    resume_at: Cursor | None = None
    scan_began_at: datetime | None = None
    checkpoint: Cursor | None = None
