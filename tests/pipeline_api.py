"""The pipelines API served on this machine, over the database of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from work_data_hub.api.app import create_app
from work_data_hub.io.local_server import local_server
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.orchestration.batch_place import BatchPlace

BASE = "/api/v1/pipelines"
PLENTY = 1_000_000
FILM_QUERY = "select id as film_id, title, rating, updated_at from content.film_work"


@contextmanager
def served_api(
    place: BatchPlace, *, token: str | None = None, requests_per_minute: int = PLENTY
) -> Iterator[httpx.Client]:
    """A client of the API, for as long as the block runs; it carries the token."""
    secret = SecretStr(token) if token else None
    app = create_app(place, token=secret, requests_per_minute=requests_per_minute)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with (
        local_server(app, host="127.0.0.1", port=0) as url,
        httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client,
    ):
        try:
            yield client
        finally:
            app.state.front.close()


def film_pipeline(**given: Any) -> dict[str, Any]:
    """A definition that every rule takes, with some fields given anew."""
    return {"name": "film_dim", "target_table": "analytics.film_dim", "source_query": FILM_QUERY} | given


def created(client: httpx.Client, **given: Any) -> dict[str, Any]:
    """A pipeline that the API has just made."""
    response = client.post(BASE, json=film_pipeline(**given))
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


def told(connection: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement for good; its rows, where it has any."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def stands_as(connection: Connection, id: str, *statuses: str) -> None:
    """Move a pipeline by hand, along these statuses."""
    for status in statuses:
        told(connection, "update etl.etl_pipelines set status = %s where id = %s", status, id)
