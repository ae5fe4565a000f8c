"""The step framework: mixed steps, failures, thresholds, retries, metrics and events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import pandas as pd
import pytest

from work_data_hub.domain.pipelines import (
    DataFrameStep,
    Pipeline,
    PipelineConfig,
    PipelineContext,
    PipelineResult,
    RetryConfig,
    RowTransformStep,
    StepResult,
    execute_with_retry,
)
from work_data_hub.errors import ConfigError, DataError, WrongMonth

pytestmark = pytest.mark.unit

COLLECT = PipelineConfig(stop_on_error=False)


@dataclass(frozen=True, kw_only=True)
class Frames:
    """A frame step made of a function."""

    change: Callable[[pd.DataFrame], Any]
    name: str = "frames"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        changed: pd.DataFrame = self.change(df)
        return changed


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A row step made of a function."""

    change: Callable[[dict[str, Any]], StepResult]
    name: str = "rows"

    def apply(self, row: Mapping[str, Any], context: PipelineContext) -> StepResult:
        return self.change(dict(row))


@dataclass(kw_only=True)
class Flaky:
    """A step that finds something, then fails with each of `errors` in turn before it succeeds."""

    errors: list[Exception]
    name: str = "flaky"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        context.findings.append("seen")
        if self.errors:
            raise self.errors.pop(0)
        return df


