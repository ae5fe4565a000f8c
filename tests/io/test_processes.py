"""A process is known again by its machine, number and start, whatever happens to the clock."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.patience import until

from work_data_hub.io import processes
from work_data_hub.io.processes import is_alive, keep_sign, this_process

pytestmark = pytest.mark.unit
MACHINE, NUMBER, START, BOOT, NAMESPACE = range(5)


def other(at: int, text: str) -> str:
    """The name of this process with one part of it changed."""
    parts = this_process().split(":")
    parts[at] = text
    return ":".join(parts)


def test_this_process_is_alive() -> None:
    assert is_alive(this_process(), signs=Path()) is True
    assert len(this_process().split(":")) == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (lambda: other(MACHINE, "elsewhere"), None),
        (lambda: other(NAMESPACE, "1"), None),
        (lambda: other(BOOT, "another boot"), False),
        (lambda: other(START, "1"), False),
        (lambda: other(NUMBER, str(2**22 + 1)), False),
        (lambda: other(NUMBER, "?"), None),
        (lambda: "", None),
    ],
    ids=["other machine", "other namespace", "before a reboot", "number taken over", "gone", "no number", "nothing"],
)
def test_a_process_is_dead_only_where_that_is_certain(name: Callable[[], str], expected: bool | None) -> None:
    assert is_alive(name(), signs=Path()) is expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where the clock moves the times that psutil gives")
def test_a_step_of_the_clock_makes_nobody_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    name, boot = this_process(), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 1)

    assert is_alive(name, signs=Path()) is True


def test_a_killed_process_is_dead_before_anybody_reaps_it() -> None:
    code = "from work_data_hub.io.processes import this_process; print(this_process(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    with process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert is_alive(name, signs=Path()) is True
        process.send_signal(signal.SIGKILL)
        until(lambda: is_alive(name, signs=Path()) is False)


IN_A_CONTAINER = """
import sys
from pathlib import Path
from work_data_hub.io import processes
processes._namespace = lambda: "1"
processes.keep_sign(Path(sys.argv[1]))
print(processes.this_process(), flush=True)
input()
"""


def test_a_process_of_another_container_is_known_by_its_sign(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_A_CONTAINER, str(tmp_path / "signs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert is_alive(name, signs=tmp_path / "signs") is True
        assert is_alive(name, signs=tmp_path) is None
        process.kill()
    assert is_alive(name, signs=tmp_path / "signs") is False


def test_who_cannot_leave_a_sign_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "signs").write_text("no folder")
    keep_sign(tmp_path / "signs")
    assert is_alive(other(NAMESPACE, "1"), signs=tmp_path / "signs") is None


def test_a_folder_without_locks_makes_nobody_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_none(descriptor: int, *, wait: bool) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "take", has_none)
        patch.setattr(processes, "_namespace", lambda: "1")
        keep_sign(tmp_path)
        name = this_process()

    assert is_alive(name, signs=tmp_path) is None


def test_without_proc_the_time_of_start_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)

    assert this_process().endswith("::")
    assert is_alive(this_process(), signs=Path()) is True
    assert is_alive(other(START, "1.00"), signs=Path()) is False
    assert is_alive(other(NUMBER, str(2**22 + 1)), signs=Path()) is False
