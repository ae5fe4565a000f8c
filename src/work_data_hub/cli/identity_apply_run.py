"""`wdh identity apply`: planned or executed, and told group by group."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import number_lines, short_text, table_lines
from work_data_hub.domain.identity.repointing_report import ApplyReport, CompanyChange
from work_data_hub.errors import WorkDataHubError
from work_data_hub.orchestration.identity_apply import ApplyRequest, apply_identity
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.settings import Settings

SHOWN = 20


def run_apply(*, execute: bool, lock_wait_seconds: float, report: str, debug: bool) -> int:
    """Plan or execute the apply; prints what it does and returns the exit code."""
    refuse_form(report)
    settings = open_door(debug=debug)
    request = ApplyRequest(run_id=uuid4().hex[:12], execute=execute, lock_wait_seconds=lock_wait_seconds)
    done = _applied(request, settings)
    if report == "json":
        print(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
    elif not done.error:
        print("\n".join(apply_lines(done)))
    if done.error:
        complain(done.error)
    return done.error.exit_code if done.error else 0


def _applied(request: ApplyRequest, settings: Settings) -> ApplyReport:
    started = time.perf_counter()
    done = ApplyReport(mode="execute" if request.execute else "plan", run_id=request.run_id)
    database = None
    try:
        place = workplace(settings, execute=request.execute)
        database = describe_database(place.database_url)
        done = apply_identity(request, place)
    except WorkDataHubError as error:
        done = replace(done, error=error)
    return replace(done, database=database, seconds=time.perf_counter() - started)


def apply_lines(done: ApplyReport, *, most: int = SHOWN) -> Iterator[str]:
    """The report as people read it, at most so many groups of rows shown."""
    yield headline(done.database, execute=done.mode == "execute")
    if done.status == "unchanged":
        yield f"nothing to apply: {done.rows_examined:,} rows examined, each stands where it belongs"
        return
    yield from _groups(done, most=most)
    titles = (
        ["table", "delete", "insert", "update"] if done.mode == "plan" else ["table", "deleted", "inserted", "updated"]
    )
    counts = [[t.table, *(f"{number:,}" for number in (t.deleted, t.inserted, t.updated))] for t in done.tables]
    yield from number_lines([titles, *counts])
    yield from _followed(done)
    yield from _sums(done)
    yield from (f"  warning  {warning}" for warning in done.warnings)
    yield _next(done)


def _groups(done: ApplyReport, *, most: int) -> Iterator[str]:
    shown = done.changes[:most]
    if shown:
        titles = ["name", "plan", "from", "to", "by", "rows", "money"]
        yield from table_lines([titles, *map(_cells, shown)])
    if len(done.changes) > most:
        rest = done.changes[most:]
        yield f"  … and {len(rest):,} more with {sum(c.rows for c in rest):,} rows (--report json shows all)"


def _cells(change: CompanyChange) -> list[str]:
    made = [*(f"decision {number}" for number in change.decisions), *(f"undone {number}" for number in change.undone)]
    return [
        short_text(change.name),
        change.plan or "",
        change.before.company_id or "—",
        change.after.company_id or "—",
        ", ".join(made) or change.after.source or "",
        f"{change.rows:,}",
        " · ".join(f"{name} {amount:,}" for name, amount in change.money.items()),
    ]


def _followed(done: ApplyReport) -> Iterator[str]:
    """What was made anew of the facts as they are now."""
    if done.followed:
        counts = [[t.table, *map(str, (t.deleted, t.closed, t.updated, t.inserted))] for t in done.followed]
        yield from number_lines([["followed", "deleted", "closed", "updated", "inserted"], *counts])


def _sums(done: ApplyReport) -> Iterator[str]:
    """The amounts of the months that change; they are what they were, or nothing is written."""
    for table in dict.fromkeys(one.table for one in done.sums):
        amounts = [one for one in done.sums if one.table == table and one.column != "rows" and one.before]
        told = " · ".join(f"{one.column} {one.before:,}" for one in amounts[:2])
        yield f"  sums     {table}: {told or 'no amounts'}; unchanged"


def _next(done: ApplyReport) -> str:
    if done.mode == "plan":
        return "next: wdh identity apply --execute"
    return f"applied as load {done.load_id}: {done.rows_changed:,} rows; next: wdh identity review"
