"""The rules of a pipeline's definition, its tasks, targets and transforms, and the classes of failures."""

from dataclasses import replace
from typing import Any

import pytest

from work_data_hub.domain.batch.failures import Failure, failure_of, failure_of_status, is_lost, wait_seconds
from work_data_hub.domain.batch.pipeline import (
    MOST_ROWS_A_BATCH,
    Deletes,
    Mode,
    Pipeline,
    PipelineType,
    column_problems,
    problems_of,
)
from work_data_hub.domain.batch.targets import TARGETS, is_allowed
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.domain.batch.transforms import is_transform, transform_of

pytestmark = pytest.mark.unit

QUERY = "select id as film_id, title, rating from content.film_work"
PIPELINE = Pipeline(name="film_dim_sql", target_table="analytics.film_dim", source_query=QUERY)
BY_TIME = {"mode": Mode.INCREMENTAL, "incremental_key": "updated_at", "incremental_id_key": "film_id"}


def reader(order_index: int = 1, *, body: str = QUERY, target_table: str | None = None) -> Task:
    return Task(order_index=order_index, task_type=TaskType.SQL, body=body, target_table=target_table)


def step(order_index: int = 2, *, body: str = "normalize_title", target_table: str | None = None) -> Task:
    return Task(order_index=order_index, task_type=TaskType.PYTHON, body=body, target_table=target_table)


def fields_at_fault(**values: Any) -> list[str]:
    return [problem.field for problem in problems_of(replace(PIPELINE, **values))]


def messages(**values: Any) -> list[str]:
    return [problem.message for problem in problems_of(replace(PIPELINE, **values))]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "a-1"},
        {"name": "x" * 64},
        {"batch_size": 1},
        {"batch_size": MOST_ROWS_A_BATCH},
        {"target_table": " analytics.film_dim "},
        {"target_table": "analytics.film_rating_agg"},
        {"type": PipelineType.ES, "target_table": "es:film_dim"},
        {"type": PipelineType.ES, "target_table": "es:film_rating_agg"},
        {"type": PipelineType.PYTHON, "python_module": "src.pipelines.python_tasks.normalize_title"},
        BY_TIME,
        {"unique_key": "film_id", "deletes": Deletes.SOFT},
        {"source_query": None, "tasks": (reader(),)},
        {"source_query": None, "tasks": (step(7), reader(3))},
        {"tasks": (reader(), step(target_table="analytics.film_dim"))},
        {"type": PipelineType.PYTHON, "tasks": (reader(), step())},
        {"source_query": f"{QUERY};;\n"},
    ],
    ids=str,
)
def test_sound_definitions_have_no_problem(values: dict[str, Any]) -> None:
    assert problems_of(replace(PIPELINE, **values)) == ()


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": "ab"}, ["name"]),
        ({"name": "x" * 65}, ["name"]),
        ({"name": "film dim"}, ["name"]),
        ({"name": "电影"}, ["name"]),
        ({"name": "film\n"}, ["name"]),
        ({"batch_size": 0}, ["batch_size"]),
        ({"batch_size": MOST_ROWS_A_BATCH + 1}, ["batch_size"]),
        ({"mode": Mode.INCREMENTAL}, ["incremental_key", "incremental_id_key"]),
        ({**BY_TIME, "incremental_id_key": None}, ["incremental_id_key"]),
        ({**BY_TIME, "incremental_key": "updated_at; drop"}, ["incremental_key"]),
        ({"unique_key": "1id"}, ["unique_key"]),
        ({"unique_key": 'film"id'}, ["unique_key"]),
        ({**BY_TIME, "deletes": Deletes.HARD}, ["deletes"]),
        ({"source_query": None}, ["source_query"]),
        ({"source_query": " ;\n"}, ["source_query"]),
        ({"type": PipelineType.PYTHON}, ["python_module"]),
        ({"python_module": "os.system"}, ["python_module"]),
        ({"target_table": "content.film_work"}, ["target_table"]),
        ({"type": PipelineType.ES}, ["target_table"]),
    ],
    ids=str,
)
def test_each_broken_rule_names_its_field(values: dict[str, Any], fields: list[str]) -> None:
    assert fields_at_fault(**values) == fields


def test_every_broken_rule_is_named_at_once() -> None:
    broken = fields_at_fault(name="a", batch_size=0, source_query="", target_table="x.y")

    assert broken == ["name", "batch_size", "source_query", "target_table"]


