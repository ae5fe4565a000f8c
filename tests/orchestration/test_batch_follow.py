"""A run requested and watched: what the watcher does when the database goes away."""

from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event
from typing import TypeAlias

import pytest
from psycopg2 import sql
from tests.played_runner import WORKER, copy, play, succeed

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import WarehouseError
from work_data_hub.io.batch_claims import claim_next, close_run, register_worker
from work_data_hub.io.batch_pipelines import create_pipeline, find_by_name
from work_data_hub.io.batch_requests import request_run
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.orchestration.batch_follow import FollowRequest, request_and_follow
from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

FILMS = Pipeline(name="films", target_table="analytics.film_dim", source_query="select 1 as film_id, 'a' as title")


@pytest.fixture
def place(warehouse: Connection, warehouse_url: str) -> BatchPlace:
    """A warehouse with one pipeline."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        create_pipeline(cursor, FILMS, actor="tests")
    return BatchPlace(database_url=warehouse_url, lease_seconds=600)


Door: TypeAlias = Callable[[bool], None]


@pytest.fixture
def door(warehouse: Connection, warehouse_url: str) -> Iterator[Door]:
    """Lets new connections into the warehouse, or keeps them out."""
    database, options = sql.Identifier(warehouse.info.dbname), {True: sql.SQL("true"), False: sql.SQL("false")}

    with closing(connect(warehouse_url.rsplit("/", 1)[0] + "/postgres")) as outside, outside.cursor() as cursor:
        outside.autocommit = True

        def put(is_open: bool) -> None:
            statement = sql.SQL("alter database {} allow_connections {}")
            cursor.execute(statement.format(database, options[is_open]))

        yield put
        put(True)


def test_a_database_that_is_away_for_a_while_is_asked_again(place: BatchPlace, door: Door) -> None:
    request = FollowRequest(pipeline="films", key="k", trigger="tests", wait_seconds=60, poll_seconds=0.01)
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        if "waiting" in words and len(told) == 1:
            door(False)
        if "does not answer" in words:
            door(True)
            play(place.database_url, (succeed,), Event())

    followed = request_and_follow(request, place, tell=tell)

    assert followed.error is None
    assert followed.counts.read == 10
    assert len([words for words in told if "does not answer" in words]) == 1


def test_a_database_that_stays_away_ends_the_watching(place: BatchPlace, door: Door) -> None:
    request = FollowRequest(pipeline="films", key="k", trigger="tests", wait_seconds=0.3, poll_seconds=0.01)

    with pytest.raises(WarehouseError, match="cannot connect"):
        request_and_follow(request, place, tell=lambda _: door(False))


def test_a_living_runner_may_take_its_time(place: BatchPlace, warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        register_worker(cursor, WORKER, host="here", pid=1, version="0")
        row = find_by_name(cursor, "films")
        assert row is not None
        request_run(cursor, row.id, actor="somebody", lease_seconds=600)
        claim = claim_next(cursor, WORKER)
    assert claim is not None
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        if "goes on" in words:
            with transaction(warehouse), warehouse.cursor() as cursor:
                copy(cursor, claim, rows=10)
        if words == "rows read 10, written 9" and told.count(words) == 1:
            with transaction(warehouse), warehouse.cursor() as cursor:
                close_run(cursor, claim, status=RunStatus.SUCCESS, to=Status.IDLE)

    request = FollowRequest(pipeline="films", key="k", trigger="tests", wait_seconds=0, poll_seconds=0.01)
    followed = request_and_follow(request, place, tell=tell)

    assert (followed.error, [run.id for run in followed.runs]) == (None, [claim.run_id])
    assert len([words for words in told if "rows read 10" in words]) == 2
