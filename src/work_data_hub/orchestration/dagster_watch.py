"""Dagster's servers while they run: where to look, what comes back only with help, and how they came to an end."""

import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from signal import Signals

import psutil

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.orchestration.dagster_servers import descendants
from work_data_hub.orchestration.file_assets import GOLD, asset_key
from work_data_hub.orchestration.server_log import ServerLog

_LOOK_SECONDS = 5.0
_KEEPER, _CODE = ("code-server", "start"), ("api", "grpc")
_PART_ENDED = re.compile(r"(dagster-\w+) process shut down unexpectedly with return code (-?\d+)")


def months_url(url: str) -> str:
    """Where the page shows the months of the first domain, each with its state."""
    return f"{url}/assets/{'/'.join(asset_key(GOLD, next(iter(DOMAINS))).path)}?view=partitions"


def groups_url(url: str) -> str:
    """Where the page lists every domain."""
    return f"{url}/asset-groups"


def watch(process: "subprocess.Popen[bytes]", *, tell: Callable[[str], None]) -> None:
    """Return when the servers, which are ready, have ended; until then a server of our code that is gone comes back.

    Dagster starts the code server's keeper again when that ends, but the keeper does not miss its server.
    """
    served = {one.pid for one in _keepers(process.pid)}
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LOOK_SECONDS)
            return
        keepers = {one.pid: _serves(one) for one in _keepers(process.pid)}
        # One whose server never came up has definitions that do not load; its log says so.
        for number in [number for number, serves in keepers.items() if number in served and not serves]:
            tell("the server of our code is gone: Dagster starts it again, and goes on within a minute or so")
            with suppress(psutil.NoSuchProcess):
                psutil.Process(number).kill()
        served = {number for number, serves in keepers.items() if serves}


def how_it_ended(process: "subprocess.Popen[bytes]", *, log: ServerLog) -> str:
    """The part that went first, and by what; Dagster itself ends with 0 after that."""
    parts = _PART_ENDED.findall(log.path.read_text(encoding="utf-8")) if log.path.exists() else []
    if parts:
        return f"{parts[0][0]} ended by itself {_by(int(parts[0][1]))}, and Dagster with it"
    return f"Dagster ended by itself {_by(process.returncode)}"


def _by(code: int) -> str:
    """In words: a negative code is a signal."""
    with suppress(ValueError):
        return f"by {Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"with exit code {code}"


def _keepers(number: int) -> list[psutil.Process]:
    return [one for one in descendants(number) if _is(one, _KEEPER)]


def _serves(keeper: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(_is(one, _CODE) for one in keeper.children())
    return False


def _is(one: psutil.Process, words: tuple[str, str]) -> bool:
    """Whether it runs, and its command line has both words, one after the other."""
    with suppress(psutil.NoSuchProcess):
        return words in pairwise(one.cmdline())
    return False
