"""What a load was made of, what it does, and what the ledger keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from work_data_hub.domain.anomalies import MonthReview
from work_data_hub.domain.control_totals import ControlTotal
from work_data_hub.domain.identity.record import IdentityEffect
from work_data_hub.domain.report import FileRead, ReferenceEffect, RowsHeld, TableEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Everything that decides what a load writes: the same fingerprint again changes nothing."""

    files: tuple[str, ...]  # the sha256 of each file, in order
    code_version: str
    config_version: str
    declaration_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One load, as the ledger keeps it; `fingerprint` says what it was made of."""

    run_id: str
    domain: str
    period: date
    actor: str
    started_at: datetime
    files: tuple[FileRead, ...]
    rows_read: int
    rows_rejected: int
    fingerprint: Fingerprint
    adds: bool = False  # appended to the month instead of replacing it
    parent_load_id: int | None = None  # the load of the same files that this one repeats with corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLoad:
    """The newest committed load of a domain and month."""

    load_id: int
    fingerprint: Fingerprint
    rows_read: int
    rows_rejected: int


LARGEST_SHRINK = 0.30
"""The share of its rows that a month may lose by a load unasked, or a reference table by a sync."""


def is_shrunken(*, existing: int, incoming: int) -> bool:
    """Whether `existing` rows lose more than they may by being replaced with `incoming` ones."""
    return existing - incoming > existing * LARGEST_SHRINK


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEffects:
    """What a load does: the fact table by content, the reference rows it adds, and how its sums and month compare.

    `replaced_sums` are the sums of the amount columns over the rows that go; `held` is what the warehouse then has,
    None for a plan.
    """

    facts: TableEffect
    references: tuple[ReferenceEffect, ...]
    sql: tuple[str, ...] = ()
    controls: tuple[ControlTotal, ...] = ()
    review: MonthReview | None = None
    identity: IdentityEffect | None = None
    replaced_sums: Mapping[str, Decimal] = field(default_factory=dict)
    held: RowsHeld | None = None
