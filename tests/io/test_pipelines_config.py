"""Pipelines declared in YAML: what a file may say, and how a wrong one is refused."""

from decimal import Decimal
from pathlib import Path

import pytest
from dagster import ScheduleDefinition

from work_data_hub.domain.batch.cron import cron_problem
from work_data_hub.domain.batch.pipeline import Deletes, Mode, Pipeline, PipelineType
from work_data_hub.domain.batch.tasks import TaskType
from work_data_hub.errors import ConfigError
from work_data_hub.io.pipelines_config import read_pipelines

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / "config" / "pipelines"
ONE = "name: films\ntarget_table: analytics.film_dim\nsource_query: select 1 as film_id, 'a' as title\n"


def declared(folder: Path, text: str, *, file: str = "films.yml") -> tuple[Pipeline, ...]:
    (folder / file).write_text(text, encoding="utf-8")
    return read_pipelines(folder / file)


def refusal(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        declared(folder, text)
    assert caught.value.file == str(folder / "films.yml")
    return caught.value


def test_the_shipped_pipelines_keep_every_rule() -> None:
    shipped = {pipeline.name: pipeline for pipeline in read_pipelines(SHIPPED)}

    assert {name: (one.mode.value, one.target, one.cron is not None) for name, one in shipped.items()} == {
        "film_dim": ("full", "analytics.film_dim", True),
        "film_dim_es": ("full", "es:film_dim", False),
        "film_dim_inc": ("incremental", "analytics.film_dim", True),
        "film_rating_agg": ("full", "analytics.film_rating_agg", True),
    }
    assert shipped["film_dim"].transforms == shipped["film_dim_inc"].transforms == ("normalize_title",)


def test_what_a_pipeline_leaves_out_has_its_usual_value(tmp_path: Path) -> None:
    (films,) = declared(tmp_path, ONE)

    assert films == Pipeline(
        name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title"
    )


def test_every_key_is_read(tmp_path: Path) -> None:
    (films,) = declared(
        tmp_path,
        "name: films\ndescription: All films\ntype: PYTHON\nmode: full\npython_module: normalize_title\n"
        "target_table: analytics.film_dim\nsource_query: select 1\nunique_key: film_id\nbatch_size: 50\n"
        "enabled: false\nstrategy: overlap\noverlap_seconds: 2.5\nnull_key: error\ndeletes: hard\nthrottle_ms: 10\n"
        'dlq_max_rows: 5\ndlq_max_ratio: 0.25\ncron: "0 5 * * 1-5"\n'
        "incremental_key: updated_at\nincremental_id_key: film_id\n",
    )

    assert (films.type, films.mode, films.deletes) == (PipelineType.PYTHON, Mode.FULL, Deletes.HARD)
    assert (films.strategy.value, films.null_key.value, films.enabled) == ("overlap", "error", False)
    assert (films.overlap_seconds, films.dlq_max_ratio) == (Decimal("2.5"), Decimal("0.25"))
    assert (films.batch_size, films.throttle_ms, films.dlq_max_rows) == (50, 10, 5)
    assert (films.incremental_key, films.incremental_id_key, films.unique_key) == ("updated_at", "film_id", "film_id")
    assert (films.description, films.python_module, films.cron) == ("All films", "normalize_title", "0 5 * * 1-5")


def test_tasks_stand_in_the_order_of_the_list_unless_they_say_otherwise(tmp_path: Path) -> None:
    (films,) = declared(
        tmp_path,
        "name: films\ntarget_table: analytics.film_dim\ntasks:\n"
        "  - {task_type: SQL, body: select 1}\n"
        "  - {task_type: PYTHON, body: normalize_title, order_index: 20, target_table: 'es:film_dim'}\n",
    )

    assert [(task.order_index, task.task_type) for task in films.tasks] == [(1, TaskType.SQL), (20, TaskType.PYTHON)]
    assert (films.reader_query, films.transforms, films.target) == ("select 1", ("normalize_title",), "es:film_dim")


def test_a_file_may_list_several_pipelines_and_a_folder_is_read_by_name(tmp_path: Path) -> None:
    item = "\n  - {name: %s, target_table: 'es:film_dim', source_query: select 1}"
    declared(tmp_path, f"pipelines:{item % 'zoo'}{item % 'bar'}\n", file="a.yml")
    declared(tmp_path, ONE, file="b.yaml")
    (tmp_path / "notes.txt").write_text("not: [yaml", encoding="utf-8")

    assert [one.name for one in read_pipelines(tmp_path)] == ["zoo", "bar", "films"]


def test_a_folder_without_files_declares_nothing(tmp_path: Path) -> None:
    assert read_pipelines(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        (ONE + "bath_size: 5\n", "bath_size", "did you mean 'batch_size'"),
        (ONE + "mode: partial\n", "mode", "full, incremental"),
        (ONE + 'batch_size: "5"\n', "batch_size", "whole number"),
        (ONE + "batch_size: true\n", "batch_size", "whole number"),
        (ONE + "batch_size: 60000\n", "batch_size", "1 to 50,000"),
        (ONE + "throttle_ms: 60001\n", "throttle_ms", "0 to 60,000"),
        (ONE + "overlap_seconds: -1\n", "overlap_seconds", "decimal number from 0"),
        (ONE + "overlap_seconds: .inf\n", "overlap_seconds", "decimal number from 0"),
        (ONE + "overlap_seconds: soon\n", "overlap_seconds", "decimal number from 0"),
        (ONE + "overlap_seconds: true\n", "overlap_seconds", "decimal number from 0"),
        (ONE + "dlq_max_ratio: 1.5\n", "dlq_max_ratio", "0 to 1"),
        (ONE + "dlq_max_rows: -1\n", "dlq_max_rows", "whole number from 0"),
        (ONE + "cron: hourly\n", "cron", "five fields"),
        (ONE + "cron: 0 0 31 2 *\n", "cron", "no day 31 ever comes in month 2"),
        (ONE + "enabled: perhaps\n", "enabled", "true or false"),
        (ONE.replace("analytics.film_dim", "analytics.films"), "target_table", "'analytics.films' is not allowed"),
        (ONE.replace("name: films", "name: fi"), "name", "3 to 64"),
        (ONE.replace("source_query", "description"), "source_query", "no query to read from"),
        (ONE + "mode: incremental\n", "incremental_key, incremental_id_key", "required for mode incremental"),
        (ONE + "tasks: []\n", "tasks", "at least one block"),
        (ONE + "tasks: [{task_type: R, body: x}]\n", "tasks[0].task_type", "SQL"),
        (ONE + "tasks: [{task_type: SQL, body: select 1, sql: x}]\n", "tasks[0].sql", "unknown key"),
        (ONE + "tasks: [{task_type: PYTHON, body: normalize_title}]\n", "tasks[1]", "the first task must be SQL"),
        ("pipelines: []\n", "pipelines", "at least one block"),
        ("pipelines: [{name: films}]\n", "pipelines[0].target_table", "missing"),
        ("pipelines: [{name: films}]\nname: films\n", "name", "unknown key"),
        (f"pipelines:\n  - {ONE.replace(chr(10), chr(10) + '    ')}mode: incremental\n", None, "pipelines[0].inc"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_key(tmp_path: Path, text: str, field: str | None, words: str) -> None:
    error = refusal(tmp_path, text)

    assert field in (None, error.field)
    assert words in str(error)
    assert error.exit_code == 2


def test_a_name_stands_once_in_a_folder(tmp_path: Path) -> None:
    declared(tmp_path, ONE, file="a.yml")
    declared(tmp_path, ONE, file="b.yml")

    with pytest.raises(ConfigError, match=r"in a\.yml it stands already") as caught:
        read_pipelines(tmp_path)

    assert caught.value.file == str(tmp_path / "b.yml")


def test_a_name_stands_once_in_a_file(tmp_path: Path) -> None:
    item = "\n  - {name: films, target_table: 'es:film_dim', source_query: select 1}"

    assert "in this file it stands already" in str(refusal(tmp_path, f"pipelines:{item}{item}\n"))


@pytest.mark.parametrize(
    "cron",
    [
        "* * * * *",
        "*/15 6-20 * * 1-5",
        "0,30 0 1,15 */3 7",
        "5/10 0 31 12 0",
        "0 0 29 2 *",
        "0 0 31 2-3 *",
        "0 0 31 2/2 *",
        "0 0 31,5 2 *",
        "0 0 5-31 2 *",
        "0 0 30 */2 *",
    ],
)
def test_cron_lines_that_are_one(cron: str) -> None:
    assert cron_problem(cron) is None
    assert ScheduleDefinition(name="films", cron_schedule=cron, job_name="films").cron_schedule == cron


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 1", "0 0 31 4/5 *", "0 0 30-31 2 *"])
def test_days_that_never_come_are_refused(cron: str) -> None:
    assert "ever comes" in (cron_problem(cron) or "")


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no weekday"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("20-10 * * * *", "'20-10' is no minute"),
        ("0 0 * * mon", "'mon' is no weekday"),
        ("1, * * * *", "'1,' is no minute"),
    ],
)
def test_cron_lines_that_are_none(cron: str, words: str) -> None:
    assert words in (cron_problem(cron) or "")
