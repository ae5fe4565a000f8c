"""Rows set aside and written again: only the newest of a key, never over a newer row, and once for whoever asks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extras import Json
from tests.batch_roles import logins_of
from tests.batch_store import add, ask, claimed, status_of
from tests.fake_elasticsearch import FakeElasticsearch
from tests.patience import PATIENT_SECONDS, until
from tests.pipeline_api import BASE, served_api
from tests.runner_pipelines import StandIn

from work_data_hub.domain.batch.pipeline import Deletes, Mode, Pipeline, PipelineType
from work_data_hub.domain.batch.run import Page
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.io.batch_index_sink import IndexSink, document_version
from work_data_hub.io.batch_letters import is_replay_requested, request_replay
from work_data_hub.io.elasticsearch_access import IndexAccess
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.roles import BATCH_API, BATCH_WRITER
from work_data_hub.orchestration import batch_replay
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_replay import APPLICATION, Replayed, replay, replay_requested
from work_data_hub.orchestration.batch_run import run_claim
from work_data_hub.orchestration.batch_runner import BatchRunner

pytestmark = pytest.mark.integration

# A film called so has no title, which the target needs.
QUERY = "select id as film_id, nullif(title, 'poison') as title, rating, updated_at from content.film_work"
FULL = Pipeline(name="films", target_table="analytics.film_dim", source_query=QUERY)
INCREMENTAL = replace(FULL, mode=Mode.INCREMENTAL, incremental_key="updated_at", incremental_id_key="film_id")
TWO = (("films", "analytics.film_dim"), ("films_es", "es:film_dim"))
DEADLY = """
    create function public.deadly() returns trigger language plpgsql as $$
    begin
      perform pg_terminate_backend(pg_backend_pid());
      return new;
    end $$;
    create trigger deadly before insert on analytics.film_dim for each row execute function public.deadly();
