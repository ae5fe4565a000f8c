"""One process at a time, by a lock on a file that the system frees however its holder ends."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def take(descriptor: int, *, wait: bool) -> None:
        """Lock the open file until it is closed; raises OSError where another has it and nobody waits."""
        msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def take(descriptor: int, *, wait: bool) -> None:
        """Lock the open file until it is closed; raises OSError where another has it and nobody waits."""
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock on `path` for the block, waiting for it; the file is made when missing and stays."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        take(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)
