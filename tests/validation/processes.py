"""Programs in the background: each is known by a file that it holds locked for as long as it lives."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from work_data_hub.errors import WorkDataHubError

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_TOLD_LINES = 15
# Kept so that those of this process which have ended can be taken off the list of processes.
_STARTED: list[subprocess.Popen[bytes]] = []


class DidNotStart(WorkDataHubError):
    """A program of the stack ended, or did not say in time that it was ready; the end of its log is shown with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """One program, in a session of its own; its log and the file with its process id lie in `folder`."""

    name: str
    folder: Path

    @property
    def log_file(self) -> Path:
        """Where it writes to."""
        return self.folder / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process, None where it does not run."""
        try:
            descriptor = os.open(self._pid_file, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever has just locked it writes its id next.
            return int(os.read(descriptor, 32).strip() or 0) or None
        finally:
            os.close(descriptor)
        return None

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], ready: str) -> str:
        """What follows `ready` on the line that begins so; it is killed where that does not come.

        Raises DidNotStart with the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        begin = self.log_file.stat().st_size if self.log_file.exists() else 0
        with undisturbed():
            process = self._launched(command, environment)
        try:
            return self._ready(process, ready, begin=begin)
        except BaseException:
            self.kill()
            raise

    def stop(self, *, patience_seconds: float) -> bool:
        """Ask it to end and wait; kill it where that takes too long. False where it did not run."""
        pid = self.pid()
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        if not self._has_ended(patience_seconds):
            self.kill()
        self._forget(pid)
        return True

    def kill(self) -> None:
        """Kill it and what it started, at once, as a crash would."""
        pid = self.pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        self._has_ended(_START_SECONDS)
        self._forget(pid)

    def log_end(self, lines: int) -> list[str]:
        """The last lines of its log."""
        if not self.log_file.exists():
            return []
        return self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]

    def _launched(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        descriptor = os.open(self._pid_file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with self.log_file.open("ab") as log:
                process = subprocess.Popen(
                    list(command),
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(descriptor,),
                )
            os.write(descriptor, str(process.pid).encode())
        finally:
            os.close(descriptor)
        _STARTED.append(process)
        return process

    def _ready(self, process: subprocess.Popen[bytes], ready: str, *, begin: int) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            said = self.log_file.read_bytes()[begin:].decode(errors="replace")
            # A line that is not whole yet would be cut.
            for line in said.splitlines(keepends=True):
                if line.startswith(ready) and line.endswith("\n"):
                    return line.removeprefix(ready).strip()
            time.sleep(_LOOK_SECONDS)
        raise DidNotStart(
            f"{self.name} did not start: {' | '.join(self.log_end(_TOLD_LINES))}",
            file=str(self.log_file),
            hint="mend what its log says, then make up",
        )

    def _has_ended(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _forget(self, pid: int) -> None:
        for process in [one for one in _STARTED if one.pid == pid]:
            process.wait()
            _STARTED.remove(process)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put signals to end off until the block is through: what it starts or stops is then known to be so."""
    told: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, remember) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if told:
            signal.raise_signal(told[0])
