"""`wdh pipelines` outside dev: what needs a database, and what only asks an API."""

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from tests.hub import Answer, Hub
from tests.pipeline_api import created, served_api

from work_data_hub.io.local_server import listening_socket
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

TOKEN = "canary-71d0b2f3aa-api-token"
PROD = {"ENVIRONMENT": "prod", "WDH_API_TOKEN": TOKEN, "WDH_ALIAS_SALT": ""}
READY = {"ENVIRONMENT": "prod", "WDH_ALIAS_SALT": "salt-of-this-test"}


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url), token=TOKEN) as client:
        yield client


def asked(hub: Hub, api: httpx.Client, *arguments: str) -> Answer:
    return hub.wdh("pipelines", *arguments, "--api", str(api.base_url), DATABASE_URL="", **PROD)


def test_whoever_asks_an_api_needs_no_database_and_no_salt(hub: Hub, api: httpx.Client) -> None:
    created(api)

    assert "film_dim" in asked(hub, api, "list").stdout
    for command in (["show"], ["run"], ["pause"], ["runs"], ["dlq"]):
        answer = asked(hub, api, *command, "film_dim")
        assert (answer.code, answer.stderr) == (0, ""), command
    assert not (hub.home / "postgres").exists()


def test_whoever_asks_the_database_must_name_it(hub: Hub) -> None:
    refused = hub.wdh("pipelines", "list", DATABASE_URL="", **PROD)

    assert refused.code == 2
    assert "DATABASE_URL is required when ENVIRONMENT is prod" in refused.stderr


def test_who_reads_source_queries_needs_their_login(hub: Hub) -> None:
    # A port in use: whatever is not refused before ends there.
    with closing(listening_socket("127.0.0.1", 0)) as taken:
        for command in (["runner", "--once"], ["serve", "--port", str(taken.getsockname()[1])]):
            refused = hub.wdh("pipelines", *command, **READY)

            assert refused.code == 2, command
            assert "Field: ETL_READER_URL" in refused.stderr, command
            assert "wdh db roles" in refused.stderr


def test_who_only_looks_needs_no_login_of_readers(hub: Hub) -> None:
    assert hub.wdh("pipelines", "list", **READY).code == 0
