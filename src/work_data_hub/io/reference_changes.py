"""Which existing reference rows a load changes, and to what: the same rows for counting and for writing."""

import json
from datetime import date
from typing import NamedTuple

from psycopg2 import sql

from work_data_hub.domain.plans import ReferencePlan
from work_data_hub.domain.reference_rules import Aggregate, Given, ReferenceColumn
from work_data_hub.domain.references import tag_pattern, tag_text
from work_data_hub.io.copying import column_list, table_identifier
from work_data_hub.io.reference_facts import DESCRIBED_BY, HAS_FACTS, HAS_TAG, IS_NEW, KNOWN_BY, filled_columns

NEEDS_REVIEW = "_needs_review"


class Changes(NamedTuple):
    """The changed columns, and a query of the changed rows: the key and those columns."""

    columns: tuple[str, ...]
    rows: sql.Composed


def filled_rows(plan: ReferencePlan, stage: str) -> Changes:
    """The rows (`kept`) that get a value where they have none, from the row of the same key in `stage` (`wanted`)."""
    return _changes(
        plan, stage, {name: _form("coalesce(kept.{0}, wanted.{0})", name) for name in plan.reference.targets}
    )


def changed_rows(plan: ReferencePlan, stage: str, *, period: date) -> Changes:
    """The rows that facts now describe otherwise, or that get or lose a tag, of `period` or of a first month.

    A row that no domain knows any more loses what was aggregated, keeps its first values and, unless it is
    authoritative, is to be reviewed. An authoritative row keeps the columns in `plan.kept` and whatever
    first value it has.
    """
    described = {name: _described(plan, name) for name in filled_columns(plan.reference)}
    origin = _form(
        "case when kept._source = 'auto_derived' then coalesce(wanted.{0}, kept.{0}) else kept.{0} end", DESCRIBED_BY
    )
    review = _form("kept._needs_review or kept._source = 'auto_derived' and not wanted.{0}", HAS_FACTS)
    tags = {
        tag.target: _retagged(tag, tag_text(tag, period)) if tag.given is Given.EACH_MONTH else _first_tagged(tag)
        for tag in plan.reference.tags
    }
    return _changes(plan, stage, described | {DESCRIBED_BY: origin, NEEDS_REVIEW: review} | tags)


def new_rows(plan: ReferencePlan, stage: str) -> Changes:
    """The rows that may be added and whose key is missing."""
    columns = (*filled_columns(plan.reference), *(tag.target for tag in plan.reference.tags), DESCRIBED_BY)
    rows = sql.SQL(
        "select {columns} from pg_temp.{stage} as wanted"
        " where {is_new} and not exists (select from {table} as kept where kept.{key} = wanted.{key})"
    ).format(
        columns=column_list([plan.reference.key, *columns]),
        stage=sql.Identifier(stage),
        is_new=sql.Identifier(IS_NEW),
        table=table_identifier(plan.reference.table),
        key=sql.Identifier(plan.reference.key),
    )
    return Changes(columns, rows)


def _changes(plan: ReferencePlan, stage: str, values: dict[str, sql.Composed]) -> Changes:
    """The rows of which at least one of `values` differs from what the row holds."""
    named = [sql.SQL("{} as {}").format(value, sql.Identifier(name)) for name, value in values.items()]
    rows = sql.SQL(
        "select kept.{key}, {named} from {table} as kept join pg_temp.{stage} as wanted on wanted.{key} = kept.{key}"
        " where ({values}) is distinct from ({kept})"
    ).format(
        key=sql.Identifier(plan.reference.key),
        named=sql.SQL(", ").join(named),
        table=table_identifier(plan.reference.table),
        stage=sql.Identifier(stage),
        values=sql.SQL(", ").join(values.values()),
        kept=sql.SQL(", ").join(_form("kept.{0}", name) for name in values),
    )
    return Changes(tuple(values), rows)


def _described(plan: ReferencePlan, name: str) -> sql.Composed:
    """The column's value: a derived row follows the facts, an authoritative one only what nobody delivers.

    What facts gave once goes with the last of them, a first value such as the name excepted.
    """
    columns = [
        (describer.domain, column)
        for describer in plan.reference.described_by
        for column in describer.rule.columns
        if column.target == name
    ]
    is_first = all(column.how is Aggregate.FIRST for _, column in columns)
    names = {"name": sql.Identifier(name), "by": sql.Identifier(DESCRIBED_BY), "has_facts": sql.Identifier(HAS_FACTS)}
    if name in plan.kept:
        authoritative = _form("kept.{0}", name)
    elif is_first:
        authoritative = _form("coalesce(kept.{0}, wanted.{0})", name)
    else:
        # The load's own domain counts even where it has no facts: then it has just taken them away.
        authoritative = sql.SQL(
            "case when string_to_array(coalesce(wanted.{known_by}, '') || {own}, ',') && {knowing}"
            " then wanted.{name} else kept.{name} end"
        ).format(
            known_by=sql.Identifier(KNOWN_BY),
            own=sql.Literal(plan.reference.domain),
            knowing=sql.Literal([who for who, _ in columns]),
            **names,
        )
    derived = "case when wanted.{has_facts} then wanted.{name} else kept.{name} end" if is_first else "wanted.{name}"
    return sql.SQL(
        "case when wanted.{by} is null and wanted.{has_facts} then kept.{name}"
        " when kept._source = 'auto_derived' then {derived} else {authoritative} end"
    ).format(derived=sql.SQL(derived).format(**names), authoritative=authoritative, **names)


def _retagged(column: ReferenceColumn, tag: str) -> sql.Composed:
    """The list with the tag for a key of the month, without it for one that left the month; others as they are."""
    return sql.SQL(
        "case when jsonb_typeof(kept.{tags}) <> 'array' then kept.{tags}"
        " when wanted.{has_tag} and not kept.{tags} ? {tag}"
        " then (select jsonb_agg(item order by item #>> '{{}}' collate \"C\")"
        " from (select jsonb_array_elements(kept.{tags}) union select to_jsonb({tag}::text)) as listed (item))"
        " when not wanted.{has_tag} then kept.{tags} - {tag} else kept.{tags} end"
    ).format(has_tag=sql.Identifier(HAS_TAG), tags=sql.Identifier(column.target), tag=sql.Literal(tag))


def _first_tagged(column: ReferenceColumn) -> sql.Composed:
    """The list with the one tag of the first month, whichever stood there, or with none; others as they are."""
    return sql.SQL(
        "case when jsonb_typeof(kept.{tags}) <> 'array'"
        " or jsonb_path_query_array(kept.{tags}, {ours}) = jsonb_path_query_array(wanted.{tags}, {ours})"
        " then kept.{tags} else (select coalesce(jsonb_agg(item order by item #>> '{{}}' collate \"C\"), '[]')"
        " from (select jsonb_path_query(kept.{tags}, {others})"
        " union select jsonb_path_query(wanted.{tags}, {ours})) as listed (item)) end"
    ).format(
        tags=sql.Identifier(column.target),
        ours=_path("$[*] ? (@ like_regex {})", column),
        others=_path("$[*] ? (!(@ like_regex {}) || (@ like_regex {}) is unknown)", column),
    )


def _path(form: str, column: ReferenceColumn) -> sql.Composed:
    """A JSON path about items that are tags of the column."""
    pattern = json.dumps(tag_pattern(column), ensure_ascii=False)
    return sql.SQL("{}::jsonpath").format(sql.Literal(form.replace("{}", pattern)))


def _form(form: str, name: str) -> sql.Composed:
    return sql.SQL(form).format(sql.Identifier(name))
