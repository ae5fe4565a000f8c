"""`wdh pipelines runner`: what the command does."""

import sys

from work_data_hub.cli.doors import open_door
from work_data_hub.orchestration.batch_place import reading_place
from work_data_hub.orchestration.batch_runner import batch_runner, run_batches
from work_data_hub.orchestration.stop_signals import StopSignals


def run_runner(*, signals: StopSignals, once: bool, worker_id: str, port: int | None, debug: bool) -> int:
    """Run what is requested until a signal to end, or with `once` until nothing is; returns the exit code.

    Without a port ETL_RUNNER_PORT holds; 0 is none. A line on stderr tells when it is ready.
    """
    settings = open_door(debug=debug)
    if signals.came:
        # No server is started for a runner that is to end.
        return 0
    runner = batch_runner(reading_place(settings), worker_id=worker_id, when_ready=_tell)
    return run_batches(runner, signals=signals, once=once, port=settings.etl_runner_port if port is None else port)


def _tell(worker_id: str) -> None:
    print(f"wdh pipelines runner: ready as {worker_id}", file=sys.stderr, flush=True)
