"""A batch pipeline from table to table, beside one bare statement that does the same with all rows at once.

python -m tests.benchmarks.pipelines [--rows 1000000] [--batch-size 10000] [--rounds 3]

Wall seconds of whole runs in turn: claimed, read in one snapshot, written with checkpoint, ledger and counters in
each batch's transaction, and closed; a process of its own that has imported everything. The bare statement is
`insert … select … on conflict … do update` of the same rows on the same server, which keeps no books and cannot be
resumed. The target is first empty, then full of the same rows.
"""

import argparse
import logging
import multiprocessing
import resource
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from tests.benchmarks.compare import server_seconds
from tests.benchmarks.server import bench_server
from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.io.batch_claims import claim_next, register_worker
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.batch_requests import request_run
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import connect, transaction
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_run import run_claim

READ = "select id as film_id, title, rating, updated_at as changed_at from content.film_work"
BARE = """
insert into analytics.film_dim as target (film_id, title, rating)
select id, title, rating from content.film_work
on conflict (film_id) do update set title = excluded.title, rating = excluded.rating, updated_at = now()
"""
FILL = """
insert into content.film_work (id, title, rating, updated_at)
select gen_random_uuid(), 'The film of number ' || number, round((random() * 10)::numeric, 1),
       now() - number * interval '1 second'
from generate_series(1, %(rows)s) as number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One run: wall seconds, CPU seconds of server and client, peak memory of the client."""

    wall: float
    server: float
    client: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The server, and what runs on it cost."""

    server: EmbeddedPostgres
    url: str
    rows: int
    batch_size: int
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def run(self, *statements: str, **values: Any) -> None:
        """Run statements, each committed."""
        with closing(connect(self.url, application_name="wdh benchmark")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement, values or None)

    def measure(self, name: str, work: Callable[[], tuple[float, float, float]]) -> None:
        """Do the work once and keep what it cost; nothing is left to flush before it."""
        self.run("vacuum analyze analytics.film_dim", "checkpoint")
        before = server_seconds(self.server)
        wall, client, peak_mb = work()
        cost = Cost(wall=wall, server=server_seconds(self.server) - before, client=client, peak_mb=peak_mb)
        self.costs.setdefault(name, []).append(cost)

    def bare(self) -> tuple[float, float, float]:
        """The one statement."""
        began = time.perf_counter()
        self.run(BARE)
        return time.perf_counter() - began, 0.0, 0.0

    def piped(self, name: str, *, unique_key: str | None = None) -> Callable[[], tuple[float, float, float]]:
        """A run of the pipeline of that name, in a process of its own."""

        def work() -> tuple[float, float, float]:
            pipeline = Pipeline(
                name=name,
                target_table="analytics.film_dim",
                source_query=READ,
                batch_size=self.batch_size,
                unique_key=unique_key,
            )
            with multiprocessing.get_context("spawn").Pool(1) as one:
                return one.apply(run_once, (self.url, pipeline, self.rows))

        return work


def run_once(url: str, pipeline: Pipeline, rows: int) -> tuple[float, float, float]:
    """Request, claim and execute one run; returns wall seconds, CPU seconds and peak memory in MB of this process."""
    logging.disable(logging.INFO)
    worker = f"benchmark-{time.time_ns()}"
    with closing(connect(url, application_name="wdh benchmark")) as connection:
        with transaction(connection), connection.cursor() as cursor:
            register_worker(cursor, worker, host="here", pid=0, version="0")
            named = replace(pipeline, name=f"{pipeline.name}_{worker}")
            row = create_pipeline(cursor, named, actor="benchmark")
            request_run(cursor, row.id, actor="benchmark", lease_seconds=600)
        began, cpu = time.perf_counter(), time.process_time()
        with transaction(connection), connection.cursor() as cursor:
            claim = claim_next(cursor, worker)
        assert claim is not None
        run_claim(claim, BatchPlace(database_url=url), stop=threading.Event(), lost=threading.Event())
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("select status, rows_written from etl.etl_runs where id = %s", (str(claim.run_id),))
            assert cursor.fetchone() == ("SUCCESS", rows)
    return wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--batch-size", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with bench_server() as started:
        bench = Bench(server=started.server, url=started.url, rows=given.rows, batch_size=given.batch_size)
        bench.run(FILL, rows=given.rows)
        bench.run("vacuum analyze content.film_work")
        for _ in range(given.rounds):
            _round(bench)
        _print(bench)


def _round(bench: Bench) -> None:
    cases = {
        "one bare statement": bench.bare,
        "pipeline": bench.piped("as_it_stands"),
        "pipeline, resumable": bench.piped("by_key", unique_key="film_id"),
    }
    for name, work in cases.items():
        bench.run("truncate analytics.film_dim")
        bench.measure(f"{name}, empty target", work)
        bench.measure(f"{name}, same rows again", work)


def _print(bench: Bench) -> None:
    rounds = len(next(iter(bench.costs.values())))
    print(f"{bench.rows:,} rows in batches of {bench.batch_size:,}, {rounds} rounds, medians\n")
    print("| case | wall s | range | speed of the bare one | CPU s, server | client | peak MB |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, costs in bench.costs.items():
        walls = [cost.wall for cost in costs]
        bare = statistics.median(cost.wall for cost in bench.costs[f"one bare statement, {name.rpartition(', ')[2]}"])
        server = statistics.median(cost.server for cost in costs)
        client = statistics.median(cost.client for cost in costs)
        print(
            f"| {name} | {statistics.median(walls):.2f} | {min(walls):.2f}–{max(walls):.2f} "
            f"| {bare / statistics.median(walls):.0%} | {server:.2f} | {client:.2f} "
            f"| {max(cost.peak_mb for cost in costs):.0f} |"
        )


if __name__ == "__main__":
    main()
