"""What the warehouse itself can say about a year of contracts and snapshots; everything here reads only."""

from datetime import date

from psycopg2 import sql

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.domain.customers.year_checks import Finding
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

SNAPSHOT_TABLES = ("customer.fct_customer_product_line_monthly", "customer.fct_customer_plan_monthly")


def see_one_moment(cursor: Cursor) -> None:
    """Let every query of this transaction see the same moment; to be called before the first of them.

    The tables of facts are held first: one that is brought into parts later than the moment would look empty.
    """
    cursor.execute("set transaction isolation level repeatable read")
    tables = sql.SQL(", ").join(sql.Identifier(*domain.schema_and_table) for domain in DOMAINS.values())
    cursor.execute(sql.SQL("lock table {} in access share mode").format(tables))


def newest_change(cursor: Cursor) -> str | None:
    """A text that is another one after each load, hook and command that changes the master; None without contracts."""
    cursor.execute(query("customer_checks", "newest_change"))
    row = cursor.fetchone()
    return str(row[0]) if row else None


def orphans(cursor: Cursor) -> tuple[Finding, ...]:
    """Rows of contracts and snapshots whose company or product line nobody describes."""
    cursor.execute(query("customer_checks", "orphans"))
    return tuple(
        Finding(text=f"{place}: {rows:,} rows of {value}, which {lacking} lacks", rows=rows)
        for place, lacking, value, rows in cursor.fetchall()
    )


def unknown_product_lines(cursor: Cursor, *, through: date) -> tuple[Finding, ...]:
    """Product lines of facts up to a month, and of contracts, that `mapping.产品线` lacks."""
    cursor.execute(query("customer_checks", "unknown_product_lines"), {"through": through})
    return tuple(
        Finding(text=f"{place}: {rows:,} rows of {code}", rows=rows) for place, code, rows in cursor.fetchall()
    )


def snapshot_sums(cursor: Cursor, *, year: int) -> dict[str, dict[int, int]]:
    """期末资产规模 of each snapshot table and month number of a year, in AMOUNT_SCALE."""
    cursor.execute(query("customer_checks", "snapshot_sums"), {"first": date(year, 1, 1), "last": date(year, 12, 31)})
    sums: dict[str, dict[int, int]] = {table: {} for table in SNAPSHOT_TABLES}
    for table, day, scaled in cursor.fetchall():
        sums[table][month_number(day)] = int(scaled)
    return sums
