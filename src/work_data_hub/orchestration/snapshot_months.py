"""Which months have to be made again, each as it should be against as it is stored, and the difference written."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from work_data_hub.domain.customers.report import TableCounts
from work_data_hub.domain.customers.shapes import month_of
from work_data_hub.domain.customers.snapshots import snapshot
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.domain.period import Period
from work_data_hub.io.contract_store import PeriodMark, periods
from work_data_hub.io.customer_facts import fact_months
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.snapshot_sources import SnapshotSources
from work_data_hub.io.snapshot_store import (
    LINES,
    PLANS,
    TABLES,
    RegisterLoad,
    RowChanges,
    apply_rows,
    changed_registers,
    compare_rows,
    drop_month,
    late_award,
    mark_current,
    mark_outdated,
    note_registers,
    read_stored,
    stored_months,
)

_MONTHS_A_YEAR = 12
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Which months (month numbers) are made again, and why there are more than were asked for."""

    months: list[int]
    kept: frozenset[int]  # all that are to have a snapshot
    emptied: list[int]  # synced, and without facts by now
    registers: tuple[RegisterLoad, ...]  # loaded since the snapshots were made
    unasked: tuple[RegisterLoad, ...]  # those of them for which further months are made

    @property
    def warnings(self) -> tuple[str, ...]:
        """What there is to say of the months that nobody asked for."""
        if not self.unasked:
            return ()
        months = [Period.of(month_of(load.month)) for load in self.unasked]
        named = ", ".join(f"{load.domain} {month}" for load, month in zip(self.unasked, months, strict=True))
        if len(months) > _MOST_NAMED:
            named = f"{len(months)} registers of awards and losses from {months[0]} to {months[-1]}"
        were = "was" if len(months) == 1 else "were"
        return (f"{named} {were} loaded since; made anew as well",)


def synced_months(cursor: Cursor) -> dict[int, PeriodMark]:
    """The months that are synced and have facts: those that are to have a snapshot."""
    return _with_facts(cursor, periods(cursor))


def due_months(cursor: Cursor, *, since: int | None) -> Due:
    """The months from `since` on, and all others whose sources changed; to be asked for before these are read.

    An award or a loss counts in its year, from its month on. One that could have no row, since its company or
    line was not known then, is due as soon as they are, although nothing was loaded again.
    """
    registers, synced = changed_registers(cursor), periods(cursor)
    marks = _with_facts(cursor, synced)
    none = max(marks, default=0) + 1
    first = min(none if since is None else since, late_award(cursor, marks.keys()) or none)
    asked = {month for month, mark in marks.items() if month >= first or not mark.snapshot_is_current}
    further = {load: _counts_in(load, marks) - asked for load in registers}
    return Due(
        months=sorted(asked.union(*further.values())),
        kept=frozenset(marks),
        emptied=sorted(set(synced) - set(marks)),
        registers=registers,
        unasked=tuple(load for load, months in further.items() if months),
    )


def note_made(cursor: Cursor, due: Due) -> None:
    """Note what the snapshots have seen; months without facts are made again should facts return."""
    mark_current(cursor, due.months)
    mark_outdated(cursor, due.emptied)
    note_registers(cursor, due.registers)


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


def drop_other_months(cursor: Cursor, kept: Collection[int], *, write: bool) -> tuple[TableCounts, ...]:
    """Remove the snapshots of all months but those (month numbers), or (`write` false) only count their rows."""
    days = {_month_end(month) for month in kept}
    return tuple(
        TableCounts(
            table=table.name,
            deleted=sum(
                drop_month(cursor, table, month_end=day, write=write)
                for day in stored_months(cursor, table)
                if day not in days
            ),
        )
        for table in TABLES
    )


def _with_facts(cursor: Cursor, marks: Mapping[int, PeriodMark]) -> dict[int, PeriodMark]:
    facts = frozenset(fact_months(cursor))
    return {month: mark for month, mark in marks.items() if month in facts}


def _counts_in(load: RegisterLoad, months: Collection[int]) -> set[int]:
    """Which of the months see the awards or losses of the load: those of its year, from its month on."""
    next_year = load.month - load.month % _MONTHS_A_YEAR + _MONTHS_A_YEAR
    return {month for month in months if load.month <= month < next_year}


def _month_end(month: int) -> date:
    return Period.of(month_of(month)).last_day
