"""`wdh etl`: words become requests, each domain runs on its own, and the report is shown."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from work_data_hub.cli.complaints import Told
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.etl import EtlOptions, execute_command
from work_data_hub.cli.lazy import deferred
from work_data_hub.cli.render import Progress, render_report
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.report import DomainReport, RunReport
from work_data_hub.domain.text import narrow
from work_data_hub.errors import (
    HOOKS_UNFINISHED,
    NOTHING_UNFINISHED,
    HookFailed,
    Interrupted,
    Unexpected,
    UsageError,
    WorkDataHubError,
)
from work_data_hub.io.config_files import load_sources, source_for
from work_data_hub.log import get_logger
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.requests import FileRequest, Tolerance, Workplace, refuse_mode
from work_data_hub.settings import Settings

log = get_logger(__name__)


def run_etl(options: EtlOptions) -> int:
    """Run one call; prints the report and returns the exit code."""
    started = time.perf_counter()
    run_id = uuid4().hex[:12]
    try:
        report = _run(options, run_id, started)
    except WorkDataHubError as error:
        if options.report != "json":
            raise
        report = _report(options, run_id, started, error=error)
    if report is not None:
        _show(report, options)
        return Told(report.exit_code)
    return 0


def _run(options: EtlOptions, run_id: str, started: float) -> RunReport | None:
    _refuse_contradictions(options)
    settings = open_door(debug=options.debug)
    if options.check_db:
        check_database_and_say(settings, as_json=options.report == "json")
        return None
    requests = _requests(options, settings, run_id)
    place = workplace(settings, execute=options.execute)
    progress = Progress(sys.stderr, quiet=options.quiet or options.report == "json" or options.no_rich)
    reports: list[DomainReport] = []
    stopped: Interrupted | None = None
    try:
        for request in requests:
            reports.append(run_domain(request, place, settings, progress))
            if isinstance(reports[-1].error, Interrupted):
                stopped = _not_begun(requests[len(reports) :])
                break
    except KeyboardInterrupt:
        # What was loaded before the signal is loaded, and has to be said.
        stopped = Interrupted(NOTHING_UNFINISHED)
    finally:
        place.registry.close()
    return replace(
        _report(options, run_id, started, error=stopped),
        database=describe_database(place.database_url),
        domains=tuple(reports) if options.execute else _all_planned(reports),
    )


def _not_begun(requests: list[FileRequest]) -> Interrupted | None:
    names = ", ".join(request.domain for request in requests)
    return Interrupted(f"interrupted; not begun: {names}") if names else None


def _all_planned(reports: list[DomainReport]) -> tuple[DomainReport, ...]:
    """A plan sees each domain as if it came first; loads of several know what those before have taught."""
    line = "what the domains before in this call would teach the index and add to references"
    return (*reports[:1], *(replace(one, not_checked=(line, *one.not_checked)) for one in reports[1:]))


def run_domain(request: FileRequest, place: Workplace, settings: Settings, progress: Progress) -> DomainReport:
    """One domain, whole: its report, failed or not; another domain's run is not touched by its failure."""
    run = FileRun(request, place)
    progress.begin(request.domain)
    try:
        _go(run, settings, progress)
        return run.report()
    except WorkDataHubError as error:
        log.info("domain.failed", domain=request.domain, error=str(error))
        return run.report(error)
    except KeyboardInterrupt:
        if run.load_id is None:
            raise
        return run.report(Interrupted(HOOKS_UNFINISHED, domain=request.domain))
    except Exception as bug:
        # The other domains of the call have nothing to do with it.
        log.debug("domain.broke", domain=request.domain, exc_info=bug)
        return run.report(Unexpected.of(bug, domain=request.domain))
    finally:
        run.close()
        progress.end()


def _go(run: FileRun, settings: Settings, progress: Progress) -> None:
    """Executed runs are runs of the Dagster job; plans, and repeats with nothing to load, do without Dagster."""
    if run.request.execute and not _repeats(run):
        progress.step("execute")
        _run_in_dagster(run, settings)
        return
    for stage in (run.find, run.read, run.refine, run.publish, run.follow):
        progress.step(stage.__name__)
        stage()


def _run_in_dagster(run: FileRun, settings: Settings) -> None:
    try:
        deferred("work_data_hub.orchestration.dagster_runs:run_in_dagster")(run, settings)
    except HookFailed:
        # The run's report tells of each hook; the load it followed stands.
        log.info("domain.hooks.failed", domain=run.request.domain)


