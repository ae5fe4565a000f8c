"""`wdh identity refresh`: the options; what it does stands in `identity_refresh_run`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Ask the registry again for companies it told of: stale ones, all, or those listed; plans by default.

A company is searched by its stored name, and refreshed when the same company is among the answers. Each is
stored as soon as it is answered; a refresh that ended early goes on with --resume, failed companies first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshOptions:
    """The command line of one call; None where the settings decide."""

    stale: bool
    everything: bool
    companies: str
    resume: bool
    threshold_days: int | None
    max_companies: int | None
    batch_size: int | None
    rate_limit: float | None
    lock_wait_seconds: float
    execute: bool
    report: str
    debug: bool


def refresh(
    stale: Annotated[bool, typer.Option("--stale", help="Companies never asked for, or too long ago.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every company.")] = False,
    companies: Annotated[str, typer.Option(help="These company ids, separated by commas.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest refresh, which did not end.")] = False,
    threshold_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Older answers are stale. [default: by setting, 90]")
    ] = None,
    max_companies: Annotated[int | None, typer.Option(min=1, help="Ask for at most N companies now.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Companies read at a time. [default: by setting, 100]")
    ] = None,
    rate_limit: Annotated[
        float | None, typer.Option(min=0.001, max=1000, help="Requests a second. [default: by setting, 1.0]")
    ] = None,
    lock_wait: Annotated[float, typer.Option(min=0, max=86_400, help="Wait SECONDS for another refresh to end.")] = 0.0,
    execute: Annotated[bool, typer.Option("--execute", help="Ask and write. Without it nothing is asked.")] = False,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Refresh companies."""
    options = RefreshOptions(
        stale=stale,
        everything=everything,
        companies=companies,
        resume=resume,
        threshold_days=threshold_days,
        max_companies=max_companies,
        batch_size=batch_size,
        rate_limit=rate_limit,
        lock_wait_seconds=lock_wait,
        execute=execute,
        report=report,
        debug=debug,
    )
    code: int = deferred("work_data_hub.cli.identity_refresh_run:run_refresh")(options)
    return code
