"""Dagster is ready when its page says that all is there, and a page that stumbles is asked again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from work_data_hub.orchestration.dagster_servers import wait_until_ready
from work_data_hub.orchestration.server_log import ServerLog

pytestmark = pytest.mark.unit
DAEMON = {"daemonType": "SENSOR", "required": True, "healthy": True}
READY = {
    "workspaceOrError": {"locationEntries": [{"locationOrLoadError": {"__typename": "RepositoryLocation"}}]},
    "instance": {"daemonHealth": {"allDaemonStatuses": [DAEMON]}},
}


@contextmanager
def page(*answers: Any) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives one answer after the other, and what it still has to give."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(left.pop(0)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", left
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_without_data_is_asked_for_again(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "servers.log", tell=lambda _: None)
    stumbled = {"data": None, "errors": [{"message": "the storage is away"}]}
    idle = [sys.executable, "-c", "input()"]

    with page(stumbled, {"data": READY}) as (url, left), subprocess.Popen(idle, stdin=subprocess.PIPE) as process:
        wait_until_ready(url, process, log=log)
        process.kill()

    assert left == []
