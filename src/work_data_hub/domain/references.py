"""Reference rows that facts imply: one candidate per key, its values aggregated from the fact rows."""

import json
import re
from dataclasses import dataclass, field
from datetime import date
from string import Formatter
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.placeholders import blank_mask
from work_data_hub.domain.reference_rules import DATE_FORMATS, Aggregate, Reference, ReferenceColumn

# Wide enough for every amount, so that amounts of this load and of earlier ones compare exactly.
ORDER_DTYPE = pd.ArrowDtype(pa.decimal128(38, 10))
_LARGEST_GROUP = 2**62


def candidates(reference: Reference, rows: pd.DataFrame, *, include_temporary: bool = False) -> pd.DataFrame:
    """One row per key of `rows`, in order of first sight: the key and the declared columns.

    Values are text, counts Int64; placeholders such as 无 count as null. Rows without a key, with one that
    the reference skips, and with a temporary company id give none.
    """
    codes, keys = _keys(reference, rows, include_temporary=include_temporary)
    if (codes < 0).any():
        rows, codes = rows[codes >= 0], codes[codes >= 0]
    groups, made = _Groups(rows, codes, len(keys)), dict[str, pd.Series]()
    for column in sorted(reference.columns, key=lambda column: bool(column.excluding)):
        made[column.target] = _aggregate(column, groups, without=made.get(column.excluding))
    return pd.DataFrame(
        {reference.key: pd.Series(keys, dtype="string")} | {c.target: made[c.target] for c in reference.columns}
    )


def real_keys(reference: Reference, keys: pd.Index, *, include_temporary: bool = False) -> np.ndarray:
    """A mask of the keys that may have a reference row; none of `keys` is null."""
    real = ~blank_mask(keys.astype("string")) if reference.skip_blank_values else np.ones(len(keys), dtype=bool)
    if reference.skip_values:
        real &= ~keys.isin(reference.skip_values)
    if reference.holds_company_ids and not include_temporary:
        real &= np.array([not is_temporary(key) for key in keys.tolist()], dtype=bool)
    return real


def compacted(rule: Reference, facts: pd.DataFrame, *, month: str) -> pd.DataFrame:
    """The distinct combinations of what `rule` reads, each with its largest amounts and its newest month.

    Newest month first, then by text: the order in which a first value and a tie are decided, whatever
    the order of `facts`. Compacting compacted facts, alone or with others, gives what all facts give.
    """
    orders = [name for name in rule.orders if name != month]
    texts = [name for name in rule.reads if name not in (*orders, month)]
    coded = {name: _coded(facts, name, sort=True) for name in texts}
    groups, first_at = _combinations([coded[name].codes for name in texts], rows=len(facts))
    columns = {name: coded[name].texts(coded[name].codes[first_at]) for name in texts}
    for name in orders:
        ranked = _Coded(*pd.factorize(facts[name].astype(ORDER_DTYPE), sort=True))
        columns[name] = ranked.values_at(_largest(ranked.codes, groups, len(first_at)))
    ranked = _Coded(*pd.factorize(facts[month], sort=True))
    newest = _largest(ranked.codes, groups, len(first_at))
    columns[month] = ranked.values_at(newest)
    return pd.DataFrame(columns).iloc[np.argsort(-newest, kind="stable")].reset_index(drop=True)


def tag_text(column: ReferenceColumn, day: date) -> str:
    """The tag of a day: 2024-10-01 → 2410新建."""
    return day.strftime(DATE_FORMATS[column.date_format]) + column.suffix


def tag_pattern(column: ReferenceColumn) -> str:
    """A regular expression, for Python and PostgreSQL, that the tags of all days match and nothing else does."""
    digits = len(tag_text(column, date.max)) - len(column.suffix)
    return f"^[0-9]{{{digits}}}{re.escape(column.suffix)}$"


class _Coded(NamedTuple):
    """A column as codes into its distinct values; -1 is null."""

    codes: np.ndarray
    values: pd.Index

    def values_at(self, codes: np.ndarray) -> pd.Series:
        return pd.Series(self.values.array.take(codes, allow_fill=True))

    def texts(self, codes: np.ndarray) -> pd.Series:
        return pd.Series(self.values.astype("string").array.take(codes, allow_fill=True))


