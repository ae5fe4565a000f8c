"""Which process does something, told so that another can see later whether it still does."""

import os
import re
import socket
from contextlib import suppress
from pathlib import Path

import psutil

from work_data_hub.io.file_lock import take

_PROC = Path("/proc")
_STATE, _START_TICKS = 0, 19
_ENDED = ("Z", "X")
# The system counts starts in ticks from a boot whose time it rounds.
_CLOCK_SECONDS = 2.0
_kept: dict[Path, int] = {}


def this_process() -> str:
    """This process, among all that ever ran: machine, number, start, boot of the machine, namespace of numbers."""
    number = os.getpid()
    return ":".join((socket.gethostname(), str(number), _start(number), _boot(), _namespace()))


def keep_sign(folder: Path) -> None:
    """Hold a file of this process in the folder until it ends, however it does; for those in other containers.

    The empty file stays. Where it cannot be made, they cannot tell.
    """
    path = _sign(folder, this_process())
    if path in _kept:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            take(descriptor, wait=False)
        except OSError:
            # A file that nobody holds would say that this process is dead.
            path.unlink()
            os.close(descriptor)
        else:
            _kept[path] = descriptor


def is_alive(name: str, *, signs: Path) -> bool | None:
    """Whether the process of that name still runs; None where this process cannot tell.

    It cannot tell of other machines. Of another namespace of numbers, as a container has it, it can where the process
    keeps its sign in the folder `signs`, which both see. A process that took over the number of one that ended has
    another start.
    """
    machine, *rest = name.split(":")
    if machine != socket.gethostname() or len(rest) != 4 or not rest[0].isdecimal():
        return None
    number, started, boot, namespace = rest
    if boot != _boot():
        return False
    if namespace != _namespace():
        return _holds(_sign(signs, name))
    try:
        return _start(int(number)) == started
    except PermissionError:
        return None


def _sign(folder: Path, name: str) -> Path:
    return folder / re.sub(r"[^\w.-]", "_", name)


def _holds(sign: Path) -> bool | None:
    """Whether anybody holds the file; None without one. Who shares a boot shares the system that keeps the locks."""
    try:
        descriptor = os.open(sign, os.O_RDWR)
    except OSError:
        return None
    try:
        take(descriptor, wait=False)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def runs_since(number: int, moment: float) -> bool:
    """Whether the process that had the number at a moment (seconds since 1970) still runs on this machine."""
    try:
        process = psutil.Process(number)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= moment + _CLOCK_SECONDS)
    except psutil.NoSuchProcess:
        return False


def _boot() -> str:
    """The id of the machine's present boot; blank where the system keeps none."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return str((_PROC / "self/ns/pid").stat().st_ino)
    return ""


def _start(number: int) -> str:
    """When the process of that number started, in a measure that no change of the clock moves; blank where none runs.

    Raises PermissionError where there is one that is hidden from this user.
    """
    if not (_PROC / "self/stat").exists():
        return _start_elsewhere(number)
    try:
        # The name in brackets may hold anything, brackets and blanks included.
        facts = (_PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        with suppress(ProcessLookupError):
            os.kill(number, 0)
            raise PermissionError(f"process {number} is hidden") from None
        return ""
    return "" if facts[_STATE] in _ENDED else facts[_START_TICKS]


def _start_elsewhere(number: int) -> str:
    """The same on systems without /proc, which keep the time of start itself."""
    try:
        process = psutil.Process(number)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""
