"""Runners in processes of their own, quick to notice what happens, and never left behind."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hub import Hub

READY = "wdh pipelines runner: ready as "
PATIENT_SECONDS = 60.0
"""Longer than anything that is promised: a runner needs seconds to start on a busy machine."""
QUICK = {
    "ETL_LEASE_SECONDS": "2",
    "ETL_HEARTBEAT_SECONDS": "0.2",
    "ETL_POLL_SECONDS": "0.5",
    "ETL_RETRY_BACKOFF_SECONDS": "0.2",
    "LOG_LEVEL": "CRITICAL",
}


@contextmanager
def started_runner(hub: Hub, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A runner that may not be ready yet; killed at the end where it still lives."""
    process = subprocess.Popen(
        hub.command("pipelines", "runner", *arguments),
        env=hub.environment(**QUICK | settings),
        cwd=hub.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


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
