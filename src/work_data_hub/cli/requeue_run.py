"""`wdh requeue`: a workbook becomes a request, its changes are shown, and the run is the one of `wdh etl`."""

import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.etl_run import run_domain
from work_data_hub.cli.render import Progress, render_report
from work_data_hub.cli.returned_changes import change_lines, changes_json
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.report import RunReport, error_json
from work_data_hub.domain.returned import Returned
from work_data_hub.errors import WarehouseError, WorkDataHubError
from work_data_hub.io.returned_workbook import read_returned
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.requests import FileRequest, Tolerance
from work_data_hub.orchestration.rework import reworked, standing
from work_data_hub.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call, as typed."""

    file: str
    execute: bool
    max_rejects: str
    allow_shrink: bool
    lock_wait_seconds: float
    report: str
    quiet: bool

    @property
    def as_json(self) -> bool:
        return self.report == "json"

    @property
    def mode(self) -> str:
        return "execute" if self.execute else "plan"

    @property
    def next_command(self) -> str:
        """The command that executes what this call planned."""
        words = ["wdh", "requeue", self.file]
        words += ["--max-rejects", self.max_rejects] if self.max_rejects != "0" else []
        words += ["--allow-shrink"] if self.allow_shrink else []
        words += ["--lock-wait", f"{self.lock_wait_seconds:g}"] if self.lock_wait_seconds else []
        return shlex.join([*words, "--execute"])


def run_requeue(*, debug: bool, **options: Any) -> int:
    """Run one call; prints what changed and the run's report, and returns the exit code."""
    call, run_id, started = _Call(**options), uuid4().hex[:12], time.perf_counter()
    refuse_form(call.report)
    settings = open_door(debug=debug)
    try:
        returned = read_returned(Path(call.file), domains=DOMAINS)
        request = _request(call, returned, run_id)
    except WorkDataHubError as error:
        if not call.as_json:
            raise
        _print({"mode": call.mode, "status": "failed", "run_id": run_id, "domains": [], "error": error_json(error)})
        return error.exit_code
    now = _against_warehouse(returned, settings)
    if returned.is_untouched and now.is_untouched:
        return _say_untouched(call, now, run_id)
    return _run(call, now, request=request, settings=settings, started=started)


def _against_warehouse(returned: Returned, settings: Settings) -> Returned:
    """What came back as far as it differs from what stands; a warehouse that refuses is met again by the run."""
    try:
        return standing(returned, workplace(settings, execute=False))
    except WarehouseError:
        return returned


def _request(call: _Call, returned: Returned, run_id: str) -> FileRequest:
    request = FileRequest(
        run_id=run_id,
        domain=returned.facts.domain,
        execute=call.execute,
        tolerance=Tolerance.parse(call.max_rejects),
        allow_shrink=call.allow_shrink,
        lock_wait_seconds=call.lock_wait_seconds,
    )
    return reworked(request, returned)


def _run(call: _Call, returned: Returned, *, request: FileRequest, settings: Settings, started: float) -> int:
    if not call.as_json and not call.quiet:
        print("\n".join(change_lines(returned)), flush=True)
    place = workplace(settings, execute=call.execute)
    progress = Progress(sys.stderr, quiet=call.quiet or call.as_json)
    domain = run_domain(request, place, settings, progress)
    report = RunReport(
        mode=call.mode,
        run_id=request.run_id,
        seconds=time.perf_counter() - started,
        database=describe_database(place.database_url),
        domains=(domain,),
    )
    if call.as_json:
        _print(report.as_json() | {"requeue": changes_json(returned, parent_load_id=domain.parent_load_id)})
    else:
        render_report(report, quiet=call.quiet, execute=call.next_command)
    return report.exit_code


def _say_untouched(call: _Call, returned: Returned, run_id: str) -> int:
    """No cell was changed and no row given up: there is nothing to load."""
    if call.as_json:
        nothing = {"mode": call.mode, "status": "unchanged", "run_id": run_id, "domains": []}
        _print(nothing | {"requeue": changes_json(returned, parent_load_id=None)})
    else:
        print("\n".join(change_lines(returned)))
        print("nothing to do: no cell was changed and no row given up; correct the red cells, save, and call again")
    return 0


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
