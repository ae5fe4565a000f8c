"""Rows that the reference tables begin with."""

import csv
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
INVENTED = "Sample rows, invented: replace them with your own"


def upgrade() -> None:
    insert("mapping", "产品线", merged("product_lines.csv", "product_lines.sample.csv", key="产品线代码"))
    insert("mapping", "组织架构", merged("branches.csv", "branches.sample.csv", key="机构代码"))
    insert("mapping", "年金计划", read("placeholder_plans.csv"))
    insert("mapping", "组合计划", read("placeholder_portfolios.csv"))
    for table, file in (
        ("计划层规模", "plan_sizes.sample.csv"),
        ("产品明细", "products.sample.csv"),
        ("利润指标", "profit_measures.sample.csv"),
    ):
        insert("mapping", table, read(file))
        op.execute(f"comment on table mapping.{table} is '{INVENTED}'")


def downgrade() -> None:
    for table in ("利润指标", "产品明细", "计划层规模"):
        op.execute(f"comment on table mapping.{table} is null")
    for table, key, files in (
        ("利润指标", "指标编码", ["profit_measures.sample.csv"]),
        ("产品明细", "产品ID", ["products.sample.csv"]),
        ("计划层规模", "规模分类代码", ["plan_sizes.sample.csv"]),
        ("组合计划", "组合代码", ["placeholder_portfolios.csv"]),
        ("年金计划", "年金计划号", ["placeholder_plans.csv"]),
        ("组织架构", "机构代码", ["branches.csv"]),
        ("产品线", "产品线代码", ["product_lines.csv"]),
    ):
        keys = [row[key] for file in files for row in read(file)]
        column = sa.column(key)
        op.execute(sa.delete(sa.table(table, column, schema="mapping")).where(column.in_(keys)))


def read(file: str) -> list[dict[str, str | None]]:
    """The rows of a seed file; lines beginning with # are comments, empty cells are null."""
    with (SEEDS / file).open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return [{name: value or None for name, value in row.items()} for row in rows]


def merged(known: str, invented: str, *, key: str) -> list[dict[str, str | None]]:
    """The known rows, each with the invented values of the same key beside them."""
    extra = {row[key]: row for row in read(invented)}
    return [{**extra[row[key]], **row} for row in read(known)]


def insert(schema: str, table: str, rows: list[dict[str, str | None]]) -> None:
    """Insert the rows; PostgreSQL reads the numbers and dates from their text."""
    columns = [sa.column(name, sa.String()) for name in rows[0]]
    op.bulk_insert(sa.table(table, *columns, schema=schema), rows)
