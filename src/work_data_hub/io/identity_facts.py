"""Fact tables looked at for the companies of their rows: by name, by company, by the row of a workbook; reads only."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from work_data_hub.domain.columns import Column, Kind
from work_data_hub.domain.identity.evidence import BY_HAND, FactGroup
from work_data_hub.domain.spec import Domain
from work_data_hub.io.copying import column_list, table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

_SEVERAL = sql.SQL("""
    select name
    from ({pairs}) as pair
    group by name
    having count(distinct company_id) > 1
    order by name
""")
_PAIRS = sql.SQL("""
    select distinct {name} as name, {company} as company_id
    from {table}
    where {name} is not null
      and {company} !~ %(temporary)s
      and coalesce(_identity_source, '') <> all(%(by_hand)s)
""")
_GROUPS = sql.SQL("""
    select
      name, plan, plan_type, company_id, source, mode() within group (order by written), count(*), min(month),
      max(month), array_agg(distinct load_id), {sums}
    from (
      select
        {name} as name, {plan} as plan, {plan_type} as plan_type, {written} as written, {company} as company_id,
        _identity_source as source, _load_id as load_id, {month} as month,
        max({month}) over (partition by {name}) as newest {money}
      from {table}
      where {name} = any(%(names)s)
    ) as fact
    group by name, plan, plan_type, company_id, source
    order by name, plan, company_id, source
""")
_KNOWN = sql.SQL("select distinct {company} from {table} where {company} = any(%(companies)s)")
_ROW = sql.SQL("""
    select
      id, {name}, {written}, {plan}, {plan_type}, {company}, _identity_source, _identity_confidence, _load_id,
      _source_file, _source_sheet, _source_row, load.committed_at
    from {table}
    left join ledger.loads as load on load.load_id = _load_id
    where {month} = %(month)s
      and _source_row = %(row)s
      and (%(sheet)s::text is null or _source_sheet = %(sheet)s)
    order by _source_file, _source_sheet, id
""")


_TEMPORARY = "^IN[A-Z2-7]{16}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """One row of a fact table, as far as its company goes."""

    row_id: int
    name: str | None
    written: str | None
    plan: str | None
    plan_type: str | None
    company_id: str | None
    source: str | None
    confidence: float | None
    load_id: int | None
    file: str | None
    sheet: str | None
    row_number: int | None
    loaded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChange:
    """One time that a stored row came to another company after it was loaded."""

    load_id: int
    company_from: str | None
    company_to: str | None
    source_to: str | None
    decision_id: int | None
    committed_at: datetime | None


def identified_domains(domains: Iterable[Domain]) -> tuple[Domain, ...]:
    """The domains whose rows name a company."""
    return tuple(domain for domain in domains if domain.identity is not None)


def names_of_several(cursor: Cursor, domains: Sequence[Domain]) -> tuple[str, ...]:
    """The names whose rows have more than one company, in any tables; rows that people settled do not count."""
    pairs = sql.SQL(" union ").join(_filled(_PAIRS, domain) for domain in identified_domains(domains))
    cursor.execute(_SEVERAL.format(pairs=pairs), {"temporary": _TEMPORARY, "by_hand": list(BY_HAND)})
    return tuple(row[0] for row in cursor.fetchall())


def fact_groups(cursor: Cursor, names: Sequence[str], *, domains: Sequence[Domain]) -> dict[str, list[FactGroup]]:
    """The rows of the names in every fact table, by name."""
    groups: dict[str, list[FactGroup]] = {}
    for domain in identified_domains(domains):
        cursor.execute(_groups_of(domain), {"names": list(names)})
        for row in cursor.fetchall():
            groups.setdefault(row[0], []).append(_group(domain, row))
    return groups


def companies_in_facts(cursor: Cursor, companies: Collection[str], *, domains: Sequence[Domain]) -> set[str]:
    """Which of the ids stand in a fact table."""
    found: set[str] = set()
    for domain in identified_domains(domains):
        cursor.execute(_filled(_KNOWN, domain), {"companies": sorted(companies)})
        found |= {row[0] for row in cursor.fetchall()}
    return found


def stored_rows(
    cursor: Cursor, domain: Domain, *, month: date, row_number: int, sheet: str | None
) -> tuple[StoredRow, ...]:
    """The stored rows of a month that come from this Excel row, of any of its files and sheets."""
    cursor.execute(_filled(_ROW, domain), {"month": month, "row": row_number, "sheet": sheet})
    return tuple(StoredRow(**dict(zip(StoredRow.__slots__, row, strict=True))) for row in cursor.fetchall())


def stored_changes(cursor: Cursor, domain: Domain, *, row_id: int) -> tuple[StoredChange, ...]:
    """How a stored row came to other companies since it was loaded, oldest first."""
    cursor.execute(query("identity_review", "company_changes"), {"table": domain.table, "row_id": row_id})
    return tuple(StoredChange(**dict(zip(StoredChange.__slots__, row, strict=True))) for row in cursor.fetchall())


def _group(domain: Domain, row: Sequence[Any]) -> FactGroup:
    name, plan, plan_type, company, source, written, rows, first, last, loads, money = row
    powers = {column.name: column.unit_power for column in _money(domain)}
    return FactGroup(
        domain=domain.name,
        name=name,
        written=written,
        plan=plan,
        plan_type=plan_type,
        company_id=company,
        source=source,
        rows=rows,
        first_month=first,
        last_month=last,
        money={column: Decimal(text).scaleb(powers[column]) for column, text in money.items() if text is not None},
        load_ids=tuple(sorted(load for load in loads if load is not None)),
    )


def _money(domain: Domain) -> list[Column]:
    return [column for column in domain.stored if column.kind is Kind.MONEY]


def _groups_of(domain: Domain) -> sql.Composed:
    names = [column.name for column in _money(domain)]
    sums = [
        sql.SQL("{}, sum({}) filter (where month = newest)::text").format(sql.Literal(name), sql.Identifier(name))
        for name in names
    ]
    return _filled(
        _GROUPS,
        domain,
        sums=sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(sums)),
        money=sql.SQL(", {}").format(column_list(names)) if names else sql.SQL(""),
    )


def _filled(statement: sql.SQL, domain: Domain, **parts: sql.Composable) -> sql.Composed:
    """The statement with the domain's table and the columns that its companies are found by."""
    columns = domain.identity
    if columns is None:
        raise LookupError(f"the rows of {domain.name} name no company")
    named = {
        "name": columns.customer,
        "written": columns.written or columns.customer,
        "plan": columns.plan,
        "plan_type": columns.plan_type,
        "company": columns.target,
        "month": domain.load.column,
    }
    identifiers = {part: sql.Identifier(name) if name else sql.SQL("null::text") for part, name in named.items()}
    return statement.format(table=table_identifier(domain.table), **identifiers, **parts)
