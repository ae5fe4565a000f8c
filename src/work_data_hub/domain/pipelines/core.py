"""The pipeline: named steps run in order over a frame, measured, retried, and reported."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import pandas as pd

from work_data_hub.domain.pipelines.retry import RETRIABLE, Attempt, ErrorTypes, execute_with_retry
from work_data_hub.domain.pipelines.rows import transform_rows
from work_data_hub.domain.pipelines.types import (
    Clock,
    DataFrameStep,
    Emit,
    PipelineConfig,
    PipelineContext,
    PipelineResult,
    RowTransformStep,
    Step,
    StepMetrics,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    name: str
    step: Step
    optional: bool


@dataclass(slots=True, kw_only=True)
class _Done:
    """What one step came to: its frame, and what it told."""

    frame: pd.DataFrame
    row_errors: list[Exception] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failure: Exception | None = None
    attempts: int = 1


@dataclass(slots=True, kw_only=True)
class _Run:
    """The state of one run, so that a pipeline may run many times."""

    context: PipelineContext
    frame: pd.DataFrame
    metrics: list[StepMetrics] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Pipeline:
    """Steps in order over a frame; mixes frame steps and row steps.

    Events, the clock (seconds), the waiting and the error types worth another try come from
    outside; without them nothing is told, every duration is 0 and nothing waits.
    """

    def __init__(
        self,
        name: str,
        config: PipelineConfig | None = None,
        *,
        emit: Emit = lambda event, facts: None,
        clock: Clock = lambda: 0.0,
        sleep: Callable[[float], None] = lambda seconds: None,
        retriable: ErrorTypes = RETRIABLE,
    ) -> None:
        self.name, self.config = name, config or PipelineConfig()
        self._emit, self._clock, self._sleep, self._retriable = emit, clock, sleep, retriable
        self._planned: list[_Planned] = []

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of the steps, in the order they run."""
        return tuple(planned.name for planned in self._planned)

    def add_step(self, step: Step, *, optional: bool = False) -> Self:
        """Add a step at the end and return the pipeline; an optional step that fails is a warning."""
        if not isinstance(step, DataFrameStep | RowTransformStep):
            raise TypeError(f"{type(step).__name__} has neither execute(df, context) nor apply(row, context)")
        name = str(getattr(step, "name", type(step).__name__))
        self._planned.append(_Planned(name=name, step=step, optional=optional))
        return self

    def run(self, df: pd.DataFrame, context: PipelineContext | None = None) -> PipelineResult:
        """Return how the steps went over `df`; failures are in the result, `df` itself stays as it is."""
        context = context or PipelineContext(pipeline_name=self.name, execution_id=self.name)
        run = _Run(context=context, frame=df)
        started = self._clock()
        self._tell(run, "started", rows=len(df), steps=len(self._planned))
        for planned in self._planned:
            self._take(planned, run)
            if run.failures and self.config.stop_on_error:
                break
        return self._closed(run, rows_in=len(df), started=started)

    def _take(self, planned: _Planned, run: _Run) -> None:
        rows_in, started = len(run.frame), self._clock()
        self._tell(run, "step.started", step=planned.name, rows_in=rows_in)
        done = self._attempt(planned, run)
        duration_ms = (self._clock() - started) * 1000
        failed = done.failure is not None and not planned.optional
        metrics = StepMetrics(
            name=planned.name,
            duration_ms=duration_ms,
            rows_in=rows_in,
            rows_out=len(done.frame),
            errors=len(done.row_errors) + failed,
            warnings=len(done.warnings),
            attempts=done.attempts,
        )
        self._keep(run, done, metrics, failed=failed)
        self._tell_end(run, done, metrics, optional=planned.optional)

    def _attempt(self, planned: _Planned, run: _Run) -> _Done:
        found_before, spent = len(run.context.findings), 0

        def again(_: Exception) -> None:
            # What a failed try found is not told: the next try finds it again.
            nonlocal spent
            spent += 1
            del run.context.findings[found_before:]

        with Attempt() as attempt:
            done = execute_with_retry(
                lambda: self._execute(planned, run),
                self.config.retry,
                sleep=self._sleep,
                retriable=self._retriable,
                on_retry=again,
            )
        if attempt.error is not None:
            del run.context.findings[found_before:]
            warning = [f"optional step {planned.name} failed: {attempt.error}"] if planned.optional else []
            done = _Done(frame=run.frame, failure=attempt.error, warnings=warning)
        done.attempts = 1 + spent
        return done

    def _execute(self, planned: _Planned, run: _Run) -> _Done:
        # A shallow copy: what a step writes in place must not reach the frame of the step before.
        given = run.frame.copy(deep=False)
        if isinstance(planned.step, DataFrameStep):
            return _Done(frame=_checked_frame(planned.step.execute(given, run.context), planned.name))
        frame, rows = transform_rows(
            planned.step, given, run.context, name=planned.name, config=self.config, retriable=self._retriable
        )
        return _Done(frame=frame, row_errors=rows.errors, warnings=rows.warnings)

    def _keep(self, run: _Run, done: _Done, metrics: StepMetrics, *, failed: bool) -> None:
        run.frame = done.frame
        run.metrics.append(metrics)
        run.errors.extend(done.row_errors)
        run.warnings.extend(done.warnings)
        if failed and done.failure is not None:
            run.errors.append(done.failure)
            run.failures.append(done.failure)

    def _tell_end(self, run: _Run, done: _Done, metrics: StepMetrics, *, optional: bool) -> None:
        facts: dict[str, Any] = {
            "step": metrics.name,
            "rows_in": metrics.rows_in,
            "rows_out": metrics.rows_out,
            "duration_ms": metrics.duration_ms,
            "errors": metrics.errors,
            "warnings": metrics.warnings,
            "attempts": metrics.attempts,
        }
        if done.failure is None:
            self._tell(run, "step.completed", **facts)
        else:
            self._tell(run, "step.failed", **facts, error_type=type(done.failure).__name__, optional=optional)

    def _closed(self, run: _Run, *, rows_in: int, started: float) -> PipelineResult:
        counts = {
            "rows_in": rows_in,
            "rows_out": len(run.frame),
            "duration_ms": (self._clock() - started) * 1000,
        }
        success = not run.failures
        self._tell(run, "completed", success=success, errors=len(run.errors), warnings=len(run.warnings), **counts)
        return PipelineResult(
            success=success,
            output_data=run.frame,
            metrics={**counts, "step_metrics": tuple(run.metrics)},
            errors=tuple(run.errors),
            warnings=tuple(run.warnings),
            failures=tuple(run.failures),
        )

    def _tell(self, run: _Run, event: str, **facts: Any) -> None:
        named = {"pipeline": self.name, "execution_id": run.context.execution_id}
        self._emit(f"pipeline.{event}", named | facts)


def _checked_frame(frame: object, step: str) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"step {step} returned {type(frame).__name__}, not a DataFrame")
    return frame
