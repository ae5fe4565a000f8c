"""The step framework: typed steps over frames, with retries, metrics and collected errors.

pipeline = Pipeline("sample_data", PipelineConfig(stop_on_error=True)).add_step(ValidateSample())
result = pipeline.run(rows)
result.raise_first()
"""

from work_data_hub.domain.pipelines.core import Pipeline
from work_data_hub.domain.pipelines.retry import RETRIABLE, RetryConfig, execute_with_retry
from work_data_hub.domain.pipelines.types import (
    DataFrameStep,
    PipelineConfig,
    PipelineContext,
    PipelineResult,
    RowTransformStep,
    StepMetrics,
    StepResult,
)

__all__ = [
    "RETRIABLE",
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
