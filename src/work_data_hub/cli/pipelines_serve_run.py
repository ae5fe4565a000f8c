"""`wdh pipelines serve`: what the command does."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from socket import socket
from typing import Any

import uvicorn

from work_data_hub.cli.doors import open_door
from work_data_hub.errors import MalformedUrl, SchemaDrift, UsageError, WarehouseError
from work_data_hub.io.hosts import is_this_machine
from work_data_hub.io.local_server import listening_socket, url_of
from work_data_hub.io.postgres import connect
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_place import reading_place
from work_data_hub.orchestration.stop_signals import StopSignals
from work_data_hub.settings import Settings

log = get_logger(__name__)
_GRACE_SECONDS = 10


def run_serve(*, signals: StopSignals, host: str, port: int, debug: bool) -> int:
    """Serve until Ctrl-C or a signal to end, then 0; calls under way are answered first.

    Raises UsageError for an address that others reach while there is no token, and for a port in use;
    SchemaDrift for a database of another version, MalformedUrl for one that nobody can find. One that is away is
    waited for by answering 503.
    """
    settings = open_door(debug=debug)
    _refuse_strangers(settings, host)
    if signals.came:
        # No database server is started for an API that is to end.
        return 0
    place = reading_place(settings)
    _look(place.database_url)
    # The API is the command line's sibling: neither may import the other.
    app = import_module("work_data_hub.api.app").create_app(
        place, token=settings.api_token, requests_per_minute=settings.api_requests_per_minute
    )
    with closing(listening_socket(host, port)) as listener:
        _Server(_config(app), signals=signals).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Says where it answers, and ends with the command's own exit code."""

    def __init__(self, config: uvicorn.Config, *, signals: StopSignals) -> None:
        super().__init__(config)
        self._signals = signals

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if sockets and not self.should_exit:
            print(f"wdh pipelines serve: {url_of(sockets[0])}", file=sys.stderr, flush=True)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let a signal end it gracefully, a second one at once; it is not raised again afterwards."""
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        # One that came earlier ends it as soon as it has begun.
        self.should_exit = self.should_exit or self._signals.came
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        # Whoever calls could name any address in a header, and escape the limit of requests.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _refuse_strangers(settings: Settings, host: str) -> None:
    if settings.api_token is None and not is_this_machine(host):
        raise UsageError(
            f"without a token the API listens on this machine only, and {host} is reached by others",
            field="WDH_API_TOKEN",
            hint="set WDH_API_TOKEN to a secret of at least 8 characters, or leave --host out",
        )


def _look(url: str) -> None:
    try:
        with closing(connect(url, application_name="wdh pipelines serve")) as connection:
            require_head(connection)
    except (SchemaDrift, MalformedUrl):
        raise
    except WarehouseError as error:
        log.warning("database.away", reason=error.message)
