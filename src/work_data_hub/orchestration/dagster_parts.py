"""Dagster's servers one by one, each a process of its own: what an operator's units and containers start."""

import sys
from enum import StrEnum
from pathlib import Path

import yaml

from work_data_hub.errors import UsageError
from work_data_hub.orchestration.dagster_instance import (
    DEFINITIONS,
    HOME_VARIABLE,
    MARK,
    dagster_environment,
    dagster_instance,
    write_page,
)
from work_data_hub.settings import Settings

_WORKSPACE = "workspace.yaml"


class Part(StrEnum):
    """Which server: the page, the daemon of sensors and queue, or the one that holds our code and runs jobs."""

    WEBSERVER = "webserver"
    DAEMON = "daemon"
    CODE = "code"


def part_command(part: Part, *, host: str, port: int, workspace: Path, read_only: bool = False) -> list[str]:
    """The command line of the server; the daemon listens nowhere, only the page can be read-only."""
    listens, logs = ["-h", host, "-p", str(port)], ["--log-format", "json"]
    if part is Part.CODE:
        # Dagster's code-server would live on when the server behind it is killed, nor say what that one runs.
        start = [sys.executable, "-m", "dagster", "api", "grpc", "-m", DEFINITIONS, "--location-name", DEFINITIONS]
        # Where the definitions do not load, the page says why.
        return [*start, "--lazy-load-user-code", "--use-python-environment-entry-point", *listens, *logs]
    if part is Part.DAEMON:
        return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace), *logs]
    only_reads = ["--read-only"] if read_only else []
    return [sys.executable, "-m", "dagster_webserver", "-w", str(workspace), *listens, *logs, *only_reads]


def part_environment(settings: Settings, *, code: str | None) -> tuple[dict[str, str], Path]:
    """The variables that the server needs, and where the page lies that says where our code is served.

    `code` is that place, HOST:PORT; the code server, which asks nobody, gives None and leaves `workspace.yaml` to
    those who read it. `dagster.yaml` and `workspace.yaml` are written into Dagster's folder unless somebody made
    them his own. Raises UsageError for a place that is none, WarehouseError when Dagster's database is away.
    """
    text = None if code is None else workspace_page(code)
    environment = dagster_environment(settings)
    # The servers open it by themselves, and at once: by then it is made.
    with dagster_instance(settings):
        pass
    workspace = Path(environment[HOME_VARIABLE]) / _WORKSPACE
    if text is not None:
        write_page(workspace, text)
    return environment, workspace


def workspace_page(code: str) -> str:
    """The text of `workspace.yaml`; the location has one name wherever it is served, or its schedules would stop."""
    host, _, port = code.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--code {code} is no place", field="--code", hint="write HOST:PORT, as 127.0.0.1:4266")
    server = {"host": host.strip("[]"), "port": int(port), "location_name": DEFINITIONS}
    return MARK + yaml.safe_dump({"load_from": [{"grpc_server": server}]}, sort_keys=False)
