"""Changing an incremental pipeline tells at once what becomes of its checkpoint, and `reset` forgets it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.hub import Answer, Hub
from tests.pipeline_api import BASE, FILM_QUERY, created, served_api, told

from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

FILMS = f"""
pipelines:
  - name: film_inc
    target_table: analytics.film_dim
    source_query: {FILM_QUERY}
    mode: incremental
    incremental_key: updated_at
    incremental_id_key: film_id
"""
SET = {"last_processed_value": "2025-01-01T00:00:00.000000+00:00", "last_processed_id": "a" * 32}
NONE = {"last_processed_value": None, "last_processed_id": None}
KEPT = f"rows up to {SET['last_processed_value']} that qualify only now are not read"


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url)) as client:
        yield client


@pytest.fixture
def stood(api: httpx.Client) -> dict[str, Any]:
    """An incremental pipeline with a checkpoint."""
    keys = {"incremental_key": "updated_at", "incremental_id_key": "film_id"}
    pipeline = created(api, name="film_inc", mode="incremental", **keys)
    assert api.put(f"{BASE}/{pipeline['id']}/state", json=SET).status_code == 200
    return pipeline


@pytest.mark.parametrize(
    ("changes", "said", "state"),
    [
        ({"source_query": f"{FILM_QUERY} where rating > 5"}, [KEPT], SET),
        ({"tasks": [{"order_index": 1, "task_type": "SQL", "body": FILM_QUERY}]}, [KEPT], SET),
        ({"incremental_id_key": "title"}, ["the checkpoint was dropped"], NONE),
        ({"target_table": "es:film_dim", "type": "ES"}, ["the checkpoint was dropped"], NONE),
        ({"batch_size": 7}, [], SET),
    ],
)
def test_the_answer_to_a_change_says_what_becomes_of_the_checkpoint(
    api: httpx.Client, stood: dict[str, Any], changes: dict[str, Any], said: list[str], state: dict[str, Any]
) -> None:
    changed = api.patch(f"{BASE}/{stood['id']}", json=changes)

    assert changed.status_code == 200
    notes = changed.json().get("notes", [])
    assert [part in note for part, note in zip(said, notes, strict=True)] == [True] * len(said)
    assert api.get(f"{BASE}/{stood['id']}/state").json() == state


def test_nothing_is_said_where_there_is_no_checkpoint(api: httpx.Client, stood: dict[str, Any]) -> None:
    api.put(f"{BASE}/{stood['id']}/state", json=NONE)

    changed = api.patch(f"{BASE}/{stood['id']}", json={"source_query": f"{FILM_QUERY} where true"})

    assert (changed.status_code, "notes" in changed.json()) == (200, False)


def written(hub: Hub, text: str) -> str:
    path = hub.home / "films.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_apply_says_that_the_checkpoint_stays(hub: Hub, warehouse: Connection) -> None:
    hub.wdh("pipelines", "apply", written(hub, FILMS))
    told(warehouse, "insert into etl.etl_state select id, %s, 'a' from etl.etl_pipelines", SET["last_processed_value"])

    changed = hub.wdh("pipelines", "apply", written(hub, FILMS.replace(FILM_QUERY, f"{FILM_QUERY} where true")))

    assert changed.code == 0
    assert KEPT in changed.stdout
    assert "wdh pipelines reset" in changed.stdout


def reset(hub: Hub, *arguments: str, **extra: str) -> Answer:
    return hub.wdh("pipelines", "reset", "film_inc", *arguments, **extra)


@pytest.mark.parametrize("is_asked_over_http", [False, True])
def test_a_reset_lets_the_next_run_begin_at_the_beginning(
    api: httpx.Client, stood: dict[str, Any], hub: Hub, is_asked_over_http: bool
) -> None:
    way = ["--api", str(api.base_url)] if is_asked_over_http else []

    first, again = reset(hub, *way), reset(hub, *way, "--report", "json")

    assert (first.code, again.code) == (0, 0)
    assert f"its checkpoint was {SET['last_processed_value']}" in first.stdout
    assert (again.report["before"], again.report["state"]) == (NONE, NONE)
    assert api.get(f"{BASE}/{stood['id']}/state").json() == NONE


def test_what_runs_is_not_reset(api: httpx.Client, stood: dict[str, Any], hub: Hub) -> None:
    api.post(f"{BASE}/{stood['id']}/run")

    refused = reset(hub)

    assert refused.code == 6
    assert api.get(f"{BASE}/{stood['id']}/state").json() == SET
