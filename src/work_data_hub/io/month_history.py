"""What the warehouse holds of the month before, in numbers."""

from datetime import date
from decimal import Decimal

from psycopg2 import sql

from work_data_hub.domain.anomalies import MonthFigures, key_columns, money_columns, month_before
from work_data_hub.domain.spec import Domain
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor


def figures_of_month_before(cursor: Cursor, domain: Domain, *, month: date) -> MonthFigures | None:
    """The figures of the month before `month`, None where the warehouse has no row of it; one query, one month."""
    money, keys, stored = money_columns(domain), key_columns(domain), [column.name for column in domain.stored]
    figures = [
        sql.SQL("count(*)"),
        *(sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(name)) for name in money),
        # Bytes tell keys apart as well as a language does, and sort much faster.
        *(sql.SQL('count(distinct {} collate "C")').format(sql.Identifier(name)) for name in keys),
        *(sql.SQL("count({})").format(sql.Identifier(name)) for name in stored),
    ]
    statement = sql.SQL("select {figures} from {table} where {month} = %(month)s").format(
        figures=sql.SQL(", ").join(figures),
        table=table_identifier(domain.table),
        month=sql.Identifier(domain.load.column),
    )
    cursor.execute(statement, {"month": month_before(month)})
    found = cursor.fetchone()
    if found is None or not found[0]:
        return None
    values = iter(found[1:])
    return MonthFigures(
        rows=int(found[0]),
        sums={name: Decimal(next(values)) for name in money},
        distinct={name: int(next(values)) for name in keys},
        filled={name: int(next(values)) for name in stored},
    )
