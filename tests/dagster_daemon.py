"""Dagster's daemon as a process of its own over a hub, with our definitions and no page, and what it left behind."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from dagster import DagsterInstance, DagsterRun
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus  # nothing public reads ticks

from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until
from work_data_hub.orchestration.dagster_instance import DEFINITIONS

ARRIVALS = "workbook_arrivals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A hub's Dagster: its daemon to be started and killed, its history to be read meanwhile."""

    hub: Hub
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.hub.home / "dagster"

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The daemon for the block; it and all that it started are killed at the end, as by a power cut."""
        assert self.hub.wdh("dagster", "home").stdout.strip() == str(self.home)
        with (self.hub.home / "daemon.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-m", DEFINITIONS],
                env=self.hub.environment(DAGSTER_HOME=str(self.home), **self.settings),
                cwd=self.hub.home,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            kill_tree(process)

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        with DagsterInstance.from_config(str(self.home)) as instance:
            yield instance


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and all that it started, at once."""
    with suppress(psutil.NoSuchProcess):
        for one in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


def looks(instance: DagsterInstance) -> list[InstigatorTick]:
    """What the sensor of arrivals did, its newest look first."""
    for state in instance.all_instigator_state():
        if state.instigator_name == ARRIVALS:
            return list(instance.get_ticks(state.instigator_origin_id, state.selector_id))
    return []


def in_time(is_so: Callable[[], object]) -> None:
    """Wait for what a daemon does: it looks every half minute, and each run takes a process of its own."""
    until(is_so, seconds=15 * PATIENT_SECONDS, every=0.5)


def finished_looks(instance: DagsterInstance) -> int:
    """How often the sensor has looked to the end."""
    return sum(tick.status in (TickStatus.SKIPPED, TickStatus.SUCCESS) for tick in looks(instance))


def arrived(instance: DagsterInstance) -> dict[str, list[DagsterRun]]:
    """The runs that arrivals asked for, oldest first, by `domain:month`."""
    found: dict[str, list[DagsterRun]] = {}
    for run in reversed(instance.get_runs()):
        if run.tags.get("wdh/actor") == "arrival":
            found.setdefault(f"{run.tags['wdh/domain']}:{run.tags['wdh/month']}", []).append(run)
    return found
