"""Treat each distinct value once and put the results back in place."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def map_distinct(values: pd.Series, function: Callable[[str], str | None]) -> pd.Series:
    """Apply `function` to every distinct text of `values`; nulls stay null, order and index are kept.

    Returns dtype `string`. One call per distinct value, so it pays wherever values repeat.
    """
    positions, distinct = pd.factorize(values)
    results = pd.array([function(value) for value in distinct], dtype="string")
    return pd.Series(results.take(positions, allow_fill=True), index=values.index, name=values.name)


def parse_distinct(values: pd.Series, parse: Callable[[str], Any], *, dtype: Any) -> tuple[pd.Series, np.ndarray]:
    """Parse every distinct text once; returns the parsed series and a mask of rows that failed.

    `parse` returns None for a blank and raises ValueError for what it cannot read; both are null
    in the series, only the latter is masked.
    """
    positions, distinct = pd.factorize(values)
    results: list[Any] = []
    failed = np.zeros(len(distinct) + 1, dtype=bool)
    for at, value in enumerate(distinct):
        try:
            results.append(parse(value))
        except ValueError:
            results.append(None)
            failed[at] = True
    parsed = pd.array(results, dtype=dtype).take(positions, allow_fill=True)
    return pd.Series(parsed, index=values.index, name=values.name), failed[positions]
