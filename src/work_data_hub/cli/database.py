"""`wdh db`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

app = typer.Typer(
    help="The warehouse: the database of DATABASE_URL, else the embedded one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Commands about the warehouse's database."""


@app.command()
def start() -> None:
    """Start the embedded server, initialising it when there is none; with DATABASE_URL nothing is started."""
    deferred("work_data_hub.cli.database_run:start")()


@app.command()
def stop() -> None:
    """Stop the embedded server; its data stays."""
    deferred("work_data_hub.cli.database_run:stop")()


@app.command()
def status() -> None:
    """Print which database is used, whether it runs, and its migration; starts nothing."""
    deferred("work_data_hub.cli.database_run:status")()


@app.command()
def migrate(
    revision: Annotated[str, typer.Option(help="Bring the schema up to this migration.")] = "head",
) -> None:
    """Bring the schema up to date, starting the embedded server where it is the one."""
    deferred("work_data_hub.cli.database_run:migrate")(revision=revision)


@app.command()
def check() -> None:
    """Check connection, schemas, tables, migration and privileges; exit 5 when something is missing."""
    deferred("work_data_hub.cli.database_run:check")()


@app.command()
def ping() -> None:
    """Connect, and print how long it took."""
    deferred("work_data_hub.cli.database_run:ping")()


@app.command()
def shell() -> None:
    """Open psql on the database."""
    deferred("work_data_hub.cli.database_run:shell")()


@app.command()
def url(
    show_password: Annotated[bool, typer.Option("--show-password", help="Print the password, not ***.")] = False,
) -> None:
    """Print the URL of the database."""
    deferred("work_data_hub.cli.database_run:url")(show_password=show_password)


@app.command()
def roles() -> None:
    """Make the roles and grant what each needs; a password comes from WDH_ROLE_PASSWORD_<ROLE>, in capitals."""
    deferred("work_data_hub.cli.database_run:roles")()


@app.command()
def partition(
    domains: Annotated[str, typer.Option(help="One domain, or several separated by commas.")],
    by: Annotated[str, typer.Option(help="year or month; left out: as the table has it, at first year.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Back into one table.")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")] = False,
    lock_wait: Annotated[
        float, typer.Option(min=0, max=86_400, help="Wait SECONDS for loads that are under way.")
    ] = 10.0,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
) -> int:
    """Keep facts in parts by month, or in one table again; plans by default. Once more adds the parts that are missing.

    Rows, ids, keys, indexes, rights, comments and views stay; loads and reports work as before. Each table is one
    transaction of the migrator's, in which nobody else can use it.
    """
    code: int = deferred("work_data_hub.cli.partition_run:run_partition")(
        domains, by=by, undo=undo, execute=execute, lock_wait_seconds=lock_wait, report=report
    )
    return code
