"""`wdh reference`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

app = typer.Typer(
    help="Reference tables: bring them from their sources, review rows that were derived from facts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Tables = Annotated[list[str] | None, typer.Option("--table", help="Only this table or job; repeatable.")]
_Report = Annotated[str, typer.Option(help="text, or json: one document on stdout.")]
_Execute = Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")]


@app.callback()
def _group() -> None:
    """Commands about reference tables."""


@app.command()
def sync(
    table: _Tables = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read all rows, not only those changed since last time.")
    ] = False,
    execute: _Execute = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Remove rows even if they are over 30 % of a table.")
    ] = False,
    lock_wait: Annotated[float, typer.Option(min=0, max=86_400, help="Wait SECONDS for another sync to end.")] = 0.0,
    report: _Report = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Bring reference tables to what config/reference_sync.yml says; plans by default.

    All tables are written in one transaction. The source's rows become authoritative and reviewed.
    """
    code: int = deferred("work_data_hub.cli.reference_run:sync")(
        names=tuple(table or ()),
        full=full,
        execute=execute,
        allow_shrink=allow_shrink,
        lock_wait_seconds=lock_wait,
        report=report,
        debug=debug,
    )
    return code


@app.command()
def review(table: _Tables = None, report: _Report = "text") -> None:
    """List the rows that were derived from facts and that nobody has confirmed yet."""
    deferred("work_data_hub.cli.reference_run:review")(names=tuple(table or ()), report=report)


@app.command()
def accept(
    table: Annotated[str, typer.Argument(help="The table, such as mapping.年金计划.")],
    keys: Annotated[list[str], typer.Argument(help="The keys of the rows to take over.")],
    execute: _Execute = False,
    report: _Report = "text",
) -> None:
    """Take derived rows over as they stand: they become authoritative and reviewed; plans by default."""
    deferred("work_data_hub.cli.reference_run:accept")(table=table, keys=tuple(keys), execute=execute, report=report)
