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


@app.command("ignore-heading")
def ignore_heading(
    domain: Annotated[str, typer.Argument(help="A declared domain.")],
    heading: Annotated[str, typer.Argument(help="The heading as the workbook has it.")],
    remove: Annotated[bool, typer.Option("--remove", help="Ignore the heading no longer.")] = False,
) -> None:
    """Record in config/headings.yml that a heading is none of the declared columns and is left out."""
    deferred("work_data_hub.cli.domain_heading_run:ignore_heading")(domain, heading, remove=remove)


@app.command("list")
def list_domains() -> None:
    """Print every domain with its table, and whether --all-domains loads it."""
    deferred("work_data_hub.cli.domain_show_run:list_domains")()


@app.command()
def show(name: Annotated[str, typer.Argument(help="A declared domain.")]) -> None:
    """Print what a domain does in words: workbook, columns, steps, value maps, references, rules."""
    deferred("work_data_hub.cli.domain_show_run:show_domain")(name)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The domain's name: small letters, digits and _.")],
    source: Annotated[str, typer.Option("--from", help="A sample workbook of one month.")],
    sheet: Annotated[str, typer.Option(help="Its sheet, by name or counted from 0.")] = "",
    table: Annotated[str, typer.Option(help="schema.table; business and the title otherwise.")] = "",
    title: Annotated[str, typer.Option(help="What people call it; the sheet's name otherwise.")] = "",
    folder: Annotated[str, typer.Option(help="base_path of its workbooks; the sample's folder otherwise.")] = "",
    month: Annotated[str, typer.Option(help="The heading of the month, where it is not plain.")] = "",
    execute: Annotated[bool, typer.Option("--execute", help="Write the files. Without it nothing is written.")] = False,
) -> None:
    """Draft a domain from a sample: declaration, configuration block, migration and example test."""
    options = {"sheet": sheet, "table": table, "title": title, "folder": folder, "month": month}
    deferred("work_data_hub.cli.domain_new_run:new_domain")(name, source=source, execute=execute, **options)
