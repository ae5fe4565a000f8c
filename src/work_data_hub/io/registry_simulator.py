"""A company registry of invented companies: the contract of the real one, over real HTTP, with faults on demand."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from work_data_hub.domain.sample.companies import SampleCompany
from work_data_hub.domain.sample.company_register import (
    CompanyRegister,
    Json,
    detail_answer,
    folded,
    labels_answer,
    search_item,
)
from work_data_hub.errors import UsageError
from work_data_hub.io.local_server import local_server
from work_data_hub.io.registry_faults import Fault, FaultKind, FaultPlan, fault_from_json, fault_kind, spoilt_answer

SAMPLE_TOKEN = "simulated-registry-sample-token"
"""What the simulator takes unless told otherwise; it opens nothing but invented data."""

LOOPBACK = "127.0.0.1"
ROOT = "/kg-api-hfd/api/search/"
SEARCH, DETAIL, LABELS, TOKEN = "search", "detail", "labels", "token"

_PATHS = {SEARCH: ROOT, DETAIL: f"{ROOT}findDepart", LABELS: f"{ROOT}findLabels", TOKEN: f"{ROOT}searchAll"}
_KEYS = {SEARCH: "key", DETAIL: "targetId", LABELS: "targetId", TOKEN: "keyword"}
_OWN_HEADERS = ("referer",)
_LONGEST_PAGE = 50
_TICK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that came in: to which endpoint, for which name or id, its headers without the token, the fault."""

    endpoint: str
    key: str
    headers: Mapping[str, str]
    fault: str


