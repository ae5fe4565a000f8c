"""What the simulated registry does wrong on demand: which calls it spoils, how often, and how."""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from threading import Lock
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from work_data_hub.domain.sample.company_register import folded
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import UsageError


class FaultKind(StrEnum):
    """A way for a call to go wrong; the words are what the command line and the control address take."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    FORBIDDEN_HEADERS = "403-headers"  # refused unless the token is the only header that says anything
    TOO_MANY = "429"
    TOO_MANY_WAIT = "429-retry-after"
    BROKEN = "500"
    UNAVAILABLE = "503"
    TOKEN_EXPIRED = "token-expired"
    SLOW = "slow"
    HANG = "hang"
    TRICKLE = "trickle"
    CUT = "cut"
    NOT_JSON = "not-json"
    WRONG_SHAPE = "wrong-shape"
    HUGE = "huge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault, and which calls it spoils.

    The next `times` calls (None: until recovery), of them a `share` drawn with `seed`; `only_for` names an
    endpoint (search, detail, labels, token), a company name or an id. `seconds` is how long a slow answer waits,
    a trickling one between two bytes, and what Retry-After asks for. Raises UsageError for what cannot be.
    """

    kind: FaultKind
    times: int | None = None
    share: float = 1.0
    seed: int = 0
    only_for: str = ""
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if not 0 < self.share <= 1 or not 0 <= self.seconds < math.inf or (self.times is not None and self.times < 1):
            raise UsageError(
                "a fault's numbers make no sense",
                field="--fault",
                rule="share above 0 and up to 1, seconds from 0, times from 1",
                hint="for example 503:0.5, half of the calls",
            )

    def concerns(self, endpoint: str, key: str) -> bool:
        """Say whether the fault may spoil this call."""
        return not self.only_for or self.only_for == endpoint or folded(self.only_for) == folded(key)


def fault_kind(word: str) -> FaultKind:
    """Return the kind of that name; raises UsageError that names all of them."""
    if word in tuple(FaultKind):
        return FaultKind(word)
    raise UsageError(
        "there is no such fault",
        field="--fault",
        input_data=word,
        rule=f"one of {', '.join(FaultKind)}",
        hint=did_you_mean(word, FaultKind) or "choose one of these",
    )


def fault_from_text(text: str) -> Fault:
    """Read `KIND[:SHARE[:SEED]]`; raises UsageError."""
    kind, *numbers = text.split(":")
    known = fault_kind(kind)
    try:
        share, seed = (float(numbers[0]) if numbers else 1.0), (int(numbers[1]) if len(numbers) > 1 else 0)
    except ValueError as error:
        raise _unreadable(text) from error
    if len(numbers) > 2:
        raise _unreadable(text)
    return Fault(kind=known, share=share, seed=seed)


def fault_from_json(entry: Any) -> Fault:
    """Read an object with a `kind` and any other field of Fault; raises UsageError."""
    if not isinstance(entry, Mapping):
        raise _unreadable(str(entry)[:80])
    given = {name: value for name, value in entry.items() if name != "kind"}
    wrong = [name for name, value in given.items() if not _fits(name, value)]
    if wrong:
        raise _unreadable(", ".join(map(str, wrong))[:80])
    return Fault(kind=fault_kind(str(entry.get("kind"))), **given)


_TAKEN: dict[str, tuple[type, ...]] = {
    "times": (int, type(None)),
    "share": (int, float),
    "seed": (int,),
    "only_for": (str,),
    "seconds": (int, float),
}


def _fits(name: str, value: object) -> bool:
    return isinstance(value, _TAKEN.get(name, ())) and not isinstance(value, bool)


def _unreadable(value: str) -> UsageError:
    return UsageError(
        "the fault cannot be read",
        field="--fault",
        input_data=value,
        rule=f"KIND[:SHARE[:SEED]], or an object with kind and {', '.join(_TAKEN)}",
        hint="for example 503:0.5, half of the calls",
    )


@dataclass(slots=True)
class _Planned:
    fault: Fault
    left: float
    rng: Random = field(repr=False)


class FaultPlan:
    """The faults in force; they may be added and ended from any thread while calls come in."""

    def __init__(self) -> None:
        self._lock, self._planned = Lock(), list[_Planned]()

    def add(self, fault: Fault) -> None:
        """Put one more fault in force; of several that concern a call, the one added first spoils it."""
        left = math.inf if fault.times is None else fault.times
        with self._lock:
            self._planned.append(_Planned(fault, left, Random(fault.seed)))

    def clear(self) -> None:
        """End all of them."""
        with self._lock:
            self._planned.clear()

    def next_for(self, endpoint: str, key: str) -> Fault | None:
        """Return the fault that spoils this call and count it, None when the call is to go well."""
        with self._lock:
            for planned in self._planned:
                if self._strikes(planned, endpoint, key):
                    planned.left -= 1
                    return planned.fault
        return None

    @staticmethod
    def _strikes(planned: _Planned, endpoint: str, key: str) -> bool:
        fault = planned.fault
        return planned.left > 0 and fault.concerns(endpoint, key) and planned.rng.random() < fault.share


def spoilt_answer(fault: Fault, answer: Response) -> Response:
    """Return what is sent instead of the answer: as it is where the fault lies in the time alone."""
    if fault.kind in _INSTEAD:
        return _INSTEAD[fault.kind]()
    if fault.kind is FaultKind.TOO_MANY_WAIT:
        return JSONResponse(_LIMITED, 429, headers={"Retry-After": str(math.ceil(fault.seconds))})
    if fault.kind is FaultKind.TRICKLE:
        return _trickling(answer, fault.seconds)
    return _CutAnswer(bytes(answer.body)) if fault.kind is FaultKind.CUT else answer


_LIMITED = {"error": "Too Many Requests"}
_INSTEAD: dict[FaultKind, Callable[[], Response]] = {
    FaultKind.UNAUTHORIZED: lambda: JSONResponse({"error": "Unauthorized"}, 401),
    FaultKind.FORBIDDEN: lambda: JSONResponse({"error": "Forbidden"}, 403),
    FaultKind.FORBIDDEN_HEADERS: lambda: JSONResponse({"error": "Forbidden"}, 403),
    FaultKind.TOO_MANY: lambda: JSONResponse(_LIMITED, 429),
    FaultKind.BROKEN: lambda: JSONResponse({"error": "Internal Server Error"}, 500),
    FaultKind.UNAVAILABLE: lambda: JSONResponse({"error": "Service Unavailable"}, 503),
    FaultKind.TOKEN_EXPIRED: lambda: JSONResponse({"error": "TokenExpired"}),
    FaultKind.NOT_JSON: lambda: HTMLResponse("<html><title>登录</title><body>请重新登录</body></html>"),
    FaultKind.WRONG_SHAPE: lambda: JSONResponse({"list": "无", "businessInfodto": [1], "labels": {"type": 3}}),
    FaultKind.HUGE: lambda: StreamingResponse(_much(), media_type="application/json"),
}


def _much() -> Iterator[bytes]:
    yield b'{"list": ['
    for _ in range(1_024):
        yield b" " * 65_536
    yield b"]}"


def _trickling(answer: Response, seconds: float) -> Response:
    async def drops() -> Any:
        for place in range(len(answer.body)):
            yield bytes(answer.body[place : place + 1])
            await asyncio.sleep(seconds)

    return StreamingResponse(drops(), media_type=answer.media_type, headers={"Content-Length": str(len(answer.body))})


class _CutAnswer(Response):
    """Promises the whole body, sends half of it, and ends: the server then closes the connection."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
