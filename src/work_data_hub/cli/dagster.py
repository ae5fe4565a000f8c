"""`wdh dagster`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

app = typer.Typer(help="Dagster's pages over the same jobs and runs.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Commands about Dagster."""


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> int:
    """Start Dagster's webserver and daemon on the persisted instance; Ctrl-C stops them."""
    code: int = deferred("work_data_hub.cli.dagster_run:run_dev")(port=port, host=host)
    return code


@app.command()
def home() -> None:
    """Print the folder of Dagster's instance, making it when it is not there."""
    deferred("work_data_hub.cli.dagster_run:print_home")()
