"""Dagster's webserver and daemon as child processes: started over our definitions, waited for, and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psutil

from work_data_hub.errors import ConfigError, Unexpected, UsageError
from work_data_hub.io.local_server import listening_socket
from work_data_hub.io.lone_holder import Held, lone_holder, say
from work_data_hub.orchestration.dagster_instance import (
    DEFINITIONS,
    dagster_environment,
    dagster_home,
)
from work_data_hub.orchestration.server_log import ServerLog
from work_data_hub.settings import Settings

READY_SECONDS = 180.0
_ASK_AGAIN_SECONDS = 0.5
_STOP_SECONDS, _LEFT_SECONDS = 30.0, 5.0
_QUESTION = """
query { workspaceOrError { __typename ... on Workspace { locationEntries { locationOrLoadError {
  __typename ... on PythonError { message errorChain { error { message } } } } } } ... on PythonError { message } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }
"""


@contextmanager
def sole_servers(settings: Settings, *, host: str, port: int) -> Iterator[int]:
    """Hold Dagster's folder for the block: two daemons on it would launch everything twice.

    Gives what the servers are to hold as well. Raises UsageError where others run on it, or the port is taken.
    """
    home = dagster_home(settings)
    try:
        with lone_holder(home / "servers.lock", says=f"process {os.getpid()}, which starts them") as hold:
            # Dagster itself would say so in a traceback, after seconds.
            listening_socket(host, port).close()
            yield hold
    except Held as held:
        raise UsageError(
            f"Dagster runs already: {held.by or 'it has just begun'}",
            file=str(home),
            hint="open its page, or end it first; another DAGSTER_HOME has a history of its own",
        ) from None


@contextmanager
def dagster_servers(
    settings: Settings, *, host: str, port: int, hold: int, log: ServerLog | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process that runs both; it ends with the block, and all that it started, asked first and then made to.

    What they say goes to `log`, else to the terminal. They open Dagster's instance all at once: it is there by then.
    """
    command = [sys.executable, "-m", "dagster", "dev", "-m", DEFINITIONS, "-p", str(port), "-h", host]
    spoken: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if log else {}
    process = subprocess.Popen(
        command,
        env=os.environ | dagster_environment(settings),
        # A session of its own: Ctrl-C in the terminal must not reach half of them before they are asked in order.
        start_new_session=True,
        pass_fds=(hold,) if os.name == "posix" else (),
        **spoken,
    )
    say(hold, f"{page_url(host, port)}, processes {os.getpid()} and {process.pid}")
    follower = log.follow(process.stdout) if log and process.stdout else None
    try:
        yield process
    finally:
        _end(process)
        if follower:
            # What they said last is to stand in the log; a process that outlived them may hold the pipe.
            follower.join(timeout=_LEFT_SECONDS)


def page_url(host: str, port: int) -> str:
    """The address of the page."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def port_to_take(host: str, port: int) -> int:
    """The port, or for 0 one that is free. Raises UsageError where nobody may listen on the host."""
    if port:
        return port
    with listening_socket(host, 0) as free:
        return int(free.getsockname()[1])


def _end(process: "subprocess.Popen[bytes]") -> None:
    family = descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    # Whoever asks a second time does not want to wait.
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        process.wait(timeout=_STOP_SECONDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    family += descendants(process.pid)
    # What was asked to end while it was starting forgets its children.
    _, alive = psutil.wait_procs(family, timeout=_LEFT_SECONDS)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()


def descendants(number: int) -> list[psutil.Process]:
    """What the process has started and still runs, and what that has started; nothing of one that is gone."""
    try:
        return list(psutil.Process(number).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def wait_until_ready(
    url: str, process: "subprocess.Popen[bytes]", *, log: ServerLog, within_seconds: float = READY_SECONDS
) -> None:
    """Wait until the page answers, our definitions are loaded and every daemon is alive.

    Raises ConfigError where the definitions do not load, Unexpected where the servers end or take longer.
    """
    deadline = time.monotonic() + within_seconds
    missing = "the page"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _unexpected(f"Dagster ended while it started: {log.last_line}", log)
        missing = _missing(url)
        if not missing:
            return
        time.sleep(_ASK_AGAIN_SECONDS)
    raise _unexpected(f"after {within_seconds:.0f} seconds Dagster still waits for {missing}", log)


def _unexpected(message: str, log: ServerLog) -> Unexpected:
    return Unexpected(message, operation="dagster up", hint=f"{log.path} says why")


def _missing(url: str) -> str:
    """What is not there yet; blank when all is."""
    try:
        answer = httpx.post(f"{url}/graphql", json={"query": _QUESTION}, timeout=10)
        data = answer.json().get("data")
    except (httpx.HTTPError, json.JSONDecodeError):
        return "the page"
    if not data:
        return "an answer of the page"
    entries = data["workspaceOrError"].get("locationEntries") or []
    loaded = [entry["locationOrLoadError"] for entry in entries]
    for one in loaded:
        if one and one["__typename"] == "PythonError":
            raise ConfigError(
                f"the definitions do not load: {_cause(one)}",
                operation="dagster up",
                hint="correct what it names, then start again",
            )
    if not loaded or not all(loaded):
        return "the definitions"
    daemons = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    asleep = [one["daemonType"] for one in daemons if one["required"] and not one["healthy"]]
    return f"daemons: {', '.join(asleep)}" if asleep or not daemons else ""


def _cause(error: Mapping[str, Any]) -> str:
    """What went wrong first; Dagster's own words around it name processes and modules."""
    chain = error.get("errorChain") or [{"error": error}]
    return str(chain[-1]["error"]["message"]).strip()
