"""Incremental runs beside four writers who keep transactions open: no row lost, and none read twice."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from tests.batch_store import add, claimed
from tests.runner_pipelines import ask, do

from work_data_hub.domain.batch.pipeline import Mode, Pipeline, Strategy
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_run import run_claim

pytestmark = pytest.mark.integration

WRITERS = 4
TRANSACTIONS = 20
RUNS = 8
TOUCHES = "update content.film_work set title = title || '.', updated_at = now() where id = md5(%s::text)::uuid"
# The key is the beginning of the transaction, which others overtake.
ADDS = "insert into content.film_work (id, title, updated_at) values (md5(%s::text)::uuid, 'Film', now())"
SAFE = Pipeline(
    name="films",
    target_table="analytics.film_dim",
    source_query="select id as film_id, title, rating, updated_at from content.film_work",
    mode=Mode.INCREMENTAL,
    incremental_key="updated_at",
    incremental_id_key="film_id",
    batch_size=7,
)
BY_XMIN = replace(
    SAFE,
    source_query="select id as film_id, title, rating, film_work.xmin as version from content.film_work",
    incremental_key="version",
    strategy=Strategy.XMIN,
)
DIFFERENCES = """
    select id, title from content.film_work except select film_id, title from analytics.film_dim
"""
READ = "select coalesce(sum(rows_read), 0)::int, coalesce(sum(rows_rescanned), 0)::int from etl.etl_runs"
# Rows that were there to be seen only after a later key had been read.
OVERTAKEN = """
    select count(*) > 0 from public.film_commits as film
    where exists (select from public.film_commits as other where other.key > film.key and other.place < film.place)
"""


@pytest.fixture
def films(warehouse: Connection) -> Iterator[Connection]:
    do(warehouse, "create table public.film_commits (place bigint generated always as identity, key timestamptz)")
    yield warehouse
    do(warehouse, "drop table public.film_commits")


def write(url: str, writer: int, statement: str, enough: threading.Event) -> int:
    """Write rows in transactions that stay open for a while, at least so many and until it is enough.

    Every fifth one is taken back; returns how many rows the others wrote.
    """
    chance, written, numbers = random.Random(writer), 0, itertools.count()
    with closing(connect(url, application_name="wdh tests writer")) as connection, connection.cursor() as cursor:
        while (number := next(numbers)) < TRANSACTIONS or not enough.is_set():
            cursor.execute("select now()")
            ((key,),) = cursor.fetchall()
            time.sleep(chance.uniform(0, 0.02))
            for row in (0, 1):
                cursor.execute(statement, (f"{writer}.{number}.{row}",))
            time.sleep(chance.uniform(0, 0.03))
            if number % 5 == 4:
                connection.rollback()
                continue
            connection.commit()
            written += 2
            cursor.execute("insert into public.film_commits (key) values (%s)", (key,))
            connection.commit()
    return written


def read(films: Connection, place: BatchPlace, id: UUID) -> tuple[int, int]:
    """One run; rows read and read again of all runs so far."""
    done = run_claim(claimed(films, id, "one"), place, stop=threading.Event(), lost=threading.Event())
    assert done is RunStatus.SUCCESS
    ((rows, again),) = ask(films, READ)
    return rows, again


def read_beside_writers(films: Connection, place: BatchPlace, id: UUID, *, statement: str) -> int:
    """Run again and again while the writers write, and once they have ended; returns how many rows they wrote."""
    enough = threading.Event()
    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        writers = [pool.submit(write, place.database_url, number, statement, enough) for number in range(WRITERS)]
        with ended(enough):
            for _ in range(RUNS):
                read(films, place, id)
    read(films, place, id)
    return sum(writer.result() for writer in writers)


@contextmanager
def ended(enough: threading.Event) -> Iterator[None]:
    """Nobody goes on for ever where a run fails."""
    try:
        yield
    finally:
        enough.set()


@pytest.mark.parametrize("pipeline", [SAFE, BY_XMIN], ids=["safe", "xmin"])
def test_rows_beside_open_transactions_are_read_each_once(
    films: Connection, warehouse_url: str, pipeline: Pipeline
) -> None:
    place, id = BatchPlace(database_url=warehouse_url), add(films, pipeline)

    added = read_beside_writers(films, place, id, statement=ADDS)
    # Rows did come late.
    assert ask(films, OVERTAKEN) == [(True,)]
    assert ask(films, DIFFERENCES) == []
    assert added >= WRITERS * TRANSACTIONS * 2 * 4 // 5
    assert ask(films, READ) == [(added, 0)]
    # A quiet source is not read again.
    assert read(films, place, id) == (added, 0)


@pytest.mark.parametrize("pipeline", [SAFE, BY_XMIN], ids=["safe", "xmin"])
def test_changes_beside_open_transactions_all_arrive(films: Connection, warehouse_url: str, pipeline: Pipeline) -> None:
    place, id = BatchPlace(database_url=warehouse_url), add(films, pipeline)
    keys = [f"{writer}.{number}.{row}" for writer in range(WRITERS) for number in range(TRANSACTIONS) for row in (0, 1)]
    do(films, "insert into content.film_work (id, title) select md5(key)::uuid, 'Film' from unnest(%s) as key", keys)
    read(films, place, id)

    assert read_beside_writers(films, place, id, statement=TOUCHES) > 0
    assert ask(films, DIFFERENCES) == []
    before = read(films, place, id)
    assert read(films, place, id) == before
