"""Connections that are cut in the middle of the rows, or with the answer to a commit: each row once all the same."""

import threading
from contextlib import closing
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from tests.batch_store import add, claimed
from tests.cutting_proxy import Moment, cutting_proxy
from tests.runner_pipelines import add_films, ask, cut

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.batch_claims import batch_application
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_run import run_claim

pytestmark = pytest.mark.integration

WORKER = "one"
FILMS = 300
BY_KEY = Pipeline(
    name="films",
    target_table="analytics.film_dim",
    source_query="select id as film_id, title, rating from content.film_work",
    unique_key="film_id",
    batch_size=20,
)
CUTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CutsItself(Faults):
    """Ends its own session in the server, where others die, the first times that it comes there."""

    url: str
    reached: list[str] = field(default_factory=list)

    def reach(self, point: str) -> None:
        if point == self.point and len(self.reached) < CUTS:
            with closing(connect(self.url)) as connection:
                assert cut(connection, batch_application(WORKER)) == 1
            self.reached.append(point)


@pytest.fixture
def pipeline(warehouse: Connection) -> UUID:
    add_films(warehouse, FILMS)
    return add(warehouse, BY_KEY)


def ran(warehouse: Connection, pipeline: UUID, place: BatchPlace) -> RunStatus | None:
    return run_claim(claimed(warehouse, pipeline, WORKER), place, stop=threading.Event(), lost=threading.Event())


def assert_each_row_once(warehouse: Connection) -> None:
    copied = """
        select count(*)::int from content.film_work as film join analytics.film_dim as target
        on target.film_id = film.id and (target.title, target.rating) = (film.title, film.rating)
    """
    assert ask(warehouse, copied) == [(FILMS,)]
    batches = "select array_agg(seq order by committed_at), sum(rows_read)::int from etl.etl_batches"
    assert ask(warehouse, batches) == [(list(range(FILMS // 20)), FILMS)]
    run = "select status, rows_read::int, rows_inserted::int, rows_written::int, attempt from etl.etl_runs"
    assert ask(warehouse, run) == [("SUCCESS", FILMS, FILMS, FILMS, 1)]


@pytest.mark.parametrize("point", ["before_copy", "inside_copy", "before_commit"])
def test_a_session_that_the_server_ends_costs_no_row(
    warehouse: Connection, warehouse_url: str, pipeline: UUID, point: str
) -> None:
    faults = CutsItself(point=point, url=warehouse_url)
    place = BatchPlace(database_url=warehouse_url, retry_backoff_seconds=0.01, faults=faults)

    assert ran(warehouse, pipeline, place) is RunStatus.SUCCESS
    assert faults.reached == [point] * CUTS
    assert_each_row_once(warehouse)


@pytest.mark.parametrize("moment", list(Moment))
def test_a_way_that_is_cut_costs_no_row(
    warehouse: Connection, warehouse_url: str, pipeline: UUID, moment: Moment
) -> None:
    with cutting_proxy(warehouse_url, moment, left=CUTS) as (proxy, url):
        place = BatchPlace(database_url=url, reader_url=warehouse_url, retry_backoff_seconds=0.01)

        assert ran(warehouse, pipeline, place) is RunStatus.SUCCESS
    assert proxy.cuts == CUTS
    assert_each_row_once(warehouse)
