"""Runs a row step over a frame: rows with errors are set aside, the others keep order, index and dtypes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET
from work_data_hub.domain.pipelines.retry import Attempt, ErrorTypes
from work_data_hub.domain.pipelines.types import PipelineConfig, PipelineContext, RowTransformStep, StepResult
from work_data_hub.errors import DataError

_NOT_OF_THIS_DTYPE = (TypeError, ValueError, OverflowError)
# A null must not turn whole numbers into binary fractions.
_NULLABLE = {"integer": "Int64", "string": "string", "boolean": "boolean", "floating": "float64"}


@dataclass(slots=True, kw_only=True)
class RowPass:
    """One pass of a row step: rows kept with their positions, one error per row set aside, warnings."""

    kept: list[Mapping[str, Any]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def transform_rows(
    step: RowTransformStep,
    df: pd.DataFrame,
    context: PipelineContext,
    *,
    name: str,
    config: PipelineConfig,
    retriable: ErrorTypes,
) -> tuple[pd.DataFrame, RowPass]:
    """Return the frame of the rows kept, and the pass.

    A row whose StepResult has errors is set aside; where errors are collected, so is a row for which
    the step raises. Raises DataError as soon as more than `error_threshold` of the rows are set aside.
    """
    if not df.columns.is_unique:
        raise DataError("two columns have the same name", operation=name, hint="rename one before a row step")
    done = RowPass()
    tolerated = config.error_threshold * len(df)
    for position, row in enumerate(_rows_of(df)):
        error = _apply(step, row, context, done, position=position, config=config, retriable=retriable)
        if error is not None:
            done.errors.append(_row_error(row, error, name=name, position=position))
        if len(done.errors) > tolerated:
            raise _too_many(done, name=name, rows=len(df), config=config)
    return _frame_of(done, like=df), done


def _apply(
    step: RowTransformStep,
    row: dict[str, Any],
    context: PipelineContext,
    done: RowPass,
    *,
    position: int,
    config: PipelineConfig,
    retriable: ErrorTypes,
) -> Exception | str | None:
    """Keep the changed row in `done`, or say why not."""
    with Attempt(passing=(Exception,) if config.stop_on_error else retriable) as attempt:
        result = step.apply(dict(row), context)
        if not isinstance(result, StepResult):
            raise TypeError(f"a row step returns a StepResult, not {type(result).__name__}")
    if attempt.error is not None:
        return attempt.error
    done.warnings.extend(result.warnings)
    if result.errors:
        return "; ".join(result.errors)
    done.kept.append(result.row)
    done.positions.append(position)
    return None


def _rows_of(df: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = list(df.columns)
    return (dict(zip(names, values, strict=True)) for values in df.itertuples(index=False, name=None))


def _row_error(row: Mapping[str, Any], error: Exception | str, *, name: str, position: int) -> DataError:
    file, sheet, number = row.get(SOURCE_FILE), row.get(SOURCE_SHEET), row.get(SOURCE_ROW)
    found = DataError(
        error if isinstance(error, str) else f"{type(error).__name__}: {error}",
        operation=name,
        file=file if isinstance(file, str) else None,
        sheet=sheet if isinstance(sheet, str) else None,
        row_number=number if isinstance(number, int) else position + 1,
    )
    found.__cause__ = error if isinstance(error, Exception) else None
    return found


def _too_many(done: RowPass, *, name: str, rows: int, config: PipelineConfig) -> DataError:
    error = DataError(
        f"more than {config.error_threshold:.0%} of {rows} rows have errors, first: {done.errors[0]}",
        operation=name,
        rule=f"at most {config.error_threshold:.0%} of the rows may have errors",
        hint="correct the rows named",
    )
    error.__cause__ = done.errors[0]
    return error


def _frame_of(done: RowPass, *, like: pd.DataFrame) -> pd.DataFrame:
    """The rows kept as a frame; a column keeps its dtype where its values still fit it exactly."""
    index = like.index[done.positions]
    if not done.kept:
        return like.iloc[:0]
    names = dict.fromkeys(name for row in done.kept for name in row)
    columns = {name: _column([row.get(name) for row in done.kept], index, like=like.get(name)) for name in names}
    return pd.DataFrame(columns, index=index)


def _column(values: list[Any], index: pd.Index, *, like: pd.Series | None) -> pd.Series:
    if like is not None:
        try:
            typed = pd.Series(values, index=index, dtype=like.dtype)
        except _NOT_OF_THIS_DTYPE:
            return _inferred(values, index)
        if all(_same(stored, given) for stored, given in zip(typed, values, strict=True)):
            return typed
    return _inferred(values, index)


def _inferred(values: list[Any], index: pd.Index) -> pd.Series:
    dtype = _NULLABLE.get(pd.api.types.infer_dtype(values, skipna=True), "object")
    try:
        return pd.Series(values, index=index, dtype=dtype).infer_objects()
    except _NOT_OF_THIS_DTYPE:
        return pd.Series(values, index=index, dtype=object)


def _same(stored: Any, given: Any) -> bool:
    if stored is given:
        return True
    if pd.api.types.is_scalar(given) and pd.isna(given):
        return bool(pd.isna(stored))
    # Any value fits a column of booleans as its truth, which is not the value.
    return not isinstance(stored, bool) and bool(stored == given)
