"""Scenarios 4 to 9 of the document: what fails, what is refused, and what is killed."""

from collections.abc import Iterator
from typing import Any

from tests.validation import marts
from tests.validation.checks import Check, above_zero, equal, true
from tests.validation.definitions import definition_of, films_query
from tests.validation.desk import BASE, Desk, until
from tests.validation.marts import FILMS
from tests.validation.targets import request_twice
from tests.validation.variables import Variables

_STARTS = "select count(*) from etl.etl_events where pipeline_id = %s and to_status = 'RUNNING'"
_NEWEST_FILM = """
    select id::text, updated_at from content.film_work order by updated_at desc, id desc limit 1
"""
_TITLES = "select count(*) from analytics.film_dim where title ~ '^\\s|\\s$|\\s\\s' or title ~ '^[a-z]'"
_FORBIDDEN_TABLE = """
    create table if not exists analytics.film_dim_copy (like analytics.film_dim including all);
    insert into etl.etl_pipelines (name, source_query, target_table, status)
    values ('forbidden_table', %s, 'analytics.film_dim_copy', 'RUN_REQUESTED'),
           ('forbidden_index', %s, 'es:film_dim_copy', 'RUN_REQUESTED')
"""
_OWNER = "select split_part(owner, ':', 1) from etl.etl_leases where pipeline_id = %s and owner is not null"


def retried_failure(desk: Desk) -> Iterator[Check]:
    """4: film_dim is away while the run begins, and back before its last try."""
    marts.reset(desk)
    id = desk.create(definition_of("api-create-sql-film-dim", name="film_dim_retried"))
    marts.hide(desk)
    try:
        desk.request(id)
        failed = until(lambda: _failed_tries(desk, "film_dim_retried"), lambda tries: tries >= 2, what="a second try")
    finally:
        marts.unhide(desk)
    yield equal("tries that failed, as the runner warned", failed, 2)
    yield equal("after film_dim is back", desk.at_rest(id), "IDLE")
    run = desk.newest_run(id)
    yield equal("the run: status, rows written", (run["status"], run["rows_written"]), ("SUCCESS", FILMS))
    yield equal("runs", len(desk.runs(id)), 1)
    yield equal("films missing or different", marts.films_behind(desk), 0)


def search_is_idempotent(desk: Desk) -> Iterator[Check]:
    """5: the same documents again are the same documents, by their ids."""
    id = desk.create(definition_of("api-create-es-film-dim", batch=4))
    first, before = desk.run_to_end(id), _documents(desk)
    second, after = desk.run_to_end(id), _documents(desk)
    films = {film for (film,) in desk.rows("select id::text from content.film_work")}
    yield equal("both runs", [first["status"], second["status"]], ["SUCCESS", "SUCCESS"])
    yield above_zero("rows written by each", first["rows_written"], second["rows_written"])
    yield equal("documents after each run", [len(before), len(after)], [FILMS, FILMS])
    yield true("their ids are the films'", set(before) == films, expected=f"{FILMS} ids", seen=f"{len(films)} films")
    yield true("the documents are the same", after == before, expected="no difference", seen=_difference(before, after))


def atomic_claim(desk: Desk) -> Iterator[Check]:
    """6: two requests at once come to one execution."""
    marts.reset(desk)
    id = desk.create(definition_of("api-create-sql-film-dim", name="film_dim_claimed"))
    for word in ("parallel2", "delta2"):
        ((starts,),), before = desk.rows(_STARTS, id), len(desk.runs(id))
        request_twice(desk, id)
        yield equal(f"{word}: where it ends", desk.at_rest(id), "IDLE")
        yield equal(f"{word}: new runs", len(desk.runs(id)) - before, 1)
        yield equal(f"{word}: times it began to run", desk.rows(_STARTS, id)[0][0] - starts, 1)
    slow = desk.create(definition_of("api-create-sql-film-dim-slow", name="film_dim_slow_claimed", batch=1, sleep=0.5))
    desk.request(slow)
    desk.until_batches(slow, 1)
    desk.request(slow)
    desk.request(slow)
    yield equal("while it runs: where it ends", desk.at_rest(slow), "IDLE")
    yield equal("while it runs: runs", len(desk.runs(slow)), 1)


def tasks_v1(desk: Desk) -> Iterator[Check]:
    """7: tasks that break a rule are refused, by the API and by the runner; a transform never moves the checkpoint."""
    marts.reset(desk)
    id = desk.create(definition_of("api-create-tasks-film-dim-full", name="film_dim_tasks", batch=3))
    reader, tidy = ("SQL", films_query(), None), ("PYTHON", "normalize_title", None)
    early = ("SQL", films_query(), "analytics.film_dim")
    for word, tasks in {"wrong order": (tidy, reader), "early target": (early, tidy)}.items():
        answer = desk.ask("PUT", f"{BASE}/{id}/tasks", json=_as_sent(tasks))
        yield equal(f"{word}: the API", answer.status_code, 422)
        marts.set_tasks(desk, id, *tasks)
        before, run = len(desk.runs(id)), desk.run_to_end(id)
        told = (run["status"], len(desk.runs(id)) - before, run["rows_read"])
        yield equal(f"{word}, put into the table: run, new runs, read", told, ("FAILED", 1, 0))
        yield equal(f"{word}: rows written", desk.rows("select count(*) from analytics.film_dim"), [(0,)])
    marts.set_film_tasks(desk, id)
    run = desk.run_to_end(id)
    yield equal("right order: run, rows written", (run["status"], run["rows_written"]), ("SUCCESS", FILMS))
    yield equal("titles that are not tidy", desk.rows(_TITLES), [(0,)])
    yield from _tasks_and_checkpoint(desk)


