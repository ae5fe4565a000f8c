"""Runners in processes of their own, quick to notice what happens, and never left behind."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.hub import Hub

READY = "wdh pipelines runner: ready as "
QUICK = {
    "ETL_LEASE_SECONDS": "2",
    "ETL_HEARTBEAT_SECONDS": "0.2",
    "ETL_POLL_SECONDS": "0.5",
    "ETL_RETRY_BACKOFF_SECONDS": "0.2",
    "LOG_LEVEL": "CRITICAL",
}


def started_runner(hub: Hub, *arguments: str, **settings: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A runner that may not be ready yet; killed at the end where it still lives."""
    return hub.started("pipelines", "runner", *arguments, settings=QUICK | settings)


@contextmanager
def ready_runner(hub: Hub, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A runner that is ready when the block begins."""
    with started_runner(hub, *arguments, **settings) as process:
        until_ready(process)
        yield process


def until_ready(process: subprocess.Popen[str]) -> None:
    """Wait until the runner says so; what it says later is not heard."""
    assert process.stderr is not None
    line = process.stderr.readline()
    # Nobody may let it wait for a full pipe.
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert line.startswith(READY), line
