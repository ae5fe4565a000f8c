"""`wdh registry`: the company registry, and one to try things with."""

import typer

from work_data_hub.cli import registry_check, registry_simulate

app = typer.Typer(
    help="The company registry: check the connection, or simulate one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("check", help=registry_check.HELP)(registry_check.check)
app.command("simulate", help=registry_simulate.HELP)(registry_simulate.simulate)


@app.callback()
def _group() -> None:
    """Commands about the company registry."""
