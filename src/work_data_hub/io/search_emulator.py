"""An Elasticsearch to try things with, where there is none: the emulator noida-db, kept under a folder."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.errors import ConfigError

_MODULE = "noida_db.cli"
_ADDRESS = re.compile(r"elasticsearch\s+(http://\S+)")
_PATIENCE_SECONDS = 60


def has_emulator() -> bool:
    """Whether the emulator is installed; it comes with the development tools, and not for every machine."""
    return importlib.util.find_spec(_MODULE.partition(".")[0]) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEmulator:
    """The emulator of one folder: at most one runs there, in the background, and keeps its documents there."""

    folder: Path

    def start(self, *, port: int = 0) -> str:
        """Its URL on this machine; started unless it runs, `port` 0 takes a free one.

        Raises ConfigError where it is not installed or does not start.
        """
        if not has_emulator():
            raise ConfigError(
                "the Elasticsearch emulator noida-db is not installed",
                field="ELASTICSEARCH_URL",
                hint="install the development tools (uv sync), or set ELASTICSEARCH_URL",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self._command("up", "--only", "elasticsearch", "--elasticsearch-port", str(port))
        address = _ADDRESS.search(done.stdout)
        if done.returncode or address is None:
            raise ConfigError(
                f"the Elasticsearch emulator does not start on port {port}",
                file=str(self.folder / "noida.log"),
                field="ELASTICSEARCH_URL",
                hint="another program may have the port: choose another, or set ELASTICSEARCH_URL",
            )
        return address[1]

    def stop(self) -> None:
        """Stop it; its documents are there again at the next start. Nothing happens where none runs."""
        if has_emulator():
            self._command("down")

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", _MODULE, *words, "--data-dir", str(self.folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
