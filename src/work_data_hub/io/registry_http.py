"""Questions to the registry over HTTP: bounded in time and size, and repeated where that may help."""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result

from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.io.rate_limit import SlidingWindow
from work_data_hub.io.registry_json import read_json
from work_data_hub.log import REDACTED

LONGEST_ANSWER_BYTES = 8 * 1024 * 1024
LONGEST_WAIT_SECONDS = 60.0
USER_AGENT = "Mozilla/5.0 (WorkDataHub EQC Client)"

_REFUSED, _NOT_ALLOWED, _TOO_MANY = 401, 403, 429
_BROKEN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError)


def _jitter() -> float:
    return random.uniform(0.8, 1.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Clocks, sleep and chance; tests hand in their own."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = _jitter
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


REAL_TIME = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a request: the status, 0 where none came, and the JSON object; else what is wrong with it."""

    status: int = 0
    content: Mapping[str, Any] | None = None
    problem: str = ""
    wait_seconds: float = 0.0  # what the server asks for before the next request
    is_out_of_time: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered later: nothing came, it came broken, or not now."""
        is_broken = self.status in (0, httpx.codes.OK) and self.content is None
        return not self.is_out_of_time and (is_broken or self.status == _TOO_MANY or self.status >= 500)


OUT_OF_TIME = Reply(problem="the time for asking the registry is used up", is_out_of_time=True)
NO_TURN = Reply(problem="the rate limit leaves no time for more names within WDH_EQC_RUN_SECONDS", is_out_of_time=True)
"""For a request that was not sent: the rate limit's next turn comes after the deadline, and none before it."""


class RegistryHttp:
    """Asks the registry one thing at a time, through one pool of connections and one rate limit.

    No request, wait or repetition goes past the deadline. Redirects are not followed and proxies of the
    environment are not used: the token goes to the registry and nowhere else.
    """

    def __init__(
        self, access: DirectoryAccess, *, deadline_seconds: float | None = None, timing: Timing = REAL_TIME
    ) -> None:
        self.calls = 0
        self._access, self._timing = access, timing
        self._deadline = None if deadline_seconds is None else timing.clock() + deadline_seconds
        self._limiter = SlidingWindow(
            access.rate_limit, window_seconds=access.rate_window_seconds, clock=timing.clock, sleep=timing.sleep
        )
        self._client: httpx.Client | None = None
        self._is_token_only = False

    @property
    def is_out_of_time(self) -> bool:
        """Whether the deadline is over."""
        return self._deadline is not None and self._timing.clock() >= self._deadline

    def get(self, path: str, *, parameters: Mapping[str, str]) -> Reply:
        """Return the reply, the last one where the request was repeated; a 403 is repeated with the token alone."""
        reply = self._persistently(path, parameters)
        if reply.status == _NOT_ALLOWED and not self._is_token_only:
            self._is_token_only = True
            reply = self._persistently(path, parameters)
        return reply

    def can_wait(self, seconds: float) -> bool:
        """Whether so long a wait ends before the deadline and is none that only hangs about."""
        is_in_time = self._deadline is None or self._timing.clock() + seconds < self._deadline
        return seconds <= LONGEST_WAIT_SECONDS and is_in_time

    def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _persistently(self, path: str, parameters: Mapping[str, str]) -> Reply:
        retrying = Retrying(
            retry=retry_if_result(lambda reply: reply.may_pass),
            stop=self._gives_up,
            wait=self._pause_seconds,
            sleep=self._timing.sleep,
            retry_error_callback=_reply_of,
        )
        reply: Reply = retrying(self._once, path, parameters)
        return reply

    def _pause_seconds(self, state: RetryCallState) -> float:
        backoff_seconds = 2 ** (state.attempt_number - 1) * self._timing.jitter()
        return float(max(backoff_seconds, _reply_of(state).wait_seconds))

    def _gives_up(self, state: RetryCallState) -> bool:
        return state.attempt_number > self._access.retry_max or not self.can_wait(state.upcoming_sleep)

    def _once(self, path: str, parameters: Mapping[str, str]) -> Reply:
        if not self._limiter.wait(until=self._deadline):
            return OUT_OF_TIME if self.is_out_of_time else NO_TURN
        limit = self._access.timeout_seconds
        seconds = limit if self._deadline is None else min(limit, self._deadline - self._timing.clock())
        if seconds <= 0:
            return OUT_OF_TIME
        self.calls += 1
        reply = self._within(seconds, self._request(path, parameters, seconds=seconds))
        return OUT_OF_TIME if reply.status == 0 and self.is_out_of_time else reply

    def _request(self, path: str, parameters: Mapping[str, str], *, seconds: float) -> httpx.Request:
        # Made without the client, which would add headers of its own.
        return httpx.Request(
            "GET",
            self._access.base_url.rstrip("/") + path,
            params=parameters,
            headers=self._headers(),
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )

    def _headers(self) -> dict[str, str]:
        token = {"token": self._access.token}
        if self._is_token_only:
            return token
        return token | {
            "Referer": self._access.base_url.rstrip("/") + "/",
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
        }

    def _within(self, seconds: float, request: httpx.Request) -> Reply:
        """The reply, at the latest after so many seconds, whatever hangs: a name look-up, a socket, a trickle."""
        client = self._client = self._client or _client(self._access.base_url)
        replies: SimpleQueue[Reply] = SimpleQueue()
        exchange = _Exchange(request=request, ends=time.monotonic() + seconds, token=self._access.token)
        Thread(target=lambda: replies.put(exchange.run(client, now=self._timing.now)), daemon=True).start()
        try:
            return replies.get(timeout=seconds)
        except Empty:
            # What hangs keeps its connections: closing them under its thread is not safe.
            self._client = None
            return _too_slow(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    request: httpx.Request
    ends: float
    token: str

    def run(self, client: httpx.Client, *, now: Callable[[], datetime]) -> Reply:
        started = time.monotonic()
        try:
            response = client.send(self.request, stream=True)
            try:
                body = self._body(response)
            finally:
                response.close()
        except httpx.TimeoutException:
            return _too_slow(self.ends - started)
        except _BROKEN as error:
            # Only the kind: texts of drivers may hold headers.
            return Reply(problem=f"the registry cannot be reached or broke off ({type(error).__name__})")
        return self._reply(response, body, now=now())

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LONGEST_ANSWER_BYTES:
                return b""
            # Nobody waits for it any more; without this its thread would read on.
            if time.monotonic() > self.ends:
                raise httpx.ReadTimeout("the answer trickles")
        return bytes(body)

    def _reply(self, response: httpx.Response, body: bytes, *, now: datetime) -> Reply:
        status, content = response.status_code, read_json(body, secret=self.token)
        if content is not None and _is_about_token(str(content.get("error", ""))):
            status = _REFUSED
        is_unreadable = status == httpx.codes.OK and content is None
        return Reply(
            status=status,
            content=content,
            problem="the registry's answer cannot be read" if is_unreadable else f"the registry answered {status}",
            wait_seconds=_seconds_to_wait(response.headers.get("Retry-After"), now=now),
        )


def _client(base_url: str) -> httpx.Client:
    return httpx.Client(verify=_trusted(base_url), trust_env=False, follow_redirects=False)


def _trusted(base_url: str) -> ssl.SSLContext:
    """The public authorities and those of this machine; none at all where nothing is encrypted."""
    if not base_url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _is_about_token(error: str) -> bool:
    """Whether an answer's error names the token, or quoted it."""
    return "token" in error.lower() or REDACTED in error


def _too_slow(seconds: float) -> Reply:
    return Reply(problem=f"the registry gave no whole answer within {seconds:.0f} s")


def _reply_of(state: RetryCallState) -> Reply:
    if state.outcome is None:
        raise AssertionError("asked before there was a reply")
    reply: Reply = state.outcome.result()
    return reply


def _seconds_to_wait(header: str | None, *, now: datetime) -> float:
    """What Retry-After asks for, in seconds or as a date; 0 where it is missing or cannot be read."""
    if header is None or header.strip().isdecimal():
        return float((header or "0").strip()[:9])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
