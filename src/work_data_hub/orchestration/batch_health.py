"""How a runner does, for whoever watches it on the same machine: /healthz and /metrics."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from work_data_hub.errors import UsageError
from work_data_hub.orchestration.batch_metrics import CONTENT_TYPE, BatchMetrics, render

_HERE = "127.0.0.1"
_SLOWEST_CLIENT_SECONDS = 5.0


@contextmanager
def answering(
    port: int, *, health: Callable[[], tuple[bool, Mapping[str, Any]]], metrics: BatchMetrics
) -> Iterator[None]:
    """Answer on the port of this machine while the block runs, never to others; port 0: do not.

    /healthz gives the facts of `health`, 200 where it says that all is well and 503 where not. Raises UsageError
    for a port that is taken.
    """
    if port == 0:
        yield
        return
    handler = type("Handler", (_Handler,), {"health": staticmethod(health), "metrics": metrics})
    try:
        server = ThreadingHTTPServer((_HERE, port), handler)
    except OSError as error:
        raise UsageError(
            f"the port cannot be listened on: {error.strerror}",
            field="--port",
            input_data=str(port),
            hint="choose a free one, or 0 for none",
        ) from None
    with server:
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET; the server's class of it carries what to answer with."""

    health: Callable[[], tuple[bool, Mapping[str, Any]]]
    metrics: BatchMetrics
    timeout = _SLOWEST_CLIENT_SECONDS
    server_version, sys_version = "wdh", ""

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            is_well, facts = self.health()
            self._answer(200 if is_well else 503, json.dumps(facts).encode(), "application/json")
        elif path == "/metrics":
            self._answer(200, render(self.metrics.registry), CONTENT_TYPE)
        else:
            self._answer(404, b'{"detail": "there is /healthz and /metrics"}', "application/json")

    def log_message(self, format: str, *args: Any) -> None:
        """Looks are too many to be logged."""

    def _answer(self, code: int, body: bytes, content_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
