"""The server that benchmarks run on: embedded, as durable as in use, migrated, and gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.migrations import upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchServer:
    """A running server, its URL, and a folder for files that goes with it."""

    server: EmbeddedPostgres
    url: str
    folder: Path


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """A migrated server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="wdh-bench-"))
    # The server's user has to pass through.
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "home")
    try:
        url = server.start()
        upgrade(url)
        yield BenchServer(server=server, url=url, folder=folder)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
