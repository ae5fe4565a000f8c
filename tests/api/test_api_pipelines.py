"""Pipelines declared over HTTP: what is taken, what is refused, and in which words."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.pipeline_api import BASE, FILM_QUERY, created, film_pipeline, served_api, stands_as, told

from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

NOBODY = "00000000-0000-4000-8000-000000000000"
INCREMENTAL = {"mode": "incremental", "incremental_key": "updated_at", "incremental_id_key": "film_id"}


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url)) as client:
        yield client


def test_a_new_pipeline_is_idle_and_has_the_defaults(api: httpx.Client) -> None:
    made = created(api, name="  film_dim  ")

    expected: dict[str, Any] = {
        "name": "film_dim",
        "description": None,
        "type": "SQL",
        "mode": "full",
        "enabled": True,
        "status": "IDLE",
        "target_table": "analytics.film_dim",
        "batch_size": 1000,
        "source_query": FILM_QUERY,
        "python_module": None,
        "incremental_key": None,
        "incremental_id_key": None,
        "dlq_max_ratio": 0.1,
        "tasks": [],
    }
    assert {name: made[name] for name in expected} == expected
    assert api.get(f"{BASE}/{made['id']}").json() == made


def test_the_list_is_by_name_and_may_be_asked_for_one(api: httpx.Client) -> None:
    for name in ("film_b", "film_a", "film_c"):
        created(api, name=name)

    assert [one["name"] for one in api.get(BASE).json()] == ["film_a", "film_b", "film_c"]
    assert [one["name"] for one in api.get(BASE, params={"name": "film_b"}).json()] == ["film_b"]
    assert api.get(BASE, params={"name": "film_d"}).json() == []


def test_a_slash_at_the_end_changes_nothing_and_redirects_nobody(api: httpx.Client) -> None:
    made = api.post(f"{BASE}/", json=film_pipeline())

    assert made.status_code == 201
    assert api.get(f"{BASE}/").json() == [made.json()]
    assert api.post(f"{BASE}/{made.json()['id']}/run/").json()["status"] == "RUN_REQUESTED"


@pytest.mark.parametrize("target", ["analytics.film", "es:films", "public.etl_runs", "ANALYTICS.FILM_DIM"])
def test_a_target_that_is_not_allowed_is_named(api: httpx.Client, target: str) -> None:
    refused = api.post(BASE, json=film_pipeline(target_table=target))

    assert refused.status_code == 400
    assert refused.json() == {"detail": f"target_table '{target}' is not allowed"}
    assert api.get(BASE).json() == []


def test_a_target_with_blanks_around_it_is_allowed(api: httpx.Client) -> None:
    assert created(api, target_table=" analytics.film_dim ")["target_table"] == "analytics.film_dim"


def test_a_name_is_taken_once(api: httpx.Client) -> None:
    created(api)
    refused = api.post(BASE, json=film_pipeline())

    assert (refused.status_code, refused.json()) == (400, {"detail": "Pipeline with this name already exists"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "ab"},
        {"name": "a" * 65},
        {"name": "film dim"},
        {"name": None},
        {"batch_size": 0},
        {"batch_size": 50_001},
        {"batch_size": "100"},
        {"batch_size": True},
        {"mode": "partial"},
        {"type": "sql"},
        {"enabled": "yes"},
        {"colour": "red"},
        {"status": "RUNNING"},
        {"target_table": "  "},
        {"source_query": "select 1\u0000"},
        {"description": "\u0000"},
        {"dlq_max_ratio": 1.5},
        {"throttle_ms": -1},
        {"incremental_key": "updated at"},
        {"incremental_key": "1st"},
        {"python_module": "os; import sys"},
        {"tasks": [{"order_index": 1, "task_type": "SHELL", "body": "ls"}]},
    ],
    ids=str,
)
def test_fields_out_of_bounds_are_refused_by_name(api: httpx.Client, wrong: dict[str, Any]) -> None:
    refused = api.post(BASE, json=film_pipeline(**wrong))

    assert refused.status_code == 422
    (place,) = {entry["loc"][1] for entry in refused.json()["detail"]}
    assert place in wrong
    assert api.get(BASE).json() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "incremental"}, "incremental_key is required for mode incremental"),
        ({**INCREMENTAL, "incremental_id_key": None}, "incremental_id_key is required for mode incremental"),
        ({**INCREMENTAL, "incremental_id_key": "id"}, "id is not a column of the query"),
        ({"unique_key": "isbn"}, "isbn is not a column of the query"),
        ({"type": "PYTHON"}, "python_module is required for type PYTHON"),
        ({"type": "PYTHON", "python_module": "os.path"}, "not a registered transform"),
        ({"type": "ES"}, "type ES writes to an index"),
        ({"cron": "every day"}, "a schedule has five fields"),
        ({"source_query": None}, "there is no query to read from"),
        ({"source_query": "select film_id from content.nowhere"}, "nowhere"),
        ({"source_query": "select 1 as film_id; drop table ugc.ratings"}, "source_query"),
        ({"source_query": "delete from ugc.ratings returning film_id"}, "source_query"),
        ({"source_query": "select pg_terminate_backend(1)"}, "pg_terminate_backend is not allowed"),
        ({"source_query": "select id, id from content.film_work"}, "names id twice"),
    ],
)
def test_broken_rules_are_told_in_a_sentence(api: httpx.Client, wrong: dict[str, Any], said: str) -> None:
    refused = api.post(BASE, json=film_pipeline(**wrong))

    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert api.get(BASE).json() == []


def test_tasks_stand_in_place_of_a_query(api: httpx.Client) -> None:
    tasks = [
        {"order_index": 30, "task_type": "PYTHON", "body": "normalize_title", "target_table": "es:film_dim"},
        {"order_index": 10, "task_type": "SQL", "body": FILM_QUERY},
    ]
    made = created(api, source_query=None, tasks=tasks)

    assert [task["order_index"] for task in made["tasks"]] == [10, 30]
    assert api.get(f"{BASE}/{made['id']}/tasks").json() == made["tasks"]


def test_a_tasks_target_is_checked_too(api: httpx.Client) -> None:
    refused = api.post(
        BASE,
        json=film_pipeline(
            tasks=[{"order_index": 1, "task_type": "SQL", "body": FILM_QUERY, "target_table": "ugc.ratings"}]
        ),
    )

    assert (refused.status_code, refused.json()["detail"]) == (400, "target_table 'ugc.ratings' is not allowed")


def test_validating_names_every_problem_and_creates_nothing(api: httpx.Client) -> None:
    answer = api.post(f"{BASE}/validate", json=film_pipeline(target_table="ugc.ratings", type="PYTHON"))

    assert answer.status_code == 200
    assert {problem["field"] for problem in answer.json()["problems"]} == {"target_table", "python_module"}
    assert api.post(f"{BASE}/validate", json=film_pipeline()).json() == {"problems": []}
    assert api.get(BASE).json() == []


def test_a_patch_changes_what_it_names(api: httpx.Client) -> None:
    made = created(api, description="films")
    changed = api.patch(f"{BASE}/{made['id']}", json={"batch_size": 5, "description": None, "overlap_seconds": 0.1})

    assert changed.status_code == 200
    differing = {name for name in made if made[name] != changed.json()[name]}
    assert differing == {"batch_size", "description", "overlap_seconds", "updated_at"}
    assert changed.json()["overlap_seconds"] == 0.1


def test_an_empty_patch_changes_nothing(api: httpx.Client) -> None:
    made = created(api)

    assert api.patch(f"{BASE}/{made['id']}", json={}).json() == made


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"target_table": "public.elsewhere"}, 400, "target_table 'public.elsewhere' is not allowed"),
        ({"name": "film_other"}, 400, "Pipeline with this name already exists"),
        ({"mode": "incremental"}, 422, "incremental_key is required"),
        ({"source_query": "select 1 as one", "unique_key": "film_id"}, 422, "film_id is not a column"),
        ({"name": None}, 422, "name"),
        ({"target_table": None}, 422, "target_table"),
        ({"batch_size": None}, 422, "batch_size"),
        ({"enabled": None}, 422, "enabled"),
        ({"status": "PAUSED"}, 422, "status"),
    ],
)
def test_a_patch_keeps_every_rule(api: httpx.Client, changes: dict[str, Any], code: int, said: str) -> None:
    created(api, name="film_other")
    made = created(api)
    refused = api.patch(f"{BASE}/{made['id']}", json=changes)

    assert refused.status_code == code
    assert said in str(refused.json()["detail"])
    assert api.get(f"{BASE}/{made['id']}").json() == made


def test_changes_at_the_same_time_lose_nothing(api: httpx.Client, warehouse: Connection) -> None:
    path = f"{BASE}/{created(api)['id']}"
    with warehouse.cursor() as cursor, ThreadPoolExecutor(1) as aside:
        # Whoever prepares a query of it waits.
        cursor.execute("lock table content.film_work in access exclusive mode")
        slow = aside.submit(lambda: api.patch(path, json={"unique_key": "film_id"}))
        waits: list[Any] = []
        while not waits:
            assert not slow.done()
            cursor.execute("select 1 from pg_locks where not granted")
            waits = cursor.fetchall()
        assert api.patch(path, json={"description": "films"}).status_code == 200
        warehouse.rollback()

    assert slow.result().status_code == 200
    assert {slow.result().json()[name] for name in ("unique_key", "description")} == {"film_id", "films"}


@pytest.mark.parametrize(
    "statuses", [["RUN_REQUESTED"], ["RUN_REQUESTED", "RUNNING"], ["RUN_REQUESTED", "RUNNING", "PAUSE_REQUESTED"]]
)
def test_what_runs_or_waits_to_is_not_changed(api: httpx.Client, warehouse: Connection, statuses: list[str]) -> None:
    made = created(api)
    stands_as(warehouse, made["id"], *statuses)
    refused = api.patch(f"{BASE}/{made['id']}", json={"batch_size": 5})
    tasks = api.put(f"{BASE}/{made['id']}/tasks", json=[])

    said = {"detail": f"Cannot update pipeline while it is {statuses[-1]}"}
    assert (refused.status_code, refused.json()) == (409, said)
    assert (tasks.status_code, tasks.json()) == (409, said)


def test_a_pipeline_whose_source_is_gone_can_still_be_switched_off(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    told(warehouse, "alter table content.film_work rename to film_work_gone")

    assert api.patch(f"{BASE}/{made['id']}", json={"enabled": False}).status_code == 200
    assert api.patch(f"{BASE}/{made['id']}", json={"unique_key": "film_id"}).status_code == 422


def test_tasks_are_replaced_as_a_whole(api: httpx.Client) -> None:
    path = f"{BASE}/{created(api)['id']}/tasks"
    reader = {"order_index": 1, "task_type": "SQL", "body": FILM_QUERY}
    transform = {"order_index": 2, "task_type": "PYTHON", "body": "normalize_title"}

    assert api.put(path, json=[transform, reader]).json() == [
        reader | {"target_table": None},
        transform | {"target_table": None},
    ]
    assert api.put(path, json=[]).json() == []
    assert "the first task must be SQL" in api.put(path, json=[transform]).json()["detail"]
    assert "same order_index" in api.put(path, json=[reader, transform | {"order_index": 1}]).json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"batch_size": 5}),
        ("PATCH", "", {}),
        ("POST", "/run", None),
        ("POST", "/pause", None),
        ("GET", "/runs", None),
        ("GET", "/tasks", None),
        ("PUT", "/tasks", []),
        ("GET", "/state", None),
        ("PUT", "/state", {"last_processed_value": None, "last_processed_id": None}),
        ("GET", "/batches", None),
        ("GET", "/events", None),
        ("GET", "/dlq", None),
        ("POST", "/dlq/replay", {}),
    ],
)
def test_nothing_is_known_of_a_pipeline_that_is_not_there(api: httpx.Client, method: str, path: str, body: Any) -> None:
    unknown = api.request(method, f"{BASE}/{NOBODY}{path}", json=body)
    no_id = api.request(method, f"{BASE}/film_dim{path}", json=body)

    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Pipeline not found"})
    assert no_id.status_code == 422


def test_pipelines_are_never_deleted(api: httpx.Client) -> None:
    made = created(api)

    refused = api.delete(f"{BASE}/{made['id']}")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, PATCH")
    assert api.get(f"{BASE}/{made['id']}").json() == made


def test_a_pipeline_cannot_be_got_by_the_name_of_an_action(api: httpx.Client) -> None:
    refused = api.get(f"{BASE}/validate")

    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
