"""`wdh pipelines runner`: what the command does."""

import sys

from work_data_hub.cli.doors import open_door
from work_data_hub.orchestration.batch_place import batch_place
from work_data_hub.orchestration.batch_runner import run_batches


def run_runner(*, once: bool, worker_id: str, port: int | None, debug: bool) -> int:
    """Run what is requested until a signal to end, or with `once` until nothing is; returns the exit code.

    Without a port ETL_RUNNER_PORT holds; 0 is none. A line on stderr tells when it is ready.
    """
    settings = open_door(debug=debug)
    return run_batches(
        batch_place(settings),
        once=once,
        worker_id=worker_id,
        port=settings.etl_runner_port if port is None else port,
        when_ready=_tell,
    )


def _tell(worker_id: str) -> None:
    print(f"wdh pipelines runner: ready as {worker_id}", file=sys.stderr, flush=True)
