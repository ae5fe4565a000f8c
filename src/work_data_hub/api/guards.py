"""What every request passes before anything is looked up: whether it may ask, how often, and how much it sends."""

import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from work_data_hub.io.hosts import is_this_machine

MOST_BODY_BYTES = 256 * 1024
HEALTH_PATHS = frozenset({"/health", "/api/v1/health"})
# What is too large is still taken in for a while: a sender who is cut off would not see the answer.
_MOST_DISCARDED_BYTES = 8 * 1024 * 1024
_MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """So many requests a minute of each client, all at once or evenly; only the newest clients are remembered."""

    def __init__(self, requests_per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = requests_per_minute, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_seconds(self, client: str) -> float:
        """0 where the request may pass, and then it counts; else how long until one may."""
        now, a_second = self._clock(), self._most / 60
        bucket = self._buckets.pop(client, None) or _Bucket(self._most, now)
        left = min(self._most, bucket.left + (now - bucket.at) * a_second)
        self._buckets[client] = _Bucket(left - 1 if left >= 1 else left, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / a_second


class Guards:
    """Refuses, in this order: too many requests (429), strangers (401, 403), bodies above 256 KiB (413).

    With a token every request but the one for health must carry it. Without one nobody but this machine can
    reach the API, and pages that a browser here shows must not steer it: they come with another host or origin.
    A slash at the end of a path is dropped.
    """

    def __init__(self, app: ASGIApp, *, token: SecretStr | None, limit: RateLimit) -> None:
        self._app, self._token, self._limit = app, token, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        answer = self._too_many(scope) or self._stranger(path, Headers(scope=scope))
        if answer is not None:
            await answer(scope, receive, send)
            return
        body = await _body(receive)
        if isinstance(body, bytes):
            await self._app({**scope, "path": path}, _again(body, receive), send)
        elif body is not None:
            await body(scope, receive, send)

    def _too_many(self, scope: Scope) -> Response | None:
        host, _ = scope.get("client") or ("", 0)
        seconds = self._limit.wait_seconds(host)
        if not seconds:
            return None
        return _refused(429, "too many requests; try again later", {"Retry-After": str(math.ceil(seconds))})

    def _stranger(self, path: str, headers: Headers) -> Response | None:
        if self._token is None:
            return None if _is_from_here(headers) else _refused(403, "without WDH_API_TOKEN only this machine may ask")
        if path in HEALTH_PATHS or _carries(headers, self._token):
            return None
        return _refused(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def _carries(headers: Headers, token: SecretStr) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    # Compared as bytes: a text that is not ASCII would raise.
    is_right = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    return is_right and scheme.lower() == "bearer"


def _is_from_here(headers: Headers) -> bool:
    host, origin = headers.get("host", ""), headers.get("origin")
    return is_this_machine(_host_name(host)) and origin in (None, f"http://{host}")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refused(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)


async def _body(receive: Receive) -> bytes | Response | None:
    """The whole body; the refusal of one that is too large; None where the sender has left."""
    parts, size, more = list[bytes](), 0, True
    while more and size <= _MOST_DISCARDED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        if size <= MOST_BODY_BYTES:
            parts.append(part)
    if size > MOST_BODY_BYTES:
        return _refused(413, f"a body has at most {MOST_BODY_BYTES:,} bytes")
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
