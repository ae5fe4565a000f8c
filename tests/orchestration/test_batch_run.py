"""Whole runs of pipelines on a real database: what they copy, and what they do when something goes wrong."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.batch_store import add, ask, claimed, pause, request, runs, silence, status_of, swept
from tests.fake_elasticsearch import FakeElasticsearch
from tests.patience import PATIENT_SECONDS, until

from work_data_hub.domain.batch.pipeline import Deletes, Mode, NullKey, Pipeline, PipelineType
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.errors import MalformedUrl
from work_data_hub.io.batch_claims import batch_application
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.elasticsearch_access import IndexAccess
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_run import run_claim

pytestmark = pytest.mark.integration

QUERY = "select id as film_id, title, rating, updated_at from content.film_work"
FULL = Pipeline(name="films", target_table="analytics.film_dim", source_query=QUERY, batch_size=3)
BY_KEY = replace(FULL, unique_key="film_id", batch_size=1)
INCREMENTAL = replace(FULL, mode=Mode.INCREMENTAL, incremental_key="updated_at", incremental_id_key="film_id")
SLOW = replace(BY_KEY, throttle_ms=200)
WORKER = "one"
COUNTS = "status, rows_read::int, rows_written::int, rows_dlq::int"


@pytest.fixture
def place(warehouse_url: str) -> BatchPlace:
    return BatchPlace(database_url=warehouse_url, retry_backoff_seconds=0.05)


class Signals:
    """What a runner tells an execution."""

    def __init__(self) -> None:
        self.stop, self.lost = threading.Event(), threading.Event()


def ran(films: Connection, place: BatchPlace, id: UUID, signals: Signals | None = None) -> RunStatus | None:
    """Request, claim and execute the pipeline."""
    given = signals or Signals()
    return run_claim(claimed(films, id, WORKER), place, stop=given.stop, lost=given.lost)


@contextmanager
def running(films: Connection, place: BatchPlace, id: UUID, signals: Signals) -> Iterator[Future[RunStatus | None]]:
    """The execution in a thread of its own."""
    claim = claimed(films, id, WORKER)
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(run_claim, claim, place, stop=signals.stop, lost=signals.lost)


def target(films: Connection) -> list[tuple[Any, ...]]:
    return ask(films, "select film_id::text, title, rating, xmin::text from analytics.film_dim order by 1")


def batches(films: Connection) -> int:
    ((count,),) = ask(films, "select count(*)::int from etl.etl_batches")
    return int(count)


def test_a_full_run_copies_every_row_and_again_changes_none(films: Connection, place: BatchPlace) -> None:
    id = add(films, FULL)

    first, rows = ran(films, place, id), target(films)
    second = ran(films, place, id)

    assert (first, second, status_of(films, id)) == (RunStatus.SUCCESS, RunStatus.SUCCESS, "IDLE")
    assert len(rows) == 10
    assert target(films) == rows
    columns = "rows_read::int, rows_written::int, rows_inserted::int, rows_unchanged::int"
    assert runs(films, columns, id) == [(10, 10, 10, 0), (10, 10, 0, 10)]
    sizes = ask(films, "select seq, rows_read::int from etl.etl_batches order by committed_at")
    assert sizes == [(0, 3), (1, 3), (2, 3), (3, 1)] * 2
    assert ask(films, "select * from etl.etl_state") == []


def test_an_incremental_run_finds_what_was_touched_and_nothing_else(films: Connection, place: BatchPlace) -> None:
    id = add(films, INCREMENTAL)
    ran(films, place, id)
    state = ask(films, "select *, xmin::text from etl.etl_state")

    ran(films, place, id)
    unchanged = ask(films, "select *, xmin::text from etl.etl_state")
    ask(films, "update content.film_work set updated_at = now(), title = 'New' where title = 'Nine Bridges'")
    ran(films, place, id)

    assert runs(films, COUNTS, id) == [("SUCCESS", 10, 10, 0), ("SUCCESS", 0, 0, 0), ("SUCCESS", 1, 1, 0)]
    assert unchanged == state
    assert ask(films, "select * , xmin::text from etl.etl_state") != state
    assert ask(films, "select count(*)::int from analytics.film_dim where title = 'New'") == [(1,)]


def test_a_run_pauses_after_its_batch_and_goes_on_where_it_stood(films: Connection, place: BatchPlace) -> None:
    id = add(films, SLOW)
    with running(films, place, id, Signals()) as execution:
        until(lambda: batches(films) >= 2)
        pause(films, id)
        paused = execution.result()
    seen = len(target(films))

    resumed = ran(films, place, id)

    assert (paused, resumed, status_of(films, id)) == (RunStatus.PAUSED, RunStatus.SUCCESS, "IDLE")
    assert 2 <= seen < 10
    assert runs(films, "status, rows_read::int", id) == [("PAUSED", seen), ("SUCCESS", 10 - seen)]
    assert len(target(films)) == 10


def test_a_runner_that_stops_leaves_the_rest_to_others(films: Connection, place: BatchPlace) -> None:
    id, signals = add(films, SLOW), Signals()
    with running(films, place, id, signals) as execution:
        until(lambda: batches(films) >= 1)
        signals.stop.set()

    assert execution.result() is RunStatus.PAUSED
    assert status_of(films, id) == "RUN_REQUESTED"
    assert runs(films, "error_message", id) == [("the runner was stopped",)]
    assert ask(films, "select owner from etl.etl_leases") == [(None,)]


def test_a_runner_that_was_taken_for_dead_writes_nothing_more(films: Connection, place: BatchPlace) -> None:
    id = add(films, SLOW)
    with running(films, place, id, Signals()) as execution:
        until(lambda: batches(films) >= 1)
        silence(films, WORKER)
        swept(films)
        seen = target(films)

    assert execution.result() is None
    assert target(films) == seen
    assert runs(films, "status", id) == [("FAILED",)]
    assert status_of(films, id) == "RUN_REQUESTED"


def test_a_table_that_is_away_for_a_moment_is_waited_for(films: Connection, place: BatchPlace) -> None:
    id = add(films, FULL)
    ask(films, "alter table analytics.film_dim rename to film_dim__tmp")
    patient = replace(place, retry_backoff_seconds=0.5)
    with running(films, patient, id, Signals()) as execution:
        time.sleep(0.2)
        ask(films, "alter table analytics.film_dim__tmp rename to film_dim")

    assert execution.result() is RunStatus.SUCCESS
    assert len(target(films)) == 10


@pytest.mark.parametrize("broken", ["postgresql://[::1/wdh", "postgresql://h:notaport/wdh", "no url at all"])
def test_a_database_url_that_cannot_be_read_is_not_tried_again(
    films: Connection, place: BatchPlace, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    nowhere = replace(place, database_url=broken, reader_url=place.database_url, retry_backoff_seconds=0)

    with pytest.raises(MalformedUrl):
        ran(films, nowhere, add(films, FULL))

    assert "batch.failed" not in caplog.text


def test_a_reader_url_that_cannot_be_read_fails_the_run_at_once(
    films: Connection, place: BatchPlace, caplog: pytest.LogCaptureFixture
) -> None:
    id = add(films, FULL)

    assert ran(films, replace(place, reader_url="postgresql://h:notaport/wdh"), id) is RunStatus.FAILED

    ((error,),) = runs(films, "error_message", id)
    assert "[MALFORMED_URL]" in error
    assert "ETL_READER_URL" in error
    assert "source.lost" not in caplog.text


def test_a_table_that_stays_away_fails_the_run_with_words(films: Connection, place: BatchPlace) -> None:
    id = add(films, FULL)
    ask(films, "alter table analytics.film_dim rename to film_dim__tmp")

    assert ran(films, place, id) is RunStatus.FAILED
    ask(films, "alter table analytics.film_dim__tmp rename to film_dim")

    ((error,),) = runs(films, "error_message", id)
    assert "analytics.film_dim" in error
    assert "tried 3 times" in error
    assert status_of(films, id) == "FAILED"
    assert ran(films, place, id) is RunStatus.SUCCESS


@pytest.mark.parametrize("application", ["writer", "reader"])
@pytest.mark.parametrize("pipeline", [replace(FULL, throttle_ms=50, batch_size=1), SLOW], ids=["snapshot", "by-key"])
def test_cut_connections_lose_nothing(
    films: Connection, place: BatchPlace, pipeline: Pipeline, application: str
) -> None:
    id = add(films, pipeline)
    names = {"writer": batch_application(WORKER), "reader": f"wdh batch reader {WORKER}"}
    with running(films, place, id, Signals()) as execution:
        until(lambda: batches(films) >= 2)
        ask(
            films,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
            names[application],
        )

    assert execution.result() is RunStatus.SUCCESS
    assert len(target(films)) == 10
    ((read,),) = runs(films, "rows_read::int", id)
    assert read == 10


@pytest.fixture
def breaking_off(films: Connection) -> Iterator[str]:
    """A query whose fifth row always ends its reading, as a server does that is shut down."""
    ask(
        films,
        "create function public.goes_on(number bigint) returns boolean language plpgsql as $$ begin"
        " if number > 4 then raise exception 'shut down' using errcode = '57P01'; end if; return true; end $$",
    )
    yield (
        "select film_id, title, rating from (select id as film_id, title, rating, row_number() over (order by id) as n"
        " from content.film_work) as film where public.goes_on(n)"
    )
    ask(films, "drop function public.goes_on")


@pytest.mark.parametrize(
    "pipeline", [FULL, replace(BY_KEY, deletes=Deletes.SOFT), BY_KEY], ids=["without-a-key", "deletes", "by-key"]
)
def test_a_source_that_breaks_off_at_the_same_row_each_time_is_given_up(
    films: Connection, place: BatchPlace, breaking_off: str, pipeline: Pipeline
) -> None:
    id = add(films, replace(pipeline, source_query=breaking_off, batch_size=2))
    hasty, signals = replace(place, retry_backoff_seconds=0.0), Signals()
    with running(films, hasty, id, signals) as execution:
        wait([execution], timeout=PATIENT_SECONDS)
        # It would go on for ever where nobody counts.
        signals.stop.set()

    assert execution.result() is RunStatus.FAILED
    assert "the source broke off" in runs(films, "error_message", id)[0][0]
    assert batches(films) >= 1


def test_a_scan_that_goes_on_in_its_middle_says_so(films: Connection, place: BatchPlace) -> None:
    id, signals = add(films, SLOW), Signals()
    with running(films, place, id, signals) as execution:
        until(lambda: batches(films) >= 1)
        ask(films, "update etl.etl_runs set started_at = started_at - interval '1 hour'")
        signals.stop.set()
        execution.result()
    ran(films, place, id)

    ((began, place_of_it),) = ask(
        films,
        "select to_char(run.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), batch.cursor_to->>'id'"
        " from etl.etl_batches as batch join etl.etl_runs as run on run.id = batch.run_id"
        " where run.status = 'PAUSED' order by seq desc limit 1",
    )
    (first,), (warnings,) = runs(films, "warnings", id)
    assert not [one for one in first if "two moments" in one]
    (note,) = [one for one in warnings if "two moments" in one]
    assert f"those up to film_id {place_of_it} were read from {began}+00:00 on" in note


def test_a_scan_whose_source_broke_off_in_its_middle_says_so(films: Connection, place: BatchPlace) -> None:
    id = add(films, SLOW)
    with running(films, place, id, Signals()) as execution:
        until(lambda: batches(films) >= 2)
        name = f"wdh batch reader {WORKER}"
        ask(films, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", name)

    assert execution.result() is RunStatus.SUCCESS
    ((warnings,),) = runs(films, "warnings", id)
    assert len([one for one in warnings if "two moments" in one]) == 1


def test_too_much_poison_fails_the_run_and_writes_nothing_of_the_batch(films: Connection, place: BatchPlace) -> None:
    query = "select id as film_id, null::text as title from content.film_work"
    id = add(films, replace(FULL, source_query=query, dlq_max_rows=4))

    assert ran(films, place, id) is RunStatus.FAILED

    ((error,),) = runs(films, "error_message", id)
    assert "TOO_MANY_DEAD_LETTERS" in error
    assert ask(films, "select count(*)::int from etl.etl_dlq") == [(3,)]


def test_transforms_change_rows_and_never_the_checkpoint(films: Connection, place: BatchPlace) -> None:
    tasks = (
        Task(order_index=10, task_type=TaskType.SQL, body=QUERY),
        Task(order_index=20, task_type=TaskType.PYTHON, body="src.pipelines.python_tasks.normalize_title"),
    )
    id = add(films, replace(INCREMENTAL, source_query=None, tasks=tasks))

    ran(films, place, id)
    ran(films, place, id)

    assert runs(films, COUNTS, id) == [("SUCCESS", 10, 10, 0), ("SUCCESS", 0, 0, 0)]
    assert ask(films, "select count(*)::int from analytics.film_dim where title = 'River Of Glass'") == [(1,)]


@pytest.mark.parametrize("tasks", [("PYTHON", "SQL"), ("SQL", "SQL")])
def test_tasks_in_a_wrong_order_fail_before_anything_is_read(
    films: Connection, place: BatchPlace, tasks: tuple[str, ...]
) -> None:
    id = add(films, FULL)
    for number, kind in enumerate(tasks):
        ask(
            films,
            "insert into etl.etl_pipeline_tasks (pipeline_id, order_index, task_type, body) values (%s, %s, %s, %s)",
            *(str(id), number, kind, QUERY if kind == "SQL" else "normalize_title"),
        )

    assert ran(films, place, id) is RunStatus.FAILED
    assert target(films) == []


def test_a_target_that_is_not_allowed_is_never_written(films: Connection, place: BatchPlace) -> None:
    id = add(films, FULL)
    ask(films, "update etl.etl_pipelines set target_table = 'content.film_work'")
    before = ask(films, "select * from content.film_work order by id")

    assert ran(films, place, id) is RunStatus.FAILED

    assert "target_table 'content.film_work' is not allowed" in runs(films, "error_message", id)[0][0]
    assert ask(films, "select * from content.film_work order by id") == before


def test_rows_without_a_key_are_set_aside_once(films: Connection, place: BatchPlace) -> None:
    ask(films, "update content.film_work set updated_at = null where title = 'Nine Bridges'")
    id = add(films, INCREMENTAL)

    ran(films, place, id)
    ran(films, place, id)

    assert runs(films, COUNTS, id) == [("SUCCESS", 10, 9, 1), ("SUCCESS", 0, 0, 0)]


def test_rows_without_a_key_may_be_written_first(films: Connection, place: BatchPlace) -> None:
    ask(films, "update content.film_work set updated_at = null where title = 'Nine Bridges'")
    id = add(films, replace(INCREMENTAL, null_key=NullKey.FIRST))

    ran(films, place, id)
    ran(films, place, id)

    assert runs(films, COUNTS, id) == [("SUCCESS", 10, 10, 0), ("SUCCESS", 0, 0, 0)]


def test_rows_that_the_source_lost_are_marked_and_come_back(films: Connection, place: BatchPlace) -> None:
    id = add(films, replace(FULL, deletes=Deletes.SOFT))
    ran(films, place, id)
    ask(films, "create table kept as select * from content.film_work where title = 'Nine Bridges'")
    ask(films, "delete from content.film_work where title = 'Nine Bridges'")

    ran(films, place, id)
    gone = ask(films, "select title from analytics.film_dim where deleted_at is not null")
    ask(films, "insert into content.film_work select * from kept")
    ran(films, place, id)
    ask(films, "drop table kept")

    assert gone == [("Nine Bridges",)]
    assert runs(films, "rows_deleted::int", id) == [(0,), (1,), (0,)]
    assert ask(films, "select title from analytics.film_dim where deleted_at is not null") == []


def test_a_source_that_lost_most_rows_deletes_none(films: Connection, place: BatchPlace) -> None:
    id = add(films, replace(FULL, deletes=Deletes.HARD))
    ran(films, place, id)
    ask(films, "delete from content.film_work where rating is null or rating > 7")

    assert ran(films, place, id) is RunStatus.FAILED
    assert len(target(films)) == 10


def test_documents_go_to_the_index_and_again_are_the_same(films: Connection, place: BatchPlace) -> None:
    index = FakeElasticsearch()
    pipeline = replace(FULL, name="films_es", type=PipelineType.ES, target_table="es:film_dim")
    with index.serving() as url:
        access = IndexAccess(url=url, user=None, password=None, timeout_seconds=5)
        id, with_index = add(films, pipeline), replace(place, index_access=access)
        ended = [ran(films, with_index, id), ran(films, with_index, id)]
        documents = index.documents("film_dim")

    assert ended == [RunStatus.SUCCESS, RunStatus.SUCCESS]
    assert len(documents) == 10
    assert runs(films, COUNTS, id) == [("SUCCESS", 10, 10, 0)] * 2


def test_a_pause_that_comes_with_the_last_batch_pauses_nothing(films: Connection, place: BatchPlace) -> None:
    id = add(films, replace(FULL, batch_size=100))
    held = claimed(films, id, WORKER)
    ask(films, "update etl.etl_pipelines set throttle_ms = 0")
    signals = Signals()
    assert run_claim(held, place, stop=signals.stop, lost=signals.lost) is RunStatus.SUCCESS
    assert status_of(films, id) == "IDLE"
    assert request(films, id) == "RUN_REQUESTED"


def test_an_unexpected_failure_closes_the_run_too(
    films: Connection, place: BatchPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    id = add(films, FULL)
    monkeypatch.setattr("work_data_hub.orchestration.batch_run.open_source", broken)

    with pytest.raises(ZeroDivisionError):
        ran(films, place, id)

    assert status_of(films, id) == "FAILED"
    assert "ZeroDivisionError" in runs(films, "error_message", id)[0][0]


def test_what_runs_tables_loads_neither_pandas_nor_the_client_of_the_index() -> None:
    program = (
        "import sys, work_data_hub.cli.pipelines_runner_run;"
        "print(*[name for name in ('pandas', 'pyarrow', 'elasticsearch') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []


def test_a_ratio_of_poison_counts_once_there_are_rows_enough(films: Connection, place: BatchPlace) -> None:
    with transaction(films), films.cursor() as cursor:
        seed_films(cursor, scale=300)
    query = "select id as film_id, case when rating > 5 then title end as title from content.film_work"
    id = add(films, replace(FULL, source_query=query, batch_size=50, dlq_max_ratio=Decimal("0.05")))

    assert ran(films, place, id) is RunStatus.FAILED


def test_a_run_that_cannot_be_closed_at_once_is_closed_later(films: Connection, place: BatchPlace) -> None:
    id = add(films, FULL)
    ask(films, "create sequence public.closings")
    ask(
        films,
        "create function public.not_yet() returns trigger language plpgsql as $$ begin"
        " if nextval('public.closings') <= 1 then raise exception 'not yet' using errcode = '40P01'; end if;"
        " return new; end $$",
    )
    ask(
        films,
        "create trigger not_yet before update of status on etl.etl_runs for each row"
        " when (new.status = 'SUCCESS') execute function public.not_yet()",
    )

    ended = ran(films, place, id)
    ask(films, "drop trigger not_yet on etl.etl_runs")
    ask(films, "drop function public.not_yet(); drop sequence public.closings")

    assert (ended, status_of(films, id)) == (RunStatus.SUCCESS, "IDLE")


def test_a_runner_that_stops_does_not_wait_for_a_slow_query(films: Connection, place: BatchPlace) -> None:
    slow = (
        "select id as film_id, title || pg_sleep(300 + 0 * length(title))::text as title, rating from content.film_work"
    )
    id, signals = add(films, replace(FULL, source_query=slow)), Signals()
    with running(films, place, id, signals) as execution:
        reading = "select 1 from pg_stat_activity where application_name like 'wdh batch reader%%' and state = 'active'"
        until(lambda: ask(films, reading))
        signals.stop.set()
        ended = execution.result(timeout=PATIENT_SECONDS)

    assert ended is RunStatus.PAUSED
    assert (status_of(films, id), ask(films, reading)) == ("RUN_REQUESTED", [])