def _tasks_and_checkpoint(desk: Desk) -> Iterator[Check]:
    id = desk.create(definition_of("api-create-tasks-film-dim-inc", name="film_dim_tasks_inc", batch=3))
    marts.set_film_tasks(desk, id, key=Variables().key)
    run, state = desk.run_to_end(id), desk.state(id)
    ((film, moment),) = desk.rows(_NEWEST_FILM)
    yield equal("incremental: run, rows read", (run["status"], run["rows_read"]), ("SUCCESS", FILMS))
    yield equal("incremental: the checkpoint is the reader's last row", state["last_processed_id"], film)
    seen = desk.rows("select %s::timestamptz", state["last_processed_value"])
    yield equal("incremental: its moment", seen, [(moment,)])
    again = desk.run_to_end(id)
    yield equal("incremental: the next run reads", (again["status"], again["rows_read"]), ("SUCCESS", 0))


def allow_list(desk: Desk) -> Iterator[Check]:
    """8: nothing is written to a target that is not allowed, whoever asks."""
    given = definition_of("api-create-sql-film-dim", name="film_dim_forbidden")
    for target in ("analytics.film_dim_copy", "es:film_dim_copy"):
        answer = desk.ask("POST", BASE, json=given | {"target_table": target})
        told = (answer.status_code, answer.json()["detail"])
        yield equal(f"create with {target}", told, (400, f"target_table '{target}' is not allowed"))
    id = desk.create(given)
    answer = desk.ask("PATCH", f"{BASE}/{id}", json={"target_table": "analytics.film_dim_copy"})
    yield equal("change to a forbidden table", answer.status_code, 400)
    desk.rows(_FORBIDDEN_TABLE, films_query(), films_query())
    try:
        for name in ("forbidden_table", "forbidden_index"):
            yield from _ends_without_a_row(desk, name)
        written = desk.rows("select count(*) from analytics.film_dim_copy")
    finally:
        desk.rows("drop table analytics.film_dim_copy")
    yield equal("rows in the forbidden table", written, [(0,)])
    yield equal("the forbidden index", desk.search("HEAD", "/film_dim_copy").status_code, 404)


def _ends_without_a_row(desk: Desk, name: str) -> Iterator[Check]:
    id = desk.id_of(name)
    yield equal(f"{name}, put into the table: where it ends", desk.at_rest(id), "FAILED")
    (run,) = desk.runs(id)
    yield equal(f"{name}: run, read, written", (run["status"], run["rows_read"], run["rows_written"]), ("FAILED", 0, 0))


def crash_recovery(desk: Desk) -> Iterator[Check]:
    """9: a runner is killed in the middle; one that is started again, or another, takes its work up."""
    marts.reset(desk)
    id = _half_way(desk, "film_dim_restarted")
    desk.stack.runner.kill()
    yield equal("killed: where it stands", desk.pipeline(id)["status"], "RUNNING")
    desk.stack.start_runner("runner")
    yield from _recovered(desk, id, word="started again")

    marts.reset(desk)
    desk.stack.start_runner("runner-2")
    id = _half_way(desk, "film_dim_taken_over")
    ((owner,),) = desk.rows(_OWNER, id)
    desk.stack.a_runner(owner).kill()
    yield equal("two runners: one of them lives", sum(desk.stack.a_runner(one).pid() is not None for one in _BOTH), 1)
    yield from _recovered(desk, id, word="another runner")


_BOTH = ("runner", "runner-2")


def _half_way(desk: Desk, name: str) -> str:
    """A pipeline that has committed two batches of ten."""
    id = desk.create(definition_of("api-create-sql-film-dim-inc-slow", name=name, batch=1, sleep=0.5))
    desk.request(id)
    desk.until_batches(id, 2)
    return id


def _recovered(desk: Desk, id: str, *, word: str) -> Iterator[Check]:
    yield equal(f"{word}: where it ends", desk.at_rest(id), "IDLE")
    ended = [(run["status"], run["error_message"]) for run in reversed(desk.runs(id))]
    yield equal(f"{word}: runs", ended, [("FAILED", "recovered: its runner stopped"), ("SUCCESS", None)])
    yield equal(f"{word}: rows read by all batches", sum(one["rows_read"] for one in desk.batches(id)), FILMS)
    yield equal(f"{word}: films missing or different", marts.films_behind(desk), 0)
    alive = desk.rows("select count(*) from etl.etl_runs where status = 'RUNNING'")
    yield equal(f"{word}: runs left open", alive, [(0,)])


def _failed_tries(desk: Desk, name: str) -> int:
    """As the runner has warned of them."""
    lines = desk.stack.runner.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum("batch.failed" in line and name in line for line in lines)


def _documents(desk: Desk) -> dict[str, Any]:
    desk.search("POST", "/film_dim/_refresh")
    hits = desk.search("GET", "/film_dim/_search?size=1000").json()["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    changed = [id for id in before.keys() | after.keys() if before.get(id) != after.get(id)]
    return f"{len(changed)} differ" if changed else "no difference"


def _as_sent(tasks: tuple[tuple[str, str, str | None], ...]) -> list[dict[str, Any]]:
    return [
        {"order_index": place, "task_type": kind, "body": body, "target_table": target}
        for place, (kind, body, target) in enumerate(tasks, start=1)
    ]
