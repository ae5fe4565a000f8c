"""How soon a waiting runner claims what is requested.

python -m tests.benchmarks.wakeups [--requests 200] Milliseconds from the commit of a request, by the clock of the
database, to the begin of its run in a runner process of its own that waits and polls every 30 seconds.
"""

import argparse
import statistics
import time
from contextlib import closing

from tests.benchmarks.server import bench_server
from tests.hub import Hub
from tests.runner_processes import ready_runner
from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.io.batch_pipelines import create_pipeline
from work_data_hub.io.batch_requests import request_run
from work_data_hub.io.postgres import Connection, connect, transaction

ONE_FILM = "select '00000000-0000-4000-8000-000000000001'::uuid as film_id, 'Film' as title, 1 as rating"
WAITED = """
    select extract(epoch from run.started_at - event.at) * 1000
    from etl.etl_runs as run
    join lateral (
      select max(at) as at from etl.etl_events where to_status = 'RUN_REQUESTED' and at <= run.started_at
    ) as event on true
    order by run.started_at
"""


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=200)
    given = options.parse_args()
    with bench_server() as bench, closing(connect(bench.url, application_name="wdh benchmark")) as connection:
        hub = Hub(home=bench.folder, data=bench.folder, url=bench.url)
        with ready_runner(hub, ETL_POLL_SECONDS="30"):
            milliseconds = requested(connection, times=given.requests)
    ordered = sorted(milliseconds)
    p95 = ordered[int(len(ordered) * 0.95) - 1]
    print(f"{len(ordered)} requests: median {statistics.median(ordered):.1f} ms, p95 {p95:.1f}, most {ordered[-1]:.1f}")


def requested(connection: Connection, *, times: int) -> list[float]:
    """Request a run so often, each when the one before is over; returns how long each waited."""
    pipeline = Pipeline(name="one_film", target_table="analytics.film_dim", source_query=ONE_FILM)
    with transaction(connection), connection.cursor() as cursor:
        id = create_pipeline(cursor, pipeline, actor="benchmark").id
    for _ in range(times):
        with transaction(connection), connection.cursor() as cursor:
            request_run(cursor, id, actor="benchmark", lease_seconds=30)
        while _status(connection) != "IDLE":
            time.sleep(0.01)
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(WAITED)
        return [float(one) for (one,) in cursor.fetchall()]


def _status(connection: Connection) -> str:
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("select status from etl.etl_pipelines")
        ((status,),) = cursor.fetchall()
    return str(status)


if __name__ == "__main__":
    main()
