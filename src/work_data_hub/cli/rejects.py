"""`wdh rejects`: the options; what it does stands in `rejects_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """List the rows that the standing loads rejected: open, fixed or waived, load by load.

Shows where each open row's first bad cell is, and the workbook to correct. Reads only."""


def rejects(
    domain: Annotated[str, typer.Option(help="Only this domain.")] = "",
    period: Annotated[str, typer.Option(help="Only this month, YYYYMM.")] = "",
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
) -> None:
    """Print rejected rows."""
    deferred("work_data_hub.cli.rejects_run:run_rejects")(domain=domain, period=period, report=report)
