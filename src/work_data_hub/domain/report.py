"""What a run would do or did, in counts and seconds; the JSON report is these values, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from work_data_hub.domain.control_totals import Controls
from work_data_hub.domain.identity.record import IdentityEffect, RegistryUse
from work_data_hub.domain.reject_reasons import RejectReason
from work_data_hub.errors import HookFailed, WorkDataHubError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One workbook of a run."""

    path: str
    sheet: str
    sha256: str
    version: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEffect:
    """What a load does to one table, counted by content: a row that is replaced by its equal is unchanged."""

    table: str
    deleted: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceEffect:
    """Reference rows that a load adds, and those of which it changes a value."""

    table: str
    inserted: int
    updated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsHeld:
    """What the warehouse counts inside the load's transaction: the rows that the load put there, and the month's."""

    of_load: int
    of_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun:
    """What followed a load: succeeded, failed, or skipped where the month asks for nothing.

    `counts` are the rows of each table by what happened to them, those of nothing left out.
    """

    name: str
    domain: str
    status: str
    counts: Mapping[str, Mapping[str, int | str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: WorkDataHubError | None = None

    def as_json(self) -> dict[str, Any]:
        known = {"name": self.name, "domain": self.domain, "status": self.status}
        told = known | {"counts": {table: dict(counts) for table, counts in self.counts.items()}}
        return told | {"warnings": list(self.warnings)} | ({"error": error_json(self.error)} if self.error else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """One domain of a run: planned, loaded, unchanged or failed."""

    domain: str
    period: str | None
    status: str
    load_id: int | None = None
    parent_load_id: int | None = None
    files: tuple[FileRead, ...] = ()
    rows_read: int = 0
    rows_rejected: int = 0
    rows_loaded: int = 0
    rows_in_month: int = 0
    skips_facts: bool = False
    tables: tuple[TableEffect, ...] = ()
    references: tuple[ReferenceEffect, ...] = ()
    identity: Mapping[str, int] = field(default_factory=dict)
    unresolved: int = 0
    identity_conflicts: tuple[str, ...] = ()
    identity_effect: IdentityEffect = field(default_factory=IdentityEffect)
    registry: RegistryUse = field(default_factory=RegistryUse)
    unknown_names_path: str | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    replaced_sums: Mapping[str, Decimal] = field(default_factory=dict)
    rejects_path: str | None = None
    reject_reasons: tuple[RejectReason, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: WorkDataHubError | None = None
    reason: str = ""
    controls: Controls = field(default_factory=Controls)
    warnings: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()
    hooks: tuple[HookRun, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or the code of what failed; that of a hook where only a hook did."""
        if self.error:
            return self.error.exit_code
        return HookFailed.exit_code if any(hook.error for hook in self.hooks) else 0

    def timed(self, **seconds: float) -> "DomainReport":
        """The same report with more stages timed."""
        return replace(self, seconds={**self.seconds, **seconds})

    def as_json(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "period": self.period,
            "status": self.status,
            "load_id": self.load_id,
            "parent_load_id": self.parent_load_id,
            "files": [
                {"path": f.path, "sheet": f.sheet, "sha256": f.sha256, "version": f.version, "rows": f.rows}
                for f in self.files
            ],
            "rows": {"read": self.rows_read, "rejected": self.rows_rejected, "loaded": self.rows_loaded},
            "tables": [
                {
                    "table": t.table,
                    "deleted": t.deleted,
                    "inserted": t.inserted,
                    "updated": t.updated,
                    "unchanged": t.unchanged,
                }
                for t in self.tables
            ],
            "references": [{"table": r.table, "inserted": r.inserted, "updated": r.updated} for r in self.references],
            "identity": {
                "by_source": dict(self.identity),
                "unresolved": self.unresolved,
                "conflicts": list(self.identity_conflicts),
                **self.identity_effect.as_json(),
                "registry": self.registry.as_json(),
                "unknown_names_path": self.unknown_names_path,
            },
            "quality": {
                **self.quality,
                "sums": {name: str(total) for name, total in self.sums.items()},
                **self.controls.as_json(),
                "warnings": list(self.warnings),
                "not_checked": list(self.not_checked),
                "reason": self.reason,
            },
            "rejects_path": self.rejects_path,
            "seconds": {
                stage: round(self.seconds.get(stage, 0.0), 3)
                for stage in ("find", "read", "refine", "identify", "publish", "hooks")
            },
            "error": error_json(self.error) if self.error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A whole call: every domain in order, and how it ended."""

    mode: str
    run_id: str
    seconds: float
    database: Mapping[str, str] | None
    domains: tuple[DomainReport, ...] = ()
    error: WorkDataHubError | None = None

    @property
    def status(self) -> str:
        """planned, loaded, unchanged, partial or failed."""
        statuses = {domain.status for domain in self.domains}
        if self.error and statuses & {"loaded", "unchanged"}:
            return "partial"
        if self.error or not statuses or statuses == {"failed"}:
            return "failed"
        if "failed" in statuses:
            return "partial"
        if statuses == {"unchanged"}:
            return "unchanged"
        return "planned" if self.mode == "plan" else "loaded"

    @property
    def exit_code(self) -> int:
        """0, or the code of the first failing domain."""
        codes = [self.error.exit_code if self.error else 0, *(domain.exit_code for domain in self.domains)]
        return next((code for code in codes if code), 0)

    def as_json(self) -> dict[str, Any]:
        document = {
            "mode": self.mode,
            "status": self.status,
            "run_id": self.run_id,
            "seconds": round(self.seconds, 3),
            "database": dict(self.database) if self.database else None,
            "domains": [domain.as_json() for domain in self.domains],
            "hooks": [hook.as_json() for domain in self.domains for hook in domain.hooks],
        }
        return document | ({"error": error_json(self.error)} if self.error else {})


def error_json(error: WorkDataHubError) -> dict[str, Any]:
    """The facts of an error as the report gives them."""
    return {
        "code": error.exit_code,
        "message": str(error),
        "file": error.file,
        "sheet": error.sheet,
        "row": error.row_number,
        "column": error.field,
        "value": error.input_data,
        "hint": error.hint,
    }
