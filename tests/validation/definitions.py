"""The pipelines that the document creates: what each `api-create-…` target sends."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from tests.validation.variables import Variables

Definition: TypeAlias = dict[str, Any]

ID_KEY = "film_id"
_FILMS = "select fw.id as film_id, fw.title, fw.rating{key} from {films} as fw{slowly}"
_TABLE = "content.film_work"
# Rows that come in order already need no sorting after the sleep, which would let all of them sleep before the first.
_IN_ORDER = "(select * from content.film_work order by {key}, id)"
_RATINGS = (
    "select r.film_id, avg(r.rating)::float8 as avg_rating, count(*)::int as rating_count"
    " from ugc.ratings as r group by r.film_id"
)
_SLOW_RATINGS = "select agg.* from ({ratings}) as agg{slowly}"
# Without the row in it the planner would sleep once a query, and without its id once for equal titles.
_SLOWLY = " cross join lateral (select pg_sleep({seconds} + 0 * length({of_row}))) as slow"
_OF_FILM, _OF_RATING = "fw.title || fw.id", "agg.film_id::text"


def films_query(*, key: str = "", sleep_seconds: float = 0.0) -> str:
    """Films as film_dim takes them, with the column `key`, and slowly: so many seconds a row."""
    films = _IN_ORDER.format(key=key) if key and sleep_seconds else _TABLE
    return _FILMS.format(key=f", fw.{key}" if key else "", films=films, slowly=_slowly(sleep_seconds, _OF_FILM))


def ratings_query(*, sleep_seconds: float = 0.0) -> str:
    """Averages as film_rating_agg takes them; slowly: so many seconds a row."""
    if not sleep_seconds:
        return _RATINGS
    return _SLOW_RATINGS.format(ratings=_RATINGS, slowly=_slowly(sleep_seconds, _OF_RATING))


def _slowly(seconds: float, of_row: str) -> str:
    return _SLOWLY.format(seconds=seconds, of_row=of_row) if seconds else ""


def _film_dim(given: Variables) -> Definition:
    key = given.key if given.mode == "incremental" else ""
    return _made(given, given.name, "analytics.film_dim", films_query(key=key)) | _mode(given, given.mode)


def _film_dim_slow(given: Variables) -> Definition:
    return _made(given, given.name, "analytics.film_dim", films_query(sleep_seconds=given.sleep))


def _film_dim_inc(given: Variables) -> Definition:
    query = films_query(key=given.key)
    return _made(given, f"{given.name}_inc", "analytics.film_dim", query) | _mode(given, "incremental")


def _film_dim_inc_slow(given: Variables) -> Definition:
    query = films_query(key=given.key, sleep_seconds=given.sleep)
    return _made(given, f"{given.name}_inc_slow", "analytics.film_dim", query) | _mode(given, "incremental")


def _film_rating_agg(given: Variables) -> Definition:
    return _made(given, given.name, "analytics.film_rating_agg", ratings_query())


def _film_rating_agg_slow(given: Variables) -> Definition:
    return _made(given, given.name, "analytics.film_rating_agg", ratings_query(sleep_seconds=given.sleep))


def _es_film_dim(given: Variables) -> Definition:
    return _made(given, "film_dim_es", "es:film_dim", films_query()) | {"type": "ES"}


def _es_film_rating_agg(given: Variables) -> Definition:
    return _made(given, given.name, "es:film_rating_agg", ratings_query()) | {"type": "ES"}


def _es_film_rating_agg_slow(given: Variables) -> Definition:
    query = ratings_query(sleep_seconds=given.sleep)
    return _made(given, given.name, "es:film_rating_agg", query) | {"type": "ES"}


def _python_film_dim(given: Variables) -> Definition:
    module = {"type": "PYTHON", "python_module": "src.pipelines.python_tasks.normalize_title"}
    return _made(given, given.name, "analytics.film_dim", films_query()) | module


def _tasks_film_dim_inc(given: Variables) -> Definition:
    return _made(given, given.name, "analytics.film_dim", films_query(key=given.key)) | _mode(given, "incremental")


def _made(given: Variables, name: str, target: str, source_query: str) -> Definition:
    return {
        "name": name,
        "type": "SQL",
        "mode": "full",
        "target_table": target,
        "batch_size": given.batch,
        "source_query": source_query,
    }


def _mode(given: Variables, mode: str) -> Definition:
    if mode != "incremental":
        return {"mode": mode}
    return {"mode": mode, "incremental_key": given.key, "incremental_id_key": ID_KEY}


CREATES: Mapping[str, Callable[[Variables], Definition]] = {
    "api-create-sql-film-dim": _film_dim,
    "api-create-sql-film-dim-slow": _film_dim_slow,
    "api-create-sql-film-dim-inc": _film_dim_inc,
    "api-create-sql-film-dim-inc-slow": _film_dim_inc_slow,
    "api-create-sql-film-rating-agg": _film_rating_agg,
    "api-create-sql-film-rating-agg-slow": _film_rating_agg_slow,
    "api-create-es-film-dim": _es_film_dim,
    "api-create-es-film-rating-agg": _es_film_rating_agg,
    "api-create-es-film-rating-agg-slow": _es_film_rating_agg_slow,
    "api-create-python-film-dim": _python_film_dim,
    "api-create-tasks-film-dim-full": _film_dim,
    "api-create-tasks-film-dim-inc": _tasks_film_dim_inc,
}


def definition_of(target: str, **given: Any) -> Definition:
    """What the target sends where these variables are given, and the others have their defaults."""
    return CREATES[target](replace(Variables(), **given))
