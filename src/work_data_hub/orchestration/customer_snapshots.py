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
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.customer_chart import refuse_other_formats, write_chart
from work_data_hub.io.customer_facts import fact_months
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.snapshot_store import TABLES, snapshot_companies, status_counts, stored_months
from work_data_hub.log import get_logger
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.snapshot_months import (
    compared_months,
    drop_other_months,
    due_months,
    note_made,
    synced_months,
    write_month,
)

log = get_logger(__name__)
SNAPSHOT = "customer-mdm snapshot"
_MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedSnapshots:
    """What making months again did, or would do.

    `tables` counts the rows of each table over all months; `by_month` those of each month, oldest first.
    `companies` are those of the rows that these months have, or would have. `notes` counts the award and loss
    rows of each year that reached no snapshot, by reason. `warnings` tell of months that nobody asked for.
    """

    tables: tuple[TableCounts, ...]
    by_month: Mapping[Period, tuple[TableCounts, ...]] = field(default_factory=dict)
    companies: frozenset[str] = frozenset()
    notes: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

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
    rebuild: bool = False,
    lock_wait_seconds: float = 600,
) -> CustomerReport:
    """As `refresh_monthly_snapshot`, for a person who asks: a period that is not synced raises UsageError.

    `rebuild` makes all synced months again, such as after the rules changed; it goes with no period.
    """
    if rebuild and period:
        raise UsageError(
            "--rebuild makes all synced months again",
            operation=SNAPSHOT,
            input_data=period.yyyymm,
            rule="a period or --rebuild, not both",
            hint="leave out --period, or --rebuild",
        )
    refresh = _Refresh(period, place, status_rules=status_rules, refuses=True, rebuild=rebuild)
    return refresh.run(dry_run=dry_run, lock_wait_seconds=lock_wait_seconds)


def refresh_snapshots(
    cursor: Cursor, *, since: Period | None, status_rules: StatusRules, write: bool
) -> RefreshedSnapshots:
    """Make the synced months from `since` on again, and those whose sources changed, in the caller's transaction.

    Without `since` only those whose sources changed: contracts, loads of awards and losses that no refresh has
    seen, and awards whose company or line is known only by now. Snapshots of months that are not synced any more,
    or have no facts, go. The caller holds the contracts lock where it writes; with `write` false the counts are
    the same.
    """
    due = due_months(cursor, since=month_number(since.first_day) if since else None)
    by_month: dict[Period, tuple[TableCounts, ...]] = {}
    notes: dict[int, Mapping[str, int]] = {}
    companies: set[str] = set()
    for month in compared_months(cursor, due.months, status_rules=status_rules):
        if write:
            write_month(cursor, month)
        by_month[_period(month.number)] = month.tables
        companies |= month.companies
        # The last month of a year that is looked at has seen what the earlier ones have.
        notes[month.number // _MONTHS_A_YEAR] = month.notes
    dropped = drop_other_months(cursor, due.kept, write=write)
    if write:
        note_made(cursor, due)
    done = RefreshedSnapshots(
        tables=_summed([*by_month.values(), dropped]),
        by_month=by_month,
        companies=frozenset(companies),
        notes=sum(map(Counter, notes.values()), Counter()),
        warnings=due.warnings,
    )
    log.info("snapshots.refreshed", months=len(due.months), changes=done.changes, written=write)
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

    def __init__(
        self,
        period: Period | None,
        place: Workplace,
        *,
        status_rules: StatusRules,
        refuses: bool,
        rebuild: bool = False,
    ) -> None:
        self._period, self._place = period, place
        self._status_rules, self._refuses, self._rebuild = status_rules, refuses, rebuild
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
            warnings=(*warnings, *done.warnings),
            notes={"months": len(done.by_month), **done.notes},
        )
        return report, done

    def _since(self, cursor: Cursor) -> tuple[Period | None, tuple[str, ...]]:
        """The month to begin with, and what there is to say of it."""
        synced = sorted(synced_months(cursor))
        if self._rebuild and synced:
            return _period(synced[0]), ()
        if self._period is None and synced:
            newest = _period(synced[-1])
            return newest, (f"no period was given: {newest} is the newest month that is synced",)
        if self._period and month_number(self._period.first_day) in synced:
            return self._period, ()
        is_stored = _is_stored(cursor, self._period)
        if self._refuses and not is_stored:
            raise _not_synced(self._period)
        return self._period, (_why_none(cursor, self._period, since_when="any more" if is_stored else "yet"),)


def _companies(cursor: Cursor, done: RefreshedSnapshots) -> frozenset[str]:
    """The companies of all snapshot rows, once what was only planned is written."""
    kept = {_period(month) for month in synced_months(cursor)} - set(done.by_month)
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


def _is_stored(cursor: Cursor, period: Period | None) -> bool:
    """Whether the month, or any, has a snapshot so far; where its facts are gone it goes."""
    days = {day for table in TABLES for day in stored_months(cursor, table)}
    return period.last_day in days if period else bool(days)


def _why_none(cursor: Cursor, period: Period | None, *, since_when: str) -> str:
    if period is None:
        return f"no snapshot {since_when}: no month that has facts is synced"
    if month_number(period.first_day) in fact_months(cursor):
        return f"no snapshot of {period} {since_when}: its contracts are not synced"
    return f"no snapshot of {period} {since_when}: its performance facts are not loaded"


def _period(month: int) -> Period:
    return Period.of(month_of(month))
