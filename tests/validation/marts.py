"""What the `db-…` targets do, as statements; scenarios use the same."""

from typing import Any

from tests.validation.definitions import ID_KEY, films_query
from tests.validation.desk import BASE, Desk
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.errors import UsageError

FILMS = 10
"""So many the demo has."""
TABLES = ("analytics.film_dim", "analytics.film_rating_agg", "etl.etl_runs", "etl.etl_state")
_COUNTS = """
    select (select count(*) from analytics.film_dim), (select count(*) from analytics.film_rating_agg),
           (select count(*) from etl.etl_runs), (select count(*) from etl.etl_state)
"""
_RESET = "truncate analytics.film_dim, analytics.film_rating_agg, etl.etl_runs, etl.etl_state cascade"
_BUSY = "select name from etl.etl_pipelines where status <> all(%s) order by name"
_HIDE = "alter table if exists analytics.film_dim rename to film_dim__tmp"
_SHOW = "alter table if exists analytics.film_dim__tmp rename to film_dim"
_TOUCH = """
    update content.film_work set updated_at = now()
    where id = (select id from content.film_work order by updated_at nulls first, id limit 1)
    returning id::text, updated_at
"""
_ID_KEY = "update etl.etl_pipelines set incremental_id_key = %s where id = %s and status = any(%s) returning name"
_CLEAR = "delete from etl.etl_pipeline_tasks where pipeline_id = %s"
_ADD = """
    insert into etl.etl_pipeline_tasks (pipeline_id, order_index, task_type, body, target_table)
    values (%s, %s, %s, %s, %s)
"""
_BEHIND = """
    select count(*) from content.film_work as fw
    where not exists (select from analytics.film_dim as film where film.film_id = fw.id and film.title = fw.title
                      and film.rating is not distinct from fw.rating)
"""
_FILM_COLUMNS = """
    select attname::text from pg_attribute
    where attrelid = 'content.film_work'::regclass and attnum > 0 and not attisdropped order by attnum
"""
_NOT_DECLARED = ("id", "status", "created_at", "updated_at")
_AT_REST = sorted(status.value for status in AT_REST)


def counts(desk: Desk) -> dict[str, int]:
    """Rows of the marts, the runs and the checkpoints; the hidden film_dim is counted as it is called now."""
    statement = _COUNTS.replace("analytics.film_dim)", "analytics.film_dim__tmp)") if is_hidden(desk) else _COUNTS
    ((*numbers,),) = desk.rows(statement)
    return dict(zip(TABLES, numbers, strict=True))


def reset(desk: Desk) -> None:
    """Empty the marts, the runs with their batches and dead letters, and the checkpoints; not while anything runs."""
    busy = [name for (name,) in desk.rows(_BUSY, _AT_REST)]
    if busy:
        raise UsageError(f"{', '.join(busy)} runs or waits to", hint="wait for its end, or make api-pause ID=<it>")
    desk.rows(_RESET)


def hide(desk: Desk) -> None:
    """Take analytics.film_dim away by another name."""
    desk.rows(_HIDE)


def unhide(desk: Desk) -> None:
    """Give analytics.film_dim its name again."""
    desk.rows(_SHOW)


def is_hidden(desk: Desk) -> bool:
    """Whether film_dim goes by its other name."""
    return desk.rows("select to_regclass('analytics.film_dim') is null") == [(True,)]


def touch_one(desk: Desk) -> tuple[Any, ...]:
    """Stamp the film that was changed longest ago; its id and its new moment."""
    (touched,) = desk.rows(_TOUCH)
    return touched


def set_id_key(desk: Desk, id: str, key: str) -> None:
    """Write the pipeline's incremental_id_key into the table; raises UsageError for no column of its query.

    While it runs it is refused too.
    """
    wanted = {name: value for name, value in desk.pipeline(id).items() if name not in _NOT_DECLARED}
    wanted |= {"mode": "incremental", "deletes": "ignore", "incremental_id_key": key}
    wanted["incremental_key"] = wanted["incremental_key"] or key
    problems = desk.told("POST", f"{BASE}/validate", json=wanted)
    if wrong := [problem["message"] for problem in problems["problems"] if problem["field"] == "incremental_id_key"]:
        raise UsageError(wrong[0], field="INC_ID_KEY", hint=f"INC_ID_KEY={ID_KEY}")
    if not desk.rows(_ID_KEY, key, id, _AT_REST):
        raise UsageError("the pipeline runs or waits to, or there is none", field="ID", hint="wait for its end")


def clear_tasks(desk: Desk, id: str) -> None:
    """Delete the pipeline's tasks."""
    desk.rows(_CLEAR, id)


def set_tasks(desk: Desk, id: str, *tasks: tuple[str, str, str | None]) -> None:
    """Write tasks into the table, past every check of the API: (type, body, target) each."""
    clear_tasks(desk, id)
    for place, (kind, body, target) in enumerate(tasks, start=1):
        desk.rows(_ADD, id, place, kind, body, target)


def set_film_tasks(desk: Desk, id: str, *, key: str = "") -> None:
    """The two tasks of the document: films, then their titles tidied; with the column `key` where it is incremental."""
    columns = [name for (name,) in desk.rows(_FILM_COLUMNS)]
    if key and key not in columns:
        raise UsageError(f"{key} is no column of content.film_work", field="KEY", rule=f"one of {', '.join(columns)}")
    set_tasks(desk, id, ("SQL", films_query(key=key), None), ("PYTHON", "normalize_title", None))


def films_behind(desk: Desk) -> int:
    """How many films film_dim lacks or has otherwise."""
    ((number,),) = desk.rows(_BEHIND)
    return int(number)