def _repeats(run: FileRun) -> bool:
    try:
        return run.seems_unchanged()
    except WorkDataHubError:
        # The run itself meets the same error, and Dagster's history then shows it.
        return False


def check_database_and_say(settings: Settings, *, as_json: bool) -> None:
    """Print what a run needs of the database, line by line; raises WarehouseError when something is missing."""
    lines = deferred("work_data_hub.io.database_check:check_database")(settings)
    if as_json:
        print(json.dumps({"mode": "check", "status": "ok", "checks": list(lines)}, ensure_ascii=False, indent=2))
        return
    for line in lines:
        print(line)


def _requests(options: EtlOptions, settings: Settings, run_id: str) -> list[FileRequest]:
    request = FileRequest(
        run_id=run_id,
        domain="",
        period=Period.parse(options.period) if options.period else None,
        file=Path(options.file) if options.file else None,
        execute=options.execute,
        mode=LoadMode(options.mode),
        scope=tuple(part.strip() for part in options.pk.replace(";", ",").split(",") if part.strip()),
        sheet=options.sheet or None,
        version=options.version or None,
        file_selection=options.file_selection or None,
        max_files=options.max_files,
        tolerance=Tolerance.parse(options.max_rejects),
        allow_shrink=options.allow_shrink,
        force=options.force,
        skip_facts=options.skip_facts,
        lock_wait_seconds=options.lock_wait_seconds,
        rejects_folder=Path(options.rejects) if options.rejects else None,
        asks_registry=not options.no_enrichment,
        runs_hooks=not options.no_post_hooks,
    )
    names = _domains(options, settings)
    if request.period is None and request.file is None and names:
        raise UsageError("the month is missing", field="--period", hint="add --period YYYYMM, or --file PATH")
    for name in names:
        if name in DOMAINS:
            refuse_mode(DOMAINS[name], request.mode)
    return [replace(request, domain=name) for name in names]


def _domains(options: EtlOptions, settings: Settings) -> list[str]:
    """The domains asked for, each once, in the order in which they load."""
    sources = load_sources(settings.config_dir)
    if options.all_domains:
        # Configured domains whose declaration is not there yet have nothing to run.
        return [name for name in DOMAINS if name in sources and sources[name].all_domains]
    asked = {name.strip() for name in narrow(options.domains).split(",") if name.strip()}
    for name in asked:
        source_for(settings.config_dir, name)
    names = [name for name in DOMAINS if name in asked] + sorted(asked - set(DOMAINS))
    scope = [part.strip() for part in options.pk.replace(";", ",").split(",") if part.strip()]
    for name in names:
        unknown = [part for part in scope if name in DOMAINS and part not in DOMAINS[name].by_name]
        if unknown:
            raise UsageError(f"{name} has no column {', '.join(unknown)}", field="--pk", hint="name stored columns")
    return names


def _refuse_contradictions(options: EtlOptions) -> None:
    checks: Mapping[str, tuple[bool, str]] = {
        "--execute and --plan-only contradict each other": (options.execute and options.plan_only, "leave one out"),
        "--report takes text or json": (options.report not in ("text", "json"), "--report json"),
        "name domains or --all-domains": (
            not (options.domains.strip(" ,") or options.all_domains or options.check_db),
            "wdh etl --domains annuity_performance --period 202410",
        ),
        "--domains and --all-domains contradict each other": (
            bool(options.domains) and options.all_domains,
            "leave one out",
        ),
        "--file goes with exactly one domain": (
            bool(options.file) and (options.all_domains or "," in options.domains),
            "name one domain",
        ),
        f"--mode {options.mode} is unknown": (options.mode not in list(LoadMode), ", ".join(LoadMode)),
        "--pk narrows delete_insert only": (bool(options.pk) and options.mode != "delete_insert", "drop --pk"),
    }
    for message, (wrong, hint) in checks.items():
        if wrong:
            raise UsageError(message, operation="etl", hint=hint)


def _report(options: EtlOptions, run_id: str, started: float, error: WorkDataHubError | None = None) -> RunReport:
    return RunReport(
        mode="execute" if options.execute else "plan",
        run_id=run_id,
        seconds=time.perf_counter() - started,
        database=None,
        error=error,
    )


def _show(report: RunReport, options: EtlOptions) -> None:
    if options.report == "json":
        print(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        render_report(report, show_sql=options.show_sql, quiet=options.quiet, execute=execute_command(options))