@pytest.mark.parametrize(
    "target",
    ["analytics.film_dim2", "ANALYTICS.FILM_DIM", "film_dim", "es:film", "es: film_dim", "analytics.film_dim;", ""],
)
def test_a_target_that_is_not_listed_is_not_allowed(target: str) -> None:
    assert not is_allowed(target)
    assert messages(target_table=target) == [f"target_table '{target}' is not allowed"]


def test_the_target_of_the_last_task_is_checked_like_the_pipelines() -> None:
    tasks = (reader(), step(target_table="public.secrets"))

    assert messages(tasks=tasks) == ["target_table 'public.secrets' is not allowed"]


@pytest.mark.parametrize(
    "call",
    [
        "set_config('role', 'postgres', false)",
        "'--' as a, set_config('role', 'none', false)",
        "'/*' as a, set_config('role', 'none', false)",
        "set_config/**/('role', 'none', false)",
        "\"set_config\"('role', 'none', false)",
        "U&\"set\\005fconfig\"('role', 'none', false)",
        "set_config/* /* */ */('role', 'none', false)",
        "set_config -- /* \n /* ' */ ('role', 'none', false)",
        "'--' || set_config/**/('role', 'none', false)",
        "pg_catalog . set_config\t('role', 'none', false)",
        "* from ts_stat('select to_tsvector(x)')",
        "ts_rewrite('a'::tsquery, 'select 1')",
        "query_to_xml('reset role', true, true, '')",
        "cursor_to_xml/*)*/('c', 1, true, true, '')",
        "etl.open_query('c', 'select 1')",
        "pg_switch_wal()",
        "lo_put(1, 0, '')",
        "PG_TERMINATE_BACKEND(1)",
        "pg_read_file('/etc/passwd')",
        "pg_read_binary_file ('x')",
        "pg_ls_dir('.')",
        "dblink('', 'x')",
        "pg_advisory_lock(1)",
        "pg_try_advisory_xact_lock(1)",
        "lo_import('x')",
        "nextval('s')",
    ],
)
def test_a_query_that_reaches_out_is_refused(call: str) -> None:
    assert fields_at_fault(source_query=f"select {call}") == ["source_query"]
    assert fields_at_fault(tasks=(reader(body=f"select {call}"),)) == ["source_query"]


def test_a_column_named_like_a_function_that_reaches_out_is_none() -> None:
    assert fields_at_fault(source_query="select nextval, pg_notify from content.film_work") == []


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ((step(1), reader(2)), "the first task must be SQL: it is the reader"),
        ((reader(1), reader(2)), "only the first task may be SQL; the others are PYTHON"),
        ((reader(1), step(1)), "two tasks have the same order_index"),
        ((reader(body=" "),), "the body is blank"),
        ((reader(), step(body="\t")), "the body is blank"),
        ((reader(), step(body="os.system")), "'os.system' is not a registered transform"),
        ((reader(target_table="analytics.film_dim"), step()), "only the last task may name a target_table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tasks_in_a_wrong_order_or_of_a_wrong_kind_are_refused(tasks: tuple[Task, ...], message: str) -> None:
    assert message in messages(tasks=tasks)


def test_tasks_take_the_place_of_the_query_the_module_and_the_target() -> None:
    tasks = (step(9, target_table="es:film_dim"), step(5, body=" normalize_title "), reader(1, body="select 2;\n"))
    pipeline = replace(PIPELINE, python_module="other", type=PipelineType.PYTHON, tasks=tasks)

    assert pipeline.reader_query == "select 2"
    assert pipeline.transforms == ("normalize_title", "normalize_title")
    assert (pipeline.target, pipeline.is_index) == ("es:film_dim", True)


def test_without_tasks_a_pipeline_is_what_its_own_fields_say() -> None:
    pipeline = replace(PIPELINE, type=PipelineType.PYTHON, python_module="normalize_title")

    assert (pipeline.reader_query, pipeline.transforms) == (QUERY, ("normalize_title",))
    assert (pipeline.target, pipeline.is_index) == ("analytics.film_dim", False)
    assert replace(pipeline, type=PipelineType.SQL).transforms == ()


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        (BY_TIME, ["incremental_key"]),
        ({**BY_TIME, "incremental_key": "title", "incremental_id_key": "id"}, ["incremental_id_key"]),
        ({"unique_key": "id"}, ["unique_key"]),
        ({"incremental_key": "left_over"}, []),
        ({"unique_key": "film_id"}, []),
    ],
    ids=str,
)
def test_keys_must_be_columns_that_the_query_gives(values: dict[str, Any], fields: list[str]) -> None:
    problems = column_problems(replace(PIPELINE, **values), ("film_id", "title", "rating"))

    assert [problem.field for problem in problems] == fields


