"""`wdh requeue`: the options; what it does stands in `requeue_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Take a corrected rejects workbook back: show what changed, and load its month with the corrections.

The original files are read again with every corrected cell in its place, and the month is loaded as a
whole; nothing is loaded twice. Plans by default and writes nothing. Corrections are kept: loading the
original file again does not lose them. Exit codes are those of `wdh etl`."""


def requeue(
    file: Annotated[str, typer.Argument(help="The rejects workbook, corrected and saved.")],
    execute: Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")] = False,
    max_rejects: Annotated[
        str, typer.Option(help="Rows left uncorrected to tolerate, beyond those the last load left: 12 or 1.5%.")
    ] = "0",
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Load even if over 30 % of the month's rows go.")
    ] = False,
    lock_wait: Annotated[float, typer.Option(min=0, max=86_400, help="Wait SECONDS for a locked month.")] = 0.0,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and the summary line.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Plan or execute the way back of rejected rows."""
    code: int = deferred("work_data_hub.cli.requeue_run:run_requeue")(
        file=file,
        execute=execute,
        max_rejects=max_rejects,
        allow_shrink=allow_shrink,
        lock_wait_seconds=lock_wait,
        report=report,
        quiet=quiet,
        debug=debug,
    )
    return code
