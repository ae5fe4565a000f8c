"""`wdh etl`: the options; what they do stands in `etl_run`."""

import shlex
from dataclasses import dataclass, fields
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Find, read, clean and check a month's workbooks, and say what loading them would do.

Plans by default and writes nothing; --execute loads, each domain in one transaction.
Exit codes: 0 done or nothing to do, 2 usage, 3 input, 4 too many rejects or a refused shrink,
5 database, 6 locked by another run, 130 interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtlOptions:
    """The options of one call, as typed."""

    domains: str
    all_domains: bool
    period: str
    file: str
    execute: bool
    plan_only: bool
    sheet: str
    mode: str
    pk: str
    version: str
    file_selection: str
    max_files: int
    max_rejects: str
    allow_shrink: bool
    force: bool
    skip_facts: bool
    no_enrichment: bool
    no_post_hooks: bool
    lock_wait_seconds: float
    rejects: str
    check_db: bool
    report: str
    show_sql: bool
    quiet: bool
    debug: bool
    no_rich: bool


_DEFAULTS = {"mode": "delete_insert", "max_files": 1, "max_rejects": "0", "report": "text"}
_NOT_CARRIED = {"execute", "plan_only", "check_db", "show_sql", "debug"}
_FLAGS = {"lock_wait_seconds": "--lock-wait"}


def execute_command(options: EtlOptions) -> str:
    """The command that executes what these options planned, to be copied."""
    words = ["wdh", "etl"]
    for field in fields(options):
        value = getattr(options, field.name)
        flag = _FLAGS.get(field.name, "--" + field.name.replace("_", "-"))
        if field.name in _NOT_CARRIED or value in ("", False, 0.0) or value == _DEFAULTS.get(field.name):
            continue
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--execute"])


def etl(
    domains: Annotated[str, typer.Option(help="One domain, or several separated by commas.")] = "",
    all_domains: Annotated[bool, typer.Option("--all-domains", help="Every configured domain.")] = False,
    period: Annotated[str, typer.Option(help="The month, YYYYMM.")] = "",
    file: Annotated[str, typer.Option(help="Load this workbook instead of the one found; one domain only.")] = "",
    execute: Annotated[bool, typer.Option("--execute", help="Write. Without it nothing is written.")] = False,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", "--dry-run", help="Plan and write nothing: the default, said aloud.")
    ] = False,
    sheet: Annotated[str, typer.Option(help="Sheet name or 0-based index instead of the configured one.")] = "",
    mode: Annotated[str, typer.Option(help="delete_insert, append or upsert.")] = "delete_insert",
    pk: Annotated[str, typer.Option(help="Replace only these columns' combinations, not the month.")] = "",
    version: Annotated[str, typer.Option(help="Take this version folder, such as V1.")] = "",
    file_selection: Annotated[str, typer.Option(help="error, newest, oldest or first, when several files match.")] = "",
    max_files: Annotated[int, typer.Option(min=1, max=20, help="Read up to N matching files into one load.")] = 1,
    max_rejects: Annotated[str, typer.Option(help="Rejected rows to tolerate: 12 or 1.5%.")] = "0",
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Load even if over 30 % of the month's rows go.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Load again even if the same input is loaded.")] = False,
    skip_facts: Annotated[bool, typer.Option("--skip-facts", help="Add reference rows only.")] = False,
    no_enrichment: Annotated[
        bool, typer.Option("--no-enrichment", help="Ask no company registry; unknown names are queued.")
    ] = False,
    no_post_hooks: Annotated[
        bool, typer.Option("--no-post-hooks", help="Do not bring contracts and snapshots up to date after a load.")
    ] = False,
    lock_wait: Annotated[float, typer.Option(min=0, max=86_400, help="Wait SECONDS for a locked month.")] = 0.0,
    rejects: Annotated[str, typer.Option(help="Folder for the rejects workbook, also of a plan.")] = "",
    check_db: Annotated[bool, typer.Option("--check-db", help="Check the database and stop.")] = False,
    report: Annotated[str, typer.Option(help="text, or json: one document on stdout.")] = "text",
    show_sql: Annotated[bool, typer.Option("--sql", help="Show the SQL of the load.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and the summary line.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")] = False,
    no_rich: Annotated[bool, typer.Option("--no-rich", help="Plain text without colours or progress.")] = False,
) -> int:
    """Plan or execute the file domains."""
    code: int = deferred("work_data_hub.cli.etl_run:run_etl")(
        EtlOptions(
            domains=domains,
            all_domains=all_domains,
            period=period,
            file=file,
            execute=execute,
            plan_only=plan_only,
            sheet=sheet,
            mode=mode,
            pk=pk,
            version=version,
            file_selection=file_selection,
            max_files=max_files,
            max_rejects=max_rejects,
            allow_shrink=allow_shrink,
            force=force,
            skip_facts=skip_facts,
            no_enrichment=no_enrichment,
            no_post_hooks=no_post_hooks,
            lock_wait_seconds=lock_wait,
            rejects=rejects,
            check_db=check_db,
            report=report,
            show_sql=show_sql,
            quiet=quiet,
            debug=debug,
            no_rich=no_rich,
        )
    )
    return code
