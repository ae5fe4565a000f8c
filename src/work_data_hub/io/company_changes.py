"""Facts whose company changes: read alike by alike, and brought to another company."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql

from work_data_hub.domain.columns import Kind
from work_data_hub.domain.identity.identified import IdentityColumns
from work_data_hub.domain.identity.learning import BY_HAND
from work_data_hub.domain.identity.repointing import Group, Holding, PastChange, Repointed
from work_data_hub.domain.references import ORDER_DTYPE
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import WarehouseError
from work_data_hub.io.copying import copy_frame, table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

STAGE = sql.Identifier("pg_temp", "wdh_repointed")
_NOTHING = sql.SQL("null")
_TEXT_IS_UNQUOTED = {"strings_can_be_null": True, "quoted_strings_can_be_null": False, "null_values": [""]}


def identity_of(domain: Domain) -> IdentityColumns:
    """The columns that the domain's rows are identified by; raises LookupError for a domain that has none."""
    if domain.identity is None:
        raise LookupError(f"rows of {domain.name} name no company")
    return domain.identity


def has_companies(domain: Domain) -> bool:
    """Whether the domain's facts keep a company."""
    return domain.identity is not None and domain.by_name[domain.identity.target].stored


def money_columns(domain: Domain) -> list[str]:
    """The stored amounts, in the order of the declaration."""
    return [column.name for column in domain.stored if column.kind is Kind.MONEY]


Doubted = Mapping[tuple[str | None, str | None], int]
"""Plans and companies that a name taught them which is not that company's, and the decision that says so."""


def doubted_plans(cursor: Cursor, domains: Iterable[Domain]) -> Doubted:
    """The plans and companies that people doubt, in whichever domain the name stands."""
    found: dict[tuple[str | None, str | None], int] = {}
    for domain in domains:
        cursor.execute(_filled("doubted_plans", domain))
        for plan, company, number in cursor.fetchall():
            found[plan, company] = max(number, found.get((plan, company), 0))
    return found


def fact_groups(cursor: Cursor, domain: Domain, *, doubted: Doubted) -> tuple[Group, ...]:
    """The facts that may belong to another company by now; a group is of one month, rows by id.

    These are facts with a temporary id or none, with a company by decision, those that a decision or merge
    in force, or one that was undone since it was applied, is about, and those that only a doubted plan names.
    """
    parts = {"taken_back": taken_back(domain.table), "is_doubted": _is_doubted(domain, doubted)}
    cursor.execute(_filled("fact_groups", domain, **parts))
    found = cursor.fetchall()
    past = past_changes(cursor, (row[7] for row in found))
    names = money_columns(domain)
    return tuple(_group(domain.table, row, past=past, names=names) for row in found)


def _group(table: str, row: Sequence[Any], *, past: Mapping[int, PastChange], names: Sequence[str]) -> Group:
    month, name, plan, plan_type, company, source, confidence, changes, ids, sums = row
    return Group(
        table=table,
        month=month,
        name=name,
        plan=plan,
        plan_type=plan_type,
        held=Holding(company_id=company, source=source, confidence=confidence),
        undone=tuple(past[change] for change in changes or ()),
        row_ids=tuple(ids),
        money=dict(zip(names, sums, strict=True)),
    )


def _is_doubted(domain: Domain, doubted: Doubted) -> sql.Composed:
    plans, companies = [plan for plan, _ in doubted], [company for _, company in doubted]
    return _filled("is_doubted", domain, plans=sql.Literal(plans), companies=sql.Literal(companies))


def sure_companies(
    cursor: Cursor, domain: Domain, *, months: Iterable[date], surest_doubt: float, doubted: Doubted
) -> pd.DataFrame:
    """What facts of the months surely say: month, name, plan, plan_type, company_id; not what people decided.

    Neither what they decided against: those facts are asked for again, and tell nothing until they have an answer.
    """
    given = {"months": sorted(months), "by_hand": list(BY_HAND), "surest_doubt": surest_doubt}
    parts: dict[str, sql.Composable] = {name: sql.Literal(value) for name, value in given.items()}
    parts |= {"taken_back": taken_back(domain.table), "is_doubted": _is_doubted(domain, doubted)}
    cursor.execute(_filled("sure_companies", domain, **parts))
    return pd.DataFrame(cursor.fetchall(), columns=["month", "name", "plan", "plan_type", "company_id"])


def undone_decisions(cursor: Cursor) -> pd.DataFrame:
    """The decisions that were taken back: decision_id, kind, name, plan, from_company, to_company."""
    cursor.execute(query("company_changes", "undone_decisions"))
    columns = ["decision_id", "kind", "name", "plan", "from_company", "to_company"]
    return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)


def past_changes(cursor: Cursor, numbers: Iterable[Iterable[int] | None]) -> dict[int, PastChange]:
    """The changes of these numbers."""
    wanted = sorted({number for several in numbers for number in several or ()})
    cursor.execute(query("company_changes", "past_changes"), {"changes": wanted})
    return {
        row[0]: PastChange(
            change_id=row[0],
            before=Holding(company_id=row[1], source=row[2], confidence=row[3]),
            after=Holding(company_id=row[4], source=row[5], confidence=row[6]),
            decision_id=row[7],
        )
        for row in cursor.fetchall()
    }


