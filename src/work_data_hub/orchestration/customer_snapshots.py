"""What each month looked like, made again from its sources: planned without writing, or in one transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from work_data_hub.domain.customers.master import PlannedMaster
from work_data_hub.domain.customers.report import CustomerReport, TableCounts, settled_status
from work_data_hub.domain.customers.shapes import month_number, month_of
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.domain.period import Period
from work_data_hub.errors import UsageError
from work_data_hub.io.contract_store import lock_contracts, periods
from work_data_hub.io.customer_chart import refuse_other_formats, write_chart
from work_data_hub.io.customer_facts import fact_months
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.snapshot_store import late_award, mark_current, snapshot_companies, status_counts
from work_data_hub.log import get_logger
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.snapshot_months import compared_months, drop_other_months, write_month

log = get_logger(__name__)
SNAPSHOT = "customer-mdm snapshot"
_MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedSnapshots:
    """What making months again did, or would do.

    `tables` counts the rows of each table over all months; `by_month` those of each month, oldest first.
    `companies` are those of the rows that these months have, or would have. `notes` counts the award and loss
    rows of each year that reached no snapshot, by reason.
    """

    tables: tuple[TableCounts, ...]
    by_month: Mapping[Period, tuple[TableCounts, ...]] = field(default_factory=dict)
    companies: frozenset[str] = frozenset()
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows the months have."""
        return sum(table.inserted + table.updated + table.skipped for table in self.tables)

    @property
    def changes(self) -> int:
        """How many rows are written or removed."""
        return sum(table.changes for table in self.tables)


def refresh_monthly_snapshot(
    period: Period | None,
    place: Workplace,
    *,
    status_rules: StatusRules,
    dry_run: bool = False,
    lock_wait_seconds: float = 600,
) -> CustomerReport:
    """Make the snapshots of the synced months from `period` on again, and of every month whose sources changed.

    A period that is not synced yet has no snapshot: that is said in a warning, and the months after it are made.
    Without a period the newest synced month is taken. A dry run reads only and tells the same counts. What did
    not change is not written. Raises UsageError without a database, and LoadLocked.
    """
    refresh = _Refresh(period, place, status_rules=status_rules, refuses=False)
    return refresh.run(dry_run=dry_run, lock_wait_seconds=lock_wait_seconds)


def make_snapshots(
    period: Period | None,
    place: Workplace,
    *,
    status_rules: StatusRules,
    dry_run: bool = False,
    lock_wait_seconds: float = 600,
) -> CustomerReport:
    """As `refresh_monthly_snapshot`, for a person who asks: a period that is not synced raises UsageError."""
    refresh = _Refresh(period, place, status_rules=status_rules, refuses=True)
    return refresh.run(dry_run=dry_run, lock_wait_seconds=lock_wait_seconds)


