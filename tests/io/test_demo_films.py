"""The demo source: the same films from the same numbers, as often as one likes."""

import json
from typing import Any

import pytest
from tests.hub import Hub

from work_data_hub.cli.pipelines_demo_run import run_demo_data
from work_data_hub.errors import UsageError
from work_data_hub.io.demo_films import Seeded, seed_films
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

CONTENT = "select md5(string_agg(film::text, '|' order by id)) from content.film_work as film"


def seed(warehouse: Connection, *, scale: int = 0) -> Seeded:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return seed_films(cursor, scale=scale)


def ask(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_ten_films_stand_minutes_apart_and_some_have_no_rating(warehouse: Connection) -> None:
    seed(warehouse)

    (row,) = ask(
        warehouse,
        "select count(*), count(distinct id), count(*) filter (where rating is null), count(updated_at),"
        " count(*) filter (where gap < interval '1 minute')"
        " from (select *, updated_at - lag(updated_at) over (order by updated_at) as gap from content.film_work) as f",
    )
    assert row == (10, 10, 2, 10, 0)


def test_some_titles_have_to_be_tidied(warehouse: Connection) -> None:
    seed(warehouse)

    titles = [title for (title,) in ask(warehouse, "select title from content.film_work order by id")]
    assert titles[:2] == ["The Quiet Harbour", "  a winter in  lhasa"]
    assert len([title for title in titles if title != " ".join(title.split())]) == 6


def test_every_film_has_several_ratings_from_one_to_ten(warehouse: Connection) -> None:
    seed(warehouse)

    (row,) = ask(
        warehouse,
        "select count(*), min(number), max(number), min(least), max(most) from ("
        "  select film.id, count(r.film_id) as number, min(r.rating) as least, max(r.rating) as most"
        "  from content.film_work as film left join ugc.ratings as r on r.film_id = film.id group by film.id) as one",
    )
    assert row[:3] == (10, 3, 5)
    assert row[3] >= 1
    assert row[4] <= 10


def test_a_scale_adds_as_many_films_with_three_ratings_each(warehouse: Connection) -> None:
    plain = seed(warehouse)

    scaled = seed(warehouse, scale=250)

    assert (plain.films_added, plain.films, plain.ratings_added) == (10, 10, plain.ratings)
    assert (scaled.films_added, scaled.films) == (250, 260)
    assert (scaled.ratings_added, scaled.ratings) == (750, plain.ratings + 750)
    (shares,) = ask(warehouse, "select count(distinct updated_at) from content.film_work where title ~ 'Generated'")
    assert shares == (84,)


def test_the_same_again_changes_nothing(warehouse: Connection) -> None:
    first = seed(warehouse, scale=100)
    before = ask(warehouse, CONTENT)

    again = seed(warehouse, scale=100)

    assert (again.films_added, again.ratings_added, again.films) == (0, 0, first.films)
    assert ask(warehouse, CONTENT) == before


def test_more_of_them_keeps_those_that_are_there(warehouse: Connection) -> None:
    seed(warehouse, scale=100)

    assert seed(warehouse, scale=150).films_added == 50


def test_a_film_that_was_touched_stays_touched(warehouse: Connection) -> None:
    seed(warehouse)
    ask(warehouse, "update content.film_work set updated_at = now() where rating is null returning 1")

    seed(warehouse)

    assert ask(warehouse, "select count(*) from content.film_work where updated_at > '2025-06-01'") == [(2,)]


@pytest.fixture
def in_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub's environment as this process's own."""
    for name in ("DATABASE_URL", "WDH_HOME"):
        monkeypatch.setenv(name, hub.environment()[name])
    monkeypatch.setattr("logging.root.handlers", [])
    get_settings.cache_clear()
    return hub


def test_the_command_writes_to_the_two_source_tables_only(in_hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    before = in_hub.counts()

    assert run_demo_data(scale=5, report="json") == 0

    answer = json.loads(capsys.readouterr().out)
    assert (answer["films_added"], answer["films"], answer["scale"]) == (15, 15, 5)
    changed = {table: number for table, number in in_hub.counts().items() if number != before[table]}
    assert changed == {"content.film_work": 15, "ugc.ratings": answer["ratings"]}


def test_the_command_says_what_it_added(in_hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    run_demo_data(scale=0)

    assert "content.film_work  added 10 · now 10" in capsys.readouterr().out


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_invented_films_stay_out_of_production(in_hub: Hub, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    monkeypatch.setenv("WDH_ALIAS_SALT", "a-salt-of-this-site-only")
    get_settings.cache_clear()

    with pytest.raises(UsageError, match=f"ENVIRONMENT is {environment}"):
        run_demo_data(scale=0)

    assert in_hub.query("select count(*) from content.film_work") == [(0,)]


@pytest.mark.parametrize("scale", [-1, 5_000_001])
def test_a_scale_that_is_none_is_refused(in_hub: Hub, scale: int) -> None:
    with pytest.raises(UsageError, match="no such number of films"):
        run_demo_data(scale=scale)
