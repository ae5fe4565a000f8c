"""Rows of base_info, business_info and biz_label, written in the caller's transaction."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extras import execute_values

from work_data_hub.domain.identity.company_facts import (
    BusinessFacts,
    LabelFacts,
    base_facts,
    business_facts,
    label_facts,
)
from work_data_hub.domain.identity.company_fields import LABEL_FIELDS
from work_data_hub.domain.identity.registry_answers import CompanyAnswer
from work_data_hub.io.copying import column_list
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

LONGEST_TEXT = 255
_BASE, _BUSINESS, _LABEL = (
    sql.Identifier("enterprise", table) for table in ("base_info", "business_info", "biz_label")
)
_PAGE_ROWS = 500
# NUL and halves of surrogate pairs, which jsonb refuses; after an escaped backslash they are text.
_ESCAPES = re.compile(
    r"(?P<kept>\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyRows:
    """How many rows were written: companies, cleaned details, labels."""

    companies: int
    business_infos: int
    labels: int


def write_companies(
    cursor: Cursor, answers: Sequence[CompanyAnswer], *, searched: Mapping[str, str], data_source: str
) -> CompanyRows:
    """Write what the registry answered of each company, raw and as columns; each company may stand once.

    A column that an answer leaves open keeps its old value. Cleaned details and labels are replaced where
    they were answered. `searched` is by company id the text that was searched for, where that is to be kept.
    """
    answers = sorted(answers, key=lambda answer: answer.company_id)
    rows = [_base_row(answer, searched.get(answer.company_id), data_source) for answer in answers]
    upsert(cursor, _BASE, rows, key="company_id", value=kept_where_null, stamp="updated_at")
    details = {answer.company_id: business_facts(answer.company_id, detail=answer.detail) for answer in answers}
    labels = {answer.company_id: label_facts(answer.company_id, answer=answer.labels) for answer in answers}
    return CompanyRows(
        companies=len(rows),
        business_infos=write_business(cursor, {key: facts for key, facts in details.items() if facts}),
        labels=write_labels(cursor, {key: facts for key, facts in labels.items() if facts is not None}),
    )


def write_business(cursor: Cursor, facts: Mapping[str, BusinessFacts]) -> int:
    """Write or replace the cleaned details of companies, by id; returns how many."""
    rows = [
        {"company_id": company_id, **row.values, "_cleansing_status": as_jsonb(row.status)}
        for company_id, row in sorted(facts.items())
    ]
    upsert(cursor, _BUSINESS, rows, key="company_id", value=replaced, stamp="updated_at")
    return len(rows)


def write_labels(cursor: Cursor, facts: Mapping[str, LabelFacts]) -> int:
    """Replace all labels of companies, by id; returns how many they have now."""
    if not facts:
        return 0
    cursor.execute(query("registry", "drop_labels"), {"company_ids": sorted(facts)})
    rows = [
        (company_id, *(text or None for text in (label.type, *label.levels)))
        for company_id, labels in sorted(facts.items())
        for label in labels.labels
    ]
    columns = column_list(["company_id", *(field.column for field in LABEL_FIELDS)])
    statement = sql.SQL("insert into {} ({}) values %s").format(_LABEL, columns)
    execute_values(cursor, statement, rows, page_size=_PAGE_ROWS)
    return len(rows)


def upsert(
    cursor: Cursor,
    table: sql.Identifier,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: str,
    value: Callable[[str], sql.Composable],
    stamp: str | None = None,
) -> None:
    """Insert rows, all with the same columns and each key once; where a key is there, set each column to `value`.

    `stamp` is a column that takes the transaction's time when a row changes.
    """
    if not rows:
        return
    columns = list(rows[0])
    changes = [sql.SQL("{} = {}").format(sql.Identifier(name), value(name)) for name in columns if name != key] + (
        [sql.SQL("{} = now()").format(sql.Identifier(stamp))] if stamp else []
    )
    statement = sql.SQL("insert into {} as old ({}) values %s on conflict ({}) do update set {}").format(
        table, column_list(columns), sql.Identifier(key), sql.SQL(", ").join(changes)
    )
    execute_values(cursor, statement, [tuple(row.values()) for row in rows], page_size=_PAGE_ROWS)


def replaced(column: str) -> sql.Composable:
    """The new value, whatever it is."""
    return sql.SQL("excluded.{}").format(sql.Identifier(column))


def kept_where_null(column: str) -> sql.Composable:
    """The new value where there is one, else the old."""
    return sql.SQL("coalesce(excluded.{0}, old.{0})").format(sql.Identifier(column))


def as_jsonb(payload: Any) -> str | None:
    """The payload as text that jsonb takes: without NUL, halves of surrogate pairs and numbers that are none."""
    if payload is None:
        return None
    text = json.dumps(payload)
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=lambda _: None))
    return _ESCAPES.sub(lambda found: found["kept"] or "", text)


def _base_row(answer: CompanyAnswer, searched: str | None, data_source: str) -> dict[str, Any]:
    return {
        "company_id": answer.company_id,
        "search_key_word": searched if searched and len(searched) <= LONGEST_TEXT else None,
        **base_facts(answer.company_id, search=answer.search, detail=answer.detail),
        "data_source": data_source,
        "raw_data": as_jsonb(answer.search),
        "raw_business_info": as_jsonb(answer.detail),
        "raw_biz_label": as_jsonb(answer.labels),
        # A company that only a search has told of is still to be asked for.
        "api_fetched_at": None if answer.detail is None and answer.labels is None else answer.fetched_at,
    }