@dataclass
class Told:
    """Keeps what a pipeline emits and how long it waits."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def emit(self, event: str, facts: Mapping[str, Any]) -> None:
        self.events.append((event, dict(facts)))

    @property
    def names(self) -> list[str]:
        return [event for event, _ in self.events]


def numbers(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"n": values})


def add_one() -> Frames:
    return Frames(change=lambda df: df.assign(n=df["n"] + 1), name="add one")


def double() -> Rows:
    return Rows(change=lambda row: StepResult({"n": row["n"] * 2}), name="double")


def fail(error: Exception) -> Frames:
    def change(df: pd.DataFrame) -> pd.DataFrame:
        raise error

    return Frames(change=change, name="fail")


def refuse(*refused: int) -> Rows:
    return Rows(change=lambda row: StepResult(row, errors=["refused"] if row["n"] in refused else []), name="refuse")


def run(
    *steps: DataFrameStep | RowTransformStep, df: pd.DataFrame, config: PipelineConfig | None = None
) -> PipelineResult:
    pipeline = Pipeline("test", config)
    for step in steps:
        pipeline.add_step(step)
    return pipeline.run(df)


def test_frame_and_row_steps_mix_in_order() -> None:
    result = run(add_one(), double(), add_one(), df=numbers(1, 2))

    assert result.success
    assert result.output_data["n"].tolist() == [5, 7]


def test_the_frame_given_stays_as_it_was_even_when_a_step_writes_in_place() -> None:
    def spoil(df: pd.DataFrame) -> pd.DataFrame:
        df.loc[:, "n"] = 0
        df["new"] = 1
        return df

    given = numbers(1, 2)
    run(Frames(change=spoil), df=given)

    assert given.to_dict("list") == {"n": [1, 2]}


def test_a_pipeline_without_steps_returns_its_frame() -> None:
    assert run(df=numbers(1)).output_data["n"].tolist() == [1]


def test_a_failing_step_ends_the_run_and_its_error_stays_whole() -> None:
    error = WrongMonth("another month", file="a.xlsx")
    result = run(add_one(), fail(error), add_one(), df=numbers(1))

    assert not result.success
    assert result.errors == (error,)
    assert result.output_data["n"].tolist() == [2]
    assert len(result.metrics["step_metrics"]) == 2
    with pytest.raises(WrongMonth) as raised:
        result.raise_first()
    assert raised.value is error


def test_collecting_goes_on_with_the_frame_before_the_failure() -> None:
    first, second = RuntimeError("one"), KeyError("two")
    result = run(fail(first), add_one(), fail(second), df=numbers(1), config=COLLECT)

    assert not result.success
    assert result.errors == (first, second)
    assert result.output_data["n"].tolist() == [2]


def test_raise_first_is_silent_after_a_success() -> None:
    run(add_one(), df=numbers(1)).raise_first()


def test_an_optional_step_that_fails_is_a_warning() -> None:
    result = Pipeline("test").add_step(fail(ValueError("x")), optional=True).add_step(add_one()).run(numbers(1))

    assert result.success
    assert result.errors == ()
    assert result.warnings == ("optional step fail failed: x",)
    assert result.output_data["n"].tolist() == [2]


def test_interrupts_are_never_held() -> None:
    def interrupt(df: pd.DataFrame) -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Frames(change=interrupt), df=numbers(1), config=COLLECT)


def test_a_row_with_errors_is_set_aside_and_named() -> None:
    df = pd.DataFrame({"n": range(10), "_source_row": range(5, 15), "_source_file": "a.xlsx"})
    result = run(refuse(3), df=df)

    assert result.success
    assert result.output_data.index.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [str(error) for error in result.errors] == ["[DATA_ERROR] a.xlsx: refused | Row: 8"]
    assert result.metrics["step_metrics"][0].errors == 1


@pytest.mark.parametrize(("refused", "succeeds"), [((1,), True), ((1, 2), False)])
def test_more_than_a_tenth_of_the_rows_with_errors_fails_the_step(refused: tuple[int, ...], succeeds: bool) -> None:
    assert run(refuse(*refused), df=numbers(*range(10)), config=COLLECT).success is succeeds


def test_the_error_threshold_can_be_set() -> None:
    none = run(refuse(1), df=numbers(*range(10)), config=PipelineConfig(error_threshold=0))
    everything = run(refuse(1, 2), df=numbers(1, 2), config=PipelineConfig(error_threshold=1))

    assert isinstance(none.failures[0], DataError)
    assert (everything.success, len(everything.output_data), list(everything.output_data)) == (True, 0, ["n"])


@pytest.mark.parametrize(("config", "succeeds"), [(PipelineConfig(), False), (COLLECT, True)])
def test_a_row_that_raises_is_set_aside_only_where_errors_are_collected(config: PipelineConfig, succeeds: bool) -> None:
    step = Rows(change=lambda row: StepResult({"n": 1 // row["n"]}))
    result = run(step, df=numbers(*range(10)), config=config)

    assert result.success is succeeds
    assert len(result.errors) == 1
    assert isinstance(result.errors[0] if not succeeds else result.errors[0].__cause__, ZeroDivisionError)


def test_warnings_of_rows_are_counted_and_the_row_stays() -> None:
    result = run(Rows(change=lambda row: StepResult(row, ["odd"] if row["n"] % 2 else [])), df=numbers(1, 2, 3))

    assert result.warnings == ("odd", "odd")
    assert result.metrics["step_metrics"][0].warnings == 2
    assert len(result.output_data) == 3


def test_row_steps_keep_dtypes_that_still_fit() -> None:
    df = pd.DataFrame(
        {
            "code": pd.Series(["007", pd.NA], dtype="string"),
            "n": pd.Series([2**60 + 1, pd.NA], dtype="Int64"),
            "x": [1, 2],
        }
    )
    result = run(Rows(change=lambda row: StepResult(row | {"new": "a"})), df=df)

    assert result.output_data.dtypes.astype(str).to_dict() == {
        "code": "string",
        "n": "Int64",
        "x": "int64",
        "new": "string",
    }
    assert result.output_data["n"].tolist() == [2**60 + 1, pd.NA]


@pytest.mark.parametrize(
    ("column", "written"),
    [
        (pd.Series([1, 2]), [0.5, 1.5]),
        (pd.Series([True, False]), [2, 3]),
        (pd.Series(["a", "b"], dtype="string"), [1, 2]),
        (pd.Series([1.5, 2.5]), [Decimal("0.1"), Decimal("0.2")]),
        (pd.Series([1, 2]), [2**63 + 1, "x"]),
        (pd.Series([1, 2]), [2**70, 1]),
    ],
)
def test_a_value_that_does_not_fit_the_column_is_never_bent(column: pd.Series, written: list[Any]) -> None:
    values = iter(written)
    result = run(Rows(change=lambda row: StepResult({"n": next(values)})), df=pd.DataFrame({"n": column}))

    assert result.output_data["n"].tolist() == written


def test_a_null_beside_a_big_whole_number_keeps_it_exact() -> None:
    values = iter([2**60 + 1, None])
    result = run(Rows(change=lambda row: StepResult({"n": next(values)})), df=numbers(1, 2))

    assert result.output_data["n"].tolist() == [2**60 + 1, pd.NA]


@pytest.mark.parametrize(
    ("step", "message"),
    [(Frames(change=lambda df: None), "returned NoneType"), (Rows(change=lambda row: row), "not dict")],  # type: ignore[arg-type,return-value]
)
def test_a_step_that_returns_the_wrong_thing_is_told_so(step: DataFrameStep | RowTransformStep, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run(step, df=numbers(1)).raise_first()


def test_what_is_no_step_is_refused_when_added() -> None:
    with pytest.raises(TypeError, match="neither execute"):
        Pipeline("test").add_step("text")  # type: ignore[arg-type]


def test_two_columns_of_one_name_are_refused_before_a_row_step() -> None:
    df = pd.DataFrame([[1, 2]], columns=["n", "n"])

    assert isinstance(run(double(), df=df).errors[0], DataError)


def test_white_listed_errors_are_tried_again_after_1_2_4_seconds() -> None:
    told = Told()
    context = PipelineContext(pipeline_name="test", execution_id="1")
    flaky = Flaky(errors=[ConnectionError(), TimeoutError(), ConnectionResetError()])
    result = Pipeline("test", sleep=told.waits.append).add_step(flaky).run(numbers(1), context)

    assert result.success
    assert told.waits == [1.0, 2.0, 4.0]
    assert result.metrics["step_metrics"][0].attempts == 4
    assert context.findings == ["seen"]


def test_the_last_error_of_all_tries_is_raised_as_it_was() -> None:
    errors: list[Exception] = [ConnectionError(number) for number in range(4)]
    result = Pipeline("test").add_step(Flaky(errors=list(errors))).run(numbers(1))

    assert result.errors == (errors[3],)


def test_other_errors_are_not_tried_again() -> None:
    told = Told()
    result = Pipeline("test", sleep=told.waits.append).add_step(Flaky(errors=[ValueError("x")])).run(numbers(1))

    assert (result.success, told.waits) == (False, [])


@pytest.mark.parametrize("config", [PipelineConfig(), COLLECT])
def test_the_errors_worth_another_try_come_from_outside_also_for_rows(config: PipelineConfig) -> None:
    errors = [LookupError("gone")]

    def change(row: dict[str, Any]) -> StepResult:
        if errors:
            raise errors.pop()
        return StepResult(row)

    result = Pipeline("test", config, retriable=(LookupError,)).add_step(Rows(change=change)).run(numbers(1, 2))

    assert (result.errors, len(result.output_data)) == ((), 2)


def test_execute_with_retry_returns_the_first_answer() -> None:
    answers, waits = count(1), list[float]()

    def operation() -> int:
        if (answer := next(answers)) < 3:
            raise ConnectionError
        return answer

    config = RetryConfig(max_retries=2, first_delay_seconds=0.5, growth=3)

    assert execute_with_retry(operation, config, sleep=waits.append) == 3
    assert waits == [0.5, 1.5]


def test_metrics_and_events_tell_rows_and_durations() -> None:
    told, seconds = Told(), count(0, 0.25)
    pipeline = Pipeline("test", COLLECT, emit=told.emit, clock=lambda: next(seconds))
    result = pipeline.add_step(refuse(3)).add_step(fail(ValueError("secret cell"))).run(numbers(*range(10)))

    step = result.metrics["step_metrics"][0]
    assert (step.name, step.duration_ms, step.rows_in, step.rows_out, step.errors) == ("refuse", 250.0, 10, 9, 1)
    assert told.names == [
        "pipeline.started",
        "pipeline.step.started",
        "pipeline.step.completed",
        "pipeline.step.started",
        "pipeline.step.failed",
        "pipeline.completed",
    ]
    assert told.events[2][1]["duration_ms"] == 250.0
    assert told.events[4][1]["error_type"] == "ValueError"
    assert told.events[5][1] | {"success": False, "rows_in": 10, "rows_out": 9, "errors": 2} == told.events[5][1]
    assert "secret cell" not in str(told.events)


def test_a_pipeline_runs_again_from_the_start() -> None:
    pipeline = Pipeline("test").add_step(add_one())

    assert pipeline.run(numbers(1)).output_data["n"].tolist() == pipeline.run(numbers(1)).output_data["n"].tolist()
    assert len(pipeline.run(numbers(1)).metrics["step_metrics"]) == 1


def test_facts_of_the_context_cannot_be_changed() -> None:
    facts = {"month": "2024-10"}
    context = PipelineContext(pipeline_name="test", execution_id="1", facts=facts)
    facts["month"] = "2024-11"

    assert context.facts["month"] == "2024-10"
    with pytest.raises(TypeError):
        context.facts["month"] = "2024-12"  # type: ignore[index]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PipelineConfig(error_threshold=1.5),
        lambda: RetryConfig(max_retries=-1),
        lambda: RetryConfig(first_delay_seconds=-1),
    ],
)
def test_impossible_settings_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        wrong()
