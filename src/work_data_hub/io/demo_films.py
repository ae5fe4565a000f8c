"""The demo source: ten films with fixed ids and their ratings, and as many generated ones as wanted."""

from dataclasses import dataclass

from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

MOST_GENERATED = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What a seeding added to content.film_work and ugc.ratings, and what stands there now; all in rows."""

    films_added: int
    ratings_added: int
    films: int
    ratings: int

    def as_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def seed_films(cursor: Cursor, *, scale: int) -> Seeded:
    """Add the ten films and `scale` generated ones, each with its ratings, in the caller's transaction.

    Everything is made from a number, so what is there already stays as it is and the same again adds nothing.
    """
    cursor.execute(query("demo_films", "hold"))
    films = _added(cursor, "add_films") + _added(cursor, "add_generated_films", scale=scale)
    ratings = _added(cursor, "add_film_ratings") + _added(cursor, "add_generated_ratings", scale=scale)
    cursor.execute(query("demo_films", "weigh"))
    cursor.execute(query("demo_films", "count_rows"))
    ((all_films, all_ratings),) = cursor.fetchall()
    return Seeded(films_added=films, ratings_added=ratings, films=all_films, ratings=all_ratings)


def _added(cursor: Cursor, name: str, **given: int) -> int:
    cursor.execute(query("demo_films", name), given)
    return cursor.rowcount
