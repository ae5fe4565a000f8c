"""`wdh customer-mdm`: the options; what the commands do stands in the `customer_mdm_…_run` modules."""

from pathlib import Path
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = "Customers over time: contracts with their history, monthly snapshots, and the turn of the year."

SYNC_HELP = """Bring the contracts up to date with the facts up to a month.

Versions are closed, opened and corrected from the first month that has changed; months corrected since the
last sync are put right as well. The same month again changes nothing. --dry-run shows the same numbers and
writes nothing.

Example: wdh customer-mdm sync --period 202412
"""

SNAPSHOT_HELP = """Make the monthly pictures of customers and plans: status, money, won, lost, new.

Every month from --period on that differs from its contracts, awards and losses is made again, in one
transaction; so are earlier ones whose sources changed. --rebuild makes all months again, such as after the
rules changed. --plot FILE draws the customers by status, month by month, as .png or .html.

Example: wdh customer-mdm snapshot --plot customers.html
"""

INIT_YEAR_HELP = """Bring the opening of a year up to date, such as when its December was loaded late.

Shows what changes first, then asks; --yes goes on without asking.

Example: wdh customer-mdm init-year --year 2025
"""

CUTOVER_HELP = """Open a year before its first month: December decides who is existing and who is strategic.

Every contract in force gets a version that begins on January 1. Shows what changes first, then asks; --yes
goes on without asking. A year that has been cut over stays as it is.

Example: wdh customer-mdm cutover --year 2025
"""

VALIDATE_HELP = """Judge a year: shares, overlaps, orphans, and whether contracts and snapshots follow from the facts.

Reads only. Exits 4 when a check fails, and says what was seen and what was expected.

Example: wdh customer-mdm validate --year 2024
"""

HISTORY_HELP = """Show the contracts of a company over time, with the reason for each version.

COMPANY is a company id, or the name of a customer. One line a contract draws its months; a table tells
what each month's snapshot says of the company. Reads only.

Example: wdh customer-mdm history 600000001 --plan P0001
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

Period = Annotated[str, typer.Option(metavar="YYYYMM", help="The month; without it the newest that there is.")]
Year = Annotated[int, typer.Option(metavar="YYYY", help="The calendar year.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; nothing is written.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking.")]
LockWait = Annotated[
    float, typer.Option(min=0, max=86_400, help="Wait SECONDS for another run that changes contracts.")
]
Report = Annotated[str, typer.Option(help="text, or json: one document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")]


@app.callback()
def _group() -> None:
    """Commands about customers over time."""


@app.command(help=SYNC_HELP)
def sync(
    period: Period = "",
    dry_run: DryRun = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Judge every month anew, not only those that changed.")
    ] = False,
    lock_wait: LockWait = 0.0,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Bring the contracts up to date."""
    code: int = deferred("work_data_hub.cli.customer_mdm_run:run_sync")(
        period=period, dry_run=dry_run, rebuild=rebuild, lock_wait_seconds=lock_wait, report=report, debug=debug
    )
    return code


@app.command(help=SNAPSHOT_HELP)
def snapshot(
    period: Period = "",
    dry_run: DryRun = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make every synced month again; takes no period.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw all stored months, as .png or .html.")
    ] = None,
    lock_wait: LockWait = 0.0,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Make the monthly pictures."""
    code: int = deferred("work_data_hub.cli.customer_mdm_run:run_snapshot")(
        period=period,
        dry_run=dry_run,
        rebuild=rebuild,
        plot=plot,
        lock_wait_seconds=lock_wait,
        report=report,
        debug=debug,
    )
    return code


@app.command("init-year", help=INIT_YEAR_HELP)
def init_year(
    year: Year,
    dry_run: DryRun = False,
    yes: Yes = False,
    lock_wait: LockWait = 0.0,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Bring the opening of a year up to date."""
    code: int = deferred("work_data_hub.cli.customer_mdm_year_run:run_init_year")(
        year=year, dry_run=dry_run, yes=yes, lock_wait_seconds=lock_wait, report=report, debug=debug
    )
    return code


@app.command(help=CUTOVER_HELP)
def cutover(
    year: Year,
    dry_run: DryRun = False,
    yes: Yes = False,
    lock_wait: LockWait = 0.0,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Open a year before its first month."""
    code: int = deferred("work_data_hub.cli.customer_mdm_year_run:run_cutover")(
        year=year, dry_run=dry_run, yes=yes, lock_wait_seconds=lock_wait, report=report, debug=debug
    )
    return code


@app.command(help=VALIDATE_HELP)
def validate(
    year: Annotated[
        int | None, typer.Option(metavar="YYYY", help="The year; without it the newest that contracts have.")
    ] = None,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Judge a year."""
    code: int = deferred("work_data_hub.cli.customer_mdm_year_run:run_validate")(year=year, report=report, debug=debug)
    return code


@app.command(help=HISTORY_HELP)
def history(
    company: Annotated[str, typer.Argument(help="A company id, or a customer's name.")],
    plan: Annotated[str, typer.Option(metavar="CODE", help="Only the contracts of this plan.")] = "",
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Show a company's contracts over time."""
    code: int = deferred("work_data_hub.cli.customer_mdm_history_run:run_history")(
        company=company, plan=plan, report=report, debug=debug
    )
    return code
