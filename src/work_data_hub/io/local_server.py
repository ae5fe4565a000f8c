"""A web application answering on this machine for as long as a block runs."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from work_data_hub.errors import UsageError

_QUIET: dict[str, Any] = {
    "loop": "asyncio",
    "http": "h11",
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "log_level": "critical",
    "access_log": False,
    "timeout_graceful_shutdown": 1,
}


@contextmanager
def local_server(app: ASGIApp, *, host: str, port: int) -> Iterator[str]:
    """Answer calls from a thread of its own while the block runs; gives the base URL. `port` 0 takes a free one.

    Calls under way when the block ends are broken off. Raises UsageError where nobody may listen there.
    """
    with closing(listening_socket(host, port)) as listener:
        server = _Server(uvicorn.Config(app, **_QUIET))
        thread = Thread(target=server.run_until_told, args=(listener,), name="local server", daemon=True)
        thread.start()
        try:
            server.ready.wait()
            yield url_of(listener)
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """A server that tells the thread which started it when it answers, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = Event()

    def run_until_told(self, listener: socket.socket) -> None:
        """Answer on this socket until `should_exit`."""
        try:
            self.run(sockets=[listener])
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there; `port` 0 takes a free one. Raises UsageError where nobody may listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(
            f"cannot listen on {host}:{port}: {reason}",
            field="--port",
            hint="another program may have the port: choose another --port, or 0 for any that is free",
        ) from error
    # Connections inherit it; without it every answer waits for the caller's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The base URL of what answers on the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
