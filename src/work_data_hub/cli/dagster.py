"""`wdh dagster`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

PagePort = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the page; 0 takes a free one.")]
_PARTS = "work_data_hub.cli.dagster_parts_run:"
Code = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where `wdh dagster code-server` listens.")]

app = typer.Typer(help="Dagster's pages over the same jobs and runs.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Commands about Dagster."""


@app.command()
def dev(
    port: PagePort = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> int:
    """Start Dagster's webserver and daemon on the persisted instance; Ctrl-C stops them."""
    code: int = deferred("work_data_hub.cli.dagster_run:run_dev")(port=port, host=host)
    return code


@app.command()
def up(
    port: PagePort = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> int:
    """Start the warehouse if it is ours, webserver and daemon; say when they are ready; Ctrl-C stops them."""
    code: int = deferred("work_data_hub.cli.dagster_run:run_up")(port=port, host=host)
    return code


@app.command()
def home() -> None:
    """Print the folder of Dagster's instance, making it when it is not there."""
    deferred("work_data_hub.cli.dagster_run:print_home")()


@app.command()
def webserver(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    code: Code = "127.0.0.1:4266",
    read_only: Annotated[bool, typer.Option("--read-only", help="A page on which nothing can be started.")] = False,
) -> None:
    """Be the page alone, for a unit or container; it needs no DATABASE_URL."""
    deferred(f"{_PARTS}become_webserver")(host=host, port=port, code=code, read_only=read_only)


@app.command()
def daemon(code: Code = "127.0.0.1:4266") -> None:
    """Be the daemon alone: sensors, schedules and the queue of runs; one at a time, without DATABASE_URL."""
    deferred(f"{_PARTS}become_daemon")(code=code)


@app.command("code-server")
def code_server(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 4266,
    host: Annotated[str, typer.Option(help="Address to listen on; whoever reaches it can start runs.")] = "127.0.0.1",
) -> None:
    """Be the server of our jobs alone: it launches runs, and needs DATABASE_URL."""
    deferred(f"{_PARTS}become_code_server")(host=host, port=port)
