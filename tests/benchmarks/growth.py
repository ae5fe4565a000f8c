"""What spreading a load brings: whole processes, alone and over two workers of a cluster on this machine.

python -m tests.benchmarks.growth [--rounds 1]

Each case executes one month: one and four workbooks of 33,000 rows, and one of 300,000. The stages' seconds
are those of the report, on a busy machine of little worth; CPU is that of the loading process and of both
workers. Memory is the peak of the loading process, and of the larger worker.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import LocalCluster

from tests.benchmarks.compare import DOMAIN, MONTH, PROJECT, TICKS, empty_tables
from tests.benchmarks.server import BenchServer, bench_server
from work_data_hub.io.sample_drop import write_sample_drop

CASES = ((1, 33_000), (4, 33_000), (1, 300_000))
STAGES = ("read", "refine", "publish")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One executed load: the seconds of its stages, and CPU and peak memory of its process."""

    stages: dict[str, float]
    cpu_seconds: float
    peak_mb: float


def main() -> None:
    """Measure and print one table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1)
    rounds = options.parse_args().rounds
    print(f"{os.cpu_count()} processors; medians of {rounds}\n")
    print(
        "| workbooks × rows | workers | read s | refine s | load s | CPU s | of the workers | peak MB | of a worker |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    with bench_server() as started:
        for files, rows in CASES:
            data = _written(started.folder / f"{files}x{rows}", files=files, rows=rows)
            alone = [_load(started, data) for _ in range(rounds)]
            _print(f"{files} × {rows:,}", alone)
            # A cluster of its own for each case, so that the peak of its workers is of this case.
            with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=40) as cluster:
                pids = [worker.process.process.pid for worker in cluster.workers.values()]
                before = sum(map(_cpu_seconds, pids))
                spread = [_load(started, data, WDH_DASK_SCHEDULER=cluster.scheduler_address) for _ in range(rounds)]
                used = (sum(map(_cpu_seconds, pids)) - before) / rounds
                _print(f"{files} × {rows:,}", spread, workers=(used, max(map(_peak_mb, pids))))


def _written(folder: Path, *, files: int, rows: int) -> Path:
    """A data root whose month holds so many workbooks, each another."""
    data = folder / "data"
    for seed in range(files):
        out = data if seed == 0 else Path(tempfile.mkdtemp(dir=folder))
        drop = write_sample_drop(out, period=MONTH, rows=rows, seed=seed, only=(DOMAIN,), versions=("V1",))
        file = drop.sheet(DOMAIN).file
        if seed == 0:
            first = file
        else:
            shutil.move(file, first.with_name(f"{seed}{first.name}"))
    return data


def _load(started: BenchServer, data: Path, **extra: str) -> Load:
    empty_tables(started.url)
    command = [sys.executable, "-m", "work_data_hub", "etl", "--domains", DOMAIN, "--period", MONTH, "--execute"]
    with tempfile.TemporaryFile("w+") as answer:
        process = subprocess.Popen(
            [*command, "--max-files", "20", "--report", "json"],
            env=_environment(started, data) | extra,
            stdout=answer,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        answer.seek(0)
        report: dict[str, Any] = json.load(answer)
    if status != 0:
        raise SystemExit(f"the load ended with {os.waitstatus_to_exitcode(status)}: {report['domains'][0]['error']}")
    stages = report["domains"][0]["seconds"]
    return Load(stages=stages, cpu_seconds=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024)


def _environment(started: BenchServer, data: Path) -> dict[str, str]:
    dropped = ("WDH_", "DATABASE_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {
        "DATABASE_URL": started.url,
        "WDH_HOME": str(started.folder / "home"),
        "WDH_DATA_ROOT": str(data),
        "WDH_CONFIG_DIR": str(PROJECT / "config"),
    }


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _cpu_seconds(pid: int) -> float:
    numbers = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    # The text after the name begins with field 3 of proc(5); 14 and 15 are what it has used itself.
    return (int(numbers[11]) + int(numbers[12])) / TICKS


def _print(case: str, loads: list[Load], *, workers: tuple[float, float] | None = None) -> None:
    stages = [f"{statistics.median(load.stages[stage] for load in loads):.1f}" for stage in STAGES]
    cpu = f"{statistics.median(load.cpu_seconds for load in loads):.1f}"
    peak = f"{max(load.peak_mb for load in loads):.0f}"
    used, largest = (f"{workers[0]:.1f}", f"{workers[1]:.0f}") if workers else ("–", "–")
    print("|", " | ".join((case, "2" if workers else "0", *stages, cpu, used, peak, largest)), "|", flush=True)


if __name__ == "__main__":
    main()
