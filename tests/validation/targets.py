"""Every target of the document, by its name: what it does with the stack, and what it prints."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias
from uuid import uuid4

from tests.hub import PROJECT
from tests.validation import marts
from tests.validation.definitions import CREATES, Definition
from tests.validation.desk import BASE, RUNS_SEEN, Desk, Shown
from tests.validation.variables import Variables
from work_data_hub.errors import UsageError

Target: TypeAlias = Callable[[Desk, Variables], None]

_BRIEF = ("id", "name", "status", "mode", "type", "batch_size", "target_table")
_LOG_LINES = 200
_OUTAGE_SECONDS = 2.0


def build(desk: Desk, given: Variables) -> None:
    """Bring the environment to what uv.lock says."""
    private = PROJECT / ".venv-uv" / "bin" / "uv"
    program = shutil.which("uv") or (str(private) if private.exists() else None)
    if program is None:
        raise UsageError("there is no uv", hint="./wdh --version makes the environment by itself")
    done = subprocess.run([program, "sync", "--frozen"], cwd=PROJECT, check=False)
    if done.returncode:
        raise UsageError("the environment could not be made", hint="what uv said stands above")


def up(desk: Desk, given: Variables) -> None:
    """Start what does not run."""
    desk.stack.up(scale=given.scale)
    ps(desk, given)


def down(desk: Desk, given: Variables) -> None:
    """Stop all of it."""
    desk.stack.down()
    ps(desk, given)


def down_v(desk: Desk, given: Variables) -> None:
    """Stop all of it and forget its rows."""
    desk.stack.down(is_forgetting=True)
    if desk.stack.given_database is not None:
        print("the database of DATABASE_URL is not the stack's own: its rows stay")
    ps(desk, given)


def restart(desk: Desk, given: Variables) -> None:
    """Stop API and runner, and start them again."""
    desk.stack.restart()
    ps(desk, given)


def ps(desk: Desk, given: Variables) -> None:
    """Show how each part stands."""
    print("\n".join(desk.stack.lines()))


def logs(desk: Desk, given: Variables) -> None:
    """Show the ends of both logs."""
    for program in (desk.stack.api, desk.stack.runner):
        print("\n".join([f"== {program.log_file}", *program.log_end(_LOG_LINES)]))


def logs_runner(desk: Desk, given: Variables) -> None:
    """Show the end of the runner's log."""
    print("\n".join(desk.stack.runner.log_end(_LOG_LINES)))


def alembic_up(desk: Desk, given: Variables) -> None:
    """Bring the schema up to date."""
    desk.stack.migrate()
    print(f"migration: {desk.stack.head()}")


def api_health(desk: Desk, given: Variables) -> None:
    """Ask at both addresses."""
    for path in ("/health", "/api/v1/health"):
        print(f"{path}  {json.dumps(desk.told('GET', path))}")


def api_list(desk: Desk, given: Variables) -> None:
    """All pipelines."""
    _show(desk.told("GET", f"{BASE}/"))


def api_get(desk: Desk, given: Variables) -> None:
    """One pipeline."""
    _show(desk.pipeline(desk.id_of(given.id)))


def api_get_brief(desk: Desk, given: Variables) -> None:
    """What matters most of one pipeline."""
    pipeline = desk.pipeline(desk.id_of(given.id))
    _show({word: pipeline[word] for word in _BRIEF})


def api_runs(desk: Desk, given: Variables) -> None:
    """The newest 50 runs."""
    _show(desk.told("GET", f"{BASE}/{desk.id_of(given.id)}/runs?limit=50"))


def api_run(desk: Desk, given: Variables) -> None:
    """Request a run."""
    _show(desk.request(desk.id_of(given.id)))


def api_pause(desk: Desk, given: Variables) -> None:
    """Request a pause."""
    _show(desk.pause(desk.id_of(given.id)))


def api_run_and_pause(desk: Desk, given: Variables) -> None:
    """Request a run, and a pause DELAY seconds later."""
    id = desk.id_of(given.id)
    print(_line(desk.request(id)))
    time.sleep(given.delay)
    print(_line(desk.pause(id)))


def api_watch_status(desk: Desk, given: Variables) -> None:
    """Look N times, every DT seconds."""
    id = desk.id_of(given.id)
    for look in range(given.n):
        if look:
            time.sleep(given.dt)
        print(_line(desk.pipeline(id)), flush=True)


def api_run_parallel2(desk: Desk, given: Variables) -> None:
    """Two requests at once, with one key: they ask for one run."""
    for pipeline in request_twice(desk, desk.id_of(given.id)):
        print(_line(pipeline))


def api_runs_delta2(desk: Desk, given: Variables) -> None:
    """Count runs, request twice at once with one key, wait until nothing runs, count again."""
    id = desk.id_of(given.id)
    before = {run["id"] for run in desk.runs(id)}
    request_twice(desk, id)
    desk.at_rest(id)
    after = {run["id"] for run in desk.runs(id)}
    # The list ends somewhere: what is new in it is counted, not how much longer it became.
    _show({"before": len(before), "after": len(after), "delta": len(after - before), "most": RUNS_SEEN})


