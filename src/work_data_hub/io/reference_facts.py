"""What the facts in the warehouse say about reference rows: those of all months and of every domain that knows them."""

import io
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql

from work_data_hub.domain.plans import LoadPlan, ReferencePlan, own_describer
from work_data_hub.domain.reference_rules import Aggregate, Describer, Given, Reference
from work_data_hub.domain.references import ORDER_DTYPE, candidates, compacted, real_keys, tag_text
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

DESCRIBED_BY = "_derived_from_domain"
IS_NEW, HAS_TAG, HAS_FACTS = FLAGS = ("_is_new", "_has_tag", "_has_facts")
NOTHING_GOES = sql.SQL("false")
_NULL_IS_UNQUOTED = {"strings_can_be_null": True, "quoted_strings_can_be_null": False, "null_values": [""]}


class _Month(NamedTuple):
    """The keys of a load: in the file, in the facts it takes away, and in facts of its month that stay."""

    given: set[str]
    gone: set[str]
    staying: set[str]

    @property
    def touched(self) -> set[str]:
        return self.given | self.gone


def settled_rows(cursor: Cursor, plan: ReferencePlan, *, load: LoadPlan, goes: sql.Composable) -> pd.DataFrame:
    """What the rows that a load touches should hold once it is done; `goes` says which facts (`fact`) it takes away.

    One row a key: the key, every column that any domain fills, text; the tags of a new row; and
    `_derived_from_domain` (null: not described anew), `_is_new` (may be added), `_has_tag` (whether the
    tags of the month belong to the key) and `_has_facts` (whether any domain still knows it; where none
    does, counts are 0 and the rest null). Call it before the facts are written.
    """
    month = _month_keys(cursor, plan, load=load, goes=goes)
    described, unknown = _described(cursor, plan, month, goes=goes)
    rows = pd.DataFrame({plan.reference.key: pd.Series(sorted(month.touched), dtype="string")})
    rows = rows.merge(described, on=plan.reference.key, how="left")
    keys = rows[plan.reference.key]
    has_facts = ~_among(keys, unknown)
    counts = {name: rows[name].where(has_facts, "0") for name in _counts(plan.reference)}
    tags = {tag.target: f'["{tag_text(tag, load.period)}"]' for tag in plan.reference.tags}
    return rows.assign(
        **counts,
        **tags,
        **{
            IS_NEW: _among(keys, month.given) & rows[DESCRIBED_BY].notna(),
            HAS_TAG: _among(keys, month.given | month.staying),
            HAS_FACTS: has_facts,
        },
    )


def filled_columns(reference: Reference) -> tuple[str, ...]:
    """The columns that any of the describing domains fills, in order, tags left out."""
    return tuple(dict.fromkeys(c.target for describer in reference.described_by for c in describer.rule.columns))


def monthly_tags(reference: Reference) -> list[str]:
    """The tag columns that follow the month's facts."""
    return [tag.target for tag in reference.tags if tag.given is Given.EACH_MONTH]


def _counts(reference: Reference) -> set[str]:
    """The columns that count."""
    columns = (column for describer in reference.described_by for column in describer.rule.columns)
    return {column.target for column in columns if column.how is Aggregate.COUNT_DISTINCT}


def _described(
    cursor: Cursor, plan: ReferencePlan, month: _Month, *, goes: sql.Composable
) -> tuple[pd.DataFrame, set[str]]:
    """The touched keys whose strongest domain may say something new, as it describes them; and those nobody knows."""
    own, columns = own_describer(plan.reference), [plan.reference.key, *filled_columns(plan.reference), DESCRIBED_BY]
    at = plan.reference.described_by.index(own)
    facts = _own_facts(cursor, plan, month.touched, goes=goes)
    left, parts = set(month.touched), []
    for stronger in plan.reference.described_by[:at]:
        known = _keys_with_facts(cursor, stronger, left)
        # A stronger domain has described its keys when it was loaded; only rows that are gone since are made again.
        lost = missing_keys(cursor, plan.reference, known & month.given)
        parts.append(_as_described(plan, stronger, _stored_facts(cursor, stronger, lost, goes=NOTHING_GOES)))
        left -= known
    mine = facts[_among(facts[own.rule.source], left)]
    parts.append(_as_described(plan, own, mine))
    left -= set(mine[own.rule.source])
    for weaker in plan.reference.described_by[at + 1 :]:
        known = _keys_with_facts(cursor, weaker, left)
        parts.append(_as_described(plan, weaker, _stored_facts(cursor, weaker, known, goes=NOTHING_GOES)))
        left -= known
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return found.reindex(columns=columns).astype("string"), left


