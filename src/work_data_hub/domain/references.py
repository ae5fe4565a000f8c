"""Reference rows that facts imply: one candidate per key, its values aggregated from the fact rows."""

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.spec import Aggregate, Reference, ReferenceColumn


def candidates(reference: Reference, gold: pd.DataFrame) -> pd.DataFrame:
    """One row per distinct key of `gold`, in order of first sight: the key and the declared columns.

    Rows without a key, and temporary company ids where the reference skips them, give none.
    """
    rows = gold[gold[reference.source].notna()]
    if reference.skip_temporary_ids:
        temporary = {value: is_temporary(value) for value in rows[reference.source].unique()}
        rows = rows[~rows[reference.source].map(temporary).astype(bool)]
    codes, keys = pd.factorize(rows[reference.source])
    columns = {reference.key: pd.Series(keys, dtype="string")}
    for column in reference.columns:
        columns[column.target] = _aggregate(column, rows, codes, len(keys))
    return pd.DataFrame(columns)


def _aggregate(column: ReferenceColumn, rows: pd.DataFrame, codes: np.ndarray, keys: int) -> pd.Series:
    match column.how:
        case Aggregate.CONSTANT:
            return pd.Series([column.constant] * keys, dtype="string")
        case Aggregate.FIRST:
            return _first(rows[column.source], codes, keys)
        case Aggregate.MAX_BY:
            weights = rows[column.by].astype("float64").fillna(-np.inf).to_numpy(dtype="float64")
            order = np.argsort(-weights, kind="stable")
            return _first(rows[column.source].iloc[order], codes[order], keys)
        case Aggregate.COUNT_DISTINCT:
            pairs = _distinct_pairs(rows[column.source], codes)
            return pd.Series(np.bincount(pairs["key"], minlength=keys), dtype="Int64")
        case Aggregate.CONCAT_DISTINCT:
            pairs = _distinct_pairs(rows[column.source], codes).sort_values(["key", "value"])
            joined = pairs.groupby("key")["value"].agg(column.separator.join)
            return joined.reindex(range(keys)).astype("string").reset_index(drop=True)


def _first(values: pd.Series, codes: np.ndarray, keys: int) -> pd.Series:
    """The first non-null value of each key, in the order given."""
    present = values.notna().to_numpy()
    seen, first_at = np.unique(codes[present], return_index=True)
    result = pd.Series(pd.NA, index=range(keys), dtype="string")
    result.iloc[seen] = values[present].iloc[first_at].astype("string").to_numpy()
    return result


def _distinct_pairs(values: pd.Series, codes: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"key": codes, "value": values.to_numpy()})
    return pairs[pairs["value"].notna()].drop_duplicates()
