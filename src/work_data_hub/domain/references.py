"""Reference rows that facts imply: one candidate per key, its values aggregated from the fact rows."""

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.spec import Aggregate, Reference, ReferenceColumn


def candidates(reference: Reference, gold: pd.DataFrame) -> pd.DataFrame:
    """One row per distinct key of `gold`, in order of first sight: the key and the declared columns.

    Rows without a key, and temporary company ids where the reference skips them, give none.
    """
    rows = gold[list(reference.reads)]
    codes, keys = pd.factorize(rows[reference.source])
    if reference.skip_temporary_ids:
        codes, keys = _without_temporary(codes, keys)
    if (codes < 0).any():
        rows, codes = rows[codes >= 0], codes[codes >= 0]
    columns = {reference.key: pd.Series(keys, dtype="string")}
    for column in reference.columns:
        columns[column.target] = _aggregate(column, rows, codes, len(keys))
    return pd.DataFrame(columns)


def _without_temporary(codes: np.ndarray, keys: pd.Index) -> tuple[np.ndarray, pd.Index]:
    """Codes and keys as if the rows of temporary ids had none."""
    real = np.array([not is_temporary(key) for key in keys], dtype=bool)
    renumbered = np.append(np.where(real, np.cumsum(real) - 1, -1), -1)
    return renumbered[codes], keys[real]


def _aggregate(column: ReferenceColumn, rows: pd.DataFrame, codes: np.ndarray, keys: int) -> pd.Series:
    match column.how:
        case Aggregate.CONSTANT:
            return pd.Series([column.constant] * keys, dtype="string")
        case Aggregate.FIRST:
            return _first(rows[column.source], codes, keys, order=np.arange(len(rows)))
        case Aggregate.MAX_BY:
            weights = rows[column.by].astype("float64").fillna(-np.inf).to_numpy(dtype="float64")
            return _first(rows[column.source], codes, keys, order=np.argsort(-weights, kind="stable"))
        case Aggregate.COUNT_DISTINCT:
            pair_keys, _, _ = _distinct_pairs(rows[column.source], codes)
            return pd.Series(np.bincount(pair_keys, minlength=keys), dtype="Int64")
        case Aggregate.CONCAT_DISTINCT:
            return _joined(rows[column.source], codes, keys, separator=column.separator)


def _first(values: pd.Series, codes: np.ndarray, keys: int, *, order: np.ndarray) -> pd.Series:
    """The first non-null value of each key, in the order given."""
    present = order[values.notna().to_numpy()[order]]
    seen, first_at = np.unique(codes[present], return_index=True)
    result = pd.Series(pd.NA, index=range(keys), dtype="string")
    result.iloc[seen] = values.iloc[present[first_at]].astype("string").to_numpy()
    return result


def _joined(values: pd.Series, codes: np.ndarray, keys: int, *, separator: str) -> pd.Series:
    """The distinct values of each key, in text order, joined; null for none."""
    pair_keys, pair_values, texts = _distinct_pairs(values, codes)
    words: list[list[str]] = [[] for _ in range(keys)]
    for key, value in zip(pair_keys, pair_values, strict=True):
        words[key].append(texts[value])
    return pd.Series([separator.join(found) if found else None for found in words], dtype="string")


def _distinct_pairs(values: pd.Series, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The distinct (key, value) pairs, by key and then by text: keys, places in the texts, the texts sorted."""
    places, distinct = pd.factorize(values, sort=True)
    present = places >= 0
    pairs = np.unique(codes[present].astype("int64") * max(len(distinct), 1) + places[present])
    return pairs // max(len(distinct), 1), pairs % max(len(distinct), 1), [str(text) for text in distinct]
