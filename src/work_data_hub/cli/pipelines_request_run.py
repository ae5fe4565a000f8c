"""`wdh pipelines run`, `pause`, `reset` and `watch`: what the commands do."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.pipelines_desk import Desk, id_of, named, open_desk, settled
from work_data_hub.cli.pipelines_look_run import counts, print_document, seconds
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import AT_REST, RunStatus, Status
from work_data_hub.errors import BatchError, Interrupted, UsageError
from work_data_hub.orchestration.batch_shown import Shown

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 1.0
_PATIENCE_SECONDS = 10.0
_LOOKED_BACK = 500


def run_run(name: str, *, wait: bool, key: str, api: str, report: str, debug: bool) -> int:
    """Request a run, wait for its end if asked to, and print how it stands; 1 when it failed."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        id = id_of(named(desk, name))
        before = {run["id"] for run in settled(desk.runs(id, limit=1)) if run["finished_at"]}
        if wait:
            with _ended_by_hand(is_its_end=False):
                pipeline = _at_rest(desk, settled(desk.request_run(id, key=key or None)))
            run = _own_run(settled(desk.runs(id, limit=_LOOKED_BACK if key else 1)), key=key, before=before)
        else:
            pipeline, run = settled(desk.request_run(id, key=key or None)), None
    return _told(pipeline, run, is_json=report == "json")


def run_pause(name: str, *, api: str, report: str, debug: bool) -> int:
    """Request a pause and print where the pipeline stands; 0."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        pipeline = settled(desk.request_pause(id_of(named(desk, name))))
    if report == "json":
        print_document("pause", pipeline=pipeline)
    else:
        print(f"{name}  {pipeline['status']}")
    return 0


def run_reset(name: str, *, api: str, report: str, debug: bool) -> int:
    """Forget the checkpoint and print what it was; 0."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        id = id_of(named(desk, name))
        before = settled(desk.state(id))
        state = settled(desk.set_state(id, Place()))
    if report == "json":
        print_document("reset", name=name, before=before, state=state)
    else:
        was = before["last_processed_value"]
        print(f"{name}  {f'its checkpoint was {was}' if was is not None else 'it had no checkpoint'}")
        print(f"next: wdh pipelines run {name}")
    return 0


def run_watch(name: str, *, every: float, times: int, api: str, report: str, debug: bool) -> int:
    """Print where the pipeline stands, `times` times, 0: until Ctrl-C; 0."""
    refuse_form(report)
    is_json = report == "json"
    if is_json and not times:
        raise UsageError("a document needs an end", field="--times", hint="--times 10")
    seen = []
    with open_desk(open_door(debug=debug, api=api), api=api) as desk, _ended_by_hand(is_its_end=not times):
        id = id_of(named(desk, name))
        for look in range(times) if times else count():
            if look:
                time.sleep(every)
            pipeline = settled(desk.pipeline(id))
            run = next(iter(settled(desk.runs(id, limit=1))), None)
            if is_json:
                seen.append({"status": pipeline["status"], "run": run})
            else:
                print(_line(pipeline, run), flush=True)
    if is_json:
        print_document("watch", name=name, seen=seen)
    return 0


@contextmanager
def _ended_by_hand(*, is_its_end: bool) -> Iterator[None]:
    """Let Ctrl-C end the block: quietly where nothing else does, else saying that what was asked for goes on."""
    try:
        yield
    except KeyboardInterrupt:
        if not is_its_end:
            raise Interrupted("stopped looking; what was requested stands, and a runner goes on with it") from None


def _at_rest(desk: Desk, pipeline: Shown) -> Shown:
    """The pipeline once nothing runs or waits to; says so when nobody seems to run it."""
    began, wait_seconds, is_told = time.monotonic(), _FIRST_WAIT_SECONDS, False
    while Status(pipeline["status"]) not in AT_REST:
        if not is_told and pipeline["status"] == Status.RUN_REQUESTED and time.monotonic() - began > _PATIENCE_SECONDS:
            print("no runner has taken it yet; `wdh pipelines runner` starts one", file=sys.stderr)
            is_told = True
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.5, _LONGEST_WAIT_SECONDS)
        pipeline = settled(desk.pipeline(id_of(pipeline)))
    return pipeline


def _own_run(runs: list[Shown], *, key: str, before: set[str]) -> Shown | None:
    """The run that the request came to: that of its key, else the newest that had not ended before."""
    of_key = [run for run in runs if key and run["idempotency_key"] == key]
    return next(iter(of_key or [run for run in runs[:1] if run["id"] not in before]), None)


def _told(pipeline: Shown, run: Shown | None, *, is_json: bool) -> int:
    if is_json:
        print_document("run", pipeline=pipeline, run=run)
    else:
        print(_line(pipeline, run))
        if pipeline["status"] == Status.RUN_REQUESTED:
            print(f"next: wdh pipelines watch {pipeline['name']}; a runner (wdh pipelines runner) does the work")
        for warning in run["warnings"] if run else []:
            print(f"  warning  {warning}")
    if run is None or run["status"] != RunStatus.FAILED:
        return 0
    failed = BatchError(
        f"the run of {pipeline['name']} failed: {run['error_message']}",
        hint="mend what it names, then request the run again",
    )
    complain(failed)
    return Told(failed.exit_code)


def _line(pipeline: Shown, run: Shown | None) -> str:
    said = f"{pipeline['name']}  {pipeline['status']}"
    if run is None:
        return said
    took = f" · {seconds(run)} s" if run["finished_at"] else ""
    return f"{said} · run {run['status']} · {counts(run)}{took}"
