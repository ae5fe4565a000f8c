"""`wdh identity clean`: the options; what it does stands in `identity_clean_run`."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Make business_info and biz_label again from the registry's raw answers; plans by default.

Units are scaled, days parsed, and each field says how it came out; values that cannot be read are null and
shown. Takes companies without rows or with newer answers. Ends with 4 when a whole answer cannot be cleaned."""


def clean(
    table: Annotated[str, typer.Option(help="business_info, biz_label or all.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most N companies of each table.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Every company that has an answer.")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")] = False,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
) -> int:
    """Clean raw answers."""
    code: int = deferred("work_data_hub.cli.identity_clean_run:run_clean")(
        table=table, limit=limit, full_refresh=full_refresh, execute=execute, report=report, debug=debug
    )
    return code
