"""Months of plan facts put straight into the warehouse, each with its line in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg2.extras import execute_values

from work_data_hub.io.postgres import Connection, transaction

LINE, PLAN = "PL202", "P0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of 规模明细."""

    company: str | None
    aum: str = "100"
    paid: str = "10"
    plan: str = PLAN
    line: str | None = LINE
    branch: str | None = "G01"
    kind: str | None = "企年受托"


def day(month: str) -> date:
    """The first day of `2024-10`."""
    return date.fromisoformat(f"{month}-01")


def put_month(warehouse: Connection, month: str, facts: Sequence[Fact], *, noted: bool = True) -> None:
    """Replace a month's facts; `noted` writes the ledger's line as a load would."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("delete from business.规模明细 where 月度 = %s", (day(month),))
        execute_values(
            cursor,
            "insert into business.规模明细 (月度, company_id, 客户名称, 计划代码, 产品线代码, 业务类型, 机构代码,"
            " 期末资产规模, 供款) values %s",
            [
                (
                    *(day(month), fact.company, fact.company, fact.plan, fact.line, fact.kind, fact.branch),
                    *(Decimal(fact.aum), Decimal(fact.paid)),
                )
                for fact in facts
            ],
        )
        if noted:
            cursor.execute(
                "insert into ledger.loads (run_id, domain, period, status, started_at, committed_at, actor)"
                " values ('test', 'annuity_performance', %s, 'loaded', now(), now(), 'tester')",
                (day(month),),
            )


def put_months(warehouse: Connection, months: Sequence[str], facts: Sequence[Fact]) -> None:
    """The same facts in several months."""
    for month in months:
        put_month(warehouse, month, facts)


def asked(warehouse: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, in a transaction of its own."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


def ran(warehouse: Connection, statement: str, *values: Any) -> None:
    """Run a statement and commit it."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values or None)


def contracts(warehouse: Connection) -> list[tuple[Any, ...]]:
    """All versions, without what is bookkeeping."""
    return asked(
        warehouse,
        "select company_id, plan_code, product_line_code, valid_from::text, valid_to::text, contract_status,"
        " is_existing, is_strategic, status_year from customer.customer_plan_contract order by 1, 2, 3, 4",
    )
