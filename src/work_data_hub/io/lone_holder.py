"""One holder at a time, who says who it is; the system frees the place however the holder ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from work_data_hub.io.file_lock import take


class Held(Exception):
    """Somebody else holds it; `by` is what that one said of itself."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


# Where the lock itself lies no other process may read on Windows.
_LOCKED_BYTES = 1


@contextmanager
def lone_holder(path: Path, *, says: str) -> Iterator[int]:
    """Hold `path` for the block; raises Held where another does.

    Gives the descriptor: a child that inherits it keeps the place even when this process is killed, and `say` puts
    other words there.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            take(descriptor, wait=False)
        except OSError:
            raise Held(_note(descriptor)) from None
        say(descriptor, says)
        yield descriptor
    finally:
        os.close(descriptor)


def say(descriptor: int, says: str) -> None:
    """What others are told of whoever holds the descriptor's place."""
    os.ftruncate(descriptor, _LOCKED_BYTES)
    os.lseek(descriptor, _LOCKED_BYTES, os.SEEK_SET)
    os.write(descriptor, says.encode())


def _note(descriptor: int) -> str:
    os.lseek(descriptor, _LOCKED_BYTES, os.SEEK_SET)
    return os.read(descriptor, 1_000).decode(errors="replace").strip()
