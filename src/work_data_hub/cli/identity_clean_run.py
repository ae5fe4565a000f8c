"""`wdh identity clean`: words become a request, and what came of it is shown."""

import json
import shlex
from collections.abc import Iterator

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import number_lines, short_text, table_lines
from work_data_hub.domain.identity.cleaning import Cleaned, CleanedTable, CleanReport
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import UsageError
from work_data_hub.orchestration.identity_clean import CleanRequest, clean
from work_data_hub.orchestration.places import workplace

_ALL = "all"


def run_clean(*, table: str, limit: int | None, full_refresh: bool, execute: bool, report: str, debug: bool) -> int:
    """Plan or execute the cleaning; prints what came of it and returns the exit code."""
    refuse_form(report)
    request = CleanRequest(tables=_tables(table), full=full_refresh, limit=limit, execute=execute)
    done = clean(request, workplace(open_door(debug=debug), execute=execute))
    if report == "json":
        print(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(done, request, table=table)))
    if done.error is None:
        return 0
    complain(done.error)
    return Told(done.error.exit_code)


def _tables(name: str) -> tuple[CleanedTable, ...]:
    known = [*CleanedTable, _ALL]
    if name not in known:
        raise UsageError(
            "no table that can be cleaned",
            field="--table",
            input_data=name,
            rule=f"one of {', '.join(known)}",
            hint=did_you_mean(name, known) or "choose one of these",
        )
    return tuple(CleanedTable) if name == _ALL else (CleanedTable(name),)


def _lines(done: CleanReport, request: CleanRequest, *, table: str) -> Iterator[str]:
    yield headline(done.database, execute=request.execute)
    for cleaned in done.tables:
        yield from _table_lines(cleaned)
    if done.status == "unchanged":
        yield "nothing to do: every answer is cleaned already (--full-refresh cleans all again)"
    elif not request.execute:
        given = {"--table": "" if table == _ALL else table, "--limit": str(request.limit or "")}
        words = [word for name, value in given.items() if value for word in (name, value)]
        words += ["--full-refresh"] if request.full else []
        yield f"next: {shlex.join(['wdh', 'identity', 'clean', *words, '--execute'])}"


def _table_lines(cleaned: Cleaned) -> Iterator[str]:
    unreadable = f", {len(cleaned.unreadable):,} cannot be cleaned" if cleaned.unreadable else ""
    yield f"  enterprise.{cleaned.table}: {cleaned.companies:,} companies, {cleaned.rows:,} rows{unreadable}"
    counts = [[column, *(f"{number:,}" for number in numbers)] for column, numbers in cleaned.field_counts().items()]
    if counts:
        yield from number_lines([["field", "cleansed", "null", "failed"], *counts], indent=4)
    if cleaned.failures:
        yield "    values that could not be read (the first few):"
        cells = [[one.company_id, one.column, short_text(one.value), one.rule] for one in cleaned.failures]
        yield from table_lines(cells, indent=6)
