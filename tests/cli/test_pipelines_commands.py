"""`wdh pipelines`: the same answers from the database and from the API, and the API as a process."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.hub import Answer, Hub
from tests.patience import until
from tests.pipeline_api import BASE, FILM_QUERY, film_pipeline, served_api, told

from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

TOKEN = "canary-4f1c9a77e2-api-token"
FILMS = f"""
pipelines:
  - name: film_dim
    target_table: analytics.film_dim
    source_query: {FILM_QUERY}
    cron: "0 * * * *"
  - name: film_inc
    target_table: es:film_dim
    mode: incremental
    incremental_key: updated_at
    incremental_id_key: film_id
    overlap_seconds: 0.1
    tasks:
      - task_type: SQL
        body: {FILM_QUERY}
      - task_type: PYTHON
        body: normalize_title
"""


@pytest.fixture
def films(hub: Hub) -> str:
    """A file that declares two pipelines."""
    return written(hub, FILMS)


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url), token=TOKEN) as client:
        yield client


def written(hub: Hub, text: str) -> str:
    path = hub.home / "films.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def pipelines(hub: Hub, *arguments: str, **extra: str) -> Answer:
    return hub.wdh("pipelines", *arguments, **extra)


def over(api: httpx.Client, hub: Hub, *arguments: str) -> Answer:
    answer = pipelines(hub, *arguments, "--api", str(api.base_url), WDH_API_TOKEN=TOKEN, DATABASE_URL="")
    assert TOKEN not in f"{answer.stdout}{answer.stderr}"
    return answer


def test_a_file_is_applied_once(hub: Hub, films: str) -> None:
    planned = pipelines(hub, "apply", films, "--dry-run")
    assert (planned.code, pipelines(hub, "list").stdout.splitlines()[0]) == (0, "there are no pipelines yet")
    made = pipelines(hub, "apply", films)
    again = pipelines(hub, "apply", films, "--report", "json")

    assert "PLAN — nothing was written" in planned.stdout
    assert [line.split()[:2] for line in made.stdout.splitlines()[1:3]] == [
        ["create", "film_dim"],
        ["create", "film_inc"],
    ]
    assert [(one["name"], one["action"]) for one in again.report["pipelines"]] == [
        ("film_dim", "unchanged"),
        ("film_inc", "unchanged"),
    ]


def test_what_differs_from_the_file_is_changed(hub: Hub, films: str) -> None:
    pipelines(hub, "apply", films)
    changed = pipelines(hub, "apply", written(hub, FILMS.replace("0 * * * *", "5 * * * *")), "--report", "json")

    assert changed.report["pipelines"] == [
        {"name": "film_dim", "action": "change", "fields": ["cron"]},
        {"name": "film_inc", "action": "unchanged", "fields": []},
    ]
    assert pipelines(hub, "show", "film_dim", "--report", "json").report["pipeline"]["cron"] == "5 * * * *"


def test_a_list_shows_when_each_pipeline_is_to_run(hub: Hub, films: str) -> None:
    pipelines(hub, "apply", films)
    head, film_dim, film_inc = pipelines(hub, "list").stdout.splitlines()

    assert head.split()[-1] == "cron"
    assert film_dim.endswith("yes      0 * * * *")
    assert film_inc.endswith("yes")


def test_a_cron_says_what_is_left_to_do_for_its_schedule(hub: Hub, api: httpx.Client, films: str) -> None:
    made = pipelines(hub, "apply", films)
    changed = over(api, hub, "apply", written(hub, FILMS.replace("0 * * * *", "5 * * * *")), "--report", "json")
    untouched = pipelines(hub, "apply", written(hub, FILMS.replace("0 * * * *", "5 * * * *").replace("0.1", "0.2")))

    (line,) = [line for line in made.stdout.splitlines() if line.startswith("note")]
    assert line.startswith("note  film_dim: cron: Dagster makes schedules of the files in config/pipelines alone")
    ((told,),) = [one["notes"] for one in changed.report["notes"]]
    assert told == line.removeprefix("note  film_dim: ")
    assert "note" not in untouched.stdout


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("incremental_key: updated_at", "incremental_key: changed_at", "changed_at is not a column of the query"),
        ("target_table: es:film_dim", "target_table: es:films", "target_table 'es:films' is not allowed"),
        ("mode: incremental", "mood: incremental", "mood"),
    ],
)
def test_one_wrong_pipeline_lets_none_be_written(hub: Hub, before: str, after: str, said: str) -> None:
    refused = pipelines(hub, "apply", written(hub, FILMS.replace(before, after)))

    assert refused.code == 2
    assert said in refused.stderr
    assert "films.yml" in refused.stderr
    assert pipelines(hub, "list", "--report", "json").report["pipelines"] == []


def test_what_only_the_database_knows_names_pipeline_and_file(hub: Hub, api: httpx.Client, films: str) -> None:
    wrong = written(hub, FILMS.replace("content.film_work\n      - task", "content.films\n      - task"))
    planned = pipelines(hub, "apply", wrong, "--dry-run")

    for answer in (planned, pipelines(hub, "apply", wrong), over(api, hub, "apply", wrong)):
        assert answer.code == 2
        assert f"{wrong}: pipeline 'film_inc': source_query: relation \"content.films\"" in answer.stderr


def test_what_runs_is_not_changed(hub: Hub, films: str, warehouse: Connection) -> None:
    pipelines(hub, "apply", films)
    pipelines(hub, "run", "film_dim")
    refused = pipelines(hub, "apply", written(hub, FILMS.replace("0 * * * *", "5 * * * *")))

    assert refused.code == 6
    assert "films.yml: Cannot update pipeline film_dim while it is RUN_REQUESTED" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "film_inc"],
        ["runs", "film_dim"],
        ["dlq", "film_dim"],
        ["watch", "film_dim", "--times", "2", "--every", "0.05"],
        ["pause", "film_dim"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("report", ["text", "json"])
def test_database_and_api_answer_alike(
    hub: Hub, api: httpx.Client, films: str, warehouse: Connection, arguments: list[str], report: str
) -> None:
    pipelines(hub, "apply", films)
    _history(warehouse)
    # Paused already, so that both find the same.
    told(warehouse, "update etl.etl_pipelines set status = 'PAUSED'")
    direct = pipelines(hub, *arguments, "--report", report)
    remote = over(api, hub, *arguments, "--report", report)

    assert (direct.code, direct.stderr) == (remote.code, remote.stderr)
    assert direct.stdout == remote.stdout
    assert direct.stdout


def test_a_file_is_applied_through_the_api(hub: Hub, api: httpx.Client, films: str) -> None:
    made = over(api, hub, "apply", films, "--report", "json")
    again = over(api, hub, "apply", films, "--report", "json")
    changed = over(api, hub, "apply", written(hub, FILMS.replace("0.1", "0.25")), "--report", "json")

    assert [one["action"] for one in made.report["pipelines"]] == ["create", "create"]
    assert [one["action"] for one in again.report["pipelines"]] == ["unchanged", "unchanged"]
    assert changed.report["pipelines"][1]["fields"] == ["overlap_seconds"]
    assert [one["overlap_seconds"] for one in api.get(BASE).json()] == [60.0, 0.25]


def test_refusals_through_the_api_are_the_same_errors(hub: Hub, api: httpx.Client) -> None:
    wrong = written(hub, FILMS.replace("incremental_key: updated_at", "incremental_key: changed_at"))

    for answer in (pipelines(hub, "apply", wrong), over(api, hub, "apply", wrong)):
        assert answer.code == 2
        assert "changed_at is not a column of the query" in answer.stderr


def test_a_request_says_who_does_the_work(hub: Hub, films: str) -> None:
    pipelines(hub, "apply", films)

    assert (
        pipelines(hub, "run", "film_dim")
        .stdout.splitlines()[1]
        .startswith("next: wdh pipelines watch film_dim; a runner")
    )


def test_an_unknown_name_proposes_one(hub: Hub, films: str) -> None:
    unknown = pipelines(hub, "show", "film_dim")
    assert "`wdh pipelines apply FILE` makes the first" in unknown.stderr
    pipelines(hub, "apply", films)
    refused = pipelines(hub, "run", "film_dimm")

    assert refused.code == 2
    assert "did you mean 'film_dim'?" in refused.stderr


def test_a_disabled_pipeline_is_not_run(hub: Hub, api: httpx.Client) -> None:
    assert api.post(BASE, json=film_pipeline(enabled=False)).status_code == 201

    for answer in (pipelines(hub, "run", "film_dim"), over(api, hub, "run", "film_dim")):
        assert answer.code == 2
        assert "the pipeline is disabled" in answer.stderr


def test_waiting_ends_with_the_run(hub: Hub, api: httpx.Client, films: str) -> None:
    pipelines(hub, "apply", films)
    assert pipelines(hub, "demo-data").code == 0
    with _runner(hub):
        good = pipelines(hub, "run", "film_dim", "--wait", "--key", "k1", "--report", "json")
        same = over(api, hub, "run", "film_dim", "--wait", "--key", "k1", "--report", "json")
        other = over(api, hub, "run", "film_dim", "--wait", "--report", "json")

    assert (good.code, good.report["run"]["status"], good.report["run"]["rows_read"]) == (0, "SUCCESS", 10)
    assert same.stdout == good.stdout
    assert (other.report["run"]["status"], other.report["run"]["trigger"]) == ("SUCCESS", "api")
    assert other.report["run"]["id"] != good.report["run"]["id"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["watch", "film_dim", "--every", "0.05"], 0, ""),
        (["run", "film_dim", "--wait"], 130, "stopped looking; what was requested stands"),
    ],
    ids=["watch", "wait"],
)
def test_ctrl_c_ends_the_looking_and_nothing_else(
    hub: Hub, films: str, warehouse: Connection, arguments: list[str], code: int, said: str
) -> None:
    pipelines(hub, "apply", films)
    if arguments[0] == "watch":
        pipelines(hub, "run", "film_dim")
    process = subprocess.Popen(
        hub.command("pipelines", *arguments),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    looks = "select count(*) from pg_stat_activity where application_name = 'wdh pipelines'"
    asked = "select count(*) from etl.etl_pipelines where status = 'RUN_REQUESTED'"
    until(lambda: told(warehouse, looks) != [(0,)] and told(warehouse, asked) != [(0,)])
    if arguments[0] == "watch":
        assert process.stdout is not None
        assert process.stdout.readline().startswith("film_dim  RUN_REQUESTED")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)

    assert (process.returncode, stderr.partition(",")[0].strip()) == (code, said)
    assert told(warehouse, asked) == [(1,)]


def test_a_failed_run_is_exit_1_and_says_why(hub: Hub, films: str, warehouse: Connection) -> None:
    pipelines(hub, "apply", films)
    told(warehouse, "alter table content.film_work rename to film_work_gone")
    with _runner(hub):
        failed = pipelines(hub, "run", "film_dim", "--wait")

    assert failed.code == 1
    assert "FAILED" in failed.stdout
    assert "film_work" in failed.stderr


def test_an_api_that_is_not_there_is_named(hub: Hub) -> None:
    refused = pipelines(hub, "list", "--api", "http://127.0.0.1:9")

    assert refused.code == 2
    assert "no pipelines API answers at http://127.0.0.1:9" in refused.stderr


def test_a_wrong_token_is_named_and_not_shown(hub: Hub, api: httpx.Client) -> None:
    refused = pipelines(hub, "list", "--api", str(api.base_url), WDH_API_TOKEN="another-canary-token")

    assert refused.code == 2
    assert "WDH_API_TOKEN" in refused.stderr
    assert "another-canary-token" not in refused.stderr


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "127.0.0.1:8000", "http://user:canary@host", "http://[::1"],  # pragma: allowlist secret
)
def test_the_url_of_an_api_is_checked_and_not_shown(hub: Hub, url: str) -> None:
    refused = pipelines(hub, "list", "--api", url)

    assert refused.code == 2
    assert "not the URL of an API" in refused.stderr
    assert "canary" not in refused.stderr


def test_the_token_does_not_travel_in_the_clear_outside_dev(hub: Hub) -> None:
    settings = {"ENVIRONMENT": "staging", "WDH_ALIAS_SALT": "salt-of-this-test", "WDH_API_TOKEN": TOKEN}
    refused = pipelines(hub, "list", "--api", "http://pipelines.example:8000", **settings)

    assert refused.code == 2
    assert "could be read on its way" in refused.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_token_nobody_else_is_served(hub: Hub, host: str) -> None:
    refused = pipelines(hub, "serve", "--host", host, "--port", "0")

    assert refused.code == 2
    assert "Field: WDH_API_TOKEN" in refused.stderr


def test_a_database_of_another_version_is_not_served(hub: Hub, warehouse: Connection) -> None:
    told(warehouse, "update public.wdh_alembic_version set version_num = '0001'")
    refused = hub.process("pipelines", "serve", "--port", "0")

    assert refused.code == 5
    assert "wdh db migrate" in refused.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_api_is_served_until_it_is_told_to_end(hub: Hub, ending: signal.Signals) -> None:
    with _serving(hub, WDH_API_TOKEN=TOKEN) as (process, url):
        health = httpx.get(f"{url}/health", trust_env=False)
        stranger = httpx.get(f"{url}{BASE}", trust_env=False)
        known = httpx.get(f"{url}{BASE}", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
        process.send_signal(ending)
        said = process.communicate(timeout=30)

    assert [answer.status_code for answer in (health, stranger, known)] == [200, 401, 200]
    assert process.returncode == 0
    assert said == ("", "")


def test_a_port_in_use_is_exit_2(hub: Hub, api: httpx.Client) -> None:
    refused = hub.process("pipelines", "serve", "--port", str(api.base_url.port))

    assert refused.code == 2
    assert "Field: --port" in refused.stderr


def test_the_api_starts_before_its_database(hub: Hub) -> None:
    away = "postgresql://wdh:secret-canary@127.0.0.1:9/wdh"  # pragma: allowlist secret
    with _serving(hub, DATABASE_URL=away) as (process, url):
        answer = httpx.get(f"{url}/health", trust_env=False)
        process.terminate()
        _, stderr = process.communicate(timeout=30)

    assert answer.status_code == 503
    assert "secret-canary" not in answer.text + stderr


@contextmanager
def _serving(hub: Hub, **extra: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with hub.started("pipelines", "serve", "--port", "0", settings=extra, stdout=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.fullmatch(r"wdh pipelines serve: (http://127\.0\.0\.1:\d+)\n", line):
                yield process, found[1]
                return
        raise AssertionError("it ended before it answered")


@contextmanager
def _runner(hub: Hub) -> Iterator[None]:
    """A runner as users start it."""
    with hub.started("pipelines", "runner", settings={"ETL_POLL_SECONDS": "0.2"}) as process:
        assert process.stderr is not None
        assert any("ready as" in line for line in process.stderr)
        yield


def _history(warehouse: Connection) -> None:
    """A finished run, a running checkpoint and a dead letter, all of film_dim and film_inc."""
    told(
        warehouse,
        "insert into etl.etl_runs (pipeline_id, status, started_at, finished_at, rows_read, rows_written, warnings)"
        " select id, 'SUCCESS', '2026-11-21T01:00:00.123456Z', '2026-11-21T01:00:01Z', 3, 2, '[\"one is slow\"]'"
        " from etl.etl_pipelines",
    )
    told(
        warehouse,
        "insert into etl.etl_dlq (pipeline_id, target, key, payload, fingerprint, sqlstate, error)"
        " select id, target_table, '9', '{\"film_id\": \"9\", \"rating\": 1.50}', 'f', '22P02', 'no uuid'"
        " from etl.etl_pipelines",
    )
    told(
        warehouse,
        "insert into etl.etl_state (pipeline_id, last_processed_value, last_processed_id)"
        " select id, '2026-11-21T00:00:00Z', '9' from etl.etl_pipelines where name = 'film_inc'",
    )


def test_a_replay_is_done_at_once_or_asked_of_a_runner(
    hub: Hub, api: httpx.Client, films: str, warehouse: Connection
) -> None:
    pipelines(hub, "apply", films)
    _history(warehouse)
    asked = over(api, hub, "dlq", "film_dim", "--replay")
    done = pipelines(hub, "dlq", "film_dim", "--replay")

    first, second, third, *rows = asked.stdout.splitlines()
    assert first == "  requested 1"
    assert second.startswith("  a runner writes them as soon as nothing of the pipeline runs")
    assert re.search(rf"{re.escape(str(api.base_url))}/?api/v1/pipelines/[0-9a-f-]+/events$", third)
    assert rows[0].split()[:5] == ["id", "set", "aside", "replay", "asked"]
    assert done.stdout.splitlines()[0] == "  replayed 0 · refused 1 · superseded 0"
    assert (asked.code, done.code) == (0, 0)


def test_a_folder_that_declares_nothing_is_refused(hub: Hub, tmp_path: Path) -> None:
    refused = pipelines(hub, "apply", str(tmp_path / "nothing"))
    (tmp_path / "nothing").mkdir()
    empty = pipelines(hub, "apply", str(tmp_path / "nothing"))

    assert (refused.code, empty.code) == (2, 2)
    assert "there is no such file or folder" in refused.stderr
    assert "no pipeline is declared in nothing" in empty.stderr
