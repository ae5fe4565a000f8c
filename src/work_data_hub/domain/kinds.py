"""Cells become values: one parser per column kind, each cell read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.distinct import parse_distinct
from work_data_hub.domain.exact import decimal_series, units_of, units_of_floats
from work_data_hub.domain.findings import Rejected, rejected
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.spec import Column, Kind
from work_data_hub.domain.text import is_blank, narrow

DATE_DTYPE = pd.ArrowDtype(pa.date32())
PRECISION = {Kind.MONEY: 18, Kind.RATE: 10, Kind.COUNT: 9}
# The order in which a column's findings come; of two rules that one cell breaks, the first is told.
RULE_ORDER = (
    *("WDH-V302", "WDH-V301", "WDH-V101", "WDH-V102"),
    *("WDH-V201", "WDH-V203", "WDH-V202", "WDH-V204", "WDH-V205"),
)
_CODE_NOISE = str.maketrans("", "", "-_ \t\r\n\u3000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Where cells of a lenient column stand that could not be read: they are null, and counted."""

    positions: np.ndarray


Findings = Sequence[Rejected | Unread]


def parse_column(column: Column, bronze: Bronze) -> tuple[pd.Series, Findings]:
    """The column's values, typed by its kind, and the cells that could not be read: rejected, or only counted.

    Text and code columns are `string`, months and dates Arrow dates, numbers exact Arrow decimals.
    """
    if column.is_number:
        return _parse_numbers(column, bronze)
    if column.kind in (Kind.MONTH, Kind.DATE):
        return _parse_days(column, bronze.frame[column.name])
    return _parse_texts(column, bronze.frame[column.name])


def _parse_texts(column: Column, values: pd.Series) -> tuple[pd.Series, Findings]:
    read = _read_code if column.kind is Kind.CODE else _read_text
    parsed, with_nul = parse_distinct(values, read, dtype="string")
    too_long = np.zeros(len(values), dtype=bool)
    if column.length is not None:
        too_long = (parsed.str.len() > column.length).fillna(False).to_numpy(dtype=bool)
    return parsed, _reject(column, values, {"WDH-V302": with_nul, "WDH-V301": too_long})


def _read_text(written: str) -> str | None:
    if "\0" in written:
        raise ValueError("NUL character")
    return written.strip() or None


def _read_code(written: str) -> str | None:
    text = _read_text(written)
    if text is None or is_blank(text):
        return None
    return narrow(text).translate(_CODE_NOISE).upper() or None


def _parse_days(column: Column, values: pd.Series) -> tuple[pd.Series, Findings]:
    read = _read_month if column.kind is Kind.MONTH else parse_day
    parsed, unreadable = parse_distinct(values, read, dtype=DATE_DTYPE)
    if column.lenient:
        return parsed, [Unread(positions=np.flatnonzero(unreadable))] if unreadable.any() else []
    blank = parsed.isna().to_numpy() & ~unreadable if not column.nullable else np.zeros(len(values), dtype=bool)
    return parsed, _reject(column, values, {"WDH-V101": unreadable, "WDH-V102": blank})


def _read_month(written: str) -> date | None:
    day = parse_day(written)
    return day and day.replace(day=1)


def _parse_numbers(column: Column, bronze: Bronze) -> tuple[pd.Series, Findings]:
    values = bronze.frame[column.name].to_numpy(dtype="float64")
    null = np.isnan(values)
    units, too_large = units_of_floats(values, scale=column.scale)
    texts = bronze.texts[bronze.texts["column"] == column.name]
    at = texts["position"].to_numpy(dtype="int64")
    read = partial(parse_number, unit_power=column.unit_power)
    numbers, unreadable = parse_distinct(texts["text"], read, dtype=object)
    for position, number in zip(at, numbers, strict=True):
        null[position] = number is None
        if number is not None:
            units[position], too_large[position] = _units(number, column)
    limit = 10 ** PRECISION[column.kind]
    too_large |= np.abs(units) >= limit
    units[too_large] = 0
    shown = _shown(values, at, texts["text"], bronze.frame.index)
    rejects = [rejected(at[unreadable], column=column.name, values=texts["text"][unreadable], rule="WDH-V201")]
    outside = "WDH-V202" if column.kind is Kind.RATE else "WDH-V204"
    masks = {"WDH-V203": too_large, outside: _outside(column, units) & ~null & ~too_large}
    if column.kind is Kind.COUNT:
        masks["WDH-V205"] = _fractions(shown[~null]).reindex(shown.index, fill_value=False).to_numpy() & ~too_large
    rejects += _reject(column, shown, masks)
    series = decimal_series(
        units, null | too_large, precision=PRECISION[column.kind], scale=column.scale, index=bronze.frame.index
    )
    return series, [finding for finding in rejects if len(finding.cells)]


def _units(number: Decimal, column: Column) -> tuple[int, bool]:
    units = units_of(number, scale=column.scale) if number.adjusted() < 18 else 0
    fits = number.adjusted() < 18 and abs(units) < 10 ** PRECISION[column.kind]
    return (units, False) if fits else (0, True)


def _outside(column: Column, units: np.ndarray) -> np.ndarray:
    outside = np.zeros(len(units), dtype=bool)
    if column.lowest is not None:
        outside |= units < units_of(column.lowest, scale=column.scale)
    if column.highest is not None:
        outside |= units > units_of(column.highest, scale=column.scale)
    return outside


def _fractions(written: pd.Series) -> pd.Series:
    """Which of the numbers, floats or readable texts, are no whole ones."""
    numbers = written.map(lambda cell: parse_number(cell) if isinstance(cell, str) else Decimal(repr(float(cell))))
    return numbers.map(lambda number: number != number.to_integral_value()).astype(bool)


def _shown(values: np.ndarray, at: np.ndarray, texts: pd.Series, index: pd.Index) -> pd.Series:
    shown = pd.Series(values, index=index, dtype=object)
    shown.iloc[at] = texts.to_numpy(dtype=object)
    return shown


def _reject(column: Column, values: pd.Series, masks: dict[str, np.ndarray]) -> list[Rejected]:
    return [
        rejected(np.flatnonzero(mask), column=column.name, values=values[mask], rule=rule)
        for rule, mask in masks.items()
        if mask.any()
    ]
