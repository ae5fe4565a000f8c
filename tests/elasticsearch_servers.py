"""An Elasticsearch for tests: the one that ELASTICSEARCH_URL names, else the emulator, else a reason to skip."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from work_data_hub.domain.batch.targets import TARGETS, IndexTarget
from work_data_hub.io.search_emulator import SearchEmulator, has_emulator

# Read when this module is imported: tests themselves see no setting of the shell.
GIVEN_URL = os.environ.get("ELASTICSEARCH_URL", "")
INDEXES = tuple(target.index for target in TARGETS.values() if isinstance(target, IndexTarget))


@contextmanager
def elasticsearch_server() -> Iterator[str]:
    """The URL of a server without our indexes; those that tests made in it are gone at the end.

    A given server that holds them already is somebody's own, and is left alone.
    """
    if not GIVEN_URL and not has_emulator():
        pytest.skip("no Elasticsearch: ELASTICSEARCH_URL is not set and noida-db is not installed")
    if GIVEN_URL:
        if taken := [name for name in INDEXES if Elasticsearch(GIVEN_URL).indices.exists(index=name)]:
            pytest.skip(f"the server of ELASTICSEARCH_URL has indexes of its own: {', '.join(taken)}")
        yield GIVEN_URL
        forget_indexes(GIVEN_URL)
        return
    folder = Path(tempfile.mkdtemp(prefix="wdh-search-"))
    emulator = SearchEmulator(folder=folder)
    try:
        yield emulator.start()
    finally:
        emulator.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """The URL of a server for the whole session; tests share its indexes, see `forget_indexes`."""
    with elasticsearch_server() as url:
        yield url


def forget_indexes(url: str) -> None:
    """Delete the indexes that pipelines may fill."""
    with Elasticsearch(url) as client:
        for name in INDEXES:
            client.indices.delete(index=name, ignore_unavailable=True)
