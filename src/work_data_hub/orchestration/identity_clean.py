"""business_info and biz_label made again from the raw answers of the registry, page by page."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from work_data_hub.domain.identity.cleaning import Cleaned, CleanedTable, CleanReport, clean_business, clean_labels
from work_data_hub.errors import UsageError
from work_data_hub.io.company_rows import write_business, write_labels
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.raw_answers import companies_to_clean, hold_companies, raw_answers
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.places import describe_database
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)
PAGE_COMPANIES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRequest:
    """Which tables to clean: companies without a row, or with a newer answer; `full` takes every company.

    `limit` is the most companies of each table.
    """

    tables: tuple[CleanedTable, ...] = tuple(CleanedTable)
    full: bool = False
    limit: int | None = None
    execute: bool = False
    page_companies: int = PAGE_COMPANIES


def clean(request: CleanRequest, place: Workplace) -> CleanReport:
    """Clean raw answers, or say what that would give; a plan reads only, an executed one commits each page.

    Ended early, what was committed stays, and the next call goes on: cleaned companies are not taken again.
    """
    started = time.perf_counter()
    if place.database_url is None:
        raise UsageError("there is no database with answers", hint="set DATABASE_URL, or run wdh db start")
    with warehouse_errors(), closing(connect(place.database_url, application_name="wdh identity clean")) as connection:
        require_head(connection)
        tables = tuple(_cleaned(connection, table, request) for table in request.tables)
    mode = "execute" if request.execute else "plan"
    report = CleanReport(mode=mode, seconds=0.0, database=describe_database(place.database_url), tables=tables)
    return replace(report, seconds=time.perf_counter() - started)


def _cleaned(connection: Connection, table: CleanedTable, request: CleanRequest) -> Cleaned:
    total = Cleaned(table=table)
    for page in _pages(connection, table, request):
        total = total.plus(page)
    log.info("identity.cleaned", table=table.value, companies=total.companies, execute=request.execute)
    return total


def _pages(connection: Connection, table: CleanedTable, request: CleanRequest) -> Iterator[Cleaned]:
    after, left = "", request.limit
    while left is None or left > 0:
        limit = request.page_companies if left is None else min(left, request.page_companies)
        with transaction(connection) if request.execute else read_only(connection), connection.cursor() as cursor:
            ids = companies_to_clean(cursor, table, after=after, full=request.full, limit=limit)
            if not ids:
                return
            if request.execute:
                hold_companies(cursor, ids)
            cleaned = _page(cursor, table, ids, execute=request.execute)
        yield cleaned
        after, left = ids[-1], None if left is None else left - len(ids)


def _page(cursor: Cursor, table: CleanedTable, ids: list[str], *, execute: bool) -> Cleaned:
    raw = raw_answers(cursor, table, ids)
    if table is CleanedTable.BUSINESS_INFO:
        facts, cleaned = clean_business(raw)
        if execute:
            write_business(cursor, facts)
        return cleaned
    labels, cleaned = clean_labels(raw)
    if execute:
        write_labels(cursor, labels)
    return cleaned
