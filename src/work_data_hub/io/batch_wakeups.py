"""Being woken by the database: requests to run or to pause are told on a channel, and no loop has to hurry."""

import select
import socket
from contextlib import suppress

import psycopg2

from work_data_hub.errors import WarehouseError
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.log import get_logger

log = get_logger(__name__)
APPLICATION = "wdh runner listener"
_LISTEN = "listen etl_pipelines"


class Wakeups:
    """Listens for requests on a connection of its own, and lets other threads and signal handlers wake it too.

    Wake-ups are hints. One that is told while the connection is down is lost: whoever waits looks for requests
    from time to time as well. Only one thread may listen and wait.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        # Unlike a pipe, a closed socket refuses: its number may be somebody else's by then.
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._mouth.setblocking(False)

    def listen(self) -> bool:
        """Listen from now on, on a new connection where the last one broke; False where none can be had."""
        if self._connection is not None:
            return True
        try:
            self._connection = _listening(self._url)
        except (WarehouseError, psycopg2.Error) as error:
            log.warning("listener.absent", error_type=type(error).__name__)
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until something is told, `wake` is called, or the time is over; True for the first two.

        A connection that breaks meanwhile wakes as well, since what it would have told is not known.
        """
        if self._forget_notices():
            return True
        sockets = [self._ears.fileno()]
        if self._connection is not None:
            sockets.append(self._connection.fileno())
        heard = select.select(sockets, [], [], max(seconds, 0))[0]
        if self._ears.fileno() in heard:
            self._drain()
        if heard[-1:] == sockets[1:]:
            self._take_notices()
        return bool(heard)

    def wake(self) -> None:
        """End the wait of another thread, or the next one; safe in a signal handler."""
        # A full buffer has woken it already, a closed one has nobody to wake.
        with suppress(OSError):
            self._mouth.send(b"!")

    def close(self) -> None:
        """Listen no more."""
        self._drop()
        self._mouth.close()
        self._ears.close()

    def _take_notices(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.poll()
        except psycopg2.Error as error:
            log.warning("listener.broken", error_type=type(error).__name__)
            self._drop()
            return
        self._forget_notices()

    def _forget_notices(self) -> bool:
        """Whether something was told; one look for requests answers all of it."""
        if self._connection is None or not self._connection.notifies:
            return False
        self._connection.notifies.clear()
        return True

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._ears.recv(4096):
                pass

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _listening(url: str) -> Connection:
    connection = connect(url, application_name=APPLICATION)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LISTEN)
    except psycopg2.Error:
        connection.close()
        raise
    return connection
