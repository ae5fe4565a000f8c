"""`wdh identity queue`: the options; what it does stands in `identity_queue_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Names that wait for the company registry: how many, since when, what failed last; --drain asks for them.

Draining goes on until nothing is ready; each answer is stored as soon as it is there. Several drains may
run at once. Without --drain nothing is written."""


def queue(
    drain: Annotated[bool, typer.Option("--drain", help="Ask the registry for what is ready, and store it.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=500, help="Requests taken at a time.")] = 50,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after N requests.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Begin no request after SECONDS.")] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also ask again for what was given up without an answer.")
    ] = False,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Show or drain the queue."""
    code: int = deferred("work_data_hub.cli.identity_queue_run:run_queue")(
        drain=drain,
        batch_size=batch_size,
        limit=limit,
        seconds=seconds,
        retry_failed=retry_failed,
        report=report,
        debug=debug,
    )
    return code
