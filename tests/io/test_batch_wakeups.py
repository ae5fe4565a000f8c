"""Wake-ups of the runner, on a real database: told, woken by hand, silent, and after the connection broke."""

import threading
from collections.abc import Iterator

import pytest

from work_data_hub.io.batch_wakeups import APPLICATION, Wakeups
from work_data_hub.io.postgres import Connection, transaction

LONG = 30.0
# Enough for what was sent before to arrive.
_SOON = 5.0
_ADD = """
    insert into etl.etl_pipelines (name, source_query, target_table)
    values (%s, 'select 1', 'analytics.film_dim')
"""


@pytest.fixture
def wakeups(warehouse_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(warehouse_url)
    assert wakeups.listen()
    yield wakeups
    wakeups.close()


@pytest.mark.integration
@pytest.mark.parametrize("moves", [["RUN_REQUESTED"], ["RUN_REQUESTED", "RUNNING", "PAUSE_REQUESTED"]])
def test_a_request_wakes(warehouse: Connection, wakeups: Wakeups, moves: list[str]) -> None:
    do(warehouse, _ADD, "films")
    for status in moves[:-1]:
        do(warehouse, "update etl.etl_pipelines set status = %s", status)
    while wakeups.wait(0.2):
        pass

    do(warehouse, "update etl.etl_pipelines set status = %s", moves[-1])

    assert wakeups.wait(_SOON)


@pytest.mark.integration
def test_nothing_but_requests_wakes(warehouse: Connection, wakeups: Wakeups) -> None:
    do(warehouse, _ADD, "films")
    do(warehouse, "update etl.etl_pipelines set batch_size = 7")
    do(warehouse, "update etl.etl_pipelines set status = 'PAUSED'")

    assert not wakeups.wait(0.3)


@pytest.mark.integration
def test_many_requests_wake_once(warehouse: Connection, wakeups: Wakeups) -> None:
    for number in range(20):
        do(warehouse, _ADD, f"films_{number}")
    do(warehouse, "update etl.etl_pipelines set status = 'RUN_REQUESTED'")

    assert wakeups.wait(_SOON)
    assert not wakeups.wait(0.3)


@pytest.mark.integration
def test_another_thread_ends_a_wait(wakeups: Wakeups) -> None:
    threading.Timer(0.05, wakeups.wake).start()

    assert wakeups.wait(LONG)
    assert not wakeups.wait(0)


@pytest.mark.integration
def test_a_wake_before_the_wait_is_not_lost(wakeups: Wakeups) -> None:
    for _ in range(1_000_000):
        wakeups.wake()

    assert wakeups.wait(LONG)
    assert not wakeups.wait(0)


@pytest.mark.integration
def test_a_connection_that_breaks_wakes_and_is_made_anew(warehouse: Connection, wakeups: Wakeups) -> None:
    do(warehouse, _ADD, "films")
    _break_listener(warehouse)

    # The farewell and the end of the connection may come one after the other; then there is silence, and no error.
    heard = [wakeups.wait(0.3) for _ in range(4)]
    assert heard[0]
    assert not heard[-1]

    assert wakeups.listen()
    do(warehouse, "update etl.etl_pipelines set status = 'RUN_REQUESTED'")
    assert wakeups.wait(_SOON)


@pytest.mark.integration
def test_listening_does_not_fail_where_there_is_no_server() -> None:
    wakeups = Wakeups("postgresql://nobody:secret@127.0.0.1:1/nowhere")

    assert not wakeups.listen()
    assert not wakeups.wait(0)
    wakeups.close()


@pytest.mark.integration
def test_a_closed_one_can_be_woken_and_does_nothing(warehouse_url: str) -> None:
    wakeups = Wakeups(warehouse_url)
    wakeups.close()

    wakeups.wake()


@pytest.mark.integration
def test_listening_leaves_no_transaction_open(warehouse: Connection, wakeups: Wakeups) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute("select state, xact_start from pg_stat_activity where application_name = %s", (APPLICATION,))
        assert cursor.fetchall() == [("idle", None)]


def do(warehouse: Connection, statement: str, *values: object) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement, values)


def _break_listener(warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = %s", (APPLICATION,)
        )
        assert cursor.fetchall() == [(True,)]