def api_create(target: str, desk: Desk, given: Variables) -> None:
    """Create the pipeline of a target."""
    definition: Definition = CREATES[target](given)
    _show(desk.pipeline(desk.create(definition)))


def db_tasks_clear(desk: Desk, given: Variables) -> None:
    """Delete its tasks."""
    marts.clear_tasks(desk, desk.id_of(given.id))
    _show_tasks(desk, given)


def db_tasks_film_dim_full(desk: Desk, given: Variables) -> None:
    """Give it the two tasks."""
    marts.set_film_tasks(desk, desk.id_of(given.id))
    _show_tasks(desk, given)


def db_tasks_film_dim_inc(desk: Desk, given: Variables) -> None:
    """Give it the two tasks with the key in the query."""
    marts.set_film_tasks(desk, desk.id_of(given.id), key=given.key)
    _show_tasks(desk, given)


def db_set_inc_id_key(desk: Desk, given: Variables) -> None:
    """Write its incremental_id_key."""
    id = desk.id_of(given.id)
    marts.set_id_key(desk, id, given.inc_id_key)
    pipeline = desk.pipeline(id)
    _show({word: pipeline[word] for word in ("name", "incremental_key", "incremental_id_key")})


def db_counts(desk: Desk, given: Variables) -> None:
    """Rows of four tables."""
    print("\n".join(f"{table:<26} {number:>9,}" for table, number in marts.counts(desk).items()))


def db_reset_demo(desk: Desk, given: Variables) -> None:
    """Empty them."""
    marts.reset(desk)
    db_counts(desk, given)


def db_pipe(desk: Desk, given: Variables) -> None:
    """Where it stands, as the table says."""
    rows = desk.rows("select id::text, name, status from etl.etl_pipelines where id = %s", desk.id_of(given.id))
    print("\n".join("  ".join(row) for row in rows))


def db_last_run(desk: Desk, given: Variables) -> None:
    """The newest run, once it has ended."""
    id = desk.id_of(given.id)
    desk.at_rest(id)
    _show(desk.newest_run(id) if desk.runs(id) else None)


def db_inc_state(desk: Desk, given: Variables) -> None:
    """Its checkpoint."""
    _show(desk.state(desk.id_of(given.id)))


def db_hide_film_dim(desk: Desk, given: Variables) -> None:
    """Take film_dim away."""
    marts.hide(desk)
    print("analytics.film_dim is called film_dim__tmp")


def db_unhide_film_dim(desk: Desk, given: Variables) -> None:
    """Give it back."""
    marts.unhide(desk)
    print("analytics.film_dim is there")


def test_retry_flip_film_dim(desk: Desk, given: Variables) -> None:
    """Hide film_dim, request a run, give it back after two seconds, wait for the end of the run."""
    id = desk.id_of(given.id)
    desk.at_rest(id)
    marts.hide(desk)
    try:
        print(_line(desk.request(id)))
        time.sleep(_OUTAGE_SECONDS)
    finally:
        marts.unhide(desk)
    desk.at_rest(id)
    _show(desk.newest_run(id))


def db_touch_filmwork_one(desk: Desk, given: Variables) -> None:
    """Stamp one film."""
    film, moment = marts.touch_one(desk)
    print(f"{film}  {moment.isoformat()}")


def es_demo(desk: Desk, given: Variables) -> None:
    """How many documents film_dim has, and a few of them."""
    if desk.search("POST", "/film_dim/_refresh").status_code == 404:
        print("there is no index film_dim yet: make api-create-es-film-dim, then api-run ID=film_dim_es")
        return
    hits = desk.search("GET", "/film_dim/_search?size=3").json()["hits"]["hits"]
    _show({"count": desk.search("GET", "/film_dim/_count").json()["count"], "hits": hits})


def request_twice(desk: Desk, id: str) -> list[Shown]:
    """What two requests at the same time with one key of their own are answered."""
    key = str(uuid4())
    with ThreadPoolExecutor(2) as both:
        asked = [both.submit(desk.request, id, key=key) for _ in range(2)]
        return [one.result() for one in asked]


def _show(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _show_tasks(desk: Desk, given: Variables) -> None:
    _show(desk.told("GET", f"{BASE}/{desk.id_of(given.id)}/tasks"))


def _line(pipeline: Shown) -> str:
    return f"{pipeline['id']}  {pipeline['name']}  {pipeline['status']}"


_PLAIN: tuple[Target, ...] = (
    build, up, down, down_v, restart, ps, logs, logs_runner, alembic_up,
    api_health, api_list, api_get, api_get_brief, api_runs, api_run, api_pause, api_run_and_pause, api_watch_status,
    api_run_parallel2, api_runs_delta2,
    db_tasks_clear, db_tasks_film_dim_full, db_tasks_film_dim_inc, db_set_inc_id_key, db_counts, db_reset_demo,
    db_pipe, db_last_run, db_inc_state, db_hide_film_dim, db_unhide_film_dim, db_touch_filmwork_one,
    test_retry_flip_film_dim, es_demo,
)  # fmt: skip

TARGETS: Mapping[str, Target] = {
    **{target.__name__.replace("_", "-"): target for target in _PLAIN},
    **{name: partial(api_create, name) for name in CREATES},
}
"""Every target but validate, which has a stack of its own."""
