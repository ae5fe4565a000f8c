"""A few connections kept open for many short requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2

from work_data_hub.errors import WarehouseError
from work_data_hub.io.postgres import Connection, connect, limit_session

_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)


class ConnectionPool:
    """At most `size` connections to one database, made when they are needed; safe to use from several threads.

    No statement on them takes longer than `statement_seconds`, and none waits for a lock for longer than a
    third of that. Who finds all in use waits as long, and then gets WarehouseError.
    """

    def __init__(self, url: str, *, size: int, application_name: str, statement_seconds: float = 15.0) -> None:
        self._url, self._name, self._seconds = url, application_name, statement_seconds
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[Connection] = []
        self._is_closed = False
        self._lock = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection proven alive, outside any transaction; what is open when the block ends is rolled back."""
        if not self._free.acquire(timeout=self._seconds):
            raise WarehouseError("every connection is in use", operation="connect", hint="try again in a moment")
        try:
            connection = self._taken() or self._made()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what nobody uses now, and what is in use when it comes back."""
        with self._lock:
            idle, self._idle, self._is_closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _taken(self) -> Connection | None:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or _is_alive(connection):
                return connection
            connection.close()

    def _made(self) -> Connection:
        connection = connect(self._url, application_name=self._name)
        limit_session(
            connection,
            statement_seconds=self._seconds,
            lock_seconds=self._seconds / 3,
            idle_seconds=2 * self._seconds,
        )
        return connection

    def _give_back(self, connection: Connection) -> None:
        with suppress(*_LOST):
            connection.rollback()
        with self._lock:
            if not connection.closed and not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()


def _is_alive(connection: Connection) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        connection.rollback()
    except _LOST:
        return False
    return True
