"""Runs and pauses requested over HTTP, and what a pipeline's history answers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from psycopg2.extras import Json
from tests.pipeline_api import BASE, created, served_api, stands_as, told

from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

ALIVE = "runner-alive"
FILM = "2f0c4b1e-3a57-4f9e-8d5b-6f1f0a7c9b3d"
TO = {
    "IDLE": [],
    "RUN_REQUESTED": ["RUN_REQUESTED"],
    "RUNNING": ["RUN_REQUESTED", "RUNNING"],
    "PAUSE_REQUESTED": ["RUN_REQUESTED", "RUNNING", "PAUSE_REQUESTED"],
    "PAUSED": ["PAUSED"],
    "FAILED": ["RUN_REQUESTED", "RUNNING", "FAILED"],
}


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url)) as client:
        yield client


def held(warehouse: Connection, id: str) -> None:
    """Let a living runner hold the pipeline."""
    told(warehouse, "insert into etl.etl_workers (worker_id, host, pid, version) values (%s, 'here', 1, '0')", ALIVE)
    told(warehouse, "insert into etl.etl_leases (pipeline_id, owner, epoch) values (%s, %s, 1)", id, ALIVE)


@pytest.mark.parametrize(
    ("status", "after_run", "after_pause"),
    [
        ("IDLE", "RUN_REQUESTED", "PAUSED"),
        ("RUN_REQUESTED", "RUN_REQUESTED", "PAUSED"),
        ("RUNNING", "RUNNING", "PAUSE_REQUESTED"),
        ("PAUSE_REQUESTED", "RUNNING", "PAUSE_REQUESTED"),
        ("PAUSED", "RUN_REQUESTED", "PAUSED"),
        ("FAILED", "RUN_REQUESTED", "FAILED"),
    ],
)
def test_every_request_is_answered_with_the_pipeline_as_it_then_stands(
    api: httpx.Client, warehouse: Connection, status: str, after_run: str, after_pause: str
) -> None:
    for action, expected in (("run", after_run), ("pause", after_pause)):
        made = created(api, name=f"film_{action}")
        stands_as(warehouse, made["id"], *TO[status])
        if status in ("RUNNING", "PAUSE_REQUESTED"):
            told(warehouse, "delete from etl.etl_leases; delete from etl.etl_workers")
            held(warehouse, made["id"])
        answer = api.post(f"{BASE}/{made['id']}/{action}")

        assert (answer.status_code, answer.json()["status"]) == (200, expected)
        assert api.get(f"{BASE}/{made['id']}").json() == answer.json()


def test_a_pause_is_not_taken_back_into_the_hands_of_a_dead_runner(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    stands_as(warehouse, made["id"], *TO["PAUSE_REQUESTED"])

    assert api.post(f"{BASE}/{made['id']}/run").json()["status"] == "RUN_REQUESTED"


def test_a_disabled_pipeline_is_not_run(api: httpx.Client) -> None:
    made = created(api, enabled=False)
    refused = api.post(f"{BASE}/{made['id']}/run")

    assert (refused.status_code, refused.json()) == (409, {"detail": "the pipeline is disabled; enable it first"})
    assert api.post(f"{BASE}/{made['id']}/pause").json()["status"] == "PAUSED"


def test_a_key_given_twice_asks_for_one_run(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    path, key = f"{BASE}/{made['id']}/run", {"Idempotency-Key": "order-66"}
    api.post(path, headers=key)
    stands_as(warehouse, made["id"], "RUNNING", "IDLE")

    assert api.post(path, headers=key).json()["status"] == "IDLE"
    assert api.post(path, headers={"Idempotency-Key": "order-67"}).json()["status"] == "RUN_REQUESTED"


def test_twenty_requests_at_once_ask_for_one_run(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    with ThreadPoolExecutor(20) as together:
        answers = list(together.map(lambda _: api.post(f"{BASE}/{made['id']}/run").status_code, range(20)))

    assert set(answers) == {200}
    requested = "select count(*) from etl.etl_events where to_status = 'RUN_REQUESTED'"
    assert told(warehouse, requested) == [(1,)]


@pytest.mark.parametrize("key", ["", "a b", "ü", "k" * 201])
def test_a_key_is_a_short_word(api: httpx.Client, key: str) -> None:
    made = created(api)

    assert api.post(f"{BASE}/{made['id']}/run", headers={b"Idempotency-Key": key.encode()}).status_code == 422
    assert api.get(f"{BASE}/{made['id']}").json()["status"] == "IDLE"


def test_runs_come_newest_first_and_as_many_as_asked_for(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    for hour in range(3):
        _run(warehouse, made["id"], hour=hour, rows=hour)
    path = f"{BASE}/{made['id']}/runs"

    assert [run["rows_read"] for run in api.get(path).json()] == [2, 1, 0]
    assert [run["rows_read"] for run in api.get(path, params={"limit": 1}).json()] == [2]
    assert [api.get(path, params={"limit": limit}).status_code for limit in (0, 501, "x", 500)] == [422, 422, 422, 200]


def test_a_run_tells_what_it_counted_and_not_whose_it_is(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    run_id = _run(warehouse, made["id"], hour=1, rows=7)
    (run,) = api.get(f"{BASE}/{made['id']}/runs").json()

    assert "pipeline_id" not in run
    expected = {
        "id": run_id,
        "status": "SUCCESS",
        "started_at": "2026-11-21T01:00:00Z",
        "finished_at": "2026-11-21T01:00:00.500000Z",
        "rows_read": 7,
        "rows_written": 7,
        "error_message": None,
    }
    assert {name: run[name] for name in expected} == expected


def test_batches_and_events_tell_what_happened(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    run_id = _run(warehouse, made["id"], hour=1, rows=3)
    place = Json({"value": "2026-11-21T00:00:00Z", "id": "9"})
    told(
        warehouse,
        "insert into etl.etl_batches (run_id, seq, cursor_to, rows_read, rows_written, epoch)"
        " values (%s, 0, %s, 3, 3, 1)",
        run_id,
        place,
    )
    api.post(f"{BASE}/{made['id']}/run")
    (batch,) = api.get(f"{BASE}/{made['id']}/batches").json()
    events = api.get(f"{BASE}/{made['id']}/events").json()

    assert (batch["run_id"], batch["seq"], batch["cursor_from"]) == (run_id, 0, None)
    assert batch["cursor_to"] == {"value": "2026-11-21T00:00:00Z", "id": "9"}
    assert [(event["from_status"], event["to_status"], event["actor"]) for event in events] == [
        ("IDLE", "RUN_REQUESTED", "api"),
        (None, "IDLE", "api"),
    ]


def test_the_checkpoint_is_put_elsewhere_and_that_is_kept(api: httpx.Client) -> None:
    made = created(api, mode="incremental", incremental_key="updated_at", incremental_id_key="film_id")
    path = f"{BASE}/{made['id']}/state"
    nowhere = {"last_processed_value": None, "last_processed_id": None}
    place = {"last_processed_value": "2026-11-21T00:00:00Z", "last_processed_id": FILM}

    assert api.get(path).json() == nowhere
    assert api.put(path, json=place).json() == place
    assert api.get(path).json() == place
    assert api.put(path, json=nowhere).json() == nowhere
    assert api.get(path).json() == nowhere
    reasons = [event["reason"] for event in api.get(f"{BASE}/{made['id']}/events").json()]
    assert [reason for reason in reasons if "checkpoint set" in reason] == [
        f"checkpoint set from (2026-11-21T00:00:00Z, {FILM}) to the beginning",
        f"checkpoint set from the beginning to (2026-11-21T00:00:00Z, {FILM})",
    ]


def test_the_checkpoint_of_what_runs_is_left_alone(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api, mode="incremental", incremental_key="updated_at", incremental_id_key="film_id")
    stands_as(warehouse, made["id"], "RUN_REQUESTED", "RUNNING")
    place = {"last_processed_value": "2026-11-21T00:00:00Z", "last_processed_id": "9"}
    refused = api.put(f"{BASE}/{made['id']}/state", json=place)

    assert refused.status_code == 409
    assert refused.json() == {"detail": "Cannot change the state of the pipeline while it is RUNNING"}
    assert api.get(f"{BASE}/{made['id']}/state").json()["last_processed_value"] is None


@pytest.mark.parametrize(
    ("mode", "state", "said"),
    [
        ("full", {"last_processed_value": "1", "last_processed_id": "1"}, "mode full keeps no checkpoint"),
        ("incremental", {"last_processed_value": "1", "last_processed_id": None}, "both a value and an id"),
        ("incremental", {"last_processed_value": "1"}, "last_processed_id"),
        ("incremental", {"last_processed_value": 1, "last_processed_id": "1"}, "last_processed_value"),
        ("incremental", {"last_processed_value": "1", "last_processed_id": FILM}, "updated_at is timestamp with time"),
        ("incremental", {"last_processed_value": "2026-02-30", "last_processed_id": FILM}, "updated_at is timestamp"),
        ("incremental", {"last_processed_value": "2026-01-01 or so", "last_processed_id": FILM}, "updated_at is time"),
        ("incremental", {"last_processed_value": "now", "last_processed_id": FILM}, "updated_at is timestamp"),
        ("incremental", {"last_processed_value": "infinity", "last_processed_id": FILM}, "updated_at is timestamp"),
        ("incremental", {"last_processed_value": "2026-01-01", "last_processed_id": "9"}, "film_id is uuid"),
    ],
)
def test_a_checkpoint_that_cannot_be_one_is_refused(
    api: httpx.Client, mode: str, state: dict[str, Any], said: str
) -> None:
    made = created(api, mode=mode, incremental_key="updated_at", incremental_id_key="film_id")
    refused = api.put(f"{BASE}/{made['id']}/state", json=state)

    assert refused.status_code == 422
    assert said in str(refused.json()["detail"])


@pytest.mark.parametrize(
    ("given", "fitting", "others"),
    [
        ({"incremental_key": "rating"}, ["7", "7.25", "-1"], ["seven", "NaN", "Infinity", "2026-01-01", ""]),
        ({"incremental_key": "title"}, ["NaN", "now", ""], []),
        ({"incremental_key": "day"}, ["2026-01-01"], ["20260101", "today", "2026-13-01"]),
        ({"incremental_key": "version", "strategy": "xmin"}, ["742"], ["2026-01-01", "7.5"]),
    ],
)
def test_a_checkpoint_fits_the_key_that_rows_are_read_by(
    api: httpx.Client, given: dict[str, str], fitting: list[str], others: list[str]
) -> None:
    columns = "id as film_id, title, rating, updated_at::date as day, film.xmin as version"
    query = f"select {columns} from content.film_work as film"
    made = created(api, mode="incremental", incremental_id_key="film_id", source_query=query, **given)
    path = f"{BASE}/{made['id']}/state"
    places = [{"last_processed_value": value, "last_processed_id": FILM} for value in (*fitting, *others)]

    assert [api.put(path, json=place).status_code for place in places] == [200] * len(fitting) + [422] * len(others)
    assert api.get(path).json() == places[len(fitting) - 1]


def test_a_checkpoint_by_version_needs_no_id(api: httpx.Client) -> None:
    query = "select id as film_id, title, film.xmin as version from content.film_work as film"
    keys = {"incremental_key": "version", "incremental_id_key": "film_id", "strategy": "xmin"}
    made = created(api, mode="incremental", source_query=query, **keys)
    place = {"last_processed_value": "742", "last_processed_id": None}

    assert api.put(f"{BASE}/{made['id']}/state", json=place).json() == place


def test_a_checkpoint_that_no_source_can_prove_is_refused_and_the_beginning_is_not(
    api: httpx.Client, warehouse: Connection
) -> None:
    made = created(api, mode="incremental", incremental_key="updated_at", incremental_id_key="film_id")
    told(warehouse, "alter table content.film_work rename to film_work_gone")
    path = f"{BASE}/{made['id']}/state"
    refused = api.put(path, json={"last_processed_value": "2026-01-01", "last_processed_id": FILM})

    assert (refused.status_code, "film_work" in refused.json()["detail"]) == (422, True)
    assert api.put(path, json={"last_processed_value": None, "last_processed_id": None}).status_code == 200


def test_dead_letters_wait_until_they_are_replayed(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    payload = '{"film_id": "no uuid", "rating": 9.10}'
    told(
        warehouse,
        "insert into etl.etl_dlq (pipeline_id, target, key, payload, fingerprint, sqlstate, error, replayed_at)"
        " select %s, 'analytics.film_dim', key, %s, key, '22P02', 'no uuid', replayed_at"
        " from (values ('waits', null), ('is taken', now())) as letter (key, replayed_at)",
        made["id"],
        payload,
    )
    path = f"{BASE}/{made['id']}/dlq"
    (waiting,) = api.get(path).json()
    (taken,) = api.get(path, params={"replayed": True}).json()

    assert (waiting["key"], waiting["sqlstate"], waiting["replayed_at"]) == ("waits", "22P02", None)
    assert waiting["payload"] == {"film_id": "no uuid", "rating": "9.10"}
    assert taken["key"] == "is taken"


def test_a_replay_is_asked_of_a_runner(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    told(
        warehouse,
        "insert into etl.etl_dlq (pipeline_id, target, payload, fingerprint, error)"
        " select %s, 'analytics.film_dim', '{\"film_id\": \"1\"}', number, 'x' from generate_series(1, 3) as number",
        made["id"],
    )
    path = f"{BASE}/{made['id']}/dlq"
    first, *others = [letter["id"] for letter in api.get(path).json()]

    one = api.post(f"{path}/replay", json={"ids": [first, 999]})
    asked = [letter["replay_requested_by"] for letter in api.get(path).json()]
    all_of_them = api.post(f"{path}/replay")

    assert (one.status_code, one.json(), asked) == (202, {"requested": 1}, ["api", None, None])
    assert (all_of_them.status_code, all_of_them.json()) == (202, {"requested": 3})
    assert len(others) == 2
    (event, *_) = api.get(f"{BASE}/{made['id']}/events").json()
    assert (event["actor"], event["reason"]) == ("api", "dead letters asked to be replayed: 3")
    assert told(warehouse, "select count(*)::int from analytics.film_dim") == [(0,)]


def test_dead_letters_of_what_runs_are_left_alone(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    stands_as(warehouse, made["id"], "RUN_REQUESTED")

    assert api.post(f"{BASE}/{made['id']}/dlq/replay", json={"ids": [1]}).status_code == 409


def _run(warehouse: Connection, id: str, *, hour: int, rows: int) -> str:
    """A run that began at that hour and took half a second; its id."""
    ((run_id,),) = told(
        warehouse,
        "insert into etl.etl_runs (pipeline_id, status, started_at, finished_at, rows_read, rows_written)"
        " select %s, 'SUCCESS', began, began + interval '0.5 s', %s, %s"
        " from (select timestamptz '2026-11-21 00:00:00Z' + make_interval(hours => %s) as began) as moment"
        " returning id",
        id,
        rows,
        rows,
        hour,
    )
    return str(run_id)