def _as_described(plan: ReferencePlan, describer: Describer, facts: pd.DataFrame) -> pd.DataFrame:
    rows = candidates(describer.rule, facts, include_temporary=plan.include_temporary)
    return rows.assign(**{DESCRIBED_BY: describer.domain})


def _own_facts(cursor: Cursor, plan: ReferencePlan, keys: Collection[str], *, goes: sql.Composable) -> pd.DataFrame:
    """The facts of the load's own domain as the load leaves them, compacted."""
    own = own_describer(plan.reference)
    stored = _stored_facts(cursor, own, keys, goes=goes)
    if stored.empty:
        return plan.rows
    return compacted(own.rule, pd.concat([plan.rows, stored], ignore_index=True), month=own.month)


def _month_keys(cursor: Cursor, plan: ReferencePlan, *, load: LoadPlan, goes: sql.Composable) -> _Month:
    own = own_describer(plan.reference)
    statement = sql.SQL(query("references", "month_keys")).format(
        table=table_identifier(own.table),
        key=sql.Identifier(own.rule.source),
        month=sql.Identifier(own.month),
        goes=goes,
    )
    cursor.execute(statement, {"period": load.period})
    found = cursor.fetchall()
    return _Month(
        given=_real(plan, plan.rows[own.rule.source].dropna().unique().tolist()),
        gone=_real(plan, [key for key, is_gone, _ in found if is_gone]),
        staying=_real(plan, [key for key, _, stays in found if stays]),
    )


def _real(plan: ReferencePlan, keys: Sequence[str]) -> set[str]:
    index = pd.Index(pd.array(list(keys), dtype="string"))
    return set(index[real_keys(plan.reference, index, include_temporary=plan.include_temporary)])


def _among(keys: pd.Series, chosen: set[str]) -> np.ndarray:
    return np.array([key in chosen for key in keys.tolist()], dtype=bool)


def _keys_with_facts(cursor: Cursor, describer: Describer, keys: Collection[str]) -> set[str]:
    return _ask(cursor, "keys_with_facts", keys, table=describer.table, key=describer.rule.source)


def missing_keys(cursor: Cursor, reference: Reference, keys: Collection[str]) -> set[str]:
    """Which of the keys the reference table lacks."""
    return _ask(cursor, "missing_keys", keys, table=reference.table, key=reference.key)


def _ask(cursor: Cursor, name: str, keys: Collection[str], *, table: str, key: str) -> set[str]:
    if not keys:
        return set()
    statement = sql.SQL(query("references", name)).format(table=table_identifier(table), key=sql.Identifier(key))
    cursor.execute(statement, {"keys": list(keys)})
    return {str(row[0]) for row in cursor.fetchall()}


def _stored_facts(cursor: Cursor, describer: Describer, keys: Collection[str], *, goes: sql.Composable) -> pd.DataFrame:
    """The facts of the keys in all months, compacted by the server; `goes` leaves facts out."""
    orders = [name for name in describer.rule.orders if name != describer.month]
    texts = [name for name in describer.rule.reads if name not in (*orders, describer.month)]
    types = dict.fromkeys(texts, pa.string()) | dict.fromkeys(orders, ORDER_DTYPE.pyarrow_dtype)
    types[describer.month] = pa.date32()
    found = io.BytesIO()
    if keys:
        cursor.copy_expert(_compacting(describer, keys, texts=texts, orders=orders, goes=goes), found)
    return _read_csv(found.getvalue(), types)


def _compacting(
    describer: Describer, keys: Collection[str], *, texts: list[str], orders: list[str], goes: sql.Composable
) -> sql.Composed:
    grouped = [sql.SQL("fact.{}::text").format(sql.Identifier(name)) for name in texts]
    largest = [sql.SQL("max(fact.{})").format(sql.Identifier(name)) for name in (*orders, describer.month)]
    return sql.SQL(query("references", "compacted_facts")).format(
        columns=sql.SQL(", ").join([*grouped, *largest]),
        texts=sql.SQL(", ").join(grouped),
        table=table_identifier(describer.table),
        key=sql.Identifier(describer.rule.source),
        keys=sql.Literal(sorted(keys)),
        goes=goes,
    )


def _read_csv(content: bytes, types: dict[str, pa.DataType]) -> pd.DataFrame:
    if content:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(column_names=list(types)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, **_NULL_IS_UNQUOTED),
        )
    else:
        table = pa.table({name: pa.array([], kind) for name, kind in types.items()})
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame.astype({name: "string" for name, kind in types.items() if kind == pa.string()})
