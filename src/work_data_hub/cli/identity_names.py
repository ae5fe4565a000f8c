"""`wdh identity names` and `wdh identity unknown`: the options; what they do stands in `identity_names_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

_Report = Annotated[str, typer.Option(help="text, or json: one document on stdout.")]


def names(
    written: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Names to normalise.")] = None,
    report: _Report = "text",
) -> None:
    """List the rules that bring customer names to one form; given names, show the form of each and which rules made it.

    Index keys, overrides by name, temporary ids and the queue all use this form. Needs no database.
    """
    deferred("work_data_hub.cli.identity_names_run:show_names")(written=tuple(written or ()), report=report)


def unknown(
    domain: Annotated[str, typer.Option(help="Only this domain's facts.")] = "",
    period: Annotated[str, typer.Option(help="Only names in this month, YYYYMM.")] = "",
    csv: Annotated[str, typer.Option(metavar="FILE", help="Write all of them to this CSV file.")] = "",
    xlsx: Annotated[str, typer.Option(metavar="FILE", help="Write all of them to this workbook.")] = "",
    report: _Report = "text",
) -> None:
    """List the names behind temporary ids in the warehouse's facts, each once, the most frequent first.

    With how often and since when a name stands there, and the closing assets, in 元, of its newest month.
    """
    deferred("work_data_hub.cli.identity_names_run:show_unknown")(
        domain=domain, period=period, csv=csv, xlsx=xlsx, report=report
    )
