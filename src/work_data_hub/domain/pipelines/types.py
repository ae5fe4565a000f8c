"""What steps are given and give back, and what a pipeline run reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, runtime_checkable

import pandas as pd

from work_data_hub.domain.pipelines.retry import RetryConfig
from work_data_hub.errors import ConfigError

Emit: TypeAlias = Callable[[str, Mapping[str, Any]], None]
Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """What every step of one run sees.

    `facts` are read-only values from outside (the run, mappings, …); `findings` is the one place
    where steps leave what they have to tell beside their frame.
    """

    pipeline_name: str
    execution_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))


@dataclass(frozen=True, slots=True)
class StepResult:
    """One row after a row step: with `errors` it leaves the frame, with `warnings` it stays and is counted."""

    row: Mapping[str, Any]
    warnings: Sequence[str] = ()
    errors: Sequence[str] = ()


@runtime_checkable
class DataFrameStep(Protocol):
    """A step that changes a whole frame at once; the fast kind."""

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        """Return the changed frame; raise when the run cannot go on."""


@runtime_checkable
class RowTransformStep(Protocol):
    """A step that changes one row at a time; for the few rules that need it."""

    def apply(self, row: Mapping[str, Any], context: PipelineContext) -> StepResult:
        """Return the changed row with its warnings and errors."""


Step: TypeAlias = DataFrameStep | RowTransformStep


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """How a pipeline takes failures.

    `stop_on_error`: the first failing step ends the run; otherwise the run goes on with the frame
    that step was given. `error_threshold`: the share of rows with errors that a row step may set aside.
    """

    stop_on_error: bool = True
    error_threshold: float = 0.10
    retry: RetryConfig = field(default_factory=RetryConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.error_threshold <= 1:
            raise ConfigError(
                "the error threshold is not a share",
                field="error_threshold",
                input_data=str(self.error_threshold),
                hint="give a share of rows from 0 to 1; 0.10 is ten per cent",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """What one step did; `errors` counts rows set aside and 1 for a failure of the whole step."""

    name: str
    duration_ms: float
    rows_in: int
    rows_out: int
    errors: int = 0
    warnings: int = 0
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """How a run ended.

    `output_data` is the frame after the last step that succeeded. `metrics["step_metrics"]` has one
    StepMetrics per step tried. `errors` holds, in order, what failing steps raised (also in
    `failures`) and one DataError per row set aside; `success` says that no step failed.
    """

    success: bool
    output_data: pd.DataFrame
    metrics: Mapping[str, Any]
    errors: tuple[Exception, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[Exception, ...] = ()

    def raise_first(self) -> None:
        """Raise what the first failing step raised, as it was; do nothing after a success."""
        if self.failures:
            raise self.failures[0]