def test_a_column_that_the_query_gives_twice_is_told() -> None:
    (problem,) = column_problems(PIPELINE, ("film_id", "title", "title"))

    assert problem.message == "the query names title twice"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_target_takes_its_key_and_requires_it(target: Any) -> None:
    assert target.key in target.required
    assert set(target.required) <= set(target.columns)


@pytest.mark.parametrize(
    ("name", "is_registered"),
    [
        ("normalize_title", True),
        (" normalize_title ", True),
        ("work_data_hub.transforms.normalize_title", True),
        ("src.pipelines.python_tasks.normalize_title.transform", True),
        ("work_data_hub.transforms.os", False),
        ("src.pipelines.python_tasks.", False),
        ("normalize_title.run", False),
        ("", False),
    ],
)
def test_only_registered_transforms_may_be_named(name: str, is_registered: bool) -> None:
    assert is_transform(name) is is_registered


@pytest.mark.parametrize(
    ("title", "after"),
    [("  the   old\tman ", "The Old Man"), ("it's o'clock", "It's O'clock"), ("McDonald", "McDonald"), ("", "")],
)
def test_titles_are_trimmed_joined_and_capitalised(title: str, after: str) -> None:
    assert transform_of("normalize_title")([{"film_id": 1, "title": title}]) == [{"film_id": 1, "title": after}]


def test_rows_without_a_title_pass_unchanged() -> None:
    rows: list[dict[str, Any]] = [{"film_id": 1}, {"title": None}]

    assert transform_of("normalize_title")(rows) == rows


@pytest.mark.parametrize(
    ("sqlstate", "of_target", "of_source"),
    [
        (None, Failure.TRANSIENT, Failure.TRANSIENT),
        ("08006", Failure.TRANSIENT, Failure.TRANSIENT),
        ("53100", Failure.TRANSIENT, Failure.TRANSIENT),
        ("57P01", Failure.TRANSIENT, Failure.TRANSIENT),
        ("57014", Failure.TRANSIENT, Failure.TRANSIENT),
        ("40001", Failure.TRANSIENT, Failure.TRANSIENT),
        ("40P01", Failure.TRANSIENT, Failure.TRANSIENT),
        ("55P03", Failure.TRANSIENT, Failure.TRANSIENT),
        ("42P01", Failure.TRANSIENT, Failure.PERMANENT),
        ("3F000", Failure.TRANSIENT, Failure.PERMANENT),
        ("22P02", Failure.ROW, Failure.PERMANENT),
        ("23502", Failure.ROW, Failure.PERMANENT),
        ("42601", Failure.PERMANENT, Failure.PERMANENT),
        ("42703", Failure.PERMANENT, Failure.PERMANENT),
        ("42501", Failure.PERMANENT, Failure.PERMANENT),
    ],
)
def test_a_failure_of_postgresql_has_a_class(sqlstate: str | None, of_target: Failure, of_source: Failure) -> None:
    assert failure_of(sqlstate, is_target=True) is of_target
    assert failure_of(sqlstate, is_target=False) is of_source


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (None, Failure.TRANSIENT),
        (408, Failure.TRANSIENT),
        (429, Failure.TRANSIENT),
        (500, Failure.TRANSIENT),
        (503, Failure.TRANSIENT),
        (400, Failure.ROW),
        (401, Failure.PERMANENT),
        (404, Failure.PERMANENT),
    ],
)
def test_an_answer_of_elasticsearch_has_a_class(status: int | None, failure: Failure) -> None:
    assert failure_of_status(status) is failure


def test_waits_double_up_to_eightfold_and_vary_by_a_tenth_at_most() -> None:
    waits = [wait_seconds(attempt, base_seconds=1, chance=0) for attempt in (1, 2, 3, 4, 5, 9)]

    assert waits == [1, 2, 4, 8, 8, 8]
    assert wait_seconds(2, base_seconds=0.5, chance=1) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [(None, True), ("08006", True), ("57P01", True), ("57P03", True), ("57014", False), ("53100", False)],
)
def test_a_lost_connection_is_told_from_other_failures(sqlstate: str | None, expected: bool) -> None:
    assert is_lost(sqlstate) is expected
