"""Months of a few rows whose customers matter, loaded straight into the warehouse."""

from typing import Any

from psycopg2.extras import RealDictCursor

from tests.domain.domain_rows import CONFIG, refined, rows
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.loads import LoadEffects
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadPlan, ReferencePlan
from work_data_hub.domain.spec import Domain
from work_data_hub.io.faults import NO_FAULTS
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.month_load import count_effects, publish
from work_data_hub.io.postgres import Connection, transaction

RULES = load_references(CONFIG, DOMAINS)
PERFORMANCE, INCOME, AWARD, LOSS = (
    DOMAINS[name] for name in ("annuity_performance", "annuity_income", "annual_award", "annual_loss")
)
DESCRIPTION = "客户名称, 年金客户类型, 关键年金计划, 其他年金计划, 关联计划数, 主拓机构, 管理资格, _derived_from_domain"


def month_of(domain: Domain, company: str | list[str] | None, *, period: str = "202410", **cells: Any) -> LoadPlan:
    """A month of rows of these companies, replacing the month."""
    existing = "delivered_company_id" if "delivered_company_id" in domain.by_name else "公司代码"
    given = {existing: company, domain.load.column: period} | cells
    gold = refined(domain, rows(domain, **given), period=period).gold
    return LoadPlan(
        domain=domain,
        period=Period.parse(period).first_day,
        gold=gold,
        references=tuple(ReferencePlan.of(rule, gold) for rule in RULES[domain.name]),
        allow_shrink=True,
    )


def load(warehouse: Connection, plan: LoadPlan) -> LoadEffects:
    """Load the month; a plan must have said the same of the references."""
    planned = count_effects(warehouse, plan)
    with transaction(warehouse), warehouse.cursor() as cursor:
        done = publish(cursor, plan, load_id=1, faults=NO_FAULTS)
    assert done.references == planned.references
    return done


def run(warehouse: Connection, statement: str, *values: Any) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)


def customers(warehouse: Connection, columns: str = DESCRIPTION) -> dict[str, dict[str, Any]]:
    """The customer master by company id."""
    with transaction(warehouse), warehouse.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(f"select company_id, {columns} from customer.客户明细 order by company_id")
        return {row.pop("company_id"): dict(row) for row in cursor.fetchall()}


def effect(done: LoadEffects, table: str = "customer.客户明细") -> tuple[int, int]:
    return next((found.inserted, found.updated) for found in done.references if found.table == table)


def tags(warehouse: Connection) -> dict[str, list[str]]:
    return {company: row["tags"] for company, row in customers(warehouse, "tags").items()}
