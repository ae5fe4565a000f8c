"""The step framework: steps over frames or rows, in order, measured."""

from work_data_hub.domain.pipelines.core import Pipeline
from work_data_hub.domain.pipelines.retry import execute_with_retry
from work_data_hub.domain.pipelines.types import (
    DataFrameStep,
    PipelineConfig,
    PipelineContext,
    PipelineResult,
    RetryConfig,
    RowTransformStep,
    StepMetrics,
    StepResult,
)

__all__ = [
    "DataFrameStep",
    "Pipeline",
    "PipelineConfig",
    "PipelineContext",
    "PipelineResult",
    "RetryConfig",
    "RowTransformStep",
    "StepMetrics",
    "StepResult",
    "execute_with_retry",
]
