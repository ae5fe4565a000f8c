"""What is stored of one customer over time, and whom an id or a name stands for; reads only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from work_data_hub.domain.period import Period
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSource:
    """The load that a month's contracts were made of; without one its facts came by another way."""

    period: Period
    load_id: int | None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFlags:
    """What the snapshot of a month says of a company in a product line, or (`plan_code`) in one plan of it.

    A flag is None where snapshots of that grain do not have it; so is `plan_count`.
    """

    month: date
    product_line_code: str
    plan_code: str | None
    contract_status: str | None
    is_existing: bool
    is_strategic: bool
    is_winning_this_year: bool
    is_new: bool | None
    is_new_arrival: bool | None
    is_loss_reported: bool
    is_churned_this_year: bool
    is_award_only: bool
    aum: Decimal
    plan_count: int | None


def customers_called(cursor: Cursor, company_id: str, *, names: Collection[str]) -> dict[str, str | None]:
    """The names of the customers that have this id or one of these names, by id, in order."""
    cursor.execute(query("customer_history", "customers"), {"company_id": company_id, "names": list(names)})
    return dict(cursor.fetchall())


def most_told(cursor: Cursor) -> str | None:
    """The company whose contracts have most versions; None where there is no contract."""
    cursor.execute(query("customer_history", "most_told"))
    row = cursor.fetchone()
    return str(row[0]) if row else None


def all_customers(cursor: Cursor) -> dict[str, str]:
    """The names of all customers, by id."""
    cursor.execute(query("customer_history", "all_customers"))
    return dict(cursor.fetchall())


def plan_names(cursor: Cursor, codes: Collection[str]) -> dict[str, str | None]:
    """What the plans are called, by code; those that nobody described are missing."""
    cursor.execute(query("customer_history", "plan_names"), {"codes": list(codes)})
    return dict(cursor.fetchall())


def product_line_names(cursor: Cursor, codes: Collection[str]) -> dict[str, str | None]:
    """What the product lines are called, by code."""
    cursor.execute(query("customer_history", "product_line_names"), {"codes": list(codes)})
    return dict(cursor.fetchall())


def month_sources(cursor: Cursor) -> tuple[MonthSource, ...]:
    """The months that contracts are made of, oldest first, and their loads."""
    cursor.execute(query("customer_history", "months"))
    return tuple(
        MonthSource(period=Period.of(day), load_id=load_id, files=_file_names(files or ()))
        for day, load_id, files in cursor.fetchall()
    )


def line_months(cursor: Cursor, company_id: str) -> tuple[MonthFlags, ...]:
    """The company's snapshots by product line, oldest first."""
    return _flags(cursor, "line_months", company_id)


def plan_months(cursor: Cursor, company_id: str) -> tuple[MonthFlags, ...]:
    """The company's snapshots by plan and product line, oldest first."""
    return _flags(cursor, "plan_months", company_id)


def _flags(cursor: Cursor, name: str, company_id: str) -> tuple[MonthFlags, ...]:
    cursor.execute(query("customer_history", name), {"company_id": company_id})
    return tuple(MonthFlags(**dict(zip(MonthFlags.__slots__, row, strict=True))) for row in cursor.fetchall())


def _file_names(files: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The names without their folders, each once: a workbook may have given several sheets."""
    return tuple(dict.fromkeys(PurePath(file["path"]).name for file in files))
