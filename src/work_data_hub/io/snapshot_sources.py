"""What monthly snapshots are made of: contract versions, facts, awards and losses, read once for several months."""

from collections.abc import Collection
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
from psycopg2 import sql

from work_data_hub.domain.customers.shapes import CONTRACT_KEY, LINE_KEY, VERSIONS, month_of
from work_data_hub.domain.customers.snapshots import Seen
from work_data_hub.domain.period import Period
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.customer_facts import copied, copied_amounts
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

AWARDS_TABLE, LOSSES_TABLE = "customer.中标客户明细", "customer.流失客户明细"
_REPORTED = ("company_id", "plan_code", "product_line_code", "month")
_TEXT, _FLAG, _DAY, _WHOLE = pa.string(), pa.bool_(), pa.date32(), pa.int64()
_KEY_TYPES = (_TEXT, _TEXT, _TEXT)
_VERSION_TYPES = (*_KEY_TYPES, _DAY, _DAY, _TEXT, _FLAG, _FLAG, _WHOLE)
_MONTHS_A_YEAR = 12


class SnapshotSources:
    """The sources of the snapshots of some months (month numbers); a month's facts are read when it is asked for.

    Reads only, and through the cursor it was given: the months are to be asked for inside its transaction.
    """

    def __init__(self, cursor: Cursor, months: Collection[int]) -> None:
        self._cursor, self._facts = cursor, dict[int, pd.DataFrame]()
        first, last = _january(min(months)), max(months)
        self._versions = _versions(cursor, first=month_of(first), last=_last_day(last))
        self._arrivals = _arrivals(cursor, first=min(months), through=last)
        self._awards = _reported(cursor, AWARDS_TABLE, first=first, through=last)
        self._losses = _reported(cursor, LOSSES_TABLE, first=first, through=last)
        self._customers = _known_customers(cursor, [self._awards, self._losses])

    def of(self, month: int) -> Seen:
        """What there is to see for the snapshot of a month; cheapest when months are asked for in order."""
        self._keep_facts(month)
        return Seen(
            versions=self._versions,
            facts=self._facts[month],
            before=self._facts[month - 1],
            arrivals=self._arrivals,
            awards=self._awards,
            losses=self._losses,
            customers=self._customers,
        )

    def _keep_facts(self, month: int) -> None:
        """Read the facts of the month and of the one before, unless they were read for the last one asked for."""
        self._facts = {
            one: self._facts[one] if one in self._facts else _month_facts(self._cursor, one)
            for one in (month - 1, month)
        }


def _versions(cursor: Cursor, *, first: date, last: date) -> pd.DataFrame:
    """The versions (VERSIONS) that were in force on any day after `first`, up to and with `last`."""
    return _copied(cursor, "versions", types=dict(zip(VERSIONS, _VERSION_TYPES, strict=True)), first=first, last=last)


def _month_facts(cursor: Cursor, month: int) -> pd.DataFrame:
    """What each contract that has facts in the month holds: CONTRACT_KEY and `aum`, in AMOUNT_SCALE.

    Facts that make no contract may be among them; they meet no row of a snapshot. Raises DataError for
    amounts that cannot be counted.
    """
    types = {**dict.fromkeys(CONTRACT_KEY, _TEXT), "aum": _WHOLE}
    statement = sql.SQL(query("snapshots", "month_facts")).format(month=sql.Literal(month_of(month)))
    return copied_amounts(cursor, statement, types=types, first=month, through=month)


def _arrivals(cursor: Cursor, *, first: int, through: int) -> pd.DataFrame:
    """Since when companies have product lines: LINE_KEY, `first_row` and `first_positive`, month numbers.

    Some whose money came before the month `first` are left out: in later months they are no arrivals.
    """
    types = {**dict.fromkeys(LINE_KEY, _TEXT), "first_row": _DAY, "first_positive": _DAY}
    found = _copied(cursor, "arrivals", types=types, before=month_of(first - 1), through=month_of(through))
    return found.assign(
        first_row=_month_numbers(found["first_row"]).astype("int64"),
        first_positive=_month_numbers(found["first_positive"]),
    )


def _reported(cursor: Cursor, table: str, *, first: int, through: int) -> pd.DataFrame:
    """The awards or losses of some months, a row each; all but the month may be null."""
    found = _copied(
        cursor,
        "reported",
        types=dict(zip(_REPORTED, (*_KEY_TYPES, _DAY), strict=True)),
        table=table_identifier(table),
        first=month_of(first),
        through=month_of(through),
    )
    return found.assign(month=_month_numbers(found["month"]).astype("int64"))


def _known_customers(cursor: Cursor, reported: list[pd.DataFrame]) -> "pd.Series[str]":
    """Which of the companies of awards and losses the customer master has."""
    companies = pd.concat([rows["company_id"] for rows in reported]).dropna().unique().tolist()
    cursor.execute(query("snapshots", "known_customers"), {"companies": companies})
    return pd.Series([company for (company,) in cursor.fetchall()], dtype="string")


def _copied(cursor: Cursor, name: str, *, types: dict[str, Any], **parts: Any) -> pd.DataFrame:
    """What a query gives; parts that are no SQL are values."""
    filled = {part: value if isinstance(value, sql.Composable) else sql.Literal(value) for part, value in parts.items()}
    return copied(cursor, sql.SQL(query("snapshots", name)).format(**filled), types=types)


def _month_numbers(days: "pd.Series[pd.Timestamp]") -> "pd.Series[int]":
    return (days.dt.year * _MONTHS_A_YEAR + days.dt.month - 1).astype("Int64")


def _january(month: int) -> int:
    return month - month % _MONTHS_A_YEAR


def _last_day(month: int) -> date:
    return Period.of(month_of(month)).last_day
