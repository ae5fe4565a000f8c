"""What Dagster's servers say: kept whole, plain and without secrets in a file, their errors passed on."""

import logging
import re
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Thread
from typing import IO

from work_data_hub.log import redact_text

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# As Dagster's servers write: `2026-01-31 12:00:00 +0800 - dagster.daemon - ERROR - the message`.
_TROUBLE = re.compile(r"^\S+ \S+ \S+ - (?P<who>\S+) - (?:ERROR|CRITICAL) - (?P<what>.*)$")
# Of a run that fails every step speaks; its end, and our own sentence within the traceback, say all.
_OF_A_RUN, _END_OF_A_RUN = re.compile(r" - [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} - "), " - RUN_FAILURE - "
_SENTENCE = re.compile(r"^work_data_hub\.errors\.\w+: (?P<what>\[.*)$")
_MOST_LETTERS, _REMEMBERED = 600, 20
MOST_BYTES, FILES_BEFORE = 10_000_000, 4


class ServerLog:
    """A file of what servers say; `tell` hears each error in one line, not again while it is repeated.

    A start begins a new file, and so does one that has `most_bytes`; the `FILES_BEFORE` before it are kept as
    `<name>.1` and on, newest first.
    """

    def __init__(self, path: Path, *, tell: Callable[[str], None], most_bytes: int = MOST_BYTES) -> None:
        self.path, self._tell = path, tell
        self.last_line, self._told = "", deque[str](maxlen=_REMEMBERED)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = RotatingFileHandler(
            path, maxBytes=most_bytes, backupCount=FILES_BEFORE, encoding="utf-8", delay=True
        )
        if path.exists():
            self._file.doRollover()

    def follow(self, said: IO[bytes]) -> Thread:
        """Write down what comes until it ends, in a thread of its own."""
        thread = Thread(target=self._write, args=(said,), name="server log", daemon=True)
        thread.start()
        return thread

    def _write(self, said: IO[bytes]) -> None:
        for raw in said:
            line = redact_text(_COLOURS.sub("", raw.decode(errors="replace")).rstrip())
            self._file.emit(logging.makeLogRecord({"msg": line}))
            self.last_line = line or self.last_line
            self._pass_on(_worth_telling(line))
        self._file.close()

    def _pass_on(self, line: str) -> None:
        if line and line not in self._told:
            self._told.append(line)
            self._tell(line[:_MOST_LETTERS])


def _worth_telling(line: str) -> str:
    """What a human is to hear of a line; blank where it is nothing, or is said better elsewhere."""
    sentence = _SENTENCE.match(line)
    if sentence:
        return sentence["what"]
    trouble = _TROUBLE.match(line)
    if trouble is None or (_OF_A_RUN.search(line) and _END_OF_A_RUN not in line):
        return ""
    return f"{trouble['who']}: {trouble['what']}"
