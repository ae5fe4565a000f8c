"""The sample CSV: id, name, amount, day; one row per sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.distinct import parse_distinct
from work_data_hub.domain.kinds import DATE_DTYPE
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.errors import DataError, HeadingsMissing

COLUMNS = ("id", "name", "amount", "day")
REQUIRED = ("id", "name")
_PARSERS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "id": (int, "Int64"),
    "name": (lambda written: written.strip() or None, "string"),
    "amount": (parse_number, pd.ArrowDtype(pa.decimal128(18, 2))),
    "day": (parse_day, DATE_DTYPE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateSample:
    """Type every column; raises DataError naming the first cell that cannot be read, or a blank id or name."""

    name: str = "validate sample"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        missing = [name for name in COLUMNS if name not in df.columns]
        if missing:
            raise HeadingsMissing(f"columns missing: {', '.join(missing)}", domain="sample_data", hint="add them")
        return pd.DataFrame({name: self._typed(df, name) for name in COLUMNS})

    def _typed(self, df: pd.DataFrame, name: str) -> pd.Series:
        parse, dtype = _PARSERS[name]
        values, unreadable = parse_distinct(df[name], parse, dtype=dtype)
        wrong = unreadable | values.isna().to_numpy() if name in REQUIRED else unreadable
        if wrong.any():
            at = int(wrong.argmax())
            raise DataError(
                "the cell cannot be read",
                domain="sample_data",
                row_number=at + 2,
                field=name,
                input_data=str(df[name].fillna("").iloc[at]),
                rule=f"{name} is readable{', and given' if name in REQUIRED else ''}",
                hint="correct the CSV file and load it again",
            )
        return values


def validate_sample() -> ValidateSample:
    """The sample's one step."""
    return ValidateSample()
