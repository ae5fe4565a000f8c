"""What tests have a cluster's workers do; a module of its own, so that workers can load it."""

import os
import signal
import time
from importlib import import_module
from pathlib import Path

from tests.patience import PATIENT_SECONDS
from work_data_hub.errors import NoDataRows, UnreadableWorkbook
from work_data_hub.io.code_version import code_version


def doubled(number: int) -> int:
    return 2 * number


def die_once(marker: Path) -> int:
    """Kill the worker at the first call of all, and answer at the next."""
    if not marker.exists():
        marker.touch()
        _die()
    return 7


def die(_: int) -> int:
    _die()
    return 0


def refuse_two_and_four(number: int) -> int:
    """Refuse the fourth piece at once and the second one late; the error has facts of its own."""
    if number == 2:
        time.sleep(0.5)
        error = NoDataRows("headings only", file="b.xlsx", sheet="S", hint="look at it")
        error.has_headings = True
        raise error
    if number == 4:
        raise UnreadableWorkbook("broken", file="d.xlsx")
    return number


def linger(marker: Path) -> int:
    """Say that it has begun, and go on for longer than anybody waits."""
    marker.touch()
    time.sleep(3 * PATIENT_SECONDS)
    return 0


def fail(number: int) -> int:
    """A fault of the program, which is no error of ours."""
    return 1 // number


def become(version: str) -> None:
    """Make this process one of another version of the code."""
    import_module("work_data_hub.io.code_version").__dict__["__version__"] = version
    code_version.cache_clear()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
