"""The words of the step framework: what a step is given, what it returns, what a run reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """What every step of one run is given: read-only facts, and a list for what it has to tell."""

    pipeline_name: str
    execution_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: list[Any] = field(default_factory=list)


class DataFrameStep(Protocol):
    """A step over the whole frame."""

    @property
    def name(self) -> str: ...

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One row after a row step; with errors it is left out of the output."""

    row: dict[str, Any]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class RowTransformStep(Protocol):
    """A step over one row at a time, for the few rows that need it."""

    @property
    def name(self) -> str: ...

    def apply(self, row: dict[str, Any], context: PipelineContext) -> StepResult: ...


Step = DataFrameStep | RowTransformStep


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often a retriable error is tried again: pauses of 1, 2, 4 … seconds between attempts."""

    max_attempts: int = 3
    first_delay_seconds: float = 1.0
    factor: float = 2.0

    def delay_seconds(self, attempt: int) -> float:
        """The pause after the given attempt, counted from 1."""
        return self.first_delay_seconds * self.factor ** (attempt - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """How a pipeline treats failures; `error_threshold` is the share of rows that a row step may lose."""

    stop_on_error: bool = True
    error_threshold: float = 0.10
    retry: RetryConfig = field(default_factory=RetryConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """What one step did."""

    name: str
    duration_ms: float
    rows_in: int
    rows_out: int
    errors: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """A run's outcome: the frame so far, the metrics of each step, and the errors as they were raised."""

    success: bool
    output_data: pd.DataFrame
    metrics: Mapping[str, Any]
    errors: tuple[Exception, ...] = ()
    warnings: tuple[str, ...] = ()

    def raise_first(self) -> None:
        """Raise the first error as it is; nothing when there was none."""
        if self.errors:
            raise self.errors[0]
