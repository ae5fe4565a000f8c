"""`wdh identity apply`: the options; what it does stands in `identity_apply_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Bring stored rows to the companies that are known and decided by now; plans by default.

Temporary ids become the companies that overrides, decisions and the index name; merges and splits are
followed; what an undone decision changed goes back. The registry is not asked. With --execute everything
is one transaction: facts, reference rows, and the contracts and snapshots that follow from them."""


def apply(
    execute: Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")] = False,
    lock_wait: Annotated[
        float, typer.Option(min=0, max=86_400, help="Wait SECONDS for loads of the months that change.")
    ] = 0.0,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Bring stored rows to the companies that are known and decided by now."""
    code: int = deferred("work_data_hub.cli.identity_apply_run:run_apply")(
        execute=execute, lock_wait_seconds=lock_wait, report=report, debug=debug
    )
    return code
