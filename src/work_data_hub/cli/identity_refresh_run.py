"""`wdh identity refresh`: words become a request, and what came of it is shown."""

import json
import shlex
import sys
from collections.abc import Iterator

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.identity_refresh import RefreshOptions
from work_data_hub.cli.render import Progress, headline
from work_data_hub.cli.text_table import table_lines
from work_data_hub.domain.identity.refresh import RefreshReport, RefreshRun, Selection
from work_data_hub.errors import UsageError
from work_data_hub.orchestration.identity_refresh import (
    RefreshRequest,
    execute_refresh,
    plan_refresh,
    refresh_directory,
)
from work_data_hub.orchestration.places import workplace
from work_data_hub.settings import Settings

_SHOWN = 10
_REQUESTS_A_COMPANY = 3
_RESUME = "wdh identity refresh --resume --execute"


def run_refresh(options: RefreshOptions) -> int:
    """Plan or execute the refresh; prints what came of it and returns the exit code."""
    refuse_form(options.report)
    settings = open_door(debug=options.debug)
    request = _request(options, settings)
    pace = options.rate_limit or settings.eqc_refresh_requests_per_second
    if options.execute:
        done = _execute(request, settings, pace=pace, quiet=options.report == "json")
    else:
        done = plan_refresh(request, workplace(settings, execute=False))
    if options.report == "json":
        print(json.dumps(done.as_json(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(done, options, pace=pace)))
    if done.error:
        complain(done.error)
    return Told(done.exit_code)


def _request(options: RefreshOptions, settings: Settings) -> RefreshRequest:
    return RefreshRequest(
        selection=_selection(options),
        company_ids=_listed(options.companies),
        threshold_days=options.threshold_days or settings.eqc_freshness_days,
        batch_size=options.batch_size or settings.eqc_refresh_batch_size,
        most_companies=options.max_companies,
        lock_wait_seconds=options.lock_wait_seconds,
    )


def _selection(options: RefreshOptions) -> Selection | None:
    """What the one option of its kind asks for, None: to resume; raises UsageError for none or several."""
    given: dict[str, tuple[bool, Selection | None]] = {
        "--stale": (options.stale, Selection.STALE),
        "--all": (options.everything, Selection.ALL),
        "--companies": (bool(options.companies), Selection.LISTED),
        "--resume": (options.resume, None),
    }
    chosen = [name for name, (is_given, _) in given.items() if is_given]
    if len(chosen) != 1:
        raise UsageError(
            "a refresh needs to know which companies",
            field=", ".join(chosen) or None,
            rule=f"one of {', '.join(given)}",
            hint="give one of them" if not chosen else "leave out all but one",
        )
    if options.resume and options.threshold_days:
        raise UsageError("a resumed refresh keeps its threshold", field="--threshold-days", hint="leave it out")
    return given[chosen[0]][1]


def _listed(companies: str) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(part.strip() for part in companies.split(",")))
    if companies and "" in ids:
        raise UsageError(
            "not a list of company ids", field="--companies", input_data=companies, hint="write 600001,600002"
        )
    return ids if companies else ()


def _execute(request: RefreshRequest, settings: Settings, *, pace: float, quiet: bool) -> RefreshReport:
    progress = Progress(sys.stderr, quiet=quiet)

    def tell(run: RefreshRun) -> None:
        progress.step(f"{run.refreshed:,} of {run.total:,} refreshed, {len(run.failed):,} failed")

    with refresh_directory(settings, requests_per_second=pace) as directory:
        place = workplace(settings, execute=True)
        progress.begin("refresh")
        try:
            return execute_refresh(request, place, directory=directory, told=tell)
        except KeyboardInterrupt:
            print(f"what was refreshed is kept; to go on: {_RESUME}", file=sys.stderr)
            raise
        finally:
            progress.end()


def _lines(done: RefreshReport, options: RefreshOptions, *, pace: float) -> Iterator[str]:
    yield headline(done.database, execute=done.mode == "execute")
    if done.run and done.freshness:
        known = done.freshness
        ages = f"fresh {known.fresh:,} · stale {known.stale:,} · never asked for {known.never_asked:,}"
        yield f"  companies {known.total:,}: {ages}"
        yield f"  stale: not asked for since {done.run.since:%Y-%m-%d} ({done.run.threshold_days:,} days)"
    if done.without_name:
        yield f"  without a name to search by, left out: {done.without_name:,}"
    yield from _planned_lines(done, options, pace=pace) if done.mode == "plan" else _executed_lines(done)


def _planned_lines(done: RefreshReport, options: RefreshOptions, *, pace: float) -> Iterator[str]:
    if not done.to_ask:
        yield "nothing to do: no company is to be asked for"
        return
    more = f" … and {len(done.to_ask) - _SHOWN:,} more" if len(done.to_ask) > _SHOWN else ""
    minutes = max(1, round(len(done.to_ask) * _REQUESTS_A_COMPANY / pace / 60))
    yield f"  to ask for {len(done.to_ask):,}, about {minutes:,} min: {', '.join(done.to_ask[:_SHOWN])}{more}"
    yield f"next: {shlex.join(_command(options))}"


def _command(options: RefreshOptions) -> Iterator[str]:
    """The command that does what was planned."""
    yield from ("wdh", "identity", "refresh")
    flags = {"--stale": options.stale, "--all": options.everything, "--resume": options.resume}
    yield from (flag for flag, is_given in flags.items() if is_given)
    values = {
        "--companies": options.companies,
        "--threshold-days": options.threshold_days,
        "--max-companies": options.max_companies,
        "--batch-size": options.batch_size,
        "--rate-limit": options.rate_limit,
    }
    for name, value in values.items():
        if value:
            yield from (name, str(value))
    yield "--execute"


def _executed_lines(done: RefreshReport) -> Iterator[str]:
    run = done.run
    if run is None or run.refresh_id is None:
        yield "nothing to do: no company is to be asked for"
        return
    counts = f"refreshed {run.refreshed:,} · failed {len(run.failed):,} · left {run.left:,}"
    yield f"  refresh {run.refresh_id}: {counts} (asked for now: {done.asked:,})"
    failed = sorted(run.failed.items())
    if failed:
        yield from table_lines([("company", "why it failed"), *failed[:_SHOWN]], indent=4)
    if len(failed) > _SHOWN:
        yield f"    … and {len(failed) - _SHOWN:,} more (--report json shows all)"
    if run.left or failed or done.error:
        yield f"next: {_RESUME}"
