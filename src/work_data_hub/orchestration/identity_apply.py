"""Stored rows brought to the companies they belong to by now: a plan that writes nothing, or one transaction."""

import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from work_data_hub.domain.identity.repointing_report import ApplyReport, TableSum, company_changes
from work_data_hub.domain.period import Period
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import UsageError, WarehouseError
from work_data_hub.io.apply_record import ApplyEntry, record_apply, record_changes
from work_data_hub.io.code_version import code_version
from work_data_hub.io.company_changes import create_stage, goes, refuse_difference, stage_changes, update_facts
from work_data_hub.io.company_holders import drop_customers, move_customers, update_values
from work_data_hub.io.company_references import TouchedKeys, note_touched_keys
from work_data_hub.io.config_files import config_version
from work_data_hub.io.ledger import finish_execution, next_load_id
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.reference_rows import create_reference_stages, stage_references, write_references
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.identity_contracts import Followers
from work_data_hub.orchestration.identity_repointing import (
    FactChanges,
    OtherChanges,
    Site,
    changing_facts,
    changing_others,
    hold_shared,
    month_plan,
    sums_of,
    table_effects,
)
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)
PIPELINE = "identity_apply"
Sums = dict[str, dict[str, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """Whether to write, and how long to wait for loads of the months that change."""

    run_id: str
    execute: bool = False
    lock_wait_seconds: float = 0.0


def apply_identity(request: ApplyRequest, place: Workplace) -> ApplyReport:
    """Bring facts, and what follows from them, to the companies that are known and decided by now.

    A plan reads only. An apply is one transaction, while no load of a month that changes can run; it is
    recorded in the ledger, unless there is nothing to change. Contracts, snapshots and the customer master
    follow from the first month that changes, in the same transaction. Raises LoadLocked, UsageError without a
    database, and WarehouseError, with nothing written, where a sum would not stay what it is.
    """
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    site, followers = Site.read(place.config_dir, salt=place.alias_salt), Followers.read(place.config_dir)
    if request.execute:
        return _Apply(request, place, site, followers).run(place.database_url)
    with warehouse_errors(), closing(connect(place.database_url, application_name="wdh plan identity apply")) as held:
        require_head(held)
        return _planned(held, request, site, followers)


def _planned(connection: Connection, request: ApplyRequest, site: Site, followers: Followers) -> ApplyReport:
    facts, others = _look(connection, site)
    touched: dict[str, TouchedKeys] = defaultdict(TouchedKeys)
    for month, domain in facts.places:
        _plan_month(connection, site, domain, month, touched)
    with read_only(connection), connection.cursor() as cursor:
        sums = sums_of(cursor, facts)
        warnings = followers.warnings(cursor, changed=facts.first_month) if facts.first_month else ()
    log.info("identity.planned", rows=sum(changed.rows for changed in facts.changes))
    planned = _report(request, facts, others, touched=touched, sums=(sums, sums))
    return replace(planned, warnings=warnings)


def _look(connection: Connection, site: Site) -> tuple[FactChanges, OtherChanges]:
    """What would change now, in transactions that only read; the facts that change wait in the stage."""
    with read_only(connection), connection.cursor() as cursor:
        facts = changing_facts(cursor, site)
    with transaction(connection), connection.cursor() as cursor:
        create_stage(cursor)
        stage_changes(cursor, facts.changes)
    with read_only(connection), connection.cursor() as cursor:
        return facts, changing_others(cursor, site, facts)


def _plan_month(
    connection: Connection, site: Site, domain: Domain, month: date, touched: dict[str, TouchedKeys]
) -> None:
    """Note the reference rows that follow from a month; temporary tables are made before it may only read."""
    with read_only(connection), connection.cursor() as cursor:
        plan = month_plan(cursor, site, domain, month)
    if plan is None:
        return
    with transaction(connection), connection.cursor() as cursor:
        create_reference_stages(cursor, plan)
    with read_only(connection), connection.cursor() as cursor:
        stage_references(cursor, plan, goes=goes(domain, month=month))
        note_touched_keys(cursor, plan, touched)


class _Apply:
    """One executed apply, from its first lock to its commit."""

    def __init__(self, request: ApplyRequest, place: Workplace, site: Site, followers: Followers) -> None:
        self._request, self._place, self._site, self._followers = request, place, site, followers
        self._execution_id: UUID = uuid4()
        self._started_at = place.now()
        self._deadline = time.monotonic() + request.lock_wait_seconds
        self._touched: dict[str, TouchedKeys] = defaultdict(TouchedKeys)

    def run(self, url: str) -> ApplyReport:
        name = f"wdh identity apply {str(self._execution_id)[:8]}"
        with warehouse_errors(), closing(connect(url, application_name=name)) as connection:
            require_head(connection)
            self._lock(connection, "identity", "apply")
            facts, others = self._held(connection)
            self._place.faults.reach("after_lock")
            if not table_effects(facts, others, {}):
                return _report(self._request, facts, others)
            with recorded(connection, self._execution_id, pipeline_name=PIPELINE), warehouse_errors():
                self._place.faults.reach("after_running")
                with transaction(connection), connection.cursor() as cursor:
                    done = self._write(cursor, facts)
                    self._place.faults.reach("before_commit")
                self._place.faults.reach("after_commit")
        log.info("identity.applied", load_id=done.load_id, rows=done.rows_changed)
        return done

    def _held(self, connection: Connection) -> tuple[FactChanges, OtherChanges]:
        """What changes, once no load of any month that it touches can run any more."""
        held: set[tuple[str, str]] = set()
        while True:
            facts, others = _look(connection, self._site)
            wanted = {(domain.name, Period.of(month).yyyymm) for month, domain in facts.places}
            if wanted <= held:
                return facts, others
            for name, period in sorted(wanted - held):
                self._lock(connection, name, period)
            held |= wanted

    def _lock(self, connection: Connection, domain: str, period: str) -> None:
        take_load_lock(connection, domain=domain, period=period, wait_seconds=self._left())

    def _left(self) -> float:
        """The seconds that may still be waited."""
        return max(self._deadline - time.monotonic(), 0.0)

    def _write(self, cursor: Cursor, facts: FactChanges) -> ApplyReport:
        """Everything in the caller's transaction; raises WarehouseError where rows or sums are not as expected."""
        self._followers.hold(cursor, wait_seconds=self._left())
        hold_shared(cursor, self._site)
        create_stage(cursor)
        stage_changes(cursor, facts.changes)
        before = sums_of(cursor, facts)
        others = changing_others(cursor, self._site, facts)
        for customers in others.customers:
            move_customers(cursor, customers.rule, customers.moved)
            drop_customers(cursor, customers.rule, customers.dropped)
        self._write_facts(cursor, facts)
        _write_values(cursor, others)
        after = sums_of(cursor, facts)
        for table, sums in before.items():
            refuse_difference(table, before=sums, after=after[table])
        followed = self._followers.follow(cursor, changed=facts.first_month) if facts.first_month else ()
        load_id = self._record(cursor, facts, others)
        done = _report(self._request, facts, others, touched=self._touched, sums=(before, after))
        return replace(done, load_id=load_id, followed=followed)

    def _write_facts(self, cursor: Cursor, facts: FactChanges) -> None:
        """Month by month, each followed by its reference rows, as loads would have come."""
        updated = 0
        for month, domain in facts.places:
            plan = month_plan(cursor, self._site, domain, month)
            if plan:
                create_reference_stages(cursor, plan)
                stage_references(cursor, plan, goes=goes(domain, month=month))
                note_touched_keys(cursor, plan, self._touched)
            updated += update_facts(cursor, domain, month=month)
            self._place.faults.reach("inside_repoint")
            if plan:
                write_references(cursor, plan)
        _refuse_other_rows("facts", expected=sum(changed.rows for changed in facts.changes), found=updated)

    def _record(self, cursor: Cursor, facts: FactChanges, others: OtherChanges) -> int:
        load_id, rows = next_load_id(cursor), sum(changed.rows for changed in facts.changes)
        entry = ApplyEntry(
            run_id=self._request.run_id,
            actor=self._place.actor,
            started_at=self._started_at,
            rows_examined=facts.rows_examined,
            rows_updated=rows,
            code_version=code_version(),
            config_version=config_version(self._place.config_dir),
        )
        record_apply(cursor, load_id, entry)
        record_changes(cursor, (*facts.changes, *others.recorded), load_id=load_id)
        finish_execution(cursor, self._execution_id, rows=(facts.rows_examined, rows, 0))
        return load_id


def _write_values(cursor: Cursor, others: OtherChanges) -> None:
    for holder, changes in others.values:
        updated = update_values(cursor, holder)
        _refuse_other_rows(holder.table, expected=sum(changed.rows for changed in changes), found=updated)


def _refuse_other_rows(what: str, *, expected: int, found: int) -> None:
    if found != expected:
        raise WarehouseError(
            f"{found} rows of {what} still were as they had been read, of {expected}",
            operation="identity apply",
            rule="what changes is what was looked at",
            hint="everything was rolled back; somebody changed rows meanwhile, run it again",
        )


def _report(
    request: ApplyRequest,
    facts: FactChanges,
    others: OtherChanges,
    *,
    touched: dict[str, TouchedKeys] | None = None,
    sums: tuple[Sums, Sums] = ({}, {}),
) -> ApplyReport:
    before, after = sums
    return ApplyReport(
        mode="execute" if request.execute else "plan",
        run_id=request.run_id,
        rows_examined=facts.rows_examined,
        changes=company_changes(facts.changes),
        tables=table_effects(facts, others, touched or {}),
        sums=tuple(
            TableSum(table=table, column=column, before=amount, after=after[table][column])
            for table, amounts in before.items()
            for column, amount in amounts.items()
        ),
    )
