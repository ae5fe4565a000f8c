"""`wdh identity review`: the options; what it does stands in `identity_review_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """List the names whose company is in doubt, most money first, with the evidence to decide by.

In doubt are names that the registry gave no sure match for, names whose rows have several companies, and
former names of several companies. Decide with accept, choose, reject, merge and split, or in a workbook:
--xlsx writes one, and --take shows what it decides (--execute writes that, all or nothing)."""


def review(
    min_money: Annotated[str, typer.Option(help="Only names whose largest amount is at least so many 元.")] = "0",
    limit: Annotated[int | None, typer.Option(min=0, help="So many at most; 0 for all. Text: 20 unless told.")] = None,
    settled: Annotated[bool, typer.Option("--all", help="With names that decisions have settled.")] = False,
    xlsx: Annotated[str, typer.Option(metavar="FILE", help="Write the names to this workbook to decide in.")] = "",
    take: Annotated[str, typer.Option(metavar="FILE", help="Take back the decisions of this workbook.")] = "",
    execute: Annotated[bool, typer.Option("--execute", help="With --take: write. Without it nothing is.")] = False,
    by: Annotated[str, typer.Option(help="With --take: who decides; without it you.")] = "",
    unknown_company: Annotated[
        bool, typer.Option("--unknown-company", help="With --take: take ids that nobody knows.")
    ] = False,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
) -> int:
    """Review names in doubt."""
    code: int = deferred("work_data_hub.cli.identity_review_run:run_review")(
        min_money=min_money,
        limit=limit,
        settled=settled,
        xlsx=xlsx,
        take=take,
        execute=execute,
        by=by,
        unknown_company=unknown_company,
        report=report,
    )
    return code
