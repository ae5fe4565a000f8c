"""Contracts brought to what the facts say: planned without writing, or threaded anew in one transaction."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pandas as pd

from work_data_hub.domain.customers.contracts import states
from work_data_hub.domain.customers.history import HistoryChanges, compare, thread
from work_data_hub.domain.customers.master import PlannedMaster
from work_data_hub.domain.customers.report import (
    CONTRACTS_TABLE,
    CUSTOMERS_TABLE,
    PRODUCT_LINES_TABLE,
    CustomerReport,
    TableCounts,
    one_line_a_table,
    settled_status,
)
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError, UsageError
from work_data_hub.io.contract_store import (
    add_product_lines,
    apply_changes,
    lock_contracts,
    missing_product_lines,
    periods,
    read_versions,
    write_periods,
)
from work_data_hub.io.customer_checks import see_one_moment
from work_data_hub.io.customer_facts import fact_months, read_monthly_facts, uncounted_rows
from work_data_hub.io.customer_master import add_missing_customers, count_missing_customers, refresh_master
from work_data_hub.io.faults import Faults
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.contract_months import (
    AS_FAR_AS_SYNCED,
    Reach,
    Sight,
    counted_months,
    facts_since,
    look,
    missing_decembers,
    period_of,
    picked_up,
)
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)
SYNC = "customer-mdm sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadedContracts:
    """What threading did, or would do: counts a table, and the month from which the history was made anew.

    `since` is None where no month is considered: then there was nothing to do. `through` is the newest
    considered month; `versions` is the whole history as it is afterwards, or would be.
    """

    tables: tuple[TableCounts, ...] = ()
    since: Period | None = None
    through: Period | None = None
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    versions: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    @property
    def planned(self) -> PlannedMaster:
        """What the master has to know of it before it is written."""
        return PlannedMaster(through=self.through.first_day if self.through else None, versions=self.versions)


def sync_contract_status(
    period: Period | None,
    place: Workplace,
    *,
    rules: CustomerRules,
    dry_run: bool = False,
    rebuild: bool = False,
    lock_wait_seconds: float = 600,
) -> CustomerReport:
    """Thread the contracts anew from a month on, from every other month that changed, or (`rebuild`) from the first.

    Without a period the newest month that has facts is taken. A month whose facts went may be named as well,
    and where no facts are left the contracts go. A dry run reads only and tells the same counts. The same
    facts again write nothing. Raises UsageError without a database or without facts of the period, DataError
    for facts that cannot be (see `read_monthly_facts` and `fact_months`), ConfigError where a year of a what-if
    run would be written, and LoadLocked.
    """
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    _refuse_what_if(rules, write=not dry_run)
    run = _Sync(place, rules=rules, rebuild=rebuild, lock_wait_seconds=lock_wait_seconds)
    execution_id = uuid4()
    name = f"wdh {SYNC} {str(execution_id)[:8]}"
    with warehouse_errors(), closing(connect(place.database_url, application_name=name)) as connection:
        require_head(connection)
        connection.commit()
        if dry_run:
            return run.planned(connection, period)
        return run.written(connection, period, execution_id)


def rethread_contracts(
    cursor: Cursor,
    *,
    period: Period | None,
    rules: CustomerRules,
    config_dir: Path,
    write: bool,
    reach: Reach = AS_FAR_AS_SYNCED,
) -> ThreadedContracts:
    """Make the history anew from a month on (None: from the first), in the caller's transaction.

    Months that were loaded since, or whose facts went, are made anew as well. The caller holds the
    contracts lock (`lock_contracts`); with `write` false nothing is written and the counts are the same.
    Raises ConfigError where a year of a what-if run would be written.
    """
    _refuse_what_if(rules, write=write)
    sight = look(cursor, period=period, reach=reach)
    if sight is None:
        return ThreadedContracts()
    stored = read_versions(cursor)
    wanted = _wanted(cursor, sight, stored, rules=rules, whole=period is None)
    changes = compare(stored, wanted)
    tables = _write(cursor, sight, changes, config_dir=config_dir, faults=reach.faults) if write else None
    log.info("contracts.threaded", since=str(period_of(sight.since)), changes=_counted(changes).changes, written=write)
    return ThreadedContracts(
        tables=tables or _planned_tables(cursor, sight, changes, config_dir=config_dir),
        since=period_of(sight.since),
        through=period_of(sight.newest) if sight.newest is not None else None,
        warnings=(*picked_up(sight), *missing_decembers(sight)),
        notes=uncounted_rows(cursor, sight.through),
        versions=wanted,
    )


class _Sync:
    """One run of the command, in a transaction that only reads or in one that writes everything."""

    def __init__(self, place: Workplace, *, rules: CustomerRules, rebuild: bool, lock_wait_seconds: float) -> None:
        self._place, self._rules, self._rebuild = place, rules, rebuild
        self._lock_wait_seconds = lock_wait_seconds

    def planned(self, connection: Connection, period: Period | None) -> CustomerReport:
        """What a run would do, all of it seen at one moment."""
        with read_only(connection), connection.cursor() as cursor:
            see_one_moment(cursor)
            return self._report(cursor, period, write=False)

    def written(self, connection: Connection, period: Period | None, execution_id: UUID) -> CustomerReport:
        """Do it, alone, and put on record that it ran."""
        running = recorded(connection, execution_id, pipeline_name=SYNC)
        with running, warehouse_errors(), transaction(connection), connection.cursor() as cursor:
            lock_contracts(cursor, wait_seconds=self._lock_wait_seconds)
            self._place.faults.reach("after_contract_lock")
            done = self._report(cursor, period, write=True)
            contracts = next(table for table in done.tables if table.table == CONTRACTS_TABLE)
            finish_execution(cursor, execution_id, rows=(contracts.changes + contracts.skipped, contracts.changes, 0))
            self._place.faults.reach("before_contract_commit")
        return done

    def _report(self, cursor: Cursor, period: Period | None, *, write: bool) -> CustomerReport:
        chosen = _chosen(cursor, period)
        threaded = rethread_contracts(
            cursor,
            period=None if self._rebuild else chosen,
            rules=self._rules,
            config_dir=self._place.config_dir,
            write=write,
            reach=Reach(month=chosen, faults=self._place.faults),
        )
        planned = PlannedMaster() if write else threaded.planned
        master = refresh_master(cursor, config_dir=self._place.config_dir, write=write, planned=planned)
        tables = one_line_a_table((*threaded.tables, master))
        return CustomerReport(
            command=SYNC,
            period=str(chosen),
            status=settled_status(tables, dry_run=not write),
            tables=tables,
            warnings=(*_told_of(chosen, period, threaded), *threaded.warnings),
            notes=threaded.notes,
        )


def _chosen(cursor: Cursor, period: Period | None) -> Period:
    """The month asked for, or the newest; it must have facts, or have had them when it was synced."""
    months, noted = fact_months(cursor), periods(cursor)
    newest = max(months or noted, default=None)
    if period is None and newest is not None:
        return period_of(newest)
    if period is None or month_number(period.first_day) not in {*months, *noted}:
        raise UsageError(
            f"no facts of {period}" if period else "no month has facts",
            operation=SYNC,
            input_data=period.yyyymm if period else None,
            rule="contracts are made of business.规模明细",
            hint="load the month first: wdh etl --domains annuity_performance --period "
            f"{period.yyyymm if period else 'YYYYMM'} --execute",
        )
    return period


def _told_of(chosen: Period, asked: Period | None, threaded: ThreadedContracts) -> tuple[str, ...]:
    """How the month was chosen, and what became of contracts where no facts are left."""
    if threaded.through is None:
        return ("no synced month has facts any more: nothing tells of a contract, and all of them go",)
    return () if asked else (f"no period was given: {chosen} is the newest month that has facts",)


def _wanted(cursor: Cursor, sight: Sight, stored: pd.DataFrame, *, rules: CustomerRules, whole: bool) -> pd.DataFrame:
    """The history that the facts give, before the month made anew as it is stored."""
    since = None if whole else sight.since
    facts = read_monthly_facts(cursor, first=facts_since(sight, rules, whole=whole), through=sight.through)
    found = states(facts, sight.timeline, rules=rules, since=since)
    return thread(stored, found, timeline=sight.timeline, since=since)


def _write(
    cursor: Cursor, sight: Sight, changes: HistoryChanges, *, config_dir: Path, faults: Faults
) -> tuple[TableCounts, ...]:
    """Write what differs, and what it stands on; nothing where nothing differs."""
    lines = missing_product_lines(cursor, _codes(changes))
    added = TableCounts(table=PRODUCT_LINES_TABLE, inserted=add_product_lines(cursor, lines) if lines else 0)
    customers = add_missing_customers(cursor, _companies(changes), config_dir=config_dir)
    counted, months = _counted(changes), counted_months(sight)
    if counted.changes:
        apply_changes(cursor, changes, between=lambda: faults.reach("inside_contracts"))
    if counted.changes or months.changes:
        write_periods(cursor, sight.to_note, gone=sight.gone, since=sight.since)
    return (counted, months, added, TableCounts(table=CUSTOMERS_TABLE, inserted=customers))


def _planned_tables(
    cursor: Cursor, sight: Sight, changes: HistoryChanges, *, config_dir: Path
) -> tuple[TableCounts, ...]:
    """The counts of `_write`, nothing written."""
    customers = count_missing_customers(cursor, _companies(changes), config_dir=config_dir)
    return (
        _counted(changes),
        counted_months(sight),
        TableCounts(table=PRODUCT_LINES_TABLE, inserted=len(missing_product_lines(cursor, _codes(changes)))),
        TableCounts(table=CUSTOMERS_TABLE, inserted=customers),
    )


def _counted(changes: HistoryChanges) -> TableCounts:
    return TableCounts(
        table=CONTRACTS_TABLE,
        inserted=len(changes.inserted),
        closed=len(changes.closed),
        updated=len(changes.updated),
        deleted=len(changes.deleted),
        skipped=changes.skipped,
    )


def _companies(changes: HistoryChanges) -> list[str]:
    return sorted(changes.inserted["company_id"].unique().tolist())


def _codes(changes: HistoryChanges) -> list[str]:
    return sorted(changes.inserted["product_line_code"].unique().tolist())


def _refuse_what_if(rules: CustomerRules, *, write: bool) -> None:
    if rules.status_year is None or not write:
        return
    raise ConfigError(
        "contracts are never written as of a year other than their own",
        file="config/customer_mdm.yaml",
        field="status_year",
        input_data=str(rules.status_year),
        rule="status_year is for what-if runs",
        hint="set it to null, or look only: --dry-run",
    )
