"""Names behind temporary ids: read from the facts, written for people who can tell who they are."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import xlsxwriter
from psycopg2 import sql

from work_data_hub.domain.columns import Kind
from work_data_hub.domain.identity.unknown_names import GROUP_COLUMNS, names_of_load, unknown_names
from work_data_hub.domain.period import Period
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import UsageError
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.guarded_csv import write_csv
from work_data_hub.io.postgres import Connection, Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.rejected_sheets import is_missing, printable
from work_data_hub.io.whole_files import replace_file

_ASSETS = "期末资产规模"
_LONGEST_TEXT = 32_767
_DAYS = ("first_seen", "last_seen", "first_queued_at")
_WIDTHS = {"company_name": 40, "normalized_name": 40, "temporary_id": 21, "closing_assets": 20, "domains": 40}


def stored_unknown_names(
    connection: Connection, domains: Iterable[Domain], *, period: Period | None = None
) -> pd.DataFrame:
    """The names behind temporary ids in the stored facts of the domains, as `unknown_names` tells them.

    With first_queued_at, when a name was first put in the queue. Domains that store no company are left
    out. Leaves the transaction open.
    """
    asked = [domain for domain in domains if _has_company(domain)]
    with connection.cursor() as cursor:
        groups = [row for domain in asked for row in _groups(cursor, domain)]
        frame = pd.DataFrame(groups, columns=list(GROUP_COLUMNS), dtype=object).astype({"rows": "int64"})
        names = unknown_names(frame, month=period.first_day if period else None)
        cursor.execute(query("unknown_names", "first_queued"), {"names": names["normalized_name"].tolist()})
        queued = dict(cursor.fetchall())
    moments = [queued.get(name) for name in names["normalized_name"]]
    return names.assign(first_queued_at=pd.Series(moments, index=names.index, dtype=object))


def write_unknown_names(path: Path, unknown: pd.DataFrame, *, month: date | None = None) -> None:
    """Write a load's unknown names (normalized_name, raw_name, temp_id, rows) as CSV, one line a name.

    `month` is the load's, the first sight of names that no earlier load had. The folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as part:
        write_csv(part, _as_texts(names_of_load(unknown, month=month)))


def export_names(path: Path, names: pd.DataFrame, *, as_workbook: bool) -> None:
    """Write names as a workbook or as CSV, whole or not at all; raises UsageError where that fails.

    In CSV amounts are exact; in a workbook they are numbers, of which Excel keeps fifteen digits.
    """
    try:
        with replace_file(path) as part:
            (_write_workbook if as_workbook else write_csv)(part, _as_texts(names))
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror or error}",
            file=str(path),
            hint="name a file in a folder that exists and may be written to; close it in Excel",
        ) from error


def _has_company(domain: Domain) -> bool:
    stored = {column.name for column in domain.stored}
    return domain.identity is not None and {domain.identity.target, domain.identity.customer} <= stored


def _groups(cursor: Cursor, domain: Domain) -> list[tuple[object, ...]]:
    identity, stored = domain.identity, {column.name: column for column in domain.stored}
    if identity is None:
        return []
    written = identity.written if identity.written and identity.written in stored else identity.customer
    has_assets = _ASSETS in stored and stored[_ASSETS].kind is Kind.MONEY and not stored[_ASSETS].unit_power
    assets = sql.SQL("sum(fact.{})").format(sql.Identifier(_ASSETS)) if has_assets else sql.SQL("null::numeric")
    names = {"name": identity.customer, "written": written, "company": identity.target, "month": domain.load.column}
    statement = sql.SQL(query("unknown_names", "of_domain")).format(
        domain=sql.Literal(domain.name),
        table=table_identifier(domain.table),
        assets=assets,
        **{part: sql.Identifier(name) for part, name in names.items()},
    )
    cursor.execute(statement)
    return cursor.fetchall()


def _as_texts(names: pd.DataFrame) -> pd.DataFrame:
    """The names with days and moments as ISO texts."""
    days = [column for column in _DAYS if column in names.columns]
    return names.assign(
        **{column: pd.Series(map(_iso, names[column]), index=names.index, dtype=object) for column in days}
    )


def _iso(value: object) -> str | None:
    return None if is_missing(value) or not isinstance(value, date) else value.isoformat()


def _write_workbook(path: Path, names: pd.DataFrame) -> None:
    with path.open("wb") as file, xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("unknown names")
        bold, money = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "#,##0.00"})
        for column, heading in enumerate(names.columns):
            page.write_string(0, column, heading, bold)
            page.set_column(column, column, _WIDTHS.get(heading, 18))
        for line, values in enumerate(names.itertuples(index=False), start=1):
            for column, value in enumerate(values):
                if isinstance(value, Decimal):
                    page.write_number(line, column, value, money)
                elif isinstance(value, int):
                    page.write_number(line, column, value)
                elif not is_missing(value):
                    page.write_string(line, column, printable(str(value))[:_LONGEST_TEXT])
        page.freeze_panes(1, 0)
        page.autofilter(0, 0, max(len(names), 1), len(names.columns) - 1)
