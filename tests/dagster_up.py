"""`wdh dagster up` as users start it, with what it says kept in a file."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.free_ports import free_port
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """The command, the address it was told to answer on, and where its lines go."""

    process: "subprocess.Popen[bytes]"
    url: str
    lines: Path

    @property
    def said(self) -> str:
        return self.lines.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has said so; fails where it ends without."""

        def is_said() -> bool:
            assert text in self.said or self.process.poll() is None, self.said
            return text in self.said

        until(is_said, seconds=3 * PATIENT_SECONDS, every=0.2)


@contextmanager
def dagster_up(hub: Hub, *, port: int | None = None, name: str = "up", **settings: str) -> Iterator[Up]:
    """Start it; asked to end when the block ends, and waited for."""
    port, lines = free_port() if port is None else port, hub.home / f"{name}.log"
    with lines.open("wb") as out:
        process = subprocess.Popen(
            hub.command("dagster", "up", "--port", str(port)),
            env=hub.environment(**settings),
            cwd=hub.home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield Up(process=process, url=f"http://127.0.0.1:{port}", lines=lines)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
