"""The plan facts that contracts are made of: summed by the server, exact, one row a contract, branch and month."""

import io
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from psycopg2 import errors, sql

from work_data_hub.domain.customers.contract_months import (
    AUM,
    CONTRIBUTIONS,
    COUNTABLE,
    place_of_facts,
    uncountable,
)
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, MONTHLY_FACTS, month_number, month_of
from work_data_hub.domain.text import PLACEHOLDERS
from work_data_hub.errors import DataError
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

TEMPORARY = "^IN[A-Z2-7]{16}$"
_YEAR_OF_EPOCH = 1970
# What a cast to bigint ends with: too large a sum, and NaN.
_NO_WHOLE_NUMBER = (errors.NumericValueOutOfRange, errors.FeatureNotSupported)
_FACT_TYPES = (pa.string(),) * 4 + (pa.date32(), pa.int64(), pa.int64())
_NULL_IS_UNQUOTED = {"strings_can_be_null": True, "quoted_strings_can_be_null": False, "null_values": [""]}
_POSTGRES_TRUTH = {"true_values": ["t"], "false_values": ["f"]}


def read_monthly_facts(cursor: Cursor, *, first: int, through: int) -> pd.DataFrame:
    """The facts that count for contracts, of the months `first` to `through` (month numbers): MONTHLY_FACTS.

    Blank keys and temporary companies that the master does not have are left out. Reads only. Raises
    DataError for amounts that cannot be counted (see `copied_amounts`).
    """
    statement = sql.SQL(query("customer_facts", "monthly_facts")).format(
        first=sql.Literal(month_of(first)), through=sql.Literal(month_of(through)), counts=_counts()
    )
    types = dict(zip(MONTHLY_FACTS, _FACT_TYPES, strict=True))
    found = copied_amounts(cursor, statement, types=types, first=first, through=through)
    return found.assign(month=_month_numbers(found["month"]))


def fact_months(cursor: Cursor) -> tuple[int, ...]:
    """The numbers of the months that have any fact, whether it counts or not, oldest first.

    Raises DataError, naming the facts, where some stand on another day than the first of a month.
    """
    cursor.execute(query("customer_facts", "fact_months"))
    days = [day for (day,) in cursor.fetchall()]
    if any(day.day != 1 for day in days):
        raise _inside_a_month(cursor)
    return tuple(month_number(day) for day in days)


def fact_loads(cursor: Cursor) -> dict[int, int]:
    """The newest load of each month of plan facts, by month number."""
    cursor.execute(query("customer_facts", "fact_loads"))
    return {month_number(day): int(load_id) for day, load_id in cursor.fetchall()}


def uncounted_rows(cursor: Cursor, through: int) -> dict[str, int]:
    """How many fact rows up to a month make no contract, by reason; a row counts once."""
    statement = sql.SQL(query("customer_facts", "uncounted_rows")).format(counts=_counts(), has_company=_has_company())
    cursor.execute(statement, {"through": month_of(through)})
    return {reason: int(rows) for reason, rows in cursor.fetchall()}


def late_month(cursor: Cursor) -> int | None:
    """The first synced month with facts that count only since the master got to know their temporary company."""
    cursor.execute(query("customer_facts", "late_month"), {"temporary": TEMPORARY})
    row = cursor.fetchone()
    return month_number(row[0]) if row and row[0] else None


def copied(cursor: Cursor, statement: sql.Composable, *, types: dict[str, Any]) -> pd.DataFrame:
    """What a `copy … to stdout` in CSV gives: text as `string`, days as datetime64[s], the rest as numpy has it."""
    content = io.BytesIO()
    cursor.copy_expert(statement, content)
    table = _table(content.getvalue(), types)
    for at, (name, kind) in enumerate(types.items()):
        if kind == pa.date32():
            table = table.set_column(at, name, table.column(name).cast(pa.timestamp("s")))
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({name: "string" for name, kind in types.items() if kind == pa.string()})


def copied_amounts(
    cursor: Cursor, statement: sql.Composable, *, types: dict[str, Any], first: int, through: int
) -> pd.DataFrame:
    """As `copied`, for a statement that casts sums of plan facts to bigint, of the months `first` to `through`.

    Where a sum is no number, or too large, it raises DataError naming table, month, contract and value; the
    transaction can go on.
    """
    cursor.execute("savepoint amounts")
    try:
        found = copied(cursor, statement, types=types)
    except _NO_WHOLE_NUMBER as failed:
        cursor.execute("rollback to savepoint amounts")
        refused = _uncountable(cursor, first=first, through=through)
        if refused is None:
            raise
        raise refused from failed
    cursor.execute("release savepoint amounts")
    return found


def _uncountable(cursor: Cursor, *, first: int, through: int) -> DataError | None:
    """The refusal of the first amount of these months that cannot be counted."""
    most = Decimal(COUNTABLE) / AMOUNT_SCALE
    given = {"first": month_of(first), "through": month_of(through), "most": most, "aum": AUM, "paid": CONTRIBUTIONS}
    cursor.execute(query("customer_facts", "uncountable"), given)
    row = cursor.fetchone()
    if row is None:
        return None
    *key, month, column, value = row
    return uncountable(key, month=month, column=column, value=value)


def _inside_a_month(cursor: Cursor) -> DataError:
    cursor.execute(query("customer_facts", "inside_a_month"))
    *key, month, day, rows = cursor.fetchone() or (None, None, None, "", "", 0)
    return DataError(
        f"{place_of_facts(key, month=month)}: facts that stand in the middle of a month ({rows:,} rows)",
        operation="contracts",
        field="月度",
        input_data=day,
        rule="月度 of every fact is the first day of its month, as a load writes it",
        hint="correct 月度 of these rows in business.规模明细 or delete them, then run again; "
        "`wdh etl` loads the month anew",
    )


def _table(content: bytes, types: dict[str, Any]) -> pa.Table:
    if not content:
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    return pyarrow.csv.read_csv(
        io.BytesIO(content),
        read_options=pyarrow.csv.ReadOptions(column_names=list(types)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, **_NULL_IS_UNQUOTED, **_POSTGRES_TRUTH),
    )


def _counts() -> sql.Composed:
    counts = sql.SQL(query("customer_facts", "counts"))
    return counts.format(has_company=_has_company(), temporary=sql.Literal(TEMPORARY))


def _has_company() -> sql.Composed:
    placeholders = sql.Literal(sorted(PLACEHOLDERS))
    return sql.SQL(query("customer_facts", "has_company")).format(placeholders=placeholders)


def _month_numbers(days: "pd.Series[pd.Timestamp]") -> np.ndarray:
    since_epoch = days.to_numpy().astype("datetime64[M]").astype(np.int64)
    return np.asarray(since_epoch + _YEAR_OF_EPOCH * 12)
