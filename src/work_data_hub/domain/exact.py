"""Exact decimals in frames: whole numbers of the smallest unit, never binary fractions."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

# Above this many smallest units a double no longer tells neighbours apart safely: Decimal decides.
_SAFE_UNITS = float(2**50)
_INT64_DIGITS = 18


def units_of(number: Decimal, *, scale: int) -> int:
    """The number in units of 10^-scale, rounded half up: Decimal("1.23455"), scale 4 → 12346."""
    return int(number.scaleb(scale).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def units_of_floats(values: np.ndarray, *, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Doubles as whole units of 10^-scale, and a mask of those too large to be stored.

    Equal to rounding the shortest decimal text of each double half up. NaN gives 0, unmasked.
    """
    scaled = np.where(np.isnan(values), 0.0, values) * 10.0**scale
    large = np.abs(scaled) >= 10.0**_INT64_DIGITS
    scaled = np.where(large, 0.0, scaled)
    units = np.rint(scaled).astype("int64")
    # Near a tie the product's own rounding could decide; there the decimal text does.
    doubtful = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) <= 8 * np.spacing(np.abs(scaled) + 1.0)
    doubtful |= np.abs(scaled) >= _SAFE_UNITS
    for position in np.flatnonzero(doubtful & ~large):
        units[position] = units_of(Decimal(repr(float(values[position]))), scale=scale)
    return units, large


def decimal_series(units: np.ndarray, null: np.ndarray, *, precision: int, scale: int, index: pd.Index) -> pd.Series:
    """A series of exact decimals from whole units; `null` marks the missing ones."""
    words = np.empty((len(units), 2), dtype="int64")
    words[:, 0], words[:, 1] = units, units >> 63
    present = pa.array(~null).buffers()[1]
    array = pa.Array.from_buffers(pa.decimal128(precision, scale), len(units), [present, pa.py_buffer(words)])
    return pd.Series(pd.arrays.ArrowExtensionArray(array), index=index)


def exact_sum(values: pd.Series) -> Decimal:
    """The exact sum of a decimal series, nulls left out; Decimal(0) for none."""
    total = values.sum()
    return Decimal(0) if pd.isna(total) else Decimal(total)


def exact_sums(frame: pd.DataFrame, columns: Iterable[str]) -> dict[str, Decimal]:
    """The exact sum of each named decimal column."""
    return {name: exact_sum(frame[name]) for name in columns}


def written(number: Decimal) -> str:
    """The exact number as people read it, two decimals at least: 1234.5000 → 1,234.50."""
    digits = f"{number:,f}"
    whole, _, fraction = digits.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