def taken_back(table: str) -> sql.Composed:
    """A query of the table's rows that an undone decision had moved: row_id, and changes, newest first."""
    return sql.SQL(query("company_changes", "taken_back")).format(table=sql.Literal(table))


# -- the stage: where changing rows wait


def create_stage(cursor: Cursor) -> None:
    """Create the temporary table in which changing rows wait, replacing an older one."""
    cursor.execute(sql.SQL("drop table if exists {}").format(STAGE))
    cursor.execute(query("company_changes", "create_stage"))


def stage_changes(cursor: Cursor, changes: Sequence[Repointed]) -> None:
    """Add the rows of the changes to the stage, one line a row."""
    lengths = [changed.rows for changed in changes]
    frame = pd.DataFrame(
        {
            "table_name": _repeated([c.group.table for c in changes], lengths),
            "row_id": pd.array([number for c in changes for number in c.group.row_ids], dtype="int64"),
            "company_from": _repeated([c.group.held.company_id for c in changes], lengths),
            "source_from": _repeated([c.group.held.source for c in changes], lengths),
            "company_to": _repeated([c.after.company_id for c in changes], lengths),
            "source_to": _repeated([c.after.source for c in changes], lengths),
            "confidence_to": np.repeat(np.array([c.after.confidence for c in changes], dtype="float64"), lengths),
        }
    )
    copy_frame(cursor, frame, into=STAGE)
    cursor.execute(sql.SQL("analyze {}").format(STAGE))


def _repeated(values: Sequence[str | None], lengths: Sequence[int]) -> Any:
    return pd.array(values, dtype="string").repeat(lengths)


def goes(domain: Domain, *, month: date) -> sql.Composed:
    """The condition on `fact` that a fact of the month changes its company."""
    return _filled("goes", domain, period=sql.Literal(month))


def moved_rows(cursor: Cursor, domain: Domain, *, month: date, reads: Sequence[str], orders: set[str]) -> pd.DataFrame:
    """The columns `reads` of the month's changing facts, under their new company, in the order of the facts.

    Columns in `orders` are decimals wide enough to compare, the month is a date, all others text.
    """
    company = identity_of(domain).target
    types = {name: _type(domain, name, orders) for name in reads}
    columns = [
        sql.SQL("moved.company_to" if name == company else "fact.{}").format(sql.Identifier(name)) for name in reads
    ]
    found = io.BytesIO()
    parts = {"columns": sql.SQL(", ").join(columns), "period": sql.Literal(month)}
    cursor.copy_expert(_filled("moved_rows", domain, **parts), found)
    return _read_csv(found.getvalue(), types)


def _type(domain: Domain, name: str, orders: set[str]) -> pa.DataType:
    if name in orders:
        return ORDER_DTYPE.pyarrow_dtype
    return pa.date32() if name == domain.load.column else pa.string()


def _read_csv(content: bytes, types: dict[str, pa.DataType]) -> pd.DataFrame:
    table = pa.table({name: pa.array([], kind) for name, kind in types.items()})
    if content:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(column_names=list(types)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, **_TEXT_IS_UNQUOTED),
        )
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame.astype({name: "string" for name, kind in types.items() if kind == pa.string()})


# -- writing


def update_facts(cursor: Cursor, domain: Domain, *, month: date) -> int:
    """Give the month's changing facts their new company, source and confidence; returns how many rows.

    They keep the load that brought them: their workbook says what it said.
    """
    cursor.execute(_filled("update_facts", domain, period=sql.Literal(month)))
    return cursor.rowcount


def month_sums(cursor: Cursor, domain: Domain, *, months: Iterable[date]) -> dict[str, Decimal]:
    """The rows of the months, as `rows`, and the sum of each of their amounts."""
    cursor.execute(_filled("month_sums", domain, months=sql.Literal(sorted(months))))
    rows, sums = _one(cursor)
    return {"rows": Decimal(rows)} | {
        name: total or Decimal(0) for name, total in zip(money_columns(domain), sums, strict=True)
    }


def refuse_difference(table: str, *, before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> None:
    """Raise WarehouseError unless both sums are the same: rows change their company, never their money."""
    for name in before:
        if before[name] != after[name]:
            raise WarehouseError(
                f"{name} of {table} would change from {before[name]} to {after[name]}",
                operation="identity apply",
                field=name,
                rule="rows go to another company; none is lost, and none changes its money",
                hint="everything was rolled back; see whether a trigger changes the table",
            )


def _filled(name: str, domain: Domain, **parts: sql.Composable) -> sql.Composed:
    """The query with the domain's table, columns and sums in it."""
    columns = identity_of(domain)
    clues = {"plan": columns.plan, "plan_type": columns.plan_type, "customer": columns.customer}
    named = {
        clue: sql.SQL("fact.{}").format(sql.Identifier(column)) if column else _NOTHING
        for clue, column in clues.items()
    }
    known = {
        "table": table_identifier(domain.table),
        "table_name": sql.Literal(domain.table),
        "company": sql.Identifier(columns.target),
        "month": sql.Identifier(domain.load.column),
        "sums": sql.SQL(", ").join(
            sql.SQL("sum(fact.{})").format(sql.Identifier(one)) for one in money_columns(domain)
        ),
    }
    return sql.SQL(query("company_changes", name)).format(**(known | named | parts))


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the query gave no row")
    return tuple(row)
