"""`wdh domain`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

app = typer.Typer(help="Domains and how their workbooks are read.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Commands about declared domains."""


@app.command("accept-heading")
def accept_heading(
    domain: Annotated[str, typer.Argument(help="A declared domain.")],
    column: Annotated[str, typer.Argument(help="The declared column that the heading means.")],
    heading: Annotated[str, typer.Argument(help="The heading as the workbook has it.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the heading back.")] = False,
) -> None:
    """Record in config/headings.yml that a heading of the workbook means a declared column."""
    deferred("work_data_hub.cli.domain_heading_run:accept_heading")(domain, column, heading, remove=remove)
