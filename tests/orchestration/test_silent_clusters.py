"""A cluster that falls silent while its processes stay: the load ends with an error instead of waiting for ever."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psutil
import pytest
from tests.cluster_work import linger
from tests.faulty_months import write_month
from tests.free_ports import free_port
from tests.hub import DOMAIN, PROJECT, Hub
from tests.patience import PATIENT_SECONDS, until

from work_data_hub.errors import ClusterError
from work_data_hub.io.dask_cluster import DaskMapper, open_cluster

pytestmark = pytest.mark.integration

WAIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A scheduler and its only worker, each with the processes under it."""

    address: str
    scheduler: int
    worker: int

    def stop(self, number: int) -> None:
        """Let it hold its connections and answer nothing."""
        for one in [psutil.Process(number), *psutil.Process(number).children(recursive=True)]:
            one.suspend()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with (
        dask_process("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard") as scheduler,
        dask_process(
            "worker", address, "--nworkers", "1", "--nthreads", "2", "--local-directory", str(tmp_path)
        ) as one,
    ):
        mapper(address, wait_seconds=PATIENT_SECONDS).close()
        yield Processes(address=address, scheduler=scheduler, worker=one)


@contextmanager
def dask_process(*arguments: str) -> Iterator[int]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def mapper(address: str, *, wait_seconds: float = WAIT_SECONDS) -> DaskMapper:
    return open_cluster(address, run_id="test", block_rows=10, wait_seconds=wait_seconds)


def load(hub: Hub, address: str) -> "subprocess.Popen[str]":
    write_month(hub.data, rows=200, seed=1)
    settings = {
        "WDH_DASK_SCHEDULER": address,
        "WDH_DASK_BLOCK_ROWS": "70",
        "WDH_DASK_WAIT_SECONDS": str(WAIT_SECONDS),
    }
    command = hub.command("etl", "--domains", DOMAIN, "--period", "202410", "--execute", "--max-rejects", "100%")
    return subprocess.Popen(command, env=hub.environment(**settings), cwd=hub.home, stderr=subprocess.PIPE, text=True)


def test_a_load_over_a_silent_scheduler_ends_and_frees_its_month(hub: Hub, processes: Processes) -> None:
    processes.stop(processes.scheduler)
    before = hub.contents()

    process = load(hub, processes.address)
    try:
        _, said = process.communicate(timeout=PATIENT_SECONDS)
    finally:
        process.kill()

    assert process.returncode == 1, said
    assert f"the scheduler at {processes.address} does not answer" in said
    assert hub.contents() == before
    assert hub.etl("--execute", "--max-rejects", "100%").code == 0


def test_a_silent_worker_is_told_of_before_the_work(processes: Processes) -> None:
    processes.stop(processes.worker)

    with pytest.raises(ClusterError, match=f"{processes.address} does not answer"):
        mapper(processes.address)


def test_a_scheduler_that_falls_silent_in_the_middle_is_told_of(processes: Processes, tmp_path: Path) -> None:
    markers = [tmp_path / "a", tmp_path / "b"]

    def stop_in_the_middle() -> None:
        until(markers[0].exists)
        processes.stop(processes.scheduler)

    Thread(target=stop_in_the_middle, daemon=True).start()
    opened = mapper(processes.address)
    with pytest.raises(ClusterError, match=f"the scheduler at {processes.address} does not answer"):
        list(opened(linger, markers, what="read"))
    begun = time.monotonic()
    opened.close()

    assert time.monotonic() - begun < PATIENT_SECONDS
