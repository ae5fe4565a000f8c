"""Which process, if any, serves a data folder; what the server itself noted is checked, not believed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PID_LINE, _PORT_LINE = 0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A server process that is alive and serves the folder."""

    pid: int
    port: int


def read_postmaster(data: Path) -> Postmaster | None:
    """The process that serves `data`, None where there is none.

    A server that was killed leaves its note behind, and its process number may belong to
    something else by now; so the process's own command line has to name the folder.
    """
    noted = _noted(data)
    if noted is None or not _serves(noted.pid, data):
        return None
    return noted


def clear_foreign_pid(data: Path) -> None:
    """Remove a killed server's note where another program has its process number: PostgreSQL would refuse it."""
    noted = _noted(data)
    if noted is not None and _alive(noted.pid) and not _serves(noted.pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _noted(data: Path) -> Postmaster | None:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    numbers = [lines[at].strip() if len(lines) > at else "" for at in (_PID_LINE, _PORT_LINE)]
    if not all(number.isdigit() for number in numbers):
        return None
    return Postmaster(pid=int(numbers[0]), port=int(numbers[1]))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _serves(pid: int, data: Path) -> bool:
    return _alive(pid) and f"-D {data} " in f"{_command_line(pid)} "


def _command_line(pid: int) -> str:
    proc = Path("/proc") / str(pid) / "cmdline"
    if proc.exists():
        return proc.read_bytes().decode(errors="replace").replace("\0", " ")
    listed = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()


def has_data(home: Path) -> bool:
    """Whether an embedded server was ever initialised below `home`; a folder that may not be read has one."""
    try:
        return (home / "postgres" / "data" / "PG_VERSION").exists()
    except PermissionError:
        return True
