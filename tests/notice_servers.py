"""Servers that take notices: a webhook over real HTTP, and a mail server that speaks as much SMTP as it must."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from work_data_hub.settings import get_settings


@dataclass
class Mailbox:
    """What arrived, and how the server answers from now on."""

    url: str = ""
    received: list[Any] = field(default_factory=list)
    status: int = 200
    # A word of a subject, and the status that its notice gets instead.
    refuses: dict[str, int] = field(default_factory=dict)
    # How a command of SMTP begins, and what it is answered instead; "." is the end of a mail.
    answers: dict[str, str] = field(default_factory=dict)
    # While it is not set, the webhook begins an answer and never ends it.
    may_end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_end.set()

    def status_for(self, subject: str) -> int:
        return next((status for word, status in self.refuses.items() if word in subject), self.status)

    def answer_to(self, command: str, otherwise: str = "250 ok") -> str:
        return next((answer for start, answer in self.answers.items() if command.upper().startswith(start)), otherwise)


@contextmanager
def heard_by_webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A webhook that the settings name."""
    with webhook() as box:
        monkeypatch.setenv("WDH_NOTICE_WEBHOOK", box.url)
        get_settings.cache_clear()
        yield box


@contextmanager
def webhook() -> Iterator[Mailbox]:
    """A webhook that keeps each body it takes."""
    box = Mailbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = box.status_for(body["subject"])
            if not box.may_end.is_set():
                self._drip()
            elif status == 200:
                box.received.append(body)
            self.send_response(status)
            self.end_headers()

        def _drip(self) -> None:
            """A letter now and then, so that no wait for the next one is long."""
            self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
            while not box.may_end.wait(0.05):
                self.wfile.write(b"z")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    try:
        with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
            box.url = f"http://127.0.0.1:{port}/hook/s3cret-key"
            yield box
    finally:
        box.may_end.set()


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server without encryption that keeps each message."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            # Who breaks off says so by hanging up.
            with suppress(ConnectionError):
                self._converse()

        def _converse(self) -> None:
            self._say(box.answer_to("CONNECT", "220 ready"))
            while line := self.rfile.readline().strip().decode():
                if line.upper() == "DATA":
                    self._take_mail()
                else:
                    self._say("221 bye" if line.upper() == "QUIT" else box.answer_to(line))

        def _take_mail(self) -> None:
            self._say("354 go on")
            message, answer = self._message(), box.answer_to(".")
            if answer.startswith("2"):
                box.received.append(message)
            self._say(answer)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def _message(self) -> bytes:
            return b"".join(iter(self.rfile.readline, b".\r\n"))

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        box.url = f"smtp://127.0.0.1:{port}"
        yield box


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
