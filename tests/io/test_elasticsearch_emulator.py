"""The index sink against a server that others wrote: the one of ELASTICSEARCH_URL, or the emulator."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from tests import elasticsearch_servers
from tests.elasticsearch_servers import forget_indexes

from work_data_hub.domain.batch.run import Page, Written
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget
from work_data_hub.errors import ConfigError, SinkUnavailable
from work_data_hub.io import search_emulator
from work_data_hub.io.batch_index_sink import IndexSink
from work_data_hub.io.elasticsearch_access import IndexAccess
from work_data_hub.io.search_emulator import SearchEmulator, has_emulator

pytestmark = pytest.mark.integration

elasticsearch_url = elasticsearch_servers.elasticsearch_url
needs_emulator = pytest.mark.skipif(not has_emulator(), reason="noida-db is not installed")
# The emulator needs milliseconds to overwrite one document of fifty thousand.
PATIENCE_SECONDS = 60


def film_index() -> IndexTarget:
    target = TARGETS["es:film_dim"]
    assert isinstance(target, IndexTarget)
    return target


def films(number: int, *, title: str = "film") -> list[dict[str, Any]]:
    return [{"film_id": f"f{one}", "title": f"{title} {one}", "rating": one / 10} for one in range(number)]


def no_wait(attempt: int) -> None:
    """Go on at once."""


def sink_at(url: str) -> IndexSink:
    return IndexSink(IndexAccess(url=url, timeout_seconds=PATIENCE_SECONDS), film_index())


def write(sink: IndexSink, rows: list[dict[str, Any]], *, version: int, batch_size: int = 1000) -> list[Written]:
    pages = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
    return [
        sink.write(Page(columns=(), rows_read=len(page), rows=page), version=version, wait=no_wait) for page in pages
    ]


@pytest.fixture
def url(elasticsearch_url: str) -> str:
    forget_indexes(elasticsearch_url)
    return elasticsearch_url


@pytest.fixture
def server(url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(url) as server:
        yield server


@pytest.fixture
def sink(url: str) -> Iterator[IndexSink]:
    sink = sink_at(url)
    yield sink
    sink.close()


def stored(server: Elasticsearch) -> dict[str, Any]:
    """Every document of the index of films, by id."""
    server.indices.refresh(index="film_dim")
    found: dict[str, Any] = {}
    after: list[Any] | None = None
    while True:
        page = server.search(index="film_dim", size=5000, sort=[{"film_id": "asc"}], search_after=after)["hits"]["hits"]
        if not page:
            return found
        found |= {hit["_id"]: hit["_source"] for hit in page}
        after = page[-1]["sort"]


def test_five_thousand_documents_twice_are_the_same_documents(sink: IndexSink, server: Elasticsearch) -> None:
    _fill_twice(sink, server, number=5_000)


@pytest.mark.performance
def test_fifty_thousand_documents_twice_are_the_same_documents(sink: IndexSink, server: Elasticsearch) -> None:
    _fill_twice(sink, server, number=50_000)


def _fill_twice(sink: IndexSink, server: Elasticsearch, *, number: int) -> None:
    rows = films(number)
    first = write(sink, rows, version=1)
    once = stored(server)
    second = write(sink, rows, version=2)

    assert once == {row["film_id"]: row for row in rows}
    assert stored(server) == once
    assert server.count(index="film_dim")["count"] == number
    assert sum(done.counts.inserted for done in first) == sum(done.counts.updated for done in second) == number


def test_the_index_gets_its_mapping(sink: IndexSink, server: Elasticsearch) -> None:
    write(sink, films(1), version=1)

    mapping = server.indices.get_mapping(index="film_dim")["film_dim"]["mappings"]
    assert (mapping["dynamic"], mapping["properties"]) == ("strict", film_index().mapping)


def test_a_lower_version_changes_nothing_and_an_equal_one_is_taken(sink: IndexSink, server: Elasticsearch) -> None:
    write(sink, films(2, title="new"), version=5)
    stale = write(sink, films(3, title="old"), version=4)
    same = write(sink, films(2, title="again"), version=5)

    assert (stale[0].counts.stale, stale[0].counts.written) == (2, 1)
    assert same[0].counts.written == 2
    assert [stored(server)[f"f{one}"]["title"] for one in range(3)] == ["again 0", "again 1", "old 2"]


def test_what_the_mapping_refuses_is_set_aside(sink: IndexSink, server: Elasticsearch) -> None:
    rows = [*films(3), {"film_id": "bad", "title": "bad", "rating": "seven"}]
    done = write(sink, rows, version=1)[0]

    assert sorted(stored(server)) == ["f0", "f1", "f2"]
    assert [letter.key for letter in done.dead] == ["bad"]
    assert "failed to parse field [rating]" in done.dead[0].error


def test_rows_looked_at_again_and_unchanged_are_rescanned(sink: IndexSink) -> None:
    write(sink, films(5), version=1)
    page = Page(columns=(), rows_read=6, rows=films(6), rows_rescanned=5)
    counts = sink.write(page, version=2, wait=no_wait).counts

    assert (counts.read, counts.written, counts.inserted, counts.rescanned) == (1, 1, 1, 5)


def test_writers_at_once_leave_the_documents_of_the_last_claim(url: str, server: Elasticsearch) -> None:
    def fill(version: int) -> None:
        sink = sink_at(url)
        write(sink, films(300, title=f"of {version}"), version=version, batch_size=50)
        sink.close()

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(fill, [3, 1, 4, 2]))

    assert stored(server) == {row["film_id"]: row for row in films(300, title="of 4")}


@needs_emulator
def test_a_server_that_restarts_holds_the_same_set_in_the_end(tmp_path: Path) -> None:
    emulator = SearchEmulator(folder=tmp_path)
    url = emulator.start()
    try:
        sink = sink_at(url)
        write(sink, films(100), version=1)
        emulator.stop()
        with pytest.raises(SinkUnavailable):
            write(sink, films(200), version=2)
        assert emulator.start(port=int(url.rpartition(":")[2])) == url
        write(sink, films(200), version=2)
        sink.close()
        with Elasticsearch(url) as server:
            assert stored(server) == {row["film_id"]: row for row in films(200)}
    finally:
        emulator.stop()


@needs_emulator
def test_one_emulator_runs_in_a_folder(tmp_path: Path) -> None:
    emulator = SearchEmulator(folder=tmp_path)
    try:
        assert emulator.start() == emulator.start()
    finally:
        emulator.stop()
        emulator.stop()


@needs_emulator
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"does not start on port {port}"):
            SearchEmulator(folder=tmp_path).start(port=port)


def test_a_machine_without_the_emulator_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_emulator, "_MODULE", "there_is_no_such_emulator.cli")

    with pytest.raises(ConfigError, match="ELASTICSEARCH_URL"):
        SearchEmulator(folder=tmp_path).start()
