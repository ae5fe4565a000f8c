"""What the customer commands share: the door, the report as text or JSON, and how a failure is told."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import number_lines
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.errors import WorkDataHubError
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.requests import Workplace

_PLANNED = ("table", "insert", "close", "update", "delete", "skip")
_DONE = ("table", "inserted", "closed", "updated", "deleted", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A customer command as it was called: `period` as it was written, `writes` unless it only reads."""

    command: str
    report: str
    period: str | None = None
    writes: bool = False
    debug: bool = False

    @property
    def as_json(self) -> bool:
        """Whether one JSON document is all that goes to stdout."""
        return self.report == "json"


def answered(asked: Asked, work: Callable[[Workplace], int]) -> int:
    """Do the work in the place that the settings describe; a failure is told in the form that was asked for."""
    refuse_form(asked.report)
    try:
        return work(workplace(open_door(debug=asked.debug), execute=asked.writes))
    except WorkDataHubError as error:
        if asked.as_json:
            failed = CustomerReport(command=asked.command, period=asked.period, status="failed", error=str(error))
            print_json(failed.as_json())
        complain(error)
        return Told(error.exit_code)


def give(done: CustomerReport, asked: Asked, *, place: Workplace, after: str, chart: Path | None = None) -> None:
    """Print the report; `after` is the command that comes next, `chart` the file that was drawn."""
    done = replace(done, command=asked.command)
    if asked.as_json:
        print_json(done.as_json() | ({"chart": str(chart)} if chart else {}))
        return
    drawn = [f"  chart    {chart}"] if chart else []
    is_executed = asked.writes and done.status != "planned"
    first = first_line(place, executed=is_executed)
    has_next = is_executed or _changes(done)
    print("\n".join([first, *report_lines(done), *drawn, *([f"next: {after}"] if has_next else [])]))


def print_json(document: object) -> None:
    """Print the one document of `--report json`."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def first_line(place: Workplace, *, executed: bool) -> str:
    """Whether it was written, and where."""
    return headline(describe_database(place.database_url), execute=executed)


def report_lines(done: CustomerReport) -> Iterator[str]:
    """The report as people read it: what it was for, a line a table, warnings, and counts that explain the others."""
    period = f" {done.period}" if done.period else ""
    nothing = "" if _changes(done) else ": everything stands as it should"
    yield f"{done.command}{period}: {done.status}{nothing}"
    if done.tables:
        yield from number_lines(list(_rows(done)))
    yield from (f"  warning  {warning}" for warning in done.warnings)
    yield from (f"  note     {what}: {count:,}" for what, count in done.notes.items() if count)


def _changes(done: CustomerReport) -> int:
    return sum(table.changes for table in done.tables)


def _rows(done: CustomerReport) -> Iterator[list[str]]:
    yield list(_PLANNED if done.status == "planned" else _DONE)
    for one in done.tables:
        counts = (one.inserted, one.closed, one.updated, one.deleted, one.skipped)
        yield [one.table, *(f"{count:,}" for count in counts)]
