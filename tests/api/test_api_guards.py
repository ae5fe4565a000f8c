"""Who may ask the API, how often and how much; and that failures tell nothing but what to do."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from tests.pipeline_api import BASE, created, film_pipeline, served_api, told

from work_data_hub.api.guards import MOST_BODY_BYTES, RateLimit
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.batch_desk import BatchDesk
from work_data_hub.orchestration.batch_place import BatchPlace

TOKEN = "canary-4f1c9a77e2-api-token"


@pytest.fixture
def place(warehouse_url: str) -> BatchPlace:
    return BatchPlace(database_url=warehouse_url)


@pytest.fixture
def api(place: BatchPlace) -> Iterator[httpx.Client]:
    with served_api(place) as client:
        yield client


@pytest.fixture
def closed_api(place: BatchPlace) -> Iterator[httpx.Client]:
    with served_api(place, token=TOKEN) as client:
        yield client


@pytest.mark.integration
@pytest.mark.parametrize("path", ["/health", "/health/", "/api/v1/health", "/api/v1/health/"])
def test_health_is_open_to_everybody(closed_api: httpx.Client, path: str) -> None:
    answer = closed_api.get(path, headers={"Authorization": ""})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.integration
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer tökén",
    ],
)
def test_strangers_learn_nothing(closed_api: httpx.Client, header: str) -> None:
    for path in (BASE, f"{BASE}/no-id", "/metrics", "/openapi.json", "/nowhere"):
        refused = closed_api.get(path, headers={b"Authorization": header.encode("latin-1")})

        assert (refused.status_code, refused.json()) == (401, {"detail": "a bearer token is needed"})
        assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.integration
def test_who_carries_the_token_is_served(closed_api: httpx.Client) -> None:
    assert created(closed_api)["status"] == "IDLE"
    assert closed_api.get(BASE, headers={"Authorization": f"bearer  {TOKEN}"}).status_code == 200


@pytest.mark.integration
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "10.0.0.5:8000"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}, 200),
    ],
)
def test_without_a_token_pages_from_elsewhere_cannot_steer_it(
    api: httpx.Client, headers: dict[str, str], code: int
) -> None:
    assert api.get(BASE, headers=headers).status_code == code


@pytest.mark.integration
def test_a_body_may_have_256_kib_and_no_more(api: httpx.Client) -> None:
    fits = b'{"name": "ab"}'.ljust(MOST_BODY_BYTES)
    headers = {"Content-Type": "application/json"}

    assert api.post(BASE, content=fits, headers=headers).status_code == 422
    refused = api.post(BASE, content=fits + b" ", headers=headers)
    assert (refused.status_code, refused.json()) == (413, {"detail": "a body has at most 262,144 bytes"})
    in_parts = api.post(BASE, content=(b" " * 65_536 for _ in range(5)), headers=headers)
    assert in_parts.status_code == 413
    assert api.post(BASE, content=fits * 12, headers=headers).status_code == 413


@pytest.mark.integration
def test_too_many_requests_are_told_when_to_come_back(place: BatchPlace) -> None:
    with served_api(place, requests_per_minute=3) as client:
        codes = [client.get("/health").status_code for _ in range(3)]
        refused = client.get("/health")

    assert codes == [200, 200, 200]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 20


@pytest.mark.unit
def test_a_client_may_ask_again_at_the_rate_it_is_given() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    assert [limit.wait_seconds("a") for _ in range(60)] == [0.0] * 60

    assert limit.wait_seconds("a") == pytest.approx(1.0)
    assert limit.wait_seconds("b") == 0.0
    now[0] = 1.0
    assert limit.wait_seconds("a") == 0.0
    assert limit.wait_seconds("a") > 0
    now[0] = 10_000.0
    assert [limit.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait_seconds("a") > 0


@pytest.mark.unit
def test_what_is_remembered_of_clients_is_bounded() -> None:
    limit = RateLimit(1, clock=lambda: 0.0)
    for client in range(10_001):
        assert limit.wait_seconds(str(client)) == 0.0

    assert limit.wait_seconds("10000") > 0
    assert limit.wait_seconds("0") == 0.0


@pytest.mark.integration
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'"\xff"',
        b"[" * 100_000,
        b'{"name": ' + b"9" * 5_000 + b"}",
        b'{"name": "\\ud800", "target_table": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"name": "abc", "target_table": "analytics.film_dim", "overlap_seconds": NaN}',
        b"null",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_bodies_that_nobody_means_are_refused(api: httpx.Client, body: bytes) -> None:
    refused = api.post(BASE, content=body, headers={"Content-Type": "application/json"})

    assert refused.status_code in (400, 422)
    assert refused.json()["detail"]


@pytest.mark.unit
def test_a_database_that_is_away_is_503() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    secret = "canary-of-the-database"  # pragma: allowlist secret
    with served_api(BatchPlace(database_url=f"postgresql://wdh:{secret}@127.0.0.1:{port}/wdh")) as client:
        answers = [client.get(path) for path in ("/health", BASE, "/metrics")]
        made = client.post(BASE, json=film_pipeline())

    assert {answer.status_code for answer in (*answers, made)} == {503}
    assert {answer.json()["detail"] for answer in answers} == {
        "the database cannot be reached or is busy; try again later"
    }
    assert secret not in "".join(answer.text for answer in answers)


@pytest.mark.integration
def test_connections_that_the_server_ended_are_replaced(api: httpx.Client, warehouse: Connection) -> None:
    assert api.get(BASE).status_code == 200
    told(
        warehouse,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'wdh pipelines api'",
    )

    assert api.get(BASE).status_code == 200


@pytest.mark.integration
def test_a_database_that_is_not_migrated_names_the_command(api: httpx.Client, warehouse: Connection) -> None:
    told(warehouse, "alter table etl.etl_pipelines rename to etl_pipelines_gone")
    answer = api.get(BASE)

    assert answer.status_code == 503
    assert "wdh db migrate" in answer.json()["detail"]


@pytest.mark.integration
def test_a_fault_of_ours_tells_an_id_and_nothing_else(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail of the program")

    monkeypatch.setattr(BatchDesk, "pipelines", broken)
    answer = api.get(BASE)

    assert answer.status_code == 500
    assert set(answer.json()) == {"detail", "id"}
    assert answer.json()["detail"] == "internal error"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.json()["id"])
    assert answer.json()["id"] in caplog.text


@pytest.mark.integration
def test_metrics_show_how_everything_stands(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    api.post(f"{BASE}/{made['id']}/run")
    told(warehouse, "insert into etl.etl_workers (worker_id, host, pid, version) values ('one', 'here', 1, '0')")
    answer = api.get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert "etl_queue_depth 1.0" in lines
    assert 'etl_pipelines{status="RUN_REQUESTED"} 1.0' in lines
    assert 'etl_dlq_open{pipeline="film_dim"} 0.0' in lines
    assert [line for line in lines if line.startswith('etl_worker_heartbeat_age_seconds{worker="one"}')]


@pytest.mark.integration
def test_metrics_count_the_runs_of_every_runner_by_pipeline(api: httpx.Client, warehouse: Connection) -> None:
    made = created(api)
    for status, ended in (("SUCCESS", "now()"), ("SUCCESS", "now()"), ("FAILED", "now()"), ("RUNNING", "null")):
        told(
            warehouse,
            "insert into etl.etl_runs"
            " (pipeline_id, status, finished_at, rows_read, rows_written, rows_unchanged, rows_dlq)"
            f" values (%s, %s, {ended}, 10, 9, 8, 1)",
            made["id"],
            status,
        )
    lines = api.get("/metrics").text.splitlines()

    assert 'etl_runs_total{pipeline="film_dim",status="SUCCESS"} 2.0' in lines
    assert 'etl_runs_total{pipeline="film_dim",status="FAILED"} 1.0' in lines
    counted = {"read": 30.0, "written": 27.0, "unchanged": 24.0, "dlq": 3.0}
    for word, rows in counted.items():
        assert f'etl_rows_{word}_total{{pipeline="film_dim"}} {rows}' in lines
    # What only a runner can tell is not told as if it never happened.
    assert not [line for line in lines if line.startswith(("etl_claims", "etl_batch_seconds", "etl_fenced"))]


@pytest.mark.integration
def test_more_requests_at_once_than_connections_are_all_answered(api: httpx.Client, warehouse: Connection) -> None:
    created(api)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(api.get(BASE).status_code)) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [200] * 60
    used = "select count(*) from pg_stat_activity where application_name = 'wdh pipelines api'"
    assert 1 <= told(warehouse, used)[0][0] <= 8
