"""Months whose snapshots matter: put into the warehouse, synced, made and looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.contract_facts import Fact, asked, day, put_months, ran
from tests.hub import PROJECT
from work_data_hub.domain.customers.report import CustomerReport, TableCounts
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.period import Period
from work_data_hub.io.postgres import Connection
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.requests import Workplace

RULES = CustomerRules(whitelist_top_n=0)
STATUS_RULES = load_status_rules(PROJECT / "config")
LINES, PLANS = "customer.fct_customer_product_line_monthly", "customer.fct_customer_plan_monthly"
AWARDS, LOSSES = "customer.中标客户明细", "customer.流失客户明细"


def working_place(url: str, folder: Path, **chosen: Any) -> Workplace:
    """A place with the shipped configuration, and what is chosen otherwise."""
    given = {"database_url": url, "alias_salt": "salt", "actor": "tester"} | chosen
    return Workplace(data_root=folder, config_dir=PROJECT / "config", home=folder, **given)


def period(month: str) -> Period:
    return Period.of(day(month))


def sync(place: Workplace, month: str) -> None:
    sync_contract_status(period(month), place, rules=RULES)


def refresh(place: Workplace, month: str | None, **options: Any) -> CustomerReport:
    return refresh_monthly_snapshot(period(month) if month else None, place, status_rules=STATUS_RULES, **options)


def counts(report: CustomerReport, table: str = LINES) -> TableCounts:
    return next(one for one in report.tables if one.table == table)


def numbers(report: CustomerReport, table: str = LINES) -> list[int]:
    """Rows inserted, updated, deleted and skipped."""
    told = counts(report, table)
    return [told.inserted, told.updated, told.deleted, told.skipped]


def put_report(warehouse: Connection, table: str, month: str, company: str, *, line: str | None = "PL202") -> None:
    statement = {
        AWARDS: "insert into customer.中标客户明细",
        LOSSES: "insert into customer.流失客户明细",
    }[table]
    columns = "(上报月份, 业务类型, 产品线代码, 上报客户名称, company_id, 机构代码)"
    ran(
        warehouse,
        f"{statement} {columns} values (%s, '企年受托', %s, '客户', %s, 'G00')",
        *(day(month), line, company),
    )


def note_load(warehouse: Connection, domain: str, month: str) -> None:
    """The ledger's line of a load after which no hook ran."""
    ran(
        warehouse,
        "insert into ledger.loads (run_id, domain, period, status, started_at, committed_at, actor)"
        " values ('test', %s, %s, 'loaded', now(), now(), 'tester')",
        *(domain, day(month)),
    )


def rows(warehouse: Connection, columns: str, *, table: str = LINES) -> list[tuple[Any, ...]]:
    return asked(warehouse, f"select snapshot_month::text, company_id, {columns} from {table} order by 1, 2, 3")


def everything(warehouse: Connection) -> list[tuple[Any, ...]]:
    """All that the snapshots say and whose rows were written when, transaction ids included."""
    return [
        row
        for table in (LINES, PLANS, "customer.contract_periods", "customer.register_loads")
        for row in asked(warehouse, f"select xmin::text, t.* from {table} as t order by t::text")
    ]


def loaded(warehouse: Connection, place: Workplace, months: Sequence[str], *facts: Fact) -> None:
    """The facts in each of the months, synced, and each month's snapshot made."""
    put_months(warehouse, months, facts)
    sync(place, months[-1])
    refresh(place, months[0])