def refresh_snapshots(
    cursor: Cursor, *, since: Period | None, status_rules: StatusRules, write: bool
) -> RefreshedSnapshots:
    """Make the synced months from `since` on again, and those whose sources changed, in the caller's transaction.

    Without `since` only those whose sources changed; awards whose company or line is known only by now count as
    such. Snapshots of months that are not synced any more go. The caller holds the contracts lock where it
    writes; with `write` false the counts are the same.
    """
    marks = periods(cursor)
    none = max(marks, default=0) + 1
    first = min(month_number(since.first_day) if since else none, late_award(cursor) or none)
    months = [month for month in sorted(marks) if month >= first or not marks[month].snapshot_is_current]
    by_month: dict[Period, tuple[TableCounts, ...]] = {}
    notes: dict[int, Mapping[str, int]] = {}
    companies: set[str] = set()
    for month in compared_months(cursor, months, status_rules=status_rules):
        if write:
            write_month(cursor, month)
        by_month[_period(month.number)] = month.tables
        companies |= month.companies
        # The last month of a year that is looked at has seen what the earlier ones have.
        notes[month.number // _MONTHS_A_YEAR] = month.notes
    dropped = drop_other_months(cursor, {_period(month).last_day for month in marks}, write=write)
    if write:
        mark_current(cursor, months)
    done = RefreshedSnapshots(
        tables=_summed([*by_month.values(), dropped]),
        by_month=by_month,
        companies=frozenset(companies),
        notes=sum(map(Counter, notes.values()), Counter()),
    )
    log.info("snapshots.refreshed", months=len(months), changes=done.changes, written=write)
    return done


def snapshot_differences(cursor: Cursor, months: Collection[int], *, status_rules: StatusRules) -> dict[int, int]:
    """How many rows of each month's snapshots are not what their sources say; months that agree are left out.

    Months are month numbers. Reads only.
    """
    compared = compared_months(cursor, sorted(months), status_rules=status_rules)
    differing = {month.number: month.rows for month in compared}
    return {month: rows for month, rows in differing.items() if rows}


def draw_snapshots(path: Path, place: Workplace) -> None:
    """Draw the customers by status of all stored months as the .png or .html that `path` names.

    Raises UsageError for another kind of file, without a database, and where there is no snapshot yet.
    """
    refuse_other_formats(path)
    with (
        warehouse_errors(),
        closing(_connection(place, "wdh customer chart")) as connection,
        read_only(connection),
        connection.cursor() as cursor,
    ):
        counts = status_counts(cursor)
    if counts.empty:
        raise UsageError("there is no snapshot to draw", operation=SNAPSHOT, hint="run wdh customer-mdm snapshot first")
    write_chart(path, counts)


class _Refresh:
    """One run of the command or of a hook."""

    def __init__(self, period: Period | None, place: Workplace, *, status_rules: StatusRules, refuses: bool) -> None:
        self._period, self._place = period, place
        self._status_rules, self._refuses = status_rules, refuses
        self._execution_id: UUID = uuid4()

    def run(self, *, dry_run: bool, lock_wait_seconds: float) -> CustomerReport:
        name = f"wdh {SNAPSHOT} {str(self._execution_id)[:8]}"
        with warehouse_errors(), closing(_connection(self._place, name)) as connection:
            if dry_run:
                with read_only(connection), connection.cursor() as cursor:
                    return self._done(cursor, write=False)[0]
            return self._written(connection, lock_wait_seconds=lock_wait_seconds)

    def _written(self, connection: Connection, *, lock_wait_seconds: float) -> CustomerReport:
        running = recorded(connection, self._execution_id, pipeline_name=SNAPSHOT)
        with running, warehouse_errors(), transaction(connection), connection.cursor() as cursor:
            lock_contracts(cursor, wait_seconds=lock_wait_seconds)
            report, done = self._done(cursor, write=True)
            finish_execution(cursor, self._execution_id, rows=(done.rows, done.changes, 0))
            self._place.faults.reach("before_snapshot_commit")
        return report

    def _done(self, cursor: Cursor, *, write: bool) -> tuple[CustomerReport, RefreshedSnapshots]:
        since, warnings = self._since(cursor)
        done = refresh_snapshots(cursor, since=since, status_rules=self._status_rules, write=write)
        planned = PlannedMaster() if write else PlannedMaster(in_snapshots=_companies(cursor, done))
        master = refresh_master(cursor, config_dir=self._place.config_dir, write=write, planned=planned)
        tables = (*done.tables, master)
        report = CustomerReport(
            command=SNAPSHOT,
            period=str(since) if since else None,
            status=settled_status(tables, dry_run=not write),
            tables=tables,
            warnings=warnings,
            notes={"months": len(done.by_month), **done.notes},
        )
        return report, done

    def _since(self, cursor: Cursor) -> tuple[Period | None, tuple[str, ...]]:
        """The month to begin with, and what there is to say of it."""
        synced = sorted(periods(cursor))
        if self._period is None and synced:
            newest = _period(synced[-1])
            return newest, (f"no period was given: {newest} is the newest month that is synced",)
        if self._period and month_number(self._period.first_day) in synced:
            return self._period, ()
        if self._refuses:
            raise _not_synced(self._period)
        return self._period, (_why_none(cursor, self._period),)


def _companies(cursor: Cursor, done: RefreshedSnapshots) -> frozenset[str]:
    """The companies of all snapshot rows, once what was only planned is written."""
    kept = {_period(month) for month in periods(cursor)} - set(done.by_month)
    return done.companies | snapshot_companies(cursor, [period.last_day for period in kept])


def _summed(counted: Iterable[tuple[TableCounts, ...]]) -> tuple[TableCounts, ...]:
    """The counts of each table over all months."""
    return tuple(
        TableCounts(
            table=same[0].table,
            inserted=sum(table.inserted for table in same),
            updated=sum(table.updated for table in same),
            deleted=sum(table.deleted for table in same),
            skipped=sum(table.skipped for table in same),
        )
        for same in zip(*counted, strict=True)
    )


def _connection(place: Workplace, name: str) -> Connection:
    """A connection to the warehouse, at the head that this version expects."""
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    connection = connect(place.database_url, application_name=name)
    require_head(connection)
    connection.commit()
    return connection


def _not_synced(period: Period | None) -> UsageError:
    if period is None:
        return UsageError("no month is synced", operation=SNAPSHOT, hint="run wdh customer-mdm sync")
    return UsageError(
        f"{period} is not synced: run wdh customer-mdm sync --period {period.yyyymm}",
        operation=SNAPSHOT,
        input_data=period.yyyymm,
        rule="a month has a snapshot once its contracts are made",
    )


def _why_none(cursor: Cursor, period: Period | None) -> str:
    if period is None:
        return "no snapshot yet: no month is synced"
    if month_number(period.first_day) in fact_months(cursor):
        return f"no snapshot of {period} yet: its contracts are not synced"
    return f"no snapshot of {period} yet: its performance facts are not loaded"


def _period(month: int) -> Period:
    return Period.of(month_of(month))
