"""The turn of a year: opened early by hand, or its opening brought up to date when December came late."""

from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from uuid import uuid4

from work_data_hub.domain.customers.master import PlannedMaster
from work_data_hub.domain.customers.report import (
    CONTRACTS_TABLE,
    CustomerReport,
    TableCounts,
    one_line_a_table,
    settled_status,
)
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.domain.customers.year_checks import YearVerdict
from work_data_hub.domain.period import Period
from work_data_hub.errors import UsageError
from work_data_hub.io.contract_store import cut_over_years, lock_contracts, periods, record_cut_over
from work_data_hub.io.customer_checks import see_one_moment
from work_data_hub.io.customer_facts import fact_months
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.contract_months import Reach, period_of
from work_data_hub.orchestration.customer_contracts import ThreadedContracts, rethread_contracts
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.year_validation import judge_year

INIT_YEAR, CUT_OVER = "customer-mdm init-year", "customer-mdm cutover"
YEARS_TABLE = "customer.contract_years"
FIRST_CUT_OVER, LAST_CUT_OVER = 2020, 2050
JANUARY, DECEMBER = 1, 12


def init_year(
    year: int, place: Workplace, *, rules: CustomerRules, dry_run: bool = False, lock_wait_seconds: float = 600
) -> CustomerReport:
    """Bring the opening of a year, and what follows from it, up to date with its December.

    After a sync there is normally nothing to do. Raises UsageError without a database, and where the year has
    not begun: no month of it is synced and it was not cut over. A dry run reads only and tells the same counts.
    """
    return _Opening(year, place, rules=rules, lock_wait_seconds=lock_wait_seconds).run(dry_run=dry_run)


def cut_over(
    year: int, place: Workplace, *, rules: CustomerRules, dry_run: bool = False, lock_wait_seconds: float = 600
) -> CustomerReport:
    """Open a year before any month of it is there: every contract in force begins anew on January 1.

    December of the year before decides who is existing and who is strategic; without it, and for a year too
    far off, UsageError. A year that is open already stays as it is: `unchanged`, nothing written. A dry run
    reads only and tells the same counts.
    """
    return _CutOver(year, place, rules=rules, lock_wait_seconds=lock_wait_seconds).run(dry_run=dry_run)


def validate_year(year: int | None, place: Workplace, *, rules: CustomerRules) -> YearVerdict:
    """Judge a year, by default the newest that contracts have: everything is read at one moment, nothing written.

    A check that fails is part of the verdict. Raises UsageError without a database, and for a year without contracts.
    """
    status_rules = load_status_rules(place.config_dir)
    name = "wdh customer-mdm validate"
    with warehouse_errors(), closing(connect(_required(place), application_name=name)) as connection:
        require_head(connection)
        connection.commit()
        with read_only(connection), connection.cursor() as cursor:
            see_one_moment(cursor)
            return judge_year(cursor, year, rules=rules, status_rules=status_rules, config_dir=place.config_dir)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Years:
    """The months that contracts are made of, and the years that were opened early."""

    months: tuple[int, ...]
    cut_over: frozenset[int]

    @classmethod
    def read(cls, cursor: Cursor) -> "_Years":
        marks = periods(cursor)
        months = tuple(month for month in fact_months(cursor) if marks and month <= max(marks))
        if not months:
            raise UsageError(
                "no month is synced",
                rule="a year of contracts turns after its months",
                hint="sync the contracts first: wdh customer-mdm sync",
            )
        return cls(months=months, cut_over=cut_over_years(cursor))

    @property
    def newest(self) -> Period:
        return period_of(self.months[-1])

    def has_month_of(self, year: int) -> bool:
        return any(period_of(month).year == year for month in self.months)

    def has_december_before(self, year: int) -> bool:
        return month_number(Period(year - 1, DECEMBER).first_day) in self.months


