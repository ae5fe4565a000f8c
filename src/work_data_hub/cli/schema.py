"""`wdh schema` and `wdh rule`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

RULE_HELP = "Explain a rule (WDH-V201) or a type of error (HEADINGS_MISSING); without one, all of them."

app = typer.Typer(help="Tables as the declarations say them.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Commands about declared and migrated tables."""


@app.command("create-table")
def create_table(domain: Annotated[str, typer.Argument(help="A declared domain.")]) -> None:
    """Print the create-table text of a domain, to be pasted into a new migration."""
    deferred("work_data_hub.cli.schema_run:print_create_table")(domain)


@app.command()
def check() -> None:
    """Compare the declared tables with the database; exit 5 when they differ."""
    deferred("work_data_hub.cli.schema_run:check_drift")()


@app.command()
def docs(
    folder: Annotated[str, typer.Argument(help="Where the pages go.")] = "docs",
    only_check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 2 when a page is stale.")] = False,
) -> None:
    """Write the generated pages: data dictionary, rules, settings, command line."""
    deferred("work_data_hub.cli.schema_run:write_docs")(folder, only_check=only_check)


def rule(
    code: Annotated[str, typer.Argument(help="A code, or an error's type as printed.")] = "",
) -> None:
    """Explain a rule or a type of error."""
    deferred("work_data_hub.cli.schema_run:print_rule")(code)