"""


@pytest.fixture
def place(warehouse_url: str) -> BatchPlace:
    return BatchPlace(database_url=warehouse_url, retry_backoff_seconds=0.05, actor="tester")


@pytest.fixture
def film(films: Connection) -> str:
    """The id of a film."""
    ((id,),) = ask(films, "select min(id::text) from content.film_work")
    return str(id)


def ran(films: Connection, place: BatchPlace, id: UUID) -> None:
    stop, lost = threading.Event(), threading.Event()
    assert run_claim(claimed(films, id), place, stop=stop, lost=lost) is RunStatus.SUCCESS


def change(
    films: Connection, film: str, *, title: str | None = None, rating: int | None = None, is_keyless: bool = False
) -> None:
    """Change the film in the source."""
    statement = (
        "update content.film_work set title = coalesce(%s, title), rating = coalesce(%s, rating),"
        " updated_at = case when not %s then clock_timestamp() end where id = %s"
    )
    ask(films, statement, title, rating, is_keyless, film)


def mend(films: Connection) -> None:
    """Let the target take films without a title."""
    ask(films, "alter table analytics.film_dim alter title drop not null")


def waiting(films: Connection) -> list[dict[str, Any]]:
    """What the letters that wait hold."""
    return [payload for (payload,) in ask(films, "select payload from etl.etl_dlq where replayed_at is null")]


def settled(films: Connection) -> list[bool]:
    """Of the letters that wait no more, whether each is superseded."""
    return [one for (one,) in ask(films, "select is_superseded from etl.etl_dlq where replayed_at is not null")]


def shown(films: Connection, film: str) -> list[tuple[Any, ...]]:
    return ask(films, "select title, rating::float from analytics.film_dim where film_id = %s", film)


def letter(
    films: Connection, id: UUID, film: str, title: str | None, *, seq: int = 0, as_of: datetime | None = None
) -> int:
    """A letter as it would lie there after a run."""
    payload = Json({"film_id": film, "title": title, "rating": "1"})
    statement = (
        "insert into etl.etl_dlq (pipeline_id, target, key, payload, fingerprint, error, seq, as_of)"
        " select id, target_table, %s, %s, %s, 'x', %s, %s from etl.etl_pipelines where id = %s returning id"
    )
    ((number,),) = ask(films, statement, film, payload, f"{film} {title}", seq, as_of, str(id))
    return int(number)


def asked(films: Connection, id: UUID, ids: list[int] | None = None) -> int:
    with transaction(films), films.cursor() as cursor:
        return request_replay(cursor, id, ids, actor="somebody")


def is_asked(films: Connection) -> bool:
    with transaction(films), films.cursor() as cursor:
        return is_replay_requested(cursor)


def wrote(place: BatchPlace) -> int:
    return replay_requested(place, stop=threading.Event())


def newest_event(films: Connection, id: UUID) -> tuple[str, str]:
    (event,) = ask(
        films, "select actor, reason from etl.etl_events where pipeline_id = %s order by id desc limit 1", str(id)
    )
    return event[0], event[1]


def test_poison_is_set_aside_and_replayed_once_it_is_mended(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films, FULL)
    change(films, film, title="poison")
    ran(films, place, id)

    ((sqlstate, key, payload),) = ask(films, "select sqlstate, key, payload from etl.etl_dlq")
    assert (sqlstate, key, payload["title"]) == ("23502", film, None)
    assert replay(place, id) == Replayed(refused=1)
    mend(films)
    assert replay(place, id) == Replayed(replayed=1)
    assert ask(films, "select count(*)::int from analytics.film_dim") == [(10,)]
    assert replay(place, id) == Replayed()


@pytest.mark.parametrize("pipeline", [FULL, INCREMENTAL, replace(FULL, batch_size=1)])
def test_a_row_that_comes_back_as_it_stood_overtakes_its_letter(
    films: Connection, place: BatchPlace, film: str, pipeline: Pipeline
) -> None:
    id = add(films, pipeline)
    change(films, film, title="Good", rating=5)
    ran(films, place, id)
    change(films, film, title="poison", rating=1)
    ran(films, place, id)
    change(films, film, title="Good", rating=5)
    before = ask(films, "select updated_at from analytics.film_dim where film_id = %s", film)
    ran(films, place, id)
    mend(films)

    assert replay(place, id) == Replayed()
    assert (shown(films, film), settled(films)) == ([("Good", 5.0)], [True])
    assert ask(films, "select updated_at from analytics.film_dim where film_id = %s", film) == before


def test_poison_overtakes_the_poison_of_its_key(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films, INCREMENTAL)
    for rating in (1, 2):
        change(films, film, title="poison", rating=rating)
        ran(films, place, id)
    mend(films)

    assert [payload["rating"] for payload in waiting(films)] == ["2"]
    assert replay(place, id) == Replayed(replayed=1)
    assert shown(films, film) == [(None, 2.0)]


def test_poison_that_is_met_again_is_the_same_letter(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films, FULL)
    change(films, film, title="poison")
    for _ in range(3):
        ran(films, place, id)

    ((attempt, is_seen_later),) = ask(films, "select attempt, seen_at > created_at from etl.etl_dlq")
    assert (attempt, is_seen_later) == (3, True)


@pytest.mark.parametrize("pipeline", [FULL, replace(FULL, batch_size=1)])
def test_of_rows_of_one_key_the_last_one_counts(
    films: Connection, place: BatchPlace, film: str, pipeline: Pipeline
) -> None:
    other = film.replace("0", "1")
    rows = f"values ('{film.upper()}'::text, null, 1), ('{film.upper()}', 'Good', 2), ('{other}', null, 3)"
    id = add(films, replace(pipeline, source_query=f"select * from ({rows}) as one (film_id, title, rating)"))
    ran(films, place, id)
    mend(films)

    assert settled(films) == [True]
    assert replay(place, id) == Replayed(replayed=1)
    assert (shown(films, film), shown(films, other)) == ([("Good", 2.0)], [(None, 3.0)])


def test_a_key_is_the_same_however_the_query_writes_it(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films, replace(FULL, source_query=QUERY.replace("id as", "'{' || id || '}' as")))
    change(films, film, title="poison")
    ran(films, place, id)
    ask(films, "update etl.etl_pipelines set source_query = %s", QUERY)
    change(films, film, title="Good")
    ran(films, place, id)

    assert (waiting(films), settled(films)) == ([], [True])


def test_rows_without_a_key_of_time_are_overtaken_too(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films, INCREMENTAL)
    change(films, film, title="Old", is_keyless=True)
    ran(films, place, id)
    assert ask(films, "select key from etl.etl_dlq") == [(film,)]
    change(films, film, title="New")
    ran(films, place, id)

    assert replay(place, id) == Replayed()
    assert (shown(films, film)[0][0], settled(films)) == ("New", [True])


def test_rows_without_a_key_of_time_are_set_aside_as_the_target_would_have_them(
    films: Connection, place: BatchPlace, film: str
) -> None:
    tasks = (
        Task(order_index=10, task_type=TaskType.SQL, body=QUERY),
        Task(order_index=20, task_type=TaskType.PYTHON, body="normalize_title"),
    )
    id = add(films, replace(INCREMENTAL, source_query=None, tasks=tasks))
    change(films, film, title="an old film", is_keyless=True)
    ran(films, place, id)

    assert replay(place, id) == Replayed(replayed=1)
    assert shown(films, film)[0][0] == "An Old Film"


def test_a_whole_scan_that_does_not_meet_a_row_again_settles_its_letter(
    films: Connection, place: BatchPlace, film: str
) -> None:
    id = add(films, replace(FULL, deletes=Deletes.HARD))
    change(films, film, title="poison")
    ran(films, place, id)
    ran(films, place, id)
    assert len(waiting(films)) == 1
    ask(films, "delete from content.film_work where id = %s", film)
    ran(films, place, id)
    mend(films)

    assert replay(place, id) == Replayed()
    assert (shown(films, film), settled(films)) == ([], [True])


def test_only_the_newest_letter_of_a_key_is_written(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letters = [letter(films, id, film, title) for title in ("First", "Second")]

    assert replay(place, id, letters[1:]) == Replayed(replayed=1, superseded=1)
    assert replay(place, id, letters[:1]) == Replayed()
    assert shown(films, film) == [("Second", 1.0)]


def test_the_older_letter_alone_is_not_written(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    older = letter(films, id, film, "First")
    letter(films, id, film, "Second")

    assert replay(place, id, [older]) == Replayed(superseded=1)
    assert shown(films, film) == []
    assert [payload["title"] for payload in waiting(films)] == ["Second"]


def test_a_row_that_somebody_else_changed_since_stays_and_so_does_the_letter(
    films: Connection, place: BatchPlace, film: str
) -> None:
    id = add(films)
    letter(films, id, film, "Old")
    ask(films, "insert into analytics.film_dim (film_id, title, rating) values (%s, 'New', 2)", film)

    assert replay(place, id) == Replayed(refused=1)
    assert shown(films, film) == [("New", 2.0)]
    ((attempt, error),) = ask(films, "select attempt, error from etl.etl_dlq where replayed_at is null")
    assert (attempt, error[:61]) == (2, "its row in the target changed since this one was read, which ")


def test_a_letter_is_as_old_as_the_run_that_read_it(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    claimed_at = datetime.now(UTC) - timedelta(minutes=5)
    ask(films, "insert into analytics.film_dim (film_id, title, rating) values (%s, 'New', 2)", film)
    letter(films, id, film, "Read before, set aside after", as_of=claimed_at)

    assert replay(place, id) == Replayed(refused=1)
    assert shown(films, film) == [("New", 2.0)]


def test_a_newer_row_of_another_pipeline_that_was_there_already_counts(
    films: Connection, place: BatchPlace, film: str
) -> None:
    first, second = add(films, FULL), add(films, replace(INCREMENTAL, name="second"))
    change(films, film, title="Good", rating=5)
    ran(films, place, second)
    change(films, film, title="poison", rating=8)
    ran(films, place, first)
    change(films, film, title="Good", rating=5)
    ran(films, place, second)
    mend(films)

    assert replay(place, first) == Replayed()
    assert (shown(films, film), settled(films)) == ([("Good", 5.0)], [True])


def test_a_pipeline_of_fewer_columns_settles_nothing(films: Connection, place: BatchPlace, film: str) -> None:
    first = add(films, FULL)
    fewer = add(films, replace(FULL, name="titles", source_query="select id as film_id, title from content.film_work"))
    ran(films, place, first)
    change(films, film, title="Another", rating=0)
    ask(films, "alter table analytics.film_dim add constraint low check (rating > 0)")
    ran(films, place, first)
    ran(films, place, fewer)
    ask(films, "alter table analytics.film_dim drop constraint low")

    assert replay(place, first) == Replayed(refused=1)
    assert len(waiting(films)) == 1
    ran(films, place, first)
    assert (shown(films, film), waiting(films)) == ([("Another", 0.0)], [])


def test_a_letter_of_another_target_is_not_written_to_this_one(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    ask(films, "update etl.etl_pipelines set target_table = 'analytics.film_rating_agg'")

    assert replay(place, id) == Replayed(refused=1)
    assert ask(films, "select error from etl.etl_dlq") == [
        ("set aside for another target than analytics.film_rating_agg",)
    ]


def test_a_row_that_is_just_being_changed_is_waited_for(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    ask(films, "insert into analytics.film_dim (film_id, title, rating) values (%s, 'Before', 0)", film)
    letter(films, id, film, "Old")
    with (
        ThreadPoolExecutor(max_workers=1) as thread,
        closing(connect(place.database_url)) as other,
        transaction(other),
        other.cursor() as cursor,
    ):
        cursor.execute(
            "update analytics.film_dim set title = 'New', updated_at = clock_timestamp() where film_id = %s", (film,)
        )
        replaying = thread.submit(replay, place, id)
        waits = "select 1 from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'"
        until(lambda: ask(films, waits, APPLICATION))
        other.commit()
        done = replaying.result()

    assert done == Replayed(refused=1)
    assert shown(films, film)[0][0] == "New"


def test_documents_of_later_batches_of_the_same_run_stay(films: Connection, place: BatchPlace, film: str) -> None:
    index, target = FakeElasticsearch(), TARGETS["es:film_dim"]
    assert isinstance(target, IndexTarget)
    claimed_at = datetime.now(UTC) - timedelta(minutes=5)
    id = add(films, replace(FULL, type=PipelineType.ES, target_table="es:film_dim"))
    numbers = [letter(films, id, f"f{seq}", "Old", seq=seq, as_of=claimed_at) for seq in (2, 4)]
    rows = [{"film_id": f"f{seq}", "title": "New", "rating": 2} for seq in (2, 4)]
    with index.serving() as url:
        access = IndexAccess(url=url, user=None, password=None, timeout_seconds=5)
        with closing(IndexSink(access, target)) as sink:
            page = Page(columns=(), rows_read=2, rows=rows)
            sink.write(page, version=document_version(claimed_at=claimed_at, seq=3), wait=lambda _: None)
        done = replay(replace(place, index_access=access), id, numbers)
        titles = {key: document["title"] for key, document in index.documents("film_dim").items()}

    assert done == Replayed(replayed=1, superseded=1)
    assert titles == {"f2": "New", "f4": "Old"}


def test_documents_overtake_their_letters_too(films: Connection, place: BatchPlace, film: str) -> None:
    index = FakeElasticsearch()
    query = QUERY.replace("rating,", "case when title = 'endless' then 'nan' else rating::float end as rating,")
    id = add(films, replace(FULL, type=PipelineType.ES, target_table="es:film_dim", source_query=query))
    with index.serving() as url:
        access = IndexAccess(url=url, user=None, password=None, timeout_seconds=5)
        with_index = replace(place, index_access=access)
        change(films, film, title="endless")
        ran(films, with_index, id)
        assert ask(films, "select key from etl.etl_dlq") == [(film,)]
        change(films, film, title="Good")
        ran(films, with_index, id)

    assert (waiting(films), settled(films)) == ([], [True])


def test_a_request_is_answered_with_what_became_of_the_rows(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "First")
    letter(films, id, film, "Second")
    letter(films, id, "no uuid", "Bad")
    assert (asked(films, id), newest_event(films, id)) == (3, ("somebody", "dead letters asked to be replayed: 3"))

    assert wrote(place) == 3

    told = "dead letters replayed: 1, refused 1, superseded 1; asked for by somebody"
    assert newest_event(films, id) == ("tester", told)
    assert shown(films, film) == [("Second", 1.0)]
    assert not is_asked(films)
    assert wrote(place) == 0
    assert [payload["title"] for payload in waiting(films)] == ["Bad"]


def test_a_request_waits_while_the_pipeline_runs(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    asked(films, id)
    claimed(films, id)

    assert (is_asked(films), wrote(place), len(waiting(films))) == (False, 0, 1)
    ask(films, "update etl.etl_pipelines set status = 'IDLE'")
    assert (is_asked(films), wrote(place), len(waiting(films))) == (True, 1, 0)


def test_two_runners_never_write_the_same_rows(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    asked(films, id)
    with closing(connect(place.database_url)) as other, transaction(other), other.cursor() as cursor:
        cursor.execute("select from etl.etl_pipelines for no key update")
        assert wrote(place) == 0

    with ThreadPoolExecutor(max_workers=4) as threads:
        assert sorted(threads.map(wrote, [place] * 4)) == [0, 0, 0, 1]
    outcomes = "select count(*)::int from etl.etl_events where reason like 'dead letters replayed%%'"
    assert ask(films, outcomes) == [(1,)]


def test_a_replay_that_can_never_be_done_ends_the_request_and_says_why(
    films: Connection, place: BatchPlace, film: str
) -> None:
    ids = [add(films, replace(FULL, name=name, target_table=target)) for name, target in TWO]
    for id in ids:
        letter(films, id, film, "Film")
        asked(films, id)

    assert wrote(place) == 2

    by_index = newest_event(films, ids[1])[1]
    assert by_index.startswith("dead letters not replayed: [INVALID_PIPELINE] there is no Elasticsearch")
    assert (is_asked(films), len(waiting(films))) == (False, 1)


def test_a_request_outlives_what_passes(films: Connection, place: BatchPlace, film: str) -> None:
    ids = [add(films, replace(FULL, name=name, target_table=target)) for name, target in TWO]
    for id in ids:
        letter(films, id, film, "Film")
        asked(films, id)
    ask(films, "alter table analytics.film_dim rename to film_away")
    away = IndexAccess(url="http://127.0.0.1:9", user=None, password=None, timeout_seconds=5)
    assert (wrote(replace(place, index_access=away)), is_asked(films), len(waiting(films))) == (0, True, 2)

    ask(films, "alter table analytics.film_away rename to film_dim")
    with FakeElasticsearch().serving() as url:
        there = replace(place, index_access=replace(away, url=url))
        assert (wrote(there), is_asked(films), len(waiting(films))) == (2, False, 0)


def test_a_pipeline_is_held_for_moments_however_much_is_asked_for(
    films: Connection, place: BatchPlace, film: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = add(films)
    for number in range(3):
        letter(films, id, film.replace("0", str(number)), "Film")
    asked(films, id)
    monkeypatch.setattr(batch_replay, "_HELD_SECONDS", 0.0)

    assert wrote(place) == 3

    outcomes = ask(films, "select count(*)::int from etl.etl_events where reason like 'dead letters replayed: 1,%%'")
    assert (outcomes, waiting(films)) == ([(3,)], [])


def test_a_runner_that_dies_in_a_replay_loses_nothing(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    asked(films, id)
    ask(films, DEADLY)

    with pytest.raises(psycopg2.OperationalError):
        wrote(place)

    assert (is_asked(films), len(waiting(films)), shown(films, film)) == (True, 1, [])
    ask(films, "drop trigger deadly on analytics.film_dim")
    assert wrote(place) == 1
    assert shown(films, film) == [("Film", 1.0)]


def test_a_runner_told_to_end_leaves_the_rest_of_the_requests(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    asked(films, id)
    stop = threading.Event()
    stop.set()

    assert replay_requested(place, stop=stop) == 0
    assert is_asked(films)


def test_a_runner_does_what_is_asked_once(films: Connection, place: BatchPlace, film: str) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    asked(films, id)

    assert BatchRunner(place, execute=StandIn()).run(once=True) == 0
    assert (shown(films, film), status_of(films, id)) == ([("Film", 1.0)], "IDLE")


def test_a_request_wakes_a_runner(films: Connection, place: BatchPlace, film: str) -> None:
    id, is_ready = add(films), threading.Event()
    slow = replace(place, poll_seconds=600)
    runner = BatchRunner(slow, execute=StandIn(), when_ready=lambda _: is_ready.set())
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    try:
        assert is_ready.wait(PATIENT_SECONDS)
        letter(films, id, film, "Film")
        asked(films, id)
        until(lambda: not waiting(films))
    finally:
        runner.stop()
        thread.join(PATIENT_SECONDS)

    assert shown(films, film) == [("Film", 1.0)]


def test_the_api_asks_and_the_runner_writes_each_in_its_own_role(
    films: Connection, place: BatchPlace, film: str
) -> None:
    id = add(films)
    letter(films, id, film, "Film")
    with logins_of(films, place.database_url) as logins:
        with served_api(replace(place, database_url=logins.url_of(BATCH_API))) as api:
            answer = api.post(f"{BASE}/{id}/dlq/replay")
        assert (answer.status_code, answer.json()) == (202, {"requested": 1})
        assert wrote(replace(place, database_url=logins.url_of(BATCH_WRITER))) == 1

    assert shown(films, film) == [("Film", 1.0)]
