"""The validation document: every target is there, answers on a running stack, and leaves nothing running."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tests.hub import PROJECT
from tests.validation.checks import above_zero, equal, table
from tests.validation.definitions import CREATES, films_query, ratings_query
from tests.validation.desk import Desk, until
from tests.validation.processes import Background
from tests.validation.stack import Stack
from tests.validation.targets import TARGETS
from tests.validation.validate import own_stack
from tests.validation.variables import Variables, variables_of

from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import Connection

Answer = Callable[..., str]

NAMES = [
    "build",
    "up",
    "down",
    "down-v",
    "restart",
    "ps",
    "logs",
    "logs-runner",
    "alembic-up",
    "api-health",
    "api-list",
    "api-get",
    "api-get-brief",
    "api-runs",
    "api-run",
    "api-pause",
    "api-run-and-pause",
    "api-watch-status",
    "api-run-parallel2",
    "api-runs-delta2",
    "api-create-sql-film-dim",
    "api-create-sql-film-dim-slow",
    "api-create-sql-film-dim-inc",
    "api-create-sql-film-dim-inc-slow",
    "api-create-sql-film-rating-agg",
    "api-create-sql-film-rating-agg-slow",
    "api-create-es-film-dim",
    "api-create-es-film-rating-agg",
    "api-create-es-film-rating-agg-slow",
    "api-create-python-film-dim",
    "api-create-tasks-film-dim-full",
    "api-create-tasks-film-dim-inc",
    "db-tasks-clear",
    "db-tasks-film-dim-full",
    "db-tasks-film-dim-inc",
    "db-set-inc-id-key",
    "db-counts",
    "db-reset-demo",
    "db-pipe",
    "db-last-run",
    "db-inc-state",
    "db-hide-film-dim",
    "db-unhide-film-dim",
    "db-touch-filmwork-one",
    "test-retry-flip-film-dim",
    "es-demo",
]
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
FAST = [name for name in CREATES if "slow" not in name and "tasks" not in name]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with own_stack() as own:
        own.up()
        yield own


@pytest.fixture
def desk(stack: Stack) -> Desk:
    """The stack without any pipeline."""
    desk = Desk(stack=stack)
    desk.rows("truncate etl.etl_pipelines, analytics.film_dim, analytics.film_rating_agg cascade")
    return desk


@pytest.fixture
def answer(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Answer:
    """What a target prints."""

    def asked(target: str, **given: Any) -> str:
        capsys.readouterr()
        TARGETS[target](desk, replace(Variables(), **given))
        return capsys.readouterr().out

    return asked


@pytest.mark.unit
@pytest.mark.parametrize("name", NAMES)
def test_every_target_stands_in_the_makefile_and_in_the_module(name: str) -> None:
    assert re.search(rf"^{re.escape(name)}: \$\(V\); \$\(ASK\) \$@ ## \w", MAKEFILE, re.MULTILINE)
    assert name in TARGETS


@pytest.mark.unit
def test_no_target_is_left_out_of_the_makefile() -> None:
    assert set(TARGETS) == set(NAMES)
    assert len(MAKEFILE.splitlines()) <= 130


@pytest.mark.unit
def test_the_makefile_has_the_defaults_of_the_module() -> None:
    given = dict(re.findall(r"^export ([A-Z_]+) :=[ ]?(.*)$", MAKEFILE, re.MULTILINE))
    assert {name.lower() for name in given} == {one.name for one in fields(Variables)}
    assert variables_of(given) == Variables()


@pytest.mark.unit
@pytest.mark.parametrize("text", ["many", "-1", "nan", "inf"])
def test_a_variable_that_is_no_number_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UsageError, match="Field: SLEEP"):
        variables_of({"SLEEP": text})


@pytest.mark.unit
@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("INC_ID_KEY", "film id", "letters, digits and _"),
        ("INC_ID_KEY", "id; drop table", "letters, digits and _"),
        ("KEY", "1st", "letters, digits and _"),
        ("MODE", "partial", "full or incremental"),
        ("NAME", "a b", "3 to 64 letters"),
    ],
)
def test_a_variable_that_cannot_be_is_refused_with_what_is_allowed(name: str, text: str, allowed: str) -> None:
    with pytest.raises(UsageError, match=rf"Field: {name} .*rule .*{allowed}"):
        variables_of({name: text})


@pytest.mark.unit
def test_a_check_that_does_not_hold_is_marked() -> None:
    lines = list(table([equal("rows", 3, 3), equal("长江", 2, 3), above_zero("read", 4, 0)]))
    assert [line.split()[0] for line in lines[1:]] == ["✓", "✗", "✗"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "statement",
    [
        films_query(sleep_seconds=0.001),
        films_query(key="updated_at", sleep_seconds=0.001),
        ratings_query(sleep_seconds=0.001),
    ],
)
def test_slow_queries_sleep_once_a_row(warehouse: Connection, statement: str) -> None:
    with warehouse.cursor() as cursor:
        seed_films(cursor, scale=0)
        cursor.execute("update content.film_work set title = 'the same'")
        cursor.execute("analyze content.film_work, ugc.ratings")
        cursor.execute(f"explain (analyze, format json) {statement}")
        ((plan,),) = cursor.fetchall()
    sleeps = [node for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Result"]
    assert [node["Actual Loops"] for node in sleeps] == [10]


@pytest.mark.integration
def test_the_slow_incremental_query_gives_rows_before_all_have_slept(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        seed_films(cursor, scale=0)
        query = films_query(key="updated_at", sleep_seconds=0.001)
        cursor.execute(f"explain (format json) select * from ({query}) as source order by updated_at, film_id")
        ((plan,),) = cursor.fetchall()
    assert plan[0]["Plan"]["Node Type"] == "Nested Loop"


@pytest.mark.integration
def test_a_stack_answers_and_shows_itself(stack: Stack, answer: Answer) -> None:
    assert answer("api-health").count('{"status": "ok"}') == 2
    assert answer("alembic-up").startswith("migration: 0")
    shown = answer("ps")
    assert stack.api_url in shown
    assert f"process {stack.runner.pid()}" in shown
    assert "wdh pipelines serve: http://127.0.0.1:" in answer("logs")
    assert "wdh pipelines runner: ready as" in answer("logs-runner")


@pytest.mark.integration
@pytest.mark.parametrize("target", FAST)
def test_what_a_target_creates_runs(answer: Answer, target: str) -> None:
    made = json.loads(answer(target, batch=4))
    assert (made["status"], made["batch_size"]) == ("IDLE", 4)

    answer("api-run", id=made["name"])
    run = json.loads(answer("db-last-run", id=made["name"]))
    assert (run["status"], run["rows_read"], run["rows_written"], run["error_message"]) == ("SUCCESS", 10, 10, None)


@pytest.mark.integration
@pytest.mark.parametrize("target", [name for name in CREATES if "slow" in name])
def test_what_a_slow_target_creates_can_be_paused_and_resumed(desk: Desk, answer: Answer, target: str) -> None:
    made = json.loads(answer(target, batch=1, sleep=0.2))

    assert "RUN_REQUESTED" in answer("api-run-and-pause", id=made["name"], delay=0.0)
    assert desk.at_rest(made["id"]) == "PAUSED"
    desk.rows("update etl.etl_pipelines set batch_size = 100 where id = %s", made["id"])
    assert desk.run_to_end(made["id"])["status"] == "SUCCESS"


@pytest.mark.integration
def test_one_pipeline_is_looked_at_from_all_sides(answer: Answer) -> None:
    made = json.loads(answer("api-create-sql-film-dim-inc"))
    name = "film_dim_sql_inc"
    assert [one["name"] for one in json.loads(answer("api-list"))] == [name]
    assert json.loads(answer("api-get", id=made["id"])) == made
    assert set(json.loads(answer("api-get-brief", id=name))) == {
        "id", "name", "status", "mode", "type", "batch_size", "target_table",
    }  # fmt: skip
    assert answer("db-pipe", id=name) == f"{made['id']}  {name}  IDLE\n"
    assert answer("api-watch-status", id=name, n=3, dt=0.0) == f"{made['id']}  {name}  IDLE\n" * 3
    assert json.loads(answer("db-last-run", id=name)) is None
    assert json.loads(answer("api-pause", id=name))["status"] == "PAUSED"
    assert json.loads(answer("api-runs", id=name)) == []


@pytest.mark.integration
def test_the_checkpoint_follows_a_touched_film(answer: Answer) -> None:
    answer("api-create-sql-film-dim-inc")
    answer("api-run", id="film_dim_sql_inc")
    answer("db-last-run", id="film_dim_sql_inc")
    assert json.loads(answer("db-set-inc-id-key", id="film_dim_sql_inc"))["incremental_id_key"] == "film_id"

    film, _ = answer("db-touch-filmwork-one").split()
    answer("api-run", id="film_dim_sql_inc")
    assert json.loads(answer("db-last-run", id="film_dim_sql_inc"))["rows_read"] == 1
    assert json.loads(answer("db-inc-state", id="film_dim_sql_inc"))["last_processed_id"] == film


@pytest.mark.integration
def test_two_requests_at_once_are_one_run(answer: Answer) -> None:
    answer("api-create-sql-film-dim")
    assert json.loads(answer("api-runs-delta2", id="film_dim_sql"))["delta"] == 1
    assert len(answer("api-run-parallel2", id="film_dim_sql").splitlines()) == 2
    answer("db-last-run", id="film_dim_sql")
    assert len(json.loads(answer("api-runs", id="film_dim_sql"))) == 2


@pytest.mark.integration
@pytest.mark.parametrize("word", ["full", "inc"])
def test_tasks_are_given_and_taken(answer: Answer, word: str) -> None:
    name = json.loads(answer(f"api-create-tasks-film-dim-{word}", name="tasks"))["name"]
    given = json.loads(answer(f"db-tasks-film-dim-{word}", id=name))
    assert [task["task_type"] for task in given] == ["SQL", "PYTHON"]

    answer("api-run", id=name)
    assert json.loads(answer("db-last-run", id=name))["status"] == "SUCCESS"
    assert json.loads(answer("db-tasks-clear", id=name)) == []


@pytest.mark.integration
def test_marts_are_counted_hidden_and_emptied(desk: Desk, answer: Answer) -> None:
    answer("api-create-sql-film-dim")
    answer("api-run", id="film_dim_sql")
    answer("db-last-run", id="film_dim_sql")
    assert re.search(r"analytics.film_dim +10\n", answer("db-counts"))

    answer("db-hide-film-dim")
    assert re.search(r"analytics.film_dim +10\n", answer("db-counts"))
    answer("db-hide-film-dim")
    answer("db-unhide-film-dim")
    assert set(re.findall(r"(\d+)\n", answer("db-reset-demo"))) == {"0"}
    assert len(json.loads(answer("api-list"))) == 1


@pytest.mark.integration
def test_a_target_that_is_away_for_a_while_is_waited_for(answer: Answer) -> None:
    answer("api-create-sql-film-dim")
    run = json.loads(answer("test-retry-flip-film-dim", id="film_dim_sql").split("\n", 1)[1])
    assert (run["status"], run["rows_written"]) == ("SUCCESS", 10)


@pytest.mark.integration
def test_documents_are_shown(answer: Answer) -> None:
    answer("api-create-es-film-dim")
    answer("api-run", id="film_dim_es")
    answer("db-last-run", id="film_dim_es")
    shown = json.loads(answer("es-demo"))
    assert (shown["count"], len(shown["hits"])) == (10, 3)


@pytest.mark.integration
@pytest.mark.parametrize("id", ["", "no_such_pipeline"])
def test_a_pipeline_that_is_not_there_is_asked_for_by_id(answer: Answer, id: str) -> None:
    with pytest.raises(UsageError, match="Field: ID"):
        answer("api-run", id=id)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("target", "given", "said"),
    [
        ("db-set-inc-id-key", {"inc_id_key": "film"}, "film is not a column of the query, which has film_id, title"),
        ("db-tasks-film-dim-inc", {"key": "changed_at"}, "changed_at is no column of content.film_work"),
    ],
)
def test_a_key_that_is_no_column_is_not_written_past_the_api(
    answer: Answer, target: str, given: dict[str, str], said: str
) -> None:
    for create, name in (
        ("api-create-sql-film-dim-inc", "film_dim_sql_inc"),
        ("api-create-sql-film-dim", "film_dim_sql"),
    ):
        answer(create)
        with pytest.raises(UsageError, match=said):
            answer(target, id=name, **given)
        assert json.loads(answer("api-get", id=name))["incremental_id_key"] in ("film_id", None)
        assert json.loads(answer("api-get", id=name))["tasks"] == []


@pytest.mark.integration
def test_what_the_api_refuses_is_told_with_its_code(answer: Answer) -> None:
    answer("api-create-sql-film-dim")
    with pytest.raises(WorkDataHubError, match=r"400 .*Pipeline with this name already exists"):
        answer("api-create-sql-film-dim")


@pytest.mark.integration
def test_a_stack_is_restarted_stopped_and_forgotten() -> None:
    with own_stack() as stack:
        stack.up(scale=5)
        desk = Desk(stack=stack)
        desk.create(CREATES["api-create-sql-film-dim"](Variables()))
        before = (stack.api.pid(), stack.runner.pid())
        url = stack.api_url
        stack.restart()
        assert not {stack.api.pid(), stack.runner.pid()} & {*before, None}
        assert stack.api_url == url
        assert len(desk.told("GET", "/api/v1/pipelines")) == 1

        stack.down(is_forgetting=True)
        assert is_still(stack)
        stack.up()
        assert desk.told("GET", "/api/v1/pipelines") == []
        assert desk.rows("select count(*) from content.film_work") == [(10,)]
    assert is_still(stack)
    assert not stack.home.exists()


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing_running(end: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="wdh-home-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        stack = Stack(home=home)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.validation", "up"],
            cwd=PROJECT,
            env=os.environ | {"WDH_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: stack.api.pid() or process.poll(), bool, what="the API's process")
            process.send_signal(end)
            assert process.wait(120) == 130
            assert is_still(stack)
        finally:
            process.kill()
            process.wait()
            stack.down()
            EmbeddedPostgres(home).stop()


@pytest.mark.integration
def test_without_a_stack_a_target_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.validation", "api-list"],
        cwd=PROJECT,
        env=os.environ | {"WDH_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "make up" in done.stderr


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def is_still(stack: Stack) -> bool:
    """Whether nothing of the stack runs."""
    programs = [stack.api, stack.runner, Background(name="runner-2", folder=stack.folder)]
    return not any(program.pid() for program in programs) and not EmbeddedPostgres(stack.home).is_running()