@dataclass(frozen=True, slots=True)
class _Groups:
    """Fact rows with the code of each row's key."""

    rows: pd.DataFrame
    keys: np.ndarray
    size: int
    _known: dict[str, _Coded] = field(default_factory=dict)

    def column(self, name: str) -> _Coded:
        """The column, coded once."""
        if name not in self._known:
            self._known[name] = _coded(self.rows, name)
        return self._known[name]

    def source(self, column: ReferenceColumn) -> _Coded:
        """The column's source, its skipped values as null."""
        coded = self.column(column.source)
        if not column.skip_values:
            return coded
        kept = np.where(coded.values.isin(column.skip_values), -1, np.arange(len(coded.values)))
        return coded._replace(codes=np.append(kept, -1)[coded.codes])

    def first(self, values: _Coded, *, order: np.ndarray) -> np.ndarray:
        """The code of each key's first value that is not null, in the order given; -1 for none."""
        present = order[values.codes[order] >= 0]
        seen, first_at = np.unique(self.keys[present], return_index=True)
        found = np.full(self.size, -1, dtype="int64")
        found[seen] = values.codes[present[first_at]]
        return found

    def pairs(self, values: _Coded) -> tuple[np.ndarray, np.ndarray]:
        """The distinct pairs of key and value, by key and then in order of sight."""
        present = np.flatnonzero(values.codes >= 0)
        width = max(len(values.values), 1)
        pairs, seen_at = np.unique(
            self.keys[present].astype("int64") * width + values.codes[present], return_index=True
        )
        order = np.lexsort((seen_at, pairs // width))
        return pairs[order] // width, pairs[order] % width


def _keys(reference: Reference, rows: pd.DataFrame, *, include_temporary: bool) -> tuple[np.ndarray, pd.Index]:
    """Each row's place among the keys that count, -1 for none, and those keys."""
    codes, keys = pd.factorize(rows[reference.source])
    real = real_keys(reference, keys, include_temporary=include_temporary)
    renumbered = np.append(np.where(real, np.cumsum(real) - 1, -1), -1)
    return renumbered[codes], keys[real]


def _coded(rows: pd.DataFrame, name: str, *, sort: bool = False) -> _Coded:
    """The column with placeholders as null."""
    codes, values = pd.factorize(rows[name], sort=sort)
    if isinstance(values.dtype, pd.StringDtype):
        blank = blank_mask(values)
        codes = np.append(np.where(blank, -1, np.arange(len(values))), -1)[codes] if blank.any() else codes
    return _Coded(codes, values)


def _aggregate(column: ReferenceColumn, groups: _Groups, *, without: pd.Series | None) -> pd.Series:
    if column.optional and any(name not in groups.rows for name in column.reads):
        dtype = "Int64" if column.how is Aggregate.COUNT_DISTINCT else "string"
        return pd.Series(pd.NA, index=range(groups.size), dtype=dtype)
    match column.how:
        case Aggregate.TEMPLATE:
            return _filled(column, groups)
        case Aggregate.TAG:
            return _tagged(column, groups)
        case Aggregate.COUNT_DISTINCT:
            keys, _ = groups.pairs(groups.source(column))
            return pd.Series(np.bincount(keys, minlength=groups.size), dtype="Int64")
        case Aggregate.CONCAT_DISTINCT:
            return _joined(column, groups, without=without)
        case Aggregate.FIRST | Aggregate.MAX_BY:
            values = groups.source(column)
            return values.texts(groups.first(values, order=_order(column, groups)))


def _order(column: ReferenceColumn, groups: _Groups) -> np.ndarray:
    """The rows as they stand, or those with the larger amounts first."""
    if not column.by:
        return np.arange(len(groups.keys))
    return np.argsort(-pd.factorize(groups.rows[column.by], sort=True)[0], kind="stable")


def _joined(column: ReferenceColumn, groups: _Groups, *, without: pd.Series | None) -> pd.Series:
    """The distinct values of each key, joined; null for none."""
    values = groups.source(column)
    texts = values.values.astype("string").tolist()
    left_out = [None] * groups.size if without is None else without.to_list()
    words: list[list[str]] = [[] for _ in range(groups.size)]
    for key, value in zip(*groups.pairs(values), strict=True):
        if texts[value] != left_out[key]:
            words[key].append(texts[value])
    ordered = map(sorted, words) if column.is_sorted else words
    return pd.Series([column.separator.join(found) or None for found in ordered], dtype="string")


def _filled(column: ReferenceColumn, groups: _Groups) -> pd.Series:
    """The template with each place filled by the key's first value; null when one has none."""
    made = pd.Series("", index=range(groups.size), dtype="string")
    for words, place, _, _ in Formatter().parse(column.template):
        made = made + words
        if place is not None:
            values = groups.column(place)
            made = made + values.texts(groups.first(values, order=_order(column, groups)))
    return made


def _tagged(column: ReferenceColumn, groups: _Groups) -> pd.Series:
    """A JSON list with the tag of each key's first date; an empty list for none."""
    days = _Coded(*pd.factorize(groups.rows[column.source]))
    lists = [json.dumps([tag_text(column, day)], ensure_ascii=False) for day in days.values]
    found = pd.array(lists, dtype="string").take(groups.first(days, order=_order(column, groups)), allow_fill=True)
    return pd.Series(found).fillna("[]")


def _combinations(columns: list[np.ndarray], *, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Each row's combination, numbered in the order of its codes, and where each first stands."""
    combined, largest = np.zeros(rows, dtype="int64"), 1
    for codes in columns:
        width = int(codes.max(initial=-1)) + 2
        if largest * width > _LARGEST_GROUP:
            seen, combined = np.unique(combined, return_inverse=True)
            largest = len(seen)
        combined, largest = combined * width + codes + 1, largest * width
    _, first_at, groups = np.unique(combined, return_index=True, return_inverse=True)
    return groups, first_at


def _largest(ranks: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The largest rank of each combination."""
    largest = np.full(count, -1, dtype="int64")
    np.maximum.at(largest, groups, ranks)
    return largest
