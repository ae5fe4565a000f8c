"""Signals that come while what runs for long still loads end it as gracefully as later ones, the second one at once."""

import signal
import subprocess
from contextlib import AbstractContextManager

import pytest
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS

from work_data_hub.errors import Interrupted
from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration
# In the order in which they are loaded, the first one right after the arguments were taken.
STEPS = ("work_data_hub.settings", "psycopg2", "work_data_hub.orchestration.batch_runner")
RUNNER = ("pipelines", "runner")
SERVE = ("pipelines", "serve", "--port", "0")
# Right after the arguments were taken, before anything is opened, and while the routes are loaded.
API_STEPS = ("uvicorn", "work_data_hub.orchestration.batch_place", "work_data_hub.api.batch_routes")
STARTS = [*((RUNNER, step) for step in STEPS), *((SERVE, step) for step in API_STEPS)]


def loading(hub: Hub, *command: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A process whose interpreter tells each module that it has loaded."""
    return hub.started(*command, settings={"PYTHONPROFILEIMPORTTIME": "1"})


def until_loaded(process: subprocess.Popen[str], module: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == module:
            return
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


@pytest.mark.parametrize(("command", "first", "second"), [(RUNNER, *STEPS[:2]), (SERVE, *API_STEPS[:2])])
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
