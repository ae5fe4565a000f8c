"""The registry's raw answers as base_info keeps them, read page by page."""

from typing import Any

from work_data_hub.domain.identity.cleaning import CleanedTable
from work_data_hub.domain.identity.company_values import Payload
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


def companies_to_clean(cursor: Cursor, table: CleanedTable, *, after: str, full: bool, limit: int) -> list[str]:
    """The first `limit` company ids past `after` with a raw answer for the table, in order.

    Unless `full`, only those without rows in it, or with rows older than the answer.
    """
    cursor.execute(query("registry", f"raw_{table}"), {"after": after, "full": full, "limit": limit})
    return [company_id for (company_id,) in cursor.fetchall()]


def hold_companies(cursor: Cursor, company_ids: list[str]) -> None:
    """Keep others from changing these companies' answers until this transaction ends."""
    cursor.execute(query("registry", "hold_companies"), {"company_ids": company_ids})


def raw_answers(cursor: Cursor, table: CleanedTable, company_ids: list[str]) -> dict[str, Payload]:
    """The raw answers for the table by company id, in the order of the ids; one that is no object is empty."""
    cursor.execute(query("registry", "raw_answers"), {"company_ids": company_ids})
    at = 1 if table is CleanedTable.BUSINESS_INFO else 2
    return {row[0]: _object(row[at]) for row in cursor.fetchall()}


def _object(answer: Any) -> Payload:
    return answer if isinstance(answer, dict) else {}