class _YearRun(ABC):
    """One run of a command about a year, in a transaction that only reads or in one that writes everything."""

    command: str

    def __init__(self, year: int, place: Workplace, *, rules: CustomerRules, lock_wait_seconds: float) -> None:
        self._year, self._place, self._rules = year, place, rules
        self._lock_wait_seconds = lock_wait_seconds

    @abstractmethod
    def _report(self, cursor: Cursor, *, write: bool) -> CustomerReport:
        """What the run does, or (`write` false) would do."""

    def run(self, *, dry_run: bool) -> CustomerReport:
        url = _required(self._place)
        name = f"wdh {self.command} {self._year}"
        with warehouse_errors(), closing(connect(url, application_name=name)) as connection:
            require_head(connection)
            connection.commit()
            return self._planned(connection) if dry_run else self._written(connection)

    def _planned(self, connection: Connection) -> CustomerReport:
        with read_only(connection), connection.cursor() as cursor:
            see_one_moment(cursor)
            return self._report(cursor, write=False)

    def _written(self, connection: Connection) -> CustomerReport:
        execution_id = uuid4()
        running = recorded(connection, execution_id, pipeline_name=self.command)
        with running, warehouse_errors(), transaction(connection), connection.cursor() as cursor:
            lock_contracts(cursor, wait_seconds=self._lock_wait_seconds)
            self._place.faults.reach("after_contract_lock")
            done = self._report(cursor, write=True)
            finish_execution(cursor, execution_id, rows=_rows(done))
            self._place.faults.reach("before_contract_commit")
        return done

    def _threaded(self, cursor: Cursor, *, write: bool, reach: Reach) -> ThreadedContracts:
        return rethread_contracts(
            cursor,
            period=Period(self._year, JANUARY),
            rules=self._rules,
            config_dir=self._place.config_dir,
            write=write,
            reach=reach,
        )

    def _told(
        self, cursor: Cursor, threaded: ThreadedContracts, *, write: bool, first: tuple[TableCounts, ...] = ()
    ) -> CustomerReport:
        planned = PlannedMaster() if write else threaded.planned
        master = refresh_master(cursor, config_dir=self._place.config_dir, write=write, planned=planned)
        tables = one_line_a_table((*first, *threaded.tables, master))
        return CustomerReport(
            command=self.command,
            period=str(self._year),
            status=settled_status(tables, dry_run=not write),
            tables=tables,
            warnings=(*threaded.warnings, *_late_snapshots(threaded)),
            notes=threaded.notes,
        )


class _Opening(_YearRun):
    """The opening of a year that has begun, made anew."""

    command = INIT_YEAR

    def _report(self, cursor: Cursor, *, write: bool) -> CustomerReport:
        years = _Years.read(cursor)
        if not years.has_month_of(self._year) and self._year not in years.cut_over:
            raise UsageError(
                f"{self._year} has not begun: no month of it is synced, and it was not cut over",
                operation=self.command,
                input_data=str(self._year),
                rule=f"the newest synced month is {years.newest}",
                hint=f"open it: wdh customer-mdm cutover --year {self._year}",
            )
        threaded = self._threaded(cursor, write=write, reach=Reach(faults=self._place.faults))
        return self._told(cursor, threaded, write=write)


class _CutOver(_YearRun):
    """A year opened before its first month."""

    command = CUT_OVER

    def run(self, *, dry_run: bool) -> CustomerReport:
        if not FIRST_CUT_OVER <= self._year <= LAST_CUT_OVER:
            raise self._refused("not a year that can be cut over", hint="give the year that begins")
        return _YearRun.run(self, dry_run=dry_run)

    def _report(self, cursor: Cursor, *, write: bool) -> CustomerReport:
        years = _Years.read(cursor)
        self._refuse_too_early(years)
        if self._year in years.cut_over or years.has_month_of(self._year):
            return self._open_already(years)
        # Threading takes the year along whether it is recorded yet or not: a dry run records nothing.
        threaded = self._threaded(cursor, write=write, reach=Reach(cut_over=self._year, faults=self._place.faults))
        if write:
            record_cut_over(cursor, self._year, actor=self._place.actor)
        return self._told(cursor, threaded, write=write, first=(TableCounts(table=YEARS_TABLE, inserted=1),))

    def _refuse_too_early(self, years: _Years) -> None:
        if self._year > years.newest.year + 1:
            hint = f"the next year to open is {years.newest.year + 1}"
            raise self._refused(f"{self._year} is too far off: the newest synced month is {years.newest}", hint=hint)
        if not years.has_december_before(self._year):
            december = Period(self._year - 1, DECEMBER)
            raise self._refused(
                f"{december} is not synced, and it decides who is existing and strategic in {self._year}",
                hint=f"load it, then wdh customer-mdm sync --period {december.yyyymm}",
            )

    def _refused(self, message: str, *, hint: str) -> UsageError:
        return UsageError(
            message,
            operation=self.command,
            field="--year",
            input_data=str(self._year),
            rule=f"a year from {FIRST_CUT_OVER} to {LAST_CUT_OVER} whose December before is synced",
            hint=hint,
        )

    def _open_already(self, years: _Years) -> CustomerReport:
        how = "was cut over before" if self._year in years.cut_over else "began with its first month"
        return CustomerReport(
            command=self.command,
            period=str(self._year),
            status="unchanged",
            warnings=(f"{self._year} is open already: it {how}",),
        )


def _required(place: Workplace) -> str:
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    return place.database_url


def _rows(report: CustomerReport) -> tuple[int, int, int]:
    contracts = [table for table in report.tables if table.table == CONTRACTS_TABLE]
    changed = sum(table.changes for table in contracts)
    return (changed + sum(table.skipped for table in contracts), changed, 0)


def _late_snapshots(threaded: ThreadedContracts) -> tuple[str, ...]:
    """Contracts of months that have snapshots may have changed under them."""
    changed = any(table.changes for table in threaded.tables if table.table == CONTRACTS_TABLE)
    if not changed or threaded.since is None or threaded.through is None or threaded.since > threaded.through:
        return ()
    return (
        f"snapshots from {threaded.since} on follow with: wdh customer-mdm snapshot --period {threaded.through.yyyymm}",
    )
