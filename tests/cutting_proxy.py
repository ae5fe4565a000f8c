"""A way to the database that is cut at a chosen moment of what passes through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from psycopg2.extensions import parse_dsn

_MOST_BYTES = 65536
_COPY_DATA = b"d"
# The server's consent to COPY, and its answer to a commit.
_ROWS_MAY_COME = b"G"
_COMMITTED = b"COMMIT\0"


class Moment(StrEnum):
    """When the way is cut."""

    # In the middle of the rows of a COPY.
    COPY = "copy"
    # After a commit, and before its answer.
    ANSWER = "answer"


@dataclass(slots=True, kw_only=True)
class CuttingProxy:
    """Passes bytes on, and cuts `left` times a connection at the moment, every third time that it comes."""

    moment: Moment
    left: int
    come: int = 0
    cuts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_time(self, moment: Moment) -> bool:
        """Whether to cut at this moment, which has come."""
        with self._lock:
            self.come += moment is self.moment
            if moment is not self.moment or self.come % 3 or not self.left:
                return False
            self.left, self.cuts = self.left - 1, self.cuts + 1
            return True


@dataclass(slots=True, kw_only=True)
class _Way:
    """One connection through the proxy."""

    proxy: CuttingProxy
    client: socket.socket
    server: socket.socket
    is_copying: bool = False

    def up(self) -> None:
        """Carry what the client says; of rows that are cut the server gets the first half of a message."""
        with self._closed():
            while said := self.client.recv(_MOST_BYTES):
                if self.is_copying and said.startswith(_COPY_DATA):
                    self.is_copying = False
                    if self.proxy.is_time(Moment.COPY):
                        self.server.sendall(said[: len(said) // 2])
                        return
                self.server.sendall(said)

    def down(self) -> None:
        """Carry what the server says; of an answer that is cut nothing arrives."""
        with self._closed():
            while said := self.server.recv(_MOST_BYTES):
                self.is_copying = self.is_copying or said.startswith(_ROWS_MAY_COME)
                if _COMMITTED in said and self.proxy.is_time(Moment.ANSWER):
                    return
                self.client.sendall(said)

    @contextmanager
    def _closed(self) -> Iterator[None]:
        """Close both ends afterwards, whichever ended first."""
        with suppress(OSError):
            yield
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting_proxy(url: str, moment: Moment, *, left: int) -> Iterator[tuple[CuttingProxy, str]]:
    """The proxy before the server of `url`, and the URL that leads through it."""
    given = {name: str(value) for name, value in parse_dsn(url).items()}
    proxy = CuttingProxy(moment=moment, left=left)
    target = (given["host"], int(given["port"]))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _in_background(lambda: _serve(proxy, listener, target))
        try:
            yield proxy, url.replace(f":{given['port']}/", f":{listener.getsockname()[1]}/")
        finally:
            # Whoever waits to accept is woken by this, not by a close.
            listener.shutdown(socket.SHUT_RDWR)


def _serve(proxy: CuttingProxy, listener: socket.socket, target: tuple[str, int]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            way = _Way(proxy=proxy, client=client, server=socket.create_connection(target))
            _in_background(way.up)
            _in_background(way.down)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