class Simulator:
    """Serves companies by the registry's contract; counts every call, and fails as it is told while it runs.

    Calls need `token` in the header of that name. Names of `known_later` are in the register, but answer
    nothing, and nobody's search finds them, until `recover`.
    """

    def __init__(
        self, universe: Iterable[SampleCompany], *, token: str = SAMPLE_TOKEN, known_later: Iterable[str] = ()
    ) -> None:
        self._register, self._token = CompanyRegister(universe), token.encode()
        self._hidden = frozenset(map(folded, known_later))
        self._faults, self._calls, self._releases = FaultPlan(), list[Call](), 0
        self.app = _application(self)

    def fail(
        self,
        kind: FaultKind | str,
        *,
        times: int | None = None,
        share: float = 1.0,
        seed: int = 0,
        only_for: str = "",
        seconds: float = 1.0,
    ) -> None:
        """Spoil calls from now on, as `Fault` describes; raises UsageError for an unknown kind."""
        known = fault_kind(kind)
        self.put(Fault(kind=known, times=times, share=share, seed=seed, only_for=only_for, seconds=seconds))

    def put(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.add(fault)

    def release(self) -> None:
        """Let every call that hangs now be answered; later ones hang again."""
        self._releases += 1

    def recover(self) -> None:
        """End all faults, answer what hangs, and know the names of `known_later`."""
        self._faults.clear()
        self._hidden = frozenset()
        self.release()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call since the start or since `forget_calls`, in the order they came."""
        return tuple(self._calls)

    def count(self, endpoint: str | None = None, *, key: str | None = None) -> int:
        """Return how many calls came to an endpoint (search, detail, labels, token), for a name or an id."""
        return sum(
            (endpoint is None or call.endpoint == endpoint) and (key is None or folded(call.key) == folded(key))
            for call in self._calls
        )

    def forget_calls(self) -> None:
        """Begin to count anew."""
        self._calls.clear()

    @contextmanager
    def serving(self, *, port: int = 0, host: str = LOOPBACK) -> Iterator[str]:
        """Answer calls while the block runs; gives the base URL. `port` 0 takes a free one.

        Calls under way when the block ends are broken off. Raises UsageError where nobody may listen there.
        """
        with local_server(self.app, host=host, port=port) as url:
            yield url

    async def answer(self, request: Request, *, endpoint: str) -> Response:
        """Answer one call, or spoil it."""
        key = request.query_params.get(_KEYS[endpoint], "")
        fault = self._faults.next_for(endpoint, key)
        if fault and fault.kind is FaultKind.FORBIDDEN_HEADERS and not set(_OWN_HEADERS) & set(request.headers):
            fault = None
        releases = self._releases  # before the call can be seen: who sees it may release it at once
        self._note(request, endpoint, key, fault)
        good = self._good_answer(request, endpoint, key)
        if fault is None:
            return good
        await self._wait(fault, request, releases=releases)
        return spoilt_answer(fault, good)

    def _note(self, request: Request, endpoint: str, key: str, fault: Fault | None) -> None:
        shown = {name: value for name, value in request.headers.items() if name != "token"}
        self._calls.append(Call(endpoint=endpoint, key=key, headers=shown, fault=fault.kind if fault else ""))

    def _good_answer(self, request: Request, endpoint: str, key: str) -> Response:
        if not hmac.compare_digest(request.headers.get("token", "").encode(), self._token):
            return JSONResponse({"error": "Unauthorized"}, 401)
        if endpoint == SEARCH:
            return JSONResponse({"list": self._items(key)})
        if endpoint == TOKEN:
            return JSONResponse(_page(self._items(key), request.query_params))
        return JSONResponse((detail_answer if endpoint == DETAIL else labels_answer)(self._company(key)))

    def _items(self, name: str) -> list[Json]:
        matches = [] if folded(name) in self._hidden else self._register.matches(name)
        return [search_item(match, name=name) for match in matches if not self._is_hidden(match.company)]

    def _company(self, company_id: str) -> SampleCompany | None:
        company = self._register.companies.get(company_id)
        return None if company is None or self._is_hidden(company) else company

    def _is_hidden(self, company: SampleCompany) -> bool:
        return bool(self._hidden) and folded(company.full_name) in self._hidden

    async def _wait(self, fault: Fault, request: Request, *, releases: int) -> None:
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        while fault.kind is FaultKind.HANG and releases == self._releases and not await request.is_disconnected():
            await asyncio.sleep(_TICK_SECONDS)


def _page(items: list[Json], asked: Mapping[str, str]) -> Json:
    rows, number = (_whole(asked.get(name), otherwise=1) for name in ("pageSize", "currentPage"))
    start = (number - 1) * min(rows, _LONGEST_PAGE)
    return {"list": items[start : start + min(rows, _LONGEST_PAGE)], "total": len(items)}


def _whole(text: str | None, *, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and 0 < len(text) < 6 else otherwise


def _application(simulator: Simulator) -> Starlette:
    """Return the four endpoints of the contract, and the addresses under /simulator that steer and watch them."""
    application = Starlette(
        routes=[
            *(Route(path, _bound(simulator, endpoint), methods=["GET"]) for endpoint, path in _PATHS.items()),
            Route("/simulator/log", _log_address(simulator), methods=["GET", "DELETE"]),
            Route("/simulator/faults", _faults_address(simulator), methods=["POST", "DELETE"]),
            Route("/simulator/release", _release_address(simulator), methods=["POST"]),
        ]
    )
    application.router.redirect_slashes = False
    return application


_Address = Callable[[Request], Awaitable[Response]]


def _bound(simulator: Simulator, endpoint: str) -> _Address:
    async def answer(request: Request) -> Response:
        return await simulator.answer(request, endpoint=endpoint)

    return answer


def _log_address(simulator: Simulator) -> _Address:
    async def log(request: Request) -> Response:
        if request.method == "DELETE":
            simulator.forget_calls()
        counted = Counter((call.endpoint, call.key) for call in simulator.calls)
        calls = [
            {"endpoint": endpoint, "path": _PATHS[endpoint], "name": key, "count": count}
            for (endpoint, key), count in counted.items()
        ]
        return JSONResponse({"total": counted.total(), "calls": calls})

    return log


def _faults_address(simulator: Simulator) -> _Address:
    """POST puts one fault or a list of them in force, DELETE recovers."""

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            simulator.recover()
            return JSONResponse({"faults": []})
        try:
            wanted = await request.json()
            read = [fault_from_json(entry) for entry in (wanted if isinstance(wanted, list) else [wanted])]
        except UsageError as error:
            return JSONResponse({"error": error.message, "rule": error.rule, "hint": error.hint}, 400)
        except ValueError:
            return JSONResponse({"error": "not JSON", "hint": 'for example {"kind": "503", "times": 2}'}, 400)
        for fault in read:
            simulator.put(fault)
        return JSONResponse({"faults": [asdict(fault) for fault in read]})

    return faults


def _release_address(simulator: Simulator) -> _Address:
    async def release(request: Request) -> Response:
        simulator.release()
        return JSONResponse({})

    return release
