"""`wdh reference`: what the commands do."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from uuid import uuid4

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import number_lines, table_lines
from work_data_hub.domain.reference_review import Acceptance, ReviewedTable, WaitingRow, reviewed_table
from work_data_hub.domain.reference_sync import SyncEffect, SyncReport
from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.database import existing_url
from work_data_hub.io.postgres import Connection, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.reference_review import accept_rows, count_acceptance, reviewed_tables, waiting_rows
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.sync_jobs import load_sync_jobs
from work_data_hub.log import get_logger
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.reference_sync import SyncRequest, sync_references
from work_data_hub.settings import Settings

log = get_logger(__name__)
_SHOWN_ROWS = 20


def sync(
    *,
    names: tuple[str, ...],
    full: bool,
    execute: bool,
    allow_shrink: bool,
    lock_wait_seconds: float,
    report: str,
    debug: bool,
) -> int:
    """Plan or execute the sync; prints what it does to each table and returns the exit code."""
    refuse_form(report)
    settings = open_door(debug=debug)
    legacy = settings.legacy_url
    request = SyncRequest(
        names=names,
        full=full,
        execute=execute,
        allow_shrink=allow_shrink,
        lock_wait_seconds=lock_wait_seconds,
        legacy_url=legacy.get_secret_value() if legacy else None,
    )
    done = _synced(request, settings)
    if report == "json":
        print(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
    else:
        _show_sync(done, request)
    if done.error:
        complain(done.error)
    return done.error.exit_code if done.error else 0


def _synced(request: SyncRequest, settings: Settings) -> SyncReport:
    started = time.perf_counter()
    done = SyncReport(
        mode="execute" if request.execute else "plan", run_id=uuid4().hex[:12], database=None, seconds=0.0
    )
    try:
        place = workplace(settings, execute=request.execute)
        done = replace(done, database=describe_database(place.database_url))
        tables = sync_references(request, place)
        disabled = tuple(job.target for job in load_sync_jobs(settings.config_dir) if not job.enabled)
        done = replace(done, tables=tables, disabled=disabled)
    except WorkDataHubError as error:
        done = replace(done, error=error)
    return replace(done, seconds=time.perf_counter() - started)


def _show_sync(done: SyncReport, request: SyncRequest) -> None:
    if done.error:
        return
    print(headline(done.database, execute=done.mode == "execute"))
    if done.tables:
        titles = ["table ← source", "read", "insert", "update", "unchanged", "delete"]
        print("\n".join(number_lines([titles, *(_cells(effect) for effect in done.tables)])))
    for effect in done.tables:
        if effect.since:
            print(f"  {effect.job.target}: rows stamped from {effect.since:%Y-%m-%d %H:%M:%S} UTC on, or not stamped")
        if effect.temporary:
            print(f"  {effect.job.target}: {effect.temporary:,} rows with temporary company ids left out")
    if done.disabled and not request.names:
        print(f"  switched off in reference_sync.yml: {', '.join(done.disabled)}")
    print(_next(done, request))


def _cells(effect: SyncEffect) -> list[str]:
    numbers = (effect.rows_read, effect.inserted, effect.updated, effect.unchanged, effect.deleted)
    return [f"{effect.job.target} ← {effect.job.source}", *(f"{number:,}" for number in numbers)]


def _next(done: SyncReport, request: SyncRequest) -> str:
    if done.status == "unchanged":
        return _nothing(done.tables)
    if done.mode == "execute":
        return "synced; `wdh reference review` lists what still needs a human"
    words = ["wdh", "reference", "sync", *(word for name in request.names for word in ("--table", name))]
    flags = {"--full": request.full, "--allow-shrink": request.allow_shrink}
    return f"next: {shlex.join([*words, *(flag for flag, is_set in flags.items() if is_set), '--execute'])}"


def _nothing(tables: tuple[SyncEffect, ...]) -> str:
    if not tables:
        return "nothing to do: no job is enabled"
    words = "nothing to do: every row read is as its source"
    moments = {f"{effect.since:%Y-%m-%d %H:%M:%S} UTC" for effect in tables if effect.since}
    if not moments:
        return words
    moment = moments.pop() if len(moments) == 1 else "the moments above"
    return f"{words}; rows stamped before {moment} are not looked at, --full reads all"


def review(*, names: tuple[str, ...], report: str) -> None:
    """Print the rows that wait for a human, by table."""
    refuse_form(report)
    settings = open_door()
    with _warehouse(settings, execute=False) as connection, read_only(connection), connection.cursor() as cursor:
        tables = reviewed_tables(cursor)
        asked = [reviewed_table(tables, name) for name in names] or tables
        waiting = {table: waiting_rows(cursor, table) for table in asked}
    if report == "json":
        _print_review(waiting)
        return
    for table, rows in waiting.items():
        _show_waiting(table, rows, shown=len(rows) if names else _SHOWN_ROWS)
    if any(waiting.values()):
        print("next: correct them at their source and sync, or take rows over as they stand:")
        print("      wdh reference accept TABLE KEY [KEY…] --execute")
    else:
        print("nothing to review")


def _show_waiting(table: ReviewedTable, rows: tuple[WaitingRow, ...], *, shown: int) -> None:
    print(f"{table.name}: {len(rows):,} to review")
    if not rows:
        return
    titles = [table.key, table.name_column, "from", "since"]
    cells = [[row.key, row.name or "", row.domain or "", _day(row)] for row in rows[:shown]]
    print("\n".join(table_lines([titles, *cells])))
    if len(rows) > shown:
        print(f"  … and {len(rows) - shown:,} more: wdh reference review --table {table.name}")


def _print_review(waiting: dict[ReviewedTable, tuple[WaitingRow, ...]]) -> None:
    tables = [
        {"table": table.name, "key": table.key, "rows": len(rows), "waiting": [row.as_json() for row in rows]}
        for table, rows in waiting.items()
    ]
    print(json.dumps({"command": "reference review", "tables": tables, "error": None}, ensure_ascii=False, indent=2))


def _day(row: WaitingRow) -> str:
    return f"{row.since:%Y-%m-%d}" if row.since else ""


def accept(*, table: str, keys: tuple[str, ...], execute: bool, report: str) -> None:
    """Take rows over, or say what that would do; raises UsageError for keys that are not there."""
    refuse_form(report)
    settings = open_door()
    with (
        _warehouse(settings, execute=execute) as connection,
        transaction(connection) if execute else read_only(connection),
        connection.cursor() as cursor,
    ):
        found = reviewed_table(reviewed_tables(cursor), table)
        counted = count_acceptance(cursor, found, tuple(dict.fromkeys(keys)))
        _refuse_unknown_keys(found, counted)
        if execute:
            accept_rows(cursor, found, (*counted.accepted, *counted.unchanged))
        database = describe_database(existing_url(settings, for_execute=execute))
    log.info("reference.accepted" if execute else "reference.planned", table=found.name, rows=len(counted.accepted))
    if report == "json":
        print(json.dumps(counted.as_json(mode="execute" if execute else "plan"), ensure_ascii=False, indent=2))
        return
    print(headline(database, execute=execute))
    for line in _accept_lines(counted, execute=execute):
        print(line)


def _accept_lines(counted: Acceptance, *, execute: bool) -> Iterator[str]:
    word = "taken over" if execute else "to take over"
    yield f"  {counted.table}: {len(counted.accepted):,} {word}, {len(counted.unchanged):,} authoritative already"
    if counted.accepted and not execute:
        yield f"next: {shlex.join(['wdh', 'reference', 'accept', counted.table, *counted.accepted, '--execute'])}"


def _refuse_unknown_keys(table: ReviewedTable, counted: Acceptance) -> None:
    if counted.unknown:
        raise UsageError(
            f"{table.name} has no such row",
            field=table.key,
            input_data=", ".join(counted.unknown),
            hint=f"`wdh reference review --table {table.name}` lists the keys",
        )


@contextmanager
def _warehouse(settings: Settings, *, execute: bool) -> Iterator[Connection]:
    """A connection to the warehouse at the expected migration."""
    url = existing_url(settings, for_execute=execute)
    with warehouse_errors(), closing(connect(url, application_name="wdh reference")) as connection:
        require_head(connection)
        yield connection
