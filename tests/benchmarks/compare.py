"""Whole processes side by side with the floor, in CPU seconds of client and server together.

python -m tests.benchmarks.compare [--rows 33000] [--rounds 5]

Each round runs every case once, in turn, so that a slow moment of the machine hits them all.
The server is an embedded one of the benchmark's own, durable as in real use.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.benchmarks.server import bench_server
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.sample_drop import write_sample_drop

PROJECT = Path(__file__).parent.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
DOMAIN, MONTH = "annuity_performance", "202410"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One run: CPU of the process tree and of the server, wall seconds, peak memory of the largest process."""

    client_seconds: float
    server_seconds: float
    wall_seconds: float
    peak_mb: float

    @property
    def cpu_seconds(self) -> float:
        return self.client_seconds + self.server_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command, and what puts the database into its starting state; neither is part of the cost."""

    name: str
    command: list[str]
    before: Callable[[], None]


def main() -> None:
    """Measure and print one table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=33_000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with bench_server() as started:
        drop = write_sample_drop(
            started.folder / "data", period=MONTH, rows=given.rows, only=(DOMAIN,), versions=("V1",)
        )
        write_sample_drop(started.folder / "every", period=MONTH, rows=given.rows, versions=("V1",))
        cases = _cases(started.url, drop.sheet(DOMAIN).file, every=started.folder / "every")
        environment = _environment(started.folder, started.url)
        costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
        for case in cases:
            case.before()
            _measure(case.command, environment, started.server)
        for _ in range(given.rounds):
            for case in cases:
                case.before()
                costs[case.name].append(_measure(case.command, environment, started.server))
        _print(costs, rows=given.rows)


def _cases(url: str, workbook: Path, *, every: Path) -> list[Case]:
    python = sys.executable
    etl = [python, "-m", "work_data_hub", "etl", "--domains", DOMAIN, "--period", MONTH, "--report", "json"]
    four = ["env", f"WDH_DATA_ROOT={every}", python, "-m", "work_data_hub", "etl", "--all-domains", "--period", MONTH]
    floor = [python, str(PROJECT / "tests/benchmarks/floor.py"), str(workbook), url]
    return [
        Case(name="floor (calamine)", command=floor, before=lambda: empty_tables(url)),
        Case(name="floor (fastexcel)", command=[*floor, "fastexcel"], before=lambda: empty_tables(url)),
        Case(name="plan, empty month", command=etl, before=lambda: empty_tables(url)),
        Case(name="execute, empty month", command=[*etl, "--execute"], before=lambda: empty_tables(url)),
        Case(name="execute again: unchanged", command=[*etl, "--execute"], before=lambda: None),
        Case(name="execute --force, full month", command=[*etl, "--execute", "--force"], before=lambda: None),
        Case(name="plan, four domains", command=four, before=lambda: empty_tables(url)),
        Case(name="execute, four domains", command=[*four, "--execute"], before=lambda: empty_tables(url)),
        Case(name="imports only: pandas, psycopg2", command=[python, "-c", "import pandas, psycopg2"], before=_nothing),
        Case(name="imports only: a plan's", command=[python, "-c", _PLAN_IMPORTS], before=_nothing),
        Case(name="imports only: an execute's", command=[python, "-c", _EXECUTE_IMPORTS], before=_nothing),
        Case(name="wdh --help", command=[python, "-m", "work_data_hub", "--help"], before=_nothing),
        Case(name="wdh etl --help", command=[python, "-m", "work_data_hub", "etl", "--help"], before=_nothing),
    ]


_PLAN_IMPORTS = "import work_data_hub.cli.app, work_data_hub.cli.etl_run"
_EXECUTE_IMPORTS = f"{_PLAN_IMPORTS}, work_data_hub.orchestration.dagster_runs"


def _nothing() -> None:
    return


def empty_tables(url: str) -> None:
    """Take everything out that a load puts in."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists floor")
        cursor.execute(
            "truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细,"
            " ledger.rejected_rows, ledger.corrections, ledger.waivers, ledger.loads,"
            " enterprise.enrichment_requests, enterprise.enrichment_index, enterprise.company_changes,"
            " mapping.年金计划, mapping.组合计划, customer.客户明细, customer.customer_plan_contract,"
            " customer.fct_customer_product_line_monthly, customer.fct_customer_plan_monthly,"
            " customer.contract_periods, customer.contract_years, ledger.hook_runs"
        )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("checkpoint")
    connection.close()


def _environment(folder: Path, url: str) -> dict[str, str]:
    # Every case runs from compiled bytecode, as an installed program does.
    dropped = ("WDH_", "DATABASE_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {
        "DATABASE_URL": url,
        "WDH_HOME": str(folder / "home"),
        "WDH_DATA_ROOT": str(folder / "data"),
        "WDH_CONFIG_DIR": str(PROJECT / "config"),
    }


def _measure(command: list[str], environment: dict[str, str], server: EmbeddedPostgres) -> Cost:
    before, began = server_seconds(server), time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(
        client_seconds=usage.ru_utime + usage.ru_stime,
        server_seconds=server_seconds(server) - before,
        wall_seconds=wall,
        peak_mb=usage.ru_maxrss / 1024,
    )


def server_seconds(server: EmbeddedPostgres) -> float:
    """CPU of the server's processes, ended ones included: their time is in their parent's account."""
    parent = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    children = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return _ticks(parent, fields=(13, 14, 15, 16)) + sum(_ticks(child, fields=(13, 14)) for child in children)


def _ticks(pid: int, *, fields: tuple[int, ...]) -> float:
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    # The text after the name begins with field 3 of proc(5).
    return sum(int(numbers[field - 2]) for field in fields) / TICKS


def _print(costs: dict[str, list[Cost]], *, rows: int) -> None:
    floor = [cost.cpu_seconds for cost in costs["floor (calamine)"]]
    print(f"{rows:,} rows, {len(floor)} rounds; medians, CPU seconds of client and server\n")
    print("| case | CPU s | client | server | × floor (median of rounds) | range | wall s | peak MB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, runs in costs.items():
        ratios = [run.cpu_seconds / base for run, base in zip(runs, floor, strict=True)]
        print(
            f"| {name} | {statistics.median(run.cpu_seconds for run in runs):.2f}"
            f" | {statistics.median(run.client_seconds for run in runs):.2f}"
            f" | {statistics.median(run.server_seconds for run in runs):.2f}"
            f" | {statistics.median(ratios):.2f} | {min(ratios):.2f}–{max(ratios):.2f}"
            f" | {statistics.median(run.wall_seconds for run in runs):.2f}"
            f" | {max(run.peak_mb for run in runs):.0f} |"
        )


if __name__ == "__main__":
    main()
