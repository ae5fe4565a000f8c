"""What an apply would do or did: groups of rows and the companies they go to, tables, sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from work_data_hub.domain.customers.report import TableCounts
from work_data_hub.domain.identity.repointing import Holding, Repointed
from work_data_hub.domain.report import TableEffect, error_json
from work_data_hub.errors import WorkDataHubError

AMOUNTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyChange:
    """Rows of one table, name and plan that go from one company to another, in all months together.

    `money` are the sums of the table's first amounts, in its own unit.
    """

    table: str
    name: str | None
    plan: str | None
    before: Holding
    after: Holding
    decisions: tuple[int, ...]
    undone: tuple[int, ...]
    rows: int
    months: tuple[date, ...]
    money: Mapping[str, Decimal]

    def as_json(self) -> dict[str, Any]:
        """The change as the JSON report gives it."""
        return {
            "table": self.table,
            "name": self.name,
            "plan": self.plan,
            "company_from": self.before.company_id,
            "source_from": self.before.source,
            "company_to": self.after.company_id,
            "source_to": self.after.source,
            "confidence": self.after.confidence,
            "decisions": list(self.decisions),
            "undone_decisions": list(self.undone),
            "rows": self.rows,
            "months": [f"{month:%Y%m}" for month in self.months],
            "money": {name: str(amount) for name, amount in self.money.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSum:
    """An amount of a fact table, summed over the months touched, before and after; `rows` is their number."""

    table: str
    column: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """A whole apply, planned or executed; `rows_examined` are the facts whose company was asked for again.

    `followed` are the contracts, snapshots and customers made anew of the facts as they are after it.
    """

    mode: str
    run_id: str
    database: Mapping[str, str] | None = None
    seconds: float = 0.0
    load_id: int | None = None
    rows_examined: int = 0
    changes: tuple[CompanyChange, ...] = ()
    tables: tuple[TableEffect, ...] = ()
    sums: tuple[TableSum, ...] = ()
    followed: tuple[TableCounts, ...] = ()
    warnings: tuple[str, ...] = ()
    error: WorkDataHubError | None = None

    @property
    def status(self) -> str:
        """planned, applied, unchanged or failed."""
        if self.error:
            return "failed"
        if not self.tables:
            return "unchanged"
        return "planned" if self.mode == "plan" else "applied"

    @property
    def rows_changed(self) -> int:
        """The facts that go to another company."""
        return sum(change.rows for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The one document of `--report json`."""
        return {
            "command": "identity apply",
            "mode": self.mode,
            "status": self.status,
            "run_id": self.run_id,
            "load_id": self.load_id,
            "seconds": round(self.seconds, 3),
            "database": dict(self.database) if self.database else None,
            "rows": {"examined": self.rows_examined, "changed": self.rows_changed},
            "groups": [change.as_json() for change in self.changes],
            "tables": [
                {"table": t.table, "deleted": t.deleted, "inserted": t.inserted, "updated": t.updated}
                for t in self.tables
            ],
            "sums": [
                {"table": s.table, "column": s.column, "before": str(s.before), "after": str(s.after)}
                for s in self.sums
            ],
            "followed": [counted.as_json() for counted in self.followed],
            "warnings": list(self.warnings),
            "error": error_json(self.error) if self.error else None,
        }


def company_changes(changes: Iterable[Repointed]) -> tuple[CompanyChange, ...]:
    """The changes of facts as people read them: those that a decision caused first, then those with most rows."""
    alike: dict[tuple[Any, ...], list[Repointed]] = {}
    for changed in changes:
        group = changed.group
        place = (group.table, group.name, group.plan, group.held, changed.after)
        alike.setdefault(place, []).append(changed)
    found = [_company_change(several) for several in alike.values()]
    return tuple(sorted(found, key=_order))


def _order(one: CompanyChange) -> tuple[Any, ...]:
    return not (one.decisions or one.undone), -one.rows, one.table, one.name or "", one.plan or ""


def _company_change(several: list[Repointed]) -> CompanyChange:
    first, steps = several[0].group, [step for changed in several for step in changed.steps]
    amounts = [*first.money][:AMOUNTS]
    return CompanyChange(
        table=first.table,
        name=first.name,
        plan=first.plan,
        before=first.held,
        after=several[0].after,
        decisions=tuple(sorted({s.decision_id for s in steps if s.decision_id and s.reverses is None})),
        undone=tuple(sorted({s.decision_id for s in steps if s.decision_id and s.reverses is not None})),
        rows=sum(changed.rows for changed in several),
        months=tuple(sorted({changed.group.month for changed in several if changed.group.month})),
        money={
            name: sum((changed.group.money[name] or Decimal(0) for changed in several), Decimal(0)) for name in amounts
        },
    )
