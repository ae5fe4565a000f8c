"""Scenarios 0 to 3 of the document, and the order of all; each gives what it expected and what it saw."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from tests.validation import marts
from tests.validation.checks import Check, above_zero, equal, true
from tests.validation.definitions import definition_of
from tests.validation.desk import Desk, Shown
from tests.validation.marts import FILMS
from tests.validation.scenarios_faults import (
    allow_list,
    atomic_claim,
    crash_recovery,
    retried_failure,
    search_is_idempotent,
    tasks_v1,
)
from tests.validation.variables import Variables
from work_data_hub.io.migrations import expected_head

Scenario: TypeAlias = Callable[[Desk], Iterator[Check]]

_TABLE = """
    select count(*), count(distinct film_id), md5(string_agg(film::text, '|' order by film_id))
    from analytics.film_dim as film
"""


def sanity(desk: Desk) -> Iterator[Check]:
    """0: everything comes up, and coming up again changes nothing."""
    stack = desk.stack
    done = subprocess.run(stack.command("--version"), capture_output=True, check=False)
    yield equal("build: what the command line ends with", done.returncode, 0)
    stack.up()
    first = (stack.api.pid(), stack.runner.pid(), stack.api_url)
    stack.up()
    yield equal("a second up starts nothing", (stack.api.pid(), stack.runner.pid(), stack.api_url), first)
    stack.migrate()
    yield equal("alembic-up: the schema's migration", stack.head(), expected_head())
    yield equal("api-health", [desk.ask("GET", path).status_code for path in ("/health", "/api/v1/health")], [200, 200])
    ((films, ratings),) = desk.rows("select (select count(*) from content.film_work), count(*) from ugc.ratings")
    yield equal("films of the demo", films, FILMS)
    yield above_zero("ratings of the demo", ratings)


def full_is_idempotent(desk: Desk) -> Iterator[Check]:
    """1: the same full run again leaves the same table."""
    marts.reset(desk)
    id = desk.create(definition_of("api-create-sql-film-dim", batch=2))
    first, (before,) = desk.run_to_end(id), desk.rows(_TABLE)
    second, (after,) = desk.run_to_end(id), desk.rows(_TABLE)
    yield equal("both runs", [first["status"], second["status"]], ["SUCCESS", "SUCCESS"])
    yield above_zero("rows read by each", first["rows_read"], second["rows_read"])
    yield above_zero("rows written by each", first["rows_written"], second["rows_written"])
    yield equal("batches of 2 rows, of each run", _batches_a_run(desk, id), [5, 5])
    yield equal("rows, and films among them", before[:2], (FILMS, FILMS))
    yield equal("the table after the second run", after, before)
    yield equal("rows unchanged, by the second run", second["rows_unchanged"], FILMS)


def checkpoint_persists(desk: Desk) -> Iterator[Check]:
    """2a: an incremental run on a quiet source reads nothing, and its checkpoint stays."""
    marts.reset(desk)
    id = desk.create(definition_of("api-create-sql-film-dim-inc"))
    first, state = desk.run_to_end(id), desk.state(id)
    yield equal("first run: status, read, written", _facts(first), ("SUCCESS", FILMS, FILMS))
    yield true("a checkpoint", state["last_processed_value"], expected="there", seen=state["last_processed_value"])
    marts.set_id_key(desk, id, Variables().inc_id_key)
    second = desk.run_to_end(id)
    yield equal("second run: status, read, written", _facts(second), ("SUCCESS", 0, 0))
    yield equal("the checkpoint after it", desk.state(id), state)


def touched_row_is_found(desk: Desk) -> Iterator[Check]:
    """2b: the run right after a row was touched finds that row, and it alone."""
    id = desk.id_of(f"{Variables().name}_inc")
    state = desk.state(id)
    film, moment = marts.touch_one(desk)
    run, after = desk.run_to_end(id), desk.state(id)
    yield equal("status, read, written", _facts(run), ("SUCCESS", 1, 1))
    yield equal("the checkpoint is at the touched film", after["last_processed_id"], film)
    yield true(
        "the checkpoint advanced",
        after["last_processed_value"] > state["last_processed_value"],
        expected=f"> {state['last_processed_value']}",
        seen=after["last_processed_value"],
    )
    yield equal("its moment", desk.rows("select %s::timestamptz", after["last_processed_value"]), [(moment,)])


def pause_between_batches(desk: Desk) -> Iterator[Check]:
    """3: a pause comes after a whole batch, and the next run goes on to the end."""
    for target in ("api-create-sql-film-dim-slow", "api-create-sql-film-dim-inc-slow"):
        marts.reset(desk)
        id = desk.create(definition_of(target, name="film_dim_paused", batch=1, sleep=0.5))
        desk.request(id)
        desk.until_batches(id, 1)
        desk.pause(id)
        yield from _paused_and_resumed(desk, id, word="inc" if target.endswith("inc-slow") else "full")


def _paused_and_resumed(desk: Desk, id: str, *, word: str) -> Iterator[Check]:
    yield equal(f"{word}: after the pause", desk.at_rest(id), "PAUSED")
    paused, state, committed = desk.newest_run(id), desk.state(id), desk.batches(id)
    ((rows,),) = desk.rows("select count(*) from analytics.film_dim")
    yield equal(f"{word}: the run", paused["status"], "PAUSED")
    yield true(f"{word}: rows written by then", 0 < rows < FILMS, expected=f"1 to {FILMS - 1}", seen=rows)
    yield equal(f"{word}: rows of whole batches", sum(one["rows_written"] for one in committed), rows)
    if word == "inc":
        newest = max(committed, key=lambda one: one["seq"])["cursor_to"]
        yield equal("inc: the checkpoint is the last batch's end", state["last_processed_id"], newest["id"])
    resumed = desk.run_to_end(id)
    yield equal(f"{word}: after the next run", (desk.at_rest(id), resumed["status"]), ("IDLE", "SUCCESS"))
    read = FILMS - rows if word == "inc" else FILMS
    yield equal(f"{word}: rows the next run read", resumed["rows_read"], read)
    yield equal(f"{word}: films missing or different", marts.films_behind(desk), 0)


def _facts(run: Shown) -> tuple[str, int, int]:
    return run["status"], run["rows_read"], run["rows_written"]


def _batches_a_run(desk: Desk, id: str) -> list[int]:
    batches = [one["run_id"] for one in desk.batches(id)]
    return [batches.count(run) for run in dict.fromkeys(batches)]


SCENARIOS: Mapping[str, Scenario] = {
    "0 sanity": sanity,
    "1 full is idempotent": full_is_idempotent,
    "2a the checkpoint persists": checkpoint_persists,
    "2b one touched row is found": touched_row_is_found,
    "3 pause between batches": pause_between_batches,
    "4 a failure that passes is retried": retried_failure,
    "5 Elasticsearch is idempotent": search_is_idempotent,
    "6 a run is claimed once": atomic_claim,
    "7 tasks": tasks_v1,
    "8 the allow-list": allow_list,
    "9 a killed runner is recovered": crash_recovery,
}
"""The scenarios, in their order."""
