"""What a customer command tells of itself: tables and their counts, warnings, and why it failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["planned", "done", "unchanged", "failed"]

CONTRACTS_TABLE = "customer.customer_plan_contract"
PERIODS_TABLE = "customer.contract_periods"
PRODUCT_LINES_TABLE = "mapping.产品线"
CUSTOMERS_TABLE = "customer.客户明细"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCounts:
    """What happens to the rows of one table; `closed` rows only got their end, `skipped` ones stay as they are."""

    table: str
    inserted: int = 0
    closed: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0

    def and_then(self, later: "TableCounts") -> "TableCounts":
        """Both counts of the same table, added up."""
        return TableCounts(
            table=self.table,
            inserted=self.inserted + later.inserted,
            closed=self.closed + later.closed,
            updated=self.updated + later.updated,
            deleted=self.deleted + later.deleted,
            skipped=self.skipped + later.skipped,
        )

    @property
    def changes(self) -> int:
        """How many rows are written or removed."""
        return self.inserted + self.closed + self.updated + self.deleted

    def as_json(self) -> dict[str, str | int]:
        """The counts by name."""
        return {
            "table": self.table,
            "inserted": self.inserted,
            "closed": self.closed,
            "updated": self.updated,
            "deleted": self.deleted,
            "skipped": self.skipped,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReport:
    """One run of a customer command.

    `period` is `2024-10`, a year, or None. `status` is planned (a dry run), done, unchanged (nothing had
    to be written) or failed; `error` says why in words a user can act on. `notes` are counts that explain
    the others, such as facts that no contract could be made of, by reason.
    """

    command: str
    period: str | None
    status: Status
    tables: tuple[TableCounts, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON document."""
        return {
            "command": self.command,
            "period": self.period,
            "status": self.status,
            "tables": [table.as_json() for table in self.tables],
            "warnings": list(self.warnings),
            "notes": dict(self.notes),
            "error": self.error,
        }


def settled_status(tables: tuple[TableCounts, ...], *, dry_run: bool) -> Status:
    """The status of a run that did not fail: planned, done, or unchanged where no table changed."""
    if dry_run:
        return "planned"
    return "done" if any(table.changes for table in tables) else "unchanged"


def one_line_a_table(tables: Iterable[TableCounts]) -> tuple[TableCounts, ...]:
    """The counts of a table that was written twice, added up; in the order of first mention."""
    lines: dict[str, TableCounts] = {}
    for one in tables:
        lines[one.table] = lines[one.table].and_then(one) if one.table in lines else one
    return tuple(lines.values())
