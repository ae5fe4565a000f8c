"""Renewing what the registry said of companies: which ones, how far it came, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from work_data_hub.domain.report import error_json
from work_data_hub.errors import DirectoryError, WorkDataHubError


class Selection(StrEnum):
    """Which companies a refresh asks for."""

    STALE = "stale"
    ALL = "all"
    LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company that is known, and the name by which the registry is searched for it; null where none is known."""

    company_id: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How many companies there are, and how old what is known of them is."""

    total: int
    fresh: int
    stale: int
    never_asked: int

    def as_json(self) -> dict[str, int]:
        return {"total": self.total, "fresh": self.fresh, "stale": self.stale, "never_asked": self.never_asked}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRun:
    """A refresh as its checkpoint tells it; without an id it is not begun.

    It is of all companies, of the listed ones, or of those last asked for before `since`; `total` of them have
    a name. `failed` gives the reason by company id; `reached` is the last id in order that was asked for.
    """

    selection: Selection
    threshold_days: int
    started_at: datetime
    company_ids: tuple[str, ...] = ()
    refresh_id: int | None = None
    total: int = 0
    refreshed: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    reached: str = ""

    @property
    def since(self) -> datetime:
        """Before this moment an answer is stale."""
        return self.started_at - timedelta(days=self.threshold_days)

    @property
    def left(self) -> int:
        """Companies that were not asked for yet."""
        return max(0, self.total - self.refreshed - len(self.failed))

    def with_refreshed(self, company_id: str) -> Self:
        """The checkpoint with one company more refreshed."""
        failed = {company: reason for company, reason in self.failed.items() if company != company_id}
        return replace(self, refreshed=self.refreshed + 1, failed=failed)

    def with_failed(self, company_id: str, *, reason: str) -> Self:
        """The checkpoint with one company that failed."""
        return replace(self, failed={**self.failed, company_id: reason})

    def with_none_left(self) -> Self:
        """The checkpoint of a refresh that came to its end; others may have refreshed what it did not."""
        return replace(self, total=self.refreshed + len(self.failed))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReport:
    """What a refresh would do or did: a plan's companies `to_ask`, in order; how many this call `asked` for.

    `without_name` companies cannot be searched, and are left out.
    """

    mode: str
    database: Mapping[str, str] | None
    seconds: float = 0.0
    run: RefreshRun | None = None
    freshness: Freshness | None = None
    without_name: int = 0
    to_ask: tuple[str, ...] = ()
    asked: int = 0
    error: WorkDataHubError | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """Why, by company, it could not be refreshed so far."""
        return self.run.failed if self.run else {}

    @property
    def status(self) -> str:
        """planned, refreshed, unchanged, partial or failed."""
        if self.error:
            return "partial" if self.asked else "failed"
        if self.mode == "plan":
            return "planned" if self.to_ask else "unchanged"
        if not self.asked:
            return "unchanged"
        return "partial" if self.failed or (self.run and self.run.left) else "refreshed"

    @property
    def exit_code(self) -> int:
        """0; the error's code; the registry's where it did not give what was asked for."""
        if self.error:
            return self.error.exit_code
        return DirectoryError.exit_code if self.mode == "execute" and self.failed else 0

    def as_json(self) -> dict[str, Any]:
        """The one document of `--report json`."""
        run = self.run
        return {
            "command": "identity refresh",
            "mode": self.mode,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "database": dict(self.database) if self.database else None,
            "selection": run.selection.value if run else None,
            "threshold_days": run.threshold_days if run else None,
            "companies": self.freshness.as_json() if self.freshness else None,
            "without_name": self.without_name,
            "to_ask": list(self.to_ask),
            "refresh_id": run.refresh_id if run else None,
            "asked": self.asked,
            "refreshed": run.refreshed if run else 0,
            "failed": [{"company_id": company, "reason": reason} for company, reason in sorted(self.failed.items())],
            "left": run.left if run else 0,
            "error": error_json(self.error) if self.error else None,
        }
