"""A few connections for many threads: bounded, proven alive, never left in a transaction."""

import threading
from contextlib import ExitStack

import pytest
from tests.pipeline_api import told

from work_data_hub.errors import WarehouseError
from work_data_hub.io.connection_pool import ConnectionPool
from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration

NAME = "wdh pool test"


def pool_of(url: str, *, size: int = 2, statement_seconds: float = 15.0) -> ConnectionPool:
    return ConnectionPool(url, size=size, application_name=NAME, statement_seconds=statement_seconds)


def used_in(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    return int(pid)


def test_a_connection_is_used_again(warehouse_url: str) -> None:
    pool = pool_of(warehouse_url)
    pids = set()
    for _ in range(3):
        with pool.connection() as connection:
            pids.add(used_in(connection))
    pool.close()

    assert len(pids) == 1


def test_what_was_left_open_is_rolled_back(warehouse_url: str, warehouse: Connection) -> None:
    pool = pool_of(warehouse_url)
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("insert into etl.etl_workers (worker_id, host, pid, version) values ('one', 'here', 1, '0')")
    idle = "select state from pg_stat_activity where application_name = %s"

    assert told(warehouse, idle, NAME) == [("idle",)]
    assert told(warehouse, "select count(*) from etl.etl_workers") == [(0,)]
    pool.close()


def test_whoever_finds_all_in_use_is_told_so(warehouse_url: str) -> None:
    pool = pool_of(warehouse_url, statement_seconds=0.05)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(pool.connection())
        with pytest.raises(WarehouseError, match="every connection is in use"), pool.connection():
            pass
    with pool.connection() as connection:
        assert used_in(connection)
    pool.close()


def test_whoever_waits_gets_the_one_that_comes_back(warehouse_url: str) -> None:
    pool, pids = pool_of(warehouse_url, size=1), []

    def wait() -> None:
        with pool.connection() as connection:
            pids.append(used_in(connection))

    waiting = threading.Thread(target=wait)
    with pool.connection() as connection:
        pid = used_in(connection)
        waiting.start()
    waiting.join()
    pool.close()

    assert pids == [pid]


def test_one_that_the_server_ended_is_replaced(warehouse_url: str, warehouse: Connection) -> None:
    pool = pool_of(warehouse_url)
    with pool.connection() as connection:
        pid = used_in(connection)
    told(warehouse, "select pg_terminate_backend(%s, 5000)", pid)
    with pool.connection() as connection:
        assert used_in(connection) != pid
    pool.close()


def test_a_server_that_is_away_holds_no_place(warehouse_url: str) -> None:
    pool = pool_of("postgresql://nobody@127.0.0.1:9/nowhere", size=1)
    for _ in range(2):
        with pytest.raises(WarehouseError, match="cannot connect"), pool.connection():
            pass


def test_a_closed_pool_keeps_nothing_open(warehouse_url: str) -> None:
    pool = pool_of(warehouse_url)
    with pool.connection() as idle:
        pass
    with pool.connection() as used, pool.connection() as other:
        pool.close()
        assert not used.closed

    assert (idle.closed, used.closed, other.closed) == (1, 1, 1)


def test_statements_and_waits_for_locks_are_bounded(warehouse_url: str) -> None:
    pool = pool_of(warehouse_url, statement_seconds=3)
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout')"
        )
        assert cursor.fetchall() == [("3s", "1s", "6s")]
    pool.close()
