"""`wdh registry check`: the options; what it does stands in `registry_check_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Ask the company registry whether it takes the token. Nothing is written.

Exits with 0 when the token counts, with 7 when it does not or that cannot be told."""


def check(
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Print whether the registry takes the token."""
    code: int = deferred("work_data_hub.cli.registry_check_run:run_check")(report=report, debug=debug)
    return code
