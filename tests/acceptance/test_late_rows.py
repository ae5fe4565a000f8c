"""Four writers commit in another order than they stamp: no strategy loses a row of theirs, or reads one twice.

Beside each strategy a naive reader polls the same table, and has to lose rows: else nothing was put to the test.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from typing import Any

import pytest

from work_data_hub.domain.batch.pipeline import Mode, Pipeline, Strategy
from work_data_hub.domain.batch.run import Cursor
from work_data_hub.io.batch_reader import reader_connection
from work_data_hub.io.batch_source import open_source
from work_data_hub.io.postgres import Connection, connect

pytestmark = pytest.mark.integration

WRITERS, TRANSACTIONS, LONGEST_SECONDS, POLL_SECONDS = 4, 60, 0.05, 0.01
PATIENCE_SECONDS = 60.0


def pipeline(strategy: Strategy, *, overlap_seconds: int = 5) -> Pipeline:
    return Pipeline(
        name="late_rows",
        target_table="analytics.any",
        source_query="select id, stamped, late.xmin as version from public.late",
        mode=Mode.INCREMENTAL,
        incremental_key="version" if strategy is Strategy.XMIN else "stamped",
        incremental_id_key="id",
        strategy=strategy,
        overlap_seconds=Decimal(overlap_seconds),
        batch_size=50,
    )


@contextmanager
def writing(warehouse: Connection, url: str) -> Iterator[Callable[[], bool]]:
    """Four writers at work; gives the question whether any of them still is."""
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute(
            "create table public.late (id bigint generated always as identity primary key,"
            " stamped timestamptz not null default now())"
        )
        cursor.execute("create index on public.late (stamped, id)")
    threads = [threading.Thread(target=_write, args=(url, seed)) for seed in range(WRITERS)]
    for thread in threads:
        thread.start()
    yield lambda: any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()


def _write(url: str, seed: int) -> None:
    chance = random.Random(seed)
    with closing(connect(url)) as connection:
        for _ in range(TRANSACTIONS):
            with connection, connection.cursor() as cursor:
                cursor.execute("select now()")
                time.sleep(chance.uniform(0, LONGEST_SECONDS) / 2)
                cursor.execute("insert into public.late default values")
                time.sleep(chance.uniform(0, LONGEST_SECONDS) / 2)


class Poller:
    """A pipeline that runs again and again from its checkpoint; `ids` are the rows of all its runs."""

    def __init__(self, reader: Connection, definition: Pipeline) -> None:
        self.reader, self.definition = reader, definition
        self.checkpoint: Cursor | None = None
        self.ids: list[int] = []
        self.rescanned = 0

    def poll(self) -> int:
        """Run once; returns the rows that were new to it."""
        found = 0
        with closing(
            open_source(self.reader, self.definition, checkpoint=self.checkpoint, resume_at=None, as_records=False)
        ) as source:
            for page in source.pages():
                rows = page.rows or ()
                self.ids += [row["id"] for row in rows]
                self.rescanned += page.rows_rescanned
                found += page.rows_read - page.rows_rescanned
                self.checkpoint = page.cursor or self.checkpoint
        return found


class NaivePoller:
    """A reader that takes the greatest key it has seen for the place up to which it has seen everything."""

    def __init__(self, reader: Connection, query: str) -> None:
        self.reader, self.query = reader, query
        self.place: Any = None
        self.ids: list[int] = []

    def poll(self) -> None:
        with self.reader, self.reader.cursor() as cursor:
            cursor.execute(self.query, {"place": self.place})
            for place, id_ in cursor.fetchall():
                self.place = place
                self.ids.append(id_)


BY_STAMP = (
    "select (stamped, id)::text, id from public.late where %(place)s is null"
    " or (stamped, id) > ((%(place)s::text::public.late_place).stamped, (%(place)s::text::public.late_place).id)"
    " order by stamped, id"
)
BY_VERSION = (
    "select xmin::text::bigint, id from public.late where %(place)s is null or xmin::text::bigint > %(place)s::bigint"
    " order by 1, id"
)


@contextmanager
def readers(url: str) -> Iterator[Callable[[], Connection]]:
    with ExitStack() as stack:

        def another() -> Connection:
            connection, _ = reader_connection(
                url,
                reader_url=url,
                may_read_as_anyone=True,
                statement_timeout_seconds=60,
                application_name="wdh batch reader tests",
            )
            return stack.enter_context(closing(connection))

        yield another


def watch(warehouse: Connection, url: str, definition: Pipeline, naive_query: str) -> tuple[Poller, NaivePoller]:
    """Poll until the writers are done and the pipeline has found everything, or could have for long."""
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute("create type public.late_place as (stamped timestamptz, id bigint)")
    with readers(url) as another, writing(warehouse, url) as is_writing:
        poller, naive = Poller(another(), definition), NaivePoller(another(), naive_query)
        while is_writing():
            poller.poll()
            naive.poll()
            time.sleep(POLL_SECONDS)
        naive.poll()
        # Whatever else the server does may hold the last rows back for a moment.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(set(poller.ids)) < WRITERS * TRANSACTIONS and time.monotonic() < deadline:
            poller.poll()
        assert poller.poll() == 0
    return poller, naive


def committed(warehouse: Connection) -> list[int]:
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute("select id from public.late order by id")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("strategy", "naive_query"), [(Strategy.SAFE, BY_STAMP), (Strategy.XMIN, BY_VERSION)], ids=["safe", "xmin"]
)
def test_late_rows_are_read_once(
    warehouse: Connection, warehouse_url: str, strategy: Strategy, naive_query: str
) -> None:
    poller, naive = watch(warehouse, warehouse_url, pipeline(strategy), naive_query)

    rows = committed(warehouse)
    assert len(rows) == WRITERS * TRANSACTIONS
    assert Counter(poller.ids) == Counter(rows)
    assert poller.rescanned == 0
    assert len(set(naive.ids)) < len(rows)


def test_overlap_loses_no_late_row_and_tells_which_it_reads_again(warehouse: Connection, warehouse_url: str) -> None:
    poller, naive = watch(warehouse, warehouse_url, pipeline(Strategy.OVERLAP), BY_STAMP)

    rows = committed(warehouse)
    assert set(poller.ids) == set(rows)
    assert poller.rescanned > 0
    assert len(set(naive.ids)) < len(rows)


def test_an_overlap_shorter_than_the_transactions_loses_rows(warehouse: Connection, warehouse_url: str) -> None:
    definition = pipeline(Strategy.OVERLAP, overlap_seconds=0)
    with readers(warehouse_url) as another, writing(warehouse, warehouse_url) as is_writing:
        poller = Poller(another(), definition)
        while is_writing():
            poller.poll()
            time.sleep(POLL_SECONDS)
        poller.poll()

    assert len(set(poller.ids)) < len(committed(warehouse))
