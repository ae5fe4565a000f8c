"""`wdh dagster webserver`, `daemon` and `code-server`: this process becomes one of Dagster's servers."""

import os

from work_data_hub.cli.doors import open_door
from work_data_hub.orchestration.dagster_parts import Part, part_command, part_environment
from work_data_hub.settings import get_client_settings


def become_webserver(*, host: str, port: int, code: str, read_only: bool) -> None:
    """Become the page; it knows neither the warehouse nor its password."""
    _become(Part.WEBSERVER, host=host, port=port, code=code, read_only=read_only)


def become_daemon(*, code: str) -> None:
    """Become the daemon; it asks the code server, and knows no warehouse either."""
    _become(Part.DAEMON, code=code)


def become_code_server(*, host: str, port: int) -> None:
    """Become the server of our code; it launches runs, so it alone has the warehouse."""
    _become(Part.CODE, host=host, port=port, code=None)


def _become(part: Part, *, code: str | None, host: str = "", port: int = 0, read_only: bool = False) -> None:
    settings = open_door() if part is Part.CODE else get_client_settings()
    environment, workspace = part_environment(settings, code=code)
    command = part_command(part, host=host, port=port, workspace=workspace, read_only=read_only)
    # The very process that was started: signals and exit codes of a unit or container are the server's own.
    os.execve(command[0], command, os.environ | environment)
