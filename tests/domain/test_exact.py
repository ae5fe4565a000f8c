"""Money stays exact from the cell to the sum."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_data_hub.domain.exact import decimal_series, exact_sum, units_of, units_of_floats

pytestmark = pytest.mark.unit


def by_hand(value: float, scale: int) -> int:
    return int(Decimal(repr(value)).scaleb(scale).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("value", "units"),
    [
        (1.00005, 10001),  # a tie in the written decimal, rounded up
        (-1.00005, -10001),
        (2.675, 26750),
        (0.00005, 1),
        (0.00004999, 0),
        (10936191575.21, 109361915752100),
        (586481926.480001, 5864819264800),
        (-0.0, 0),
        (float("nan"), 0),
    ],
)
def test_a_double_is_rounded_by_its_written_decimal(value: float, units: int) -> None:
    assert units_of_floats(np.array([value]), scale=4)[0].tolist() == [units]


@given(st.floats(min_value=-1e13, max_value=1e13, allow_nan=False), st.sampled_from([0, 2, 4, 6]))
def test_every_double_rounds_like_its_decimal_text(value: float, scale: int) -> None:
    units, large = units_of_floats(np.array([value]), scale=scale)

    assert large.tolist() == [abs(value) * 10.0**scale >= 1e18]
    assert large[0] or units.tolist() == [by_hand(value, scale)]


@given(st.integers(min_value=-(10**13), max_value=10**13))
def test_half_units_are_ties(thousandths: int) -> None:
    value = thousandths / 1000 + 0.00005

    assert units_of_floats(np.array([value]), scale=4)[0].tolist() == [by_hand(value, 4)]


def test_too_large_numbers_are_masked() -> None:
    assert units_of_floats(np.array([1e15, 1.0]), scale=4)[1].tolist() == [True, False]


def test_decimals_keep_every_digit_and_nulls() -> None:
    series = decimal_series(
        np.array([123456789012345678, -1, 0]),
        np.array([False, False, True]),
        precision=18,
        scale=4,
        index=pd.RangeIndex(3),
    )

    assert series[0] == Decimal("12345678901234.5678")
    assert series[1] == Decimal("-0.0001")
    assert pd.isna(series[2])


def test_sums_are_exact() -> None:
    tenths = decimal_series(np.full(10, 1000), np.zeros(10, bool), precision=18, scale=4, index=pd.RangeIndex(10))

    assert exact_sum(tenths) == Decimal("1.0000")
    assert exact_sum(tenths.iloc[:0]) == Decimal(0)


def test_units_of_a_decimal_round_half_up() -> None:
    assert [units_of(Decimal(text), scale=2) for text in ("1.005", "-1.005", "1.0049")] == [101, -101, 100]
