"""`wdh identity explain`: the options; what it does stands in `identity_explain_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Tell how a name comes to its company, rule by rule: the normaliser, then every matcher in order.

Give a NAME, or with --row a stored row: then also what the row says, and why, where that differs from today.
Reads only, and tells what it can without a database."""


def explain(
    name: Annotated[str, typer.Argument(help="The customer's name, as people write it.")] = "",
    plan: Annotated[str, typer.Option(help="The plan's code.")] = "",
    plan_type: Annotated[str, typer.Option(help="The plan's type, such as 单一计划.")] = "",
    existing: Annotated[str, typer.Option("--id", help="The company id that stands in the row.")] = "",
    row: Annotated[
        str, typer.Option(metavar="DOMAIN:YYYYMM:ROW[:SHEET]", help="The stored row of this Excel row.")
    ] = "",
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
) -> None:
    """Explain a name."""
    deferred("work_data_hub.cli.identity_explain_run:run_explain")(
        name=name, plan=plan, plan_type=plan_type, existing=existing, row=row, report=report
    )
