"""What is made of the facts follows them to their companies: contracts, snapshots and the customer master."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from work_data_hub.domain.customers.report import TableCounts, one_line_a_table
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import month_number, month_of
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.domain.period import Period
from work_data_hub.io.contract_store import lock_contracts, periods
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import rethread_contracts
from work_data_hub.orchestration.customer_snapshots import refresh_snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """The rules by which contracts and snapshots are made of facts."""

    config_dir: Path
    contracts: CustomerRules
    snapshots: StatusRules

    @classmethod
    def read(cls, config_dir: Path) -> "Followers":
        """Read the rules; raises ConfigError. A year set for what-if runs counts for those alone."""
        rules = replace(load_customer_rules(config_dir), status_year=None)
        return cls(config_dir=config_dir, contracts=rules, snapshots=load_status_rules(config_dir))

    def hold(self, cursor: Cursor, *, wait_seconds: float) -> None:
        """Let nobody else change contracts until the transaction ends; to be held before customers are locked."""
        lock_contracts(cursor, wait_seconds=wait_seconds)

    def follow(self, cursor: Cursor, *, changed: date) -> tuple[TableCounts, ...]:
        """Make contracts, snapshots and customers anew from the first month that changed.

        Returns what that did, one entry a table that changed: none where no month was synced yet, since the
        first sync sees the facts as they are by then.
        """
        since = _first_month(cursor, changed)
        if since is None:
            return ()
        threaded = rethread_contracts(
            cursor, period=since, rules=self.contracts, config_dir=self.config_dir, write=True
        )
        refreshed = refresh_snapshots(cursor, since=since, status_rules=self.snapshots, write=True)
        master = refresh_master(cursor, config_dir=self.config_dir, write=True)
        tables = one_line_a_table((*threaded.tables, *refreshed.tables, master))
        return tuple(table for table in tables if table.changes)

    def warnings(self, cursor: Cursor, *, changed: date) -> tuple[str, ...]:
        """What a plan has to say: these numbers follow from facts that have not changed yet."""
        since = _first_month(cursor, changed)
        if since is None:
            return ()
        return (f"contracts, snapshots and customers follow from {since} on; counted once it is executed",)


def _first_month(cursor: Cursor, changed: date) -> Period | None:
    """The considered month from which on something may differ: never before the first, nor after the newest."""
    months = periods(cursor)
    if not months:
        return None
    return Period.of(month_of(min(max(month_number(changed), min(months)), max(months))))
