"""Signals that come while what runs for long still loads end it as gracefully as later ones, the second one at once."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS

from work_data_hub.errors import Interrupted
from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration
# In the order in which they are loaded, the first one right after the arguments were taken, the last one well before
# the end: whoever reads that it has loaded is still ahead of the process when it is ready.
STEPS = ("work_data_hub.settings", "psycopg2", "work_data_hub.io.batch_deletes")
RUNNER = ("pipelines", "runner")
SERVE = ("pipelines", "serve", "--port", "0")
# Right after the arguments were taken, before anything is opened, and while the routes are loaded.
API_STEPS = ("uvicorn", "work_data_hub.orchestration.batch_place", "work_data_hub.orchestration.batch_desk")
STARTS = [*((RUNNER, step) for step in STEPS), *((SERVE, step) for step in API_STEPS)]


@contextmanager
def loading(hub: Hub, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A process whose interpreter tells each module that it has loaded, and gets not far ahead of who reads it."""
    with hub.started(*command, settings={"PYTHONPROFILEIMPORTTIME": "1"}) as process:
        assert process.stderr is not None
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        yield process


def until_loaded(process: subprocess.Popen[str], module: str) -> None:
    assert process.stderr is not None
    line = b""
    # Byte by byte: what is read ahead would let the process get ahead.
    while byte := os.read(process.stderr.fileno(), 1):
        if byte != b"\n":
            line += byte
        elif line.rpartition(b"|")[2].strip() == module.encode():
            return
        else:
            line = b""
    raise AssertionError(f"{module} was never loaded")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("command", "step"), STARTS)
def test_a_signal_while_it_loads_is_a_graceful_end(
    warehouse: Connection, hub: Hub, command: tuple[str, ...], step: str, end: signal.Signals
) -> None:
    with loading(hub, *command) as process:
        until_loaded(process, step)
        process.send_signal(end)
        _, told = process.communicate(timeout=PATIENT_SECONDS)

    assert process.returncode == 0
    assert "ready as" not in told
    assert "wdh pipelines serve: http" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("command", "first", "second"), [(RUNNER, *STEPS[:2]), (SERVE, "uvicorn", "rich")])
def test_a_second_signal_while_it_loads_ends_it_at_once(
    hub: Hub, command: tuple[str, ...], first: str, second: str
) -> None:
    with loading(hub, *command) as process:
        until_loaded(process, first)
        process.terminate()
        until_loaded(process, second)
        process.terminate()
        process.communicate(timeout=PATIENT_SECONDS)

    assert process.returncode == Interrupted.exit_code
