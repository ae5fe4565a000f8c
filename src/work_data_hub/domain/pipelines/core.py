"""Steps in order over one frame, measured, retried where that can help, stopped where it must."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from work_data_hub.domain.pipelines.retry import RETRIABLE, execute_with_retry
from work_data_hub.domain.pipelines.types import (
    DataFrameStep,
    PipelineConfig,
    PipelineContext,
    PipelineResult,
    RowTransformStep,
    Step,
    StepMetrics,
    StepResult,
)
from work_data_hub.errors import DataError, WorkDataHubError

Emit = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a step made of its frame."""

    frame: pd.DataFrame
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Pipeline:
    """An ordered list of steps; `run` takes a frame through them.

    Events, clock, pauses and the set of retriable errors are handed in, so that the domain itself
    stays without side effects. Only errors of the product and retriable ones are results; anything
    else is a bug and goes through.
    """

    def __init__(
        self,
        name: str,
        config: PipelineConfig | None = None,
        *,
        emit: Emit = lambda event, facts: None,
        clock: Callable[[], float] = lambda: 0.0,
        sleep: Callable[[float], None] = lambda seconds: None,
        retriable: tuple[type[Exception], ...] = RETRIABLE,
    ) -> None:
        self.name, self.config = name, config or PipelineConfig()
        self._emit, self._clock, self._sleep, self._retriable = emit, clock, sleep, retriable
        self._steps: list[tuple[Step, bool]] = []

    def add_step(self, step: Step, *, optional: bool = False) -> "Pipeline":
        """Append a step; the failure of an optional one is a warning."""
        self._steps.append((step, optional))
        return self

    def run(self, df: pd.DataFrame, context: PipelineContext | None = None) -> PipelineResult:
        """Take the frame through every step; a failing step leaves it as it was.

        With `stop_on_error` the first failure ends the run, else the later steps still run; either
        way the failures are in `errors`, in order. `metrics["step_metrics"]` has one StepMetrics a step.
        """
        context = context or PipelineContext(pipeline_name=self.name, execution_id="")
        started, rows_in = self._clock(), len(df)
        self._emit("pipeline.started", {"pipeline": self.name, "rows": rows_in})
        metrics: list[StepMetrics] = []
        errors: list[Exception] = []
        warnings: list[str] = []
        for step, optional in self._steps:
            df, measured, error = self._run_step(step, df, context, warnings)
            metrics.append(measured)
            if error is not None and optional:
                warnings.append(f"{step.name}: {error}")
            elif error is not None:
                errors.append(error)
                if self.config.stop_on_error:
                    break
        facts = {"duration_ms": (self._clock() - started) * 1000, "rows_in": rows_in, "rows_out": len(df)}
        self._emit("pipeline.completed", {"pipeline": self.name, "success": not errors, **facts})
        return PipelineResult(
            success=not errors,
            output_data=df,
            metrics={**facts, "step_metrics": metrics},
            errors=tuple(errors),
            warnings=tuple(warnings),
        )

    def _run_step(
        self, step: Step, df: pd.DataFrame, context: PipelineContext, warnings: list[str]
    ) -> tuple[pd.DataFrame, StepMetrics, Exception | None]:
        started = self._clock()
        self._emit("pipeline.step.started", {"pipeline": self.name, "step": step.name, "rows": len(df)})
        error: Exception | None = None
        done = Done(frame=df)
        try:
            done = execute_with_retry(
                lambda: self._apply(step, df, context),
                self.config.retry,
                retriable=self._retriable,
                sleep=self._sleep,
            )
        except (WorkDataHubError, *self._retriable) as failure:
            error = failure
        warnings.extend(done.warnings)
        measured = StepMetrics(
            name=step.name,
            duration_ms=(self._clock() - started) * 1000,
            rows_in=len(df),
            rows_out=len(done.frame),
            errors=len(done.errors) + (error is not None),
            warnings=len(done.warnings),
        )
        facts = {"duration_ms": measured.duration_ms, "rows_in": measured.rows_in, "rows_out": measured.rows_out}
        if error is not None:
            facts["error"] = str(error)
        event = "pipeline.step.failed" if error is not None else "pipeline.step.completed"
        self._emit(event, {"pipeline": self.name, "step": step.name, **facts})
        return done.frame, measured, error

    def _apply(self, step: Step, df: pd.DataFrame, context: PipelineContext) -> Done:
        if hasattr(step, "execute"):
            return Done(frame=_as_frame_step(step).execute(df, context))
        return self._apply_to_rows(_as_row_step(step), df, context)

    def _apply_to_rows(self, step: RowTransformStep, df: pd.DataFrame, context: PipelineContext) -> Done:
        """Apply a row step; rows with errors are left out, too many of them fail the step."""
        results: list[StepResult] = [step.apply(row, context) for row in df.to_dict("records")]
        errors = tuple(error for result in results for error in result.errors)
        failed = sum(bool(result.errors) for result in results)
        if failed > self.config.error_threshold * len(results):
            raise DataError(
                f"{failed} of {len(results)} rows failed in step {step.name}: {errors[0]}",
                operation=step.name,
                domain=self.name,
                rule=f"at most {self.config.error_threshold:.0%} of the rows fail a step",
                hint="mend the rows, or raise error_threshold",
            )
        kept = [result.row for result in results if not result.errors]
        frame = pd.DataFrame(kept, columns=None if kept else df.columns)
        return Done(frame=frame, errors=errors, warnings=tuple(w for result in results for w in result.warnings))


def _as_frame_step(step: Any) -> DataFrameStep:
    frame_step: DataFrameStep = step
    return frame_step


def _as_row_step(step: Any) -> RowTransformStep:
    row_step: RowTransformStep = step
    return row_step
