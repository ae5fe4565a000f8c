"""The snapshot of a month as it should be against as it is stored, and the difference written."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from work_data_hub.domain.customers.report import TableCounts
from work_data_hub.domain.customers.snapshots import snapshot
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.snapshot_sources import SnapshotSources
from work_data_hub.io.snapshot_store import (
    LINES,
    PLANS,
    TABLES,
    RowChanges,
    apply_rows,
    compare_rows,
    drop_month,
    read_stored,
    stored_months,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMonth:
    """A month compared: what differs in each table of TABLES, and what reached no row."""

    number: int
    changes: tuple[RowChanges, ...]
    companies: frozenset[str]  # that its rows should have
    notes: Mapping[str, int]

    @property
    def rows(self) -> int:
        """How many rows differ."""
        return sum(changes.rows for changes in self.changes)

    @property
    def tables(self) -> tuple[TableCounts, ...]:
        """The counts of each table."""
        return tuple(
            TableCounts(
                table=table.name,
                inserted=len(changes.inserted),
                updated=len(changes.updated),
                deleted=len(changes.deleted),
                skipped=changes.skipped,
            )
            for table, changes in zip(TABLES, self.changes, strict=True)
        )


def compared_months(cursor: Cursor, months: list[int], *, status_rules: StatusRules) -> Iterator[ComparedMonth]:
    """The months (month numbers, oldest first) as they should be against as they are stored; reads only."""
    if not months:
        return
    sources = SnapshotSources(cursor, months)
    for month in months:
        wanted = snapshot(month, sources.of(month), rules=status_rules)
        changes = tuple(
            compare_rows(read_stored(cursor, table, month=month), rows, table)
            for table, rows in ((LINES, wanted.lines), (PLANS, wanted.plans))
        )
        yield ComparedMonth(
            number=month, changes=changes, companies=frozenset(wanted.lines["company_id"]), notes=wanted.notes
        )


def write_month(cursor: Cursor, month: ComparedMonth) -> None:
    """Delete, update and insert the rows of the month that differ."""
    for table, changes in zip(TABLES, month.changes, strict=True):
        apply_rows(cursor, table, changes)


def drop_other_months(cursor: Cursor, synced: Collection[date], *, write: bool) -> tuple[TableCounts, ...]:
    """Remove the snapshots of months that are not synced any more, or (`write` false) only count their rows."""
    return tuple(
        TableCounts(
            table=table.name,
            deleted=sum(
                drop_month(cursor, table, month_end=day, write=write)
                for day in stored_months(cursor, table)
                if day not in synced
            ),
        )
        for table in TABLES
    )
