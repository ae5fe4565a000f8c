"""Files that are there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes `path`'s place, and its rights, when the block ends well."""
    with _beside(path) as part:
        yield part
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)


def make_file(path: Path, content: bytes) -> None:
    """Write a file that must not be there; raises FileExistsError, also where it came into being meanwhile."""
    with _beside(path) as part:
        part.write_bytes(content)
        os.link(part, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
