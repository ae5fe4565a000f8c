"""What the facts in the warehouse say about reference rows: those of all months and of every domain that knows them."""

import io
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from psycopg2 import sql

from work_data_hub.domain.plans import LoadPlan, ReferencePlan, own_describer
from work_data_hub.domain.reference_rules import Aggregate, Describer, Reference
from work_data_hub.domain.references import ORDER_DTYPE, candidates, compacted, real_keys
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.reference_tags import NOTHING_GOES, Arriving, Tagger, as_lists

DESCRIBED_BY = "_derived_from_domain"
IS_NEW, HAS_TAG, HAS_FACTS = FLAGS = ("_is_new", "_has_tag", "_has_facts")
KNOWN_BY = "_known_by"
FactsOf = Callable[[Describer, Collection[str]], pd.DataFrame]
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

    One row a key: the key, every column that any domain fills, text; the tags of a new row, of another those
    of first months; and `_derived_from_domain` (null: not described anew), `_known_by` (all that describe it,
    each with a comma), `_is_new` (may be added), `_has_tag` (whether the tags of the month belong to the key)
    and `_has_facts` (whether any domain still knows it; where none does, counts are 0 and the rest null).
    Call it before the facts are written.
    """
    month = _month_keys(cursor, plan, load=load, goes=goes)
    lost = missing_keys(cursor, plan.reference, month.given)
    described, unknown = _described(cursor, plan, month, lost=lost, goes=goes)
    rows = pd.DataFrame({plan.reference.key: pd.Series(sorted(month.touched), dtype="string")})
    rows = rows.merge(described, on=plan.reference.key, how="left")
    keys = rows[plan.reference.key]
    has_facts = ~_among(keys, unknown)
    arriving = Arriving(domain=plan.reference.domain, period=load.period, keys=month.given, goes=goes)
    return rows.assign(
        **{name: rows[name].where(has_facts, "0") for name in _counts(plan.reference)},
        **_tags(Tagger(cursor, plan.reference, arriving), keys, lost=lost),
        **{
            IS_NEW: _among(keys, month.given) & rows[DESCRIBED_BY].notna(),
            HAS_TAG: _among(keys, month.given | month.staying),
            HAS_FACTS: has_facts,
        },
    )


def rows_from_facts(cursor: Cursor, reference: Reference, keys: Collection[str]) -> pd.DataFrame:
    """The rows of those of the keys that any domain has facts of, as the facts now stand.

    The columns are those of `settled_rows`, for rows that are added, with all their tags.
    """
    rows, _ = _strongest(reference, keys, lambda d, some: _stored_facts(cursor, d, some, goes=NOTHING_GOES))
    found, tagger = rows[reference.key], Tagger(cursor, reference)
    tags = {tag.target: as_lists(tagger.all_tags(tag.target, found.tolist()), found) for tag in reference.tags}
    return rows.assign(**tags, **{IS_NEW: True, HAS_TAG: False, HAS_FACTS: True})


def _tags(tagger: Tagger, keys: pd.Series, *, lost: set[str]) -> dict[str, pd.Series]:
    """The tags of first months, and all tags of the keys whose row is lost or was never there."""
    found = {}
    for tag in tagger.reference.tags:
        tags = tagger.first_month_tags(tag.target, keys.tolist()) | tagger.all_tags(tag.target, lost)
        found[tag.target] = as_lists(tags, keys)
    return found


def filled_columns(reference: Reference) -> tuple[str, ...]:
    """The columns that any of the describing domains fills, in order, tags left out."""
    return tuple(dict.fromkeys(c.target for describer in reference.described_by for c in describer.rule.columns))


def _counts(reference: Reference) -> set[str]:
    """The columns that count."""
    columns = (column for describer in reference.described_by for column in describer.rule.columns)
    return {column.target for column in columns if column.how is Aggregate.COUNT_DISTINCT}


def _described(
    cursor: Cursor, plan: ReferencePlan, month: _Month, *, lost: set[str], goes: sql.Composable
) -> tuple[pd.DataFrame, set[str]]:
    """The touched keys of which the load may change a column, as all domains describe them; and those nobody knows."""
    own = own_describer(plan.reference)

    def facts_of(describer: Describer, keys: Collection[str]) -> pd.DataFrame:
        if describer.domain == own.domain:
            return _own_facts(cursor, plan, keys, goes=goes)
        return _stored_facts(cursor, describer, keys, goes=NOTHING_GOES)

    keys = _affected(cursor, plan.reference, month.touched) | lost
    return _strongest(plan.reference, keys, facts_of, include_temporary=plan.include_temporary)


def _affected(cursor: Cursor, reference: Reference, keys: Collection[str]) -> set[str]:
    """The keys that have a column which only the rule's own domain, or a weaker one, can describe."""
    own, left = own_describer(reference), set(keys)
    for stronger in reference.described_by[: reference.described_by.index(own)]:
        if _targets(own) <= _targets(stronger):
            left -= _keys_with_facts(cursor, stronger, left)
    return left


def _strongest(
    reference: Reference, keys: Collection[str], facts_of: FactsOf, *, include_temporary: bool = False
) -> tuple[pd.DataFrame, set[str]]:
    """Each column of each key as the strongest domain that fills it and has facts of the key describes it.

    Also the keys of which no domain has facts; they have no row.
    """
    made: list[tuple[Describer, pd.DataFrame]] = []
    lacking = {name: set(keys) for name in filled_columns(reference)}
    for describer in reference.described_by:
        asked = set[str]().union(*(lacking[name] for name in _targets(describer)))
        facts = facts_of(describer, asked)
        facts = facts[_among(facts[describer.rule.source], asked)]
        rows = candidates(describer.rule, facts, include_temporary=include_temporary).astype("string")
        made.append((describer, rows.set_index(reference.key)))
        for name in _targets(describer):
            lacking[name] -= set(rows[reference.key])
    index = pd.Index(sorted(set().union(*(rows.index for _, rows in made))), dtype="string", name=reference.key)
    columns = {name: _first_of([rows[name] for d, rows in made if name in _targets(d)], index) for name in lacking}
    who = [pd.Series(d.domain, index=rows.index, dtype="string") for d, rows in made]
    everyone = sum((one.add(",").reindex(index, fill_value="") for one in who), pd.Series("", index, dtype="string"))
    found = pd.DataFrame(columns | {DESCRIBED_BY: _first_of(who, index), KNOWN_BY: everyone}, index=index)
    return found.reset_index(), set(keys) - set(index)


def _targets(describer: Describer) -> set[str]:
    return set(describer.rule.targets)


def _first_of(parts: list[pd.Series], index: pd.Index) -> pd.Series:
    """The value of each key in the first part that has the key."""
    every: pd.Series = pd.concat(parts)
    first: pd.Series = every[~every.index.duplicated()]
    return first.reindex(index)


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
