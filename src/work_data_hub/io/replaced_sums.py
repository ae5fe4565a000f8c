"""What the rows add up to that a load replaces."""

from decimal import Decimal

from psycopg2 import sql

from work_data_hub.domain.anomalies import money_columns
from work_data_hub.domain.plans import LoadMode, LoadPlan
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor


def replaced_sums(cursor: Cursor, plan: LoadPlan, *, scope: sql.Composable) -> dict[str, Decimal]:
    """The sum of each amount column over the rows in `scope`, by name, 0 where there are none.

    Blank for a load that replaces no rows as a whole: one that adds, or that changes rows by their key.
    """
    columns = money_columns(plan.domain)
    if plan.skip_facts or plan.mode is not LoadMode.DELETE_INSERT or not columns:
        return {}
    statement = sql.SQL("select {sums} from {table} as fact where {scope}").format(
        sums=sql.SQL(", ").join(sql.SQL("coalesce(sum(fact.{}), 0)").format(sql.Identifier(name)) for name in columns),
        table=table_identifier(plan.domain.table),
        scope=scope,
    )
    cursor.execute(statement)
    found = cursor.fetchone()
    return {name: Decimal(total) for name, total in zip(columns, found or (), strict=False)}
