"""The types of the columns that an incremental pipeline reads by: what fits its strategy, and its checkpoint."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.pipeline_api import BASE, FILM_QUERY, created, film_pipeline, served_api, told

from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

FILM = "2f0c4b1e-3a57-4f9e-8d5b-6f1f0a7c9b3d"
MOMENT = "2025-01-01T00:00:00.000000+00:00"
KEYS = {"mode": "incremental", "incremental_key": "key", "incremental_id_key": "film_id"}
NOWHERE = {"last_processed_value": None, "last_processed_id": None}
DROPPED = "the checkpoint was dropped, and the next incremental run reads all rows"
BY_VERSION = FILM_QUERY.replace("updated_at", "film_work.xmin as version")


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url)) as client:
        yield client


def query_of(key: str, *, id: str = "id", source: str = "content.film_work") -> str:
    return f"select {id} as film_id, title, updated_at, {key} as key from {source}"


def stood(api: httpx.Client, query: str, value: str = MOMENT, id: str = FILM, **given: Any) -> dict[str, Any]:
    """An incremental pipeline of the query, with a checkpoint."""
    made = created(api, source_query=query, **KEYS, **given)
    place = {"last_processed_value": value, "last_processed_id": id}
    assert api.put(f"{BASE}/{made['id']}/state", json=place).status_code == 200
    return made


def changed(api: httpx.Client, made: dict[str, Any], **changes: Any) -> tuple[list[str], bool]:
    """The notes of the answer to a change, and whether a checkpoint is left."""
    answer = api.patch(f"{BASE}/{made['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    return answer.json().get("notes", []), api.get(f"{BASE}/{made['id']}/state").json() != NOWHERE


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (query_of("updated_at::text"), "key is text now, and was timestamp with time zone"),
        (query_of("extract(epoch from updated_at)::bigint"), "key is bigint now, and was timestamp with time zone"),
        (query_of("updated_at", id="id::text"), "film_id is text now, and was uuid"),
    ],
)
def test_a_checkpoint_goes_with_the_type_of_its_columns(api: httpx.Client, after: str, said: str) -> None:
    made = stood(api, query_of("updated_at"))

    (note,), is_left = changed(api, made, source_query=after)

    assert (note, is_left) == (f"{said}: {DROPPED}", False)
    reasons = [event["reason"] for event in api.get(f"{BASE}/{made['id']}/events").json()]
    assert reasons[0] == "changed: source_query; its checkpoint is dropped"


def test_a_checkpoint_stays_where_the_types_do(api: httpx.Client) -> None:
    made = stood(api, query_of("updated_at"))

    (note,), is_left = changed(api, made, source_query=f"{query_of('updated_at')} where rating > 5")

    assert ("the checkpoint kept" in note, is_left) == (True, True)


def test_tasks_of_other_types_drop_the_checkpoint_too(api: httpx.Client) -> None:
    made = stood(api, query_of("updated_at"))
    tasks = [{"order_index": 1, "task_type": "SQL", "body": query_of("updated_at::text")}]

    assert api.put(f"{BASE}/{made['id']}/tasks", json=tasks).status_code == 200

    assert api.get(f"{BASE}/{made['id']}/state").json() == NOWHERE


def test_a_checkpoint_goes_while_a_pipeline_reads_all_rows(api: httpx.Client) -> None:
    made = stood(api, query_of("updated_at"))
    changed(api, made, mode="full")

    (note,), is_left = changed(api, made, source_query=query_of("updated_at::text"))

    assert ("key is text now" in note, is_left) == (True, False)


@pytest.mark.parametrize(
    ("before", "after", "value", "is_left"),
    [
        ("updated_at", "updated_at", MOMENT, True),
        ("updated_at", "updated_at::timestamp", MOMENT, False),
        ("updated_at", "updated_at::date", MOMENT, False),
        ("updated_at", "updated_at::text", MOMENT, False),
        ("updated_at", "extract(epoch from updated_at)::bigint", MOMENT, False),
        ("rating", "rating", "7.25", True),
        ("rating", "rating::int", "7.25", False),
        ("rating", "rating::text", "7.25", False),
        ("title", "title", "Solaris", True),
        ("title", "updated_at", "Solaris", False),
    ],
)
def test_a_checkpoint_of_a_query_that_is_lost_has_to_be_written_as_the_present_columns_are(
    api: httpx.Client, warehouse: Connection, before: str, after: str, value: str, is_left: bool
) -> None:
    told(warehouse, "create view content.films as select * from content.film_work")
    try:
        made = stood(api, query_of(before, source="content.films"), value)
    finally:
        told(warehouse, "drop view content.films")

    (note,), is_there = changed(api, made, source_query=query_of(after))

    assert is_there is is_left
    assert ("the query before cannot be read any more" in note) is not is_left


@pytest.mark.parametrize(
    ("strategy", "query", "said"),
    [
        ("xmin", query_of("updated_at"), "strategy xmin needs a key of type xid, and key is timestamp with time zone"),
        ("xmin", query_of("rating"), "strategy xmin needs a key of type xid, and key is numeric"),
        ("overlap", query_of("rating"), "strategy overlap goes back some seconds, and key is numeric"),
    ],
)
def test_a_strategy_that_cannot_read_by_the_key_is_refused(
    api: httpx.Client, strategy: str, query: str, said: str
) -> None:
    wanted = film_pipeline(source_query=query, strategy=strategy, **KEYS)

    refused = api.post(BASE, json=wanted)
    found = api.post(f"{BASE}/validate", json=wanted).json()["problems"]
    made = created(api, **wanted | {"strategy": "safe"})
    kept = api.patch(f"{BASE}/{made['id']}", json={"strategy": strategy})

    assert [refused.status_code, kept.status_code] == [422, 422]
    assert said in refused.json()["detail"]
    assert refused.json() == kept.json()
    assert [problem["message"].startswith(said) for problem in found] == [True]
    assert api.get(f"{BASE}/{made['id']}").json()["strategy"] == "safe"


@pytest.mark.parametrize(("value", "code"), [("0", 200), (str(2**64 - 1), 200), ("-1", 422), (str(2**64), 422),
                                             ("1e3", 422), (" 7", 422), ("0x1F", 422)])  # fmt: skip
def test_a_place_by_version_is_the_number_of_a_transaction(api: httpx.Client, value: str, code: int) -> None:
    keys = KEYS | {"incremental_key": "version", "strategy": "xmin"}
    made = created(api, source_query=BY_VERSION, **keys)

    answer = api.put(f"{BASE}/{made['id']}/state", json={"last_processed_value": value, "last_processed_id": None})

    assert answer.status_code == code
    assert code == 200 or "version is xid, and a place by it is the number of a transaction" in answer.json()["detail"]


def test_a_place_by_version_of_a_column_that_is_none_is_refused(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api, source_query=query_of("updated_at"), **KEYS)
    told(warehouse, "update etl.etl_pipelines set strategy = 'xmin' where id = %s", made["id"])

    answer = api.put(f"{BASE}/{made['id']}/state", json={"last_processed_value": "7", "last_processed_id": None})

    assert answer.status_code == 422
    assert "needs a key of type xid, and key is timestamp with time zone" in answer.json()["detail"]
