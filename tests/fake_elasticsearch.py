"""As much of Elasticsearch as the index sink asks for, over real HTTP, and every fault that it must bear.

Written from the public description of the API, apart from the sink: documents with external versions, mappings that
refuse what they cannot read, and faults that a real server shows only when it is unwell.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from work_data_hub.io.local_server import local_server

Json = dict[str, Any]
PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
_LARGEST_INTEGER = 2**31 - 1


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next `times` bulk requests.

    A `status` is answered instead of doing anything; `delay_seconds` and `is_cut` spoil the answer after all was done;
    `items` maps ids to the status they get in an answer that is otherwise well.
    """

    times: int = 1
    status: int | None = None
    delay_seconds: float = 0.0
    is_cut: bool = False
    items: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Index:
    """Documents by id, each with its version, and the mapping they must fit."""

    mapping: Json
    documents: dict[str, tuple[int, Json]] = field(default_factory=dict)


class FakeElasticsearch:
    """Serves indexes; `bulks` are the ids of each bulk request that came in, `bulk_bytes` its size."""

    def __init__(self, *, credentials: tuple[str, str] | None = None) -> None:
        self.indexes: dict[str, Index] = {}
        self.bulks: list[list[str]] = []
        self.bulk_bytes: list[int] = []
        self.faults: list[Fault] = []
        self.hidden_times = 0
        self.most_bytes = 100 * 1024 * 1024
        self._credentials = credentials

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Answer on a free port while the block runs; gives the URL."""
        with local_server(self._application(), host="127.0.0.1", port=0) as url:
            yield url

    def documents(self, index: str) -> dict[str, Json]:
        """The documents of an index by id."""
        return {key: source for key, (_, source) in self.indexes[index].documents.items()}

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                self._route("/", self._root, "GET"),
                self._route("/{index}", self._has_index, "HEAD"),
                self._route("/{index}", self._make_index, "PUT"),
                self._route("/{index}/_mapping", self._mapping, "GET"),
                self._route("/{index}/_bulk", self._bulk, "PUT", "POST"),
                self._route("/{index}/_mget", self._mget, "GET", "POST"),
                self._route("/{index}/_count", self._count, "GET", "POST"),
                self._route("/{index}/_search", self._search, "GET", "POST"),
                self._route("/{index}/_refresh", self._refresh, "GET", "POST"),
                self._route("/{index}/_doc/{key:path}", self._document, "GET"),
            ]
        )

    def _route(self, path: str, answer: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
        async def guarded(request: Request) -> Response:
            if not self._is_known(request.headers.get("Authorization", "")):
                return _refused(401, "security_exception", "unable to authenticate user")
            response = await answer(request)
            response.headers.update(PRODUCT)
            return response

        return Route(path, guarded, methods=list(methods))

    def _is_known(self, header: str) -> bool:
        if self._credentials is None:
            return True
        return header == "Basic " + base64.b64encode(":".join(self._credentials).encode()).decode()

    async def _root(self, request: Request) -> Response:
        return JSONResponse({"version": {"number": "8.15.3"}, "tagline": "You Know, for Search"})

    async def _has_index(self, request: Request) -> Response:
        if self.hidden_times:
            self.hidden_times -= 1
            return Response(status_code=404)
        return Response(status_code=200 if request.path_params["index"] in self.indexes else 404)

    async def _make_index(self, request: Request) -> Response:
        name, body = request.path_params["index"], await request.json()
        if name in self.indexes:
            return _refused(400, "resource_already_exists_exception", f"index [{name}] already exists")
        self.indexes[name] = Index(mapping=body.get("mappings", {}))
        return JSONResponse({"acknowledged": True, "shards_acknowledged": True, "index": name})

    async def _mapping(self, request: Request) -> Response:
        name = request.path_params["index"]
        return JSONResponse({name: {"mappings": self.indexes[name].mapping}})

    async def _bulk(self, request: Request) -> Response:
        name, body = request.path_params["index"], await request.body()
        lines = [json.loads(line) for line in body.splitlines()]
        actions = list(zip(lines[::2], lines[1::2], strict=True))
        self.bulks.append([action["index"]["_id"] for action, _ in actions])
        self.bulk_bytes.append(len(body))
        fault = self._next_fault()
        if fault.status is not None:
            return _refused(fault.status, "es_rejected_execution_exception", "told to")
        if len(body) > self.most_bytes:
            return Response(status_code=413)
        index = self.indexes.setdefault(name, Index(mapping={}))
        items = [_indexed(index, action["index"], source, fault=fault) for action, source in actions]
        await asyncio.sleep(fault.delay_seconds)
        answer = JSONResponse(
            {"errors": any("error" in item for item in items), "items": [{"index": i} for i in items]}
        )
        return _CutAnswer(answer) if fault.is_cut else answer

    def _next_fault(self) -> Fault:
        for fault in self.faults:
            if fault.times:
                fault.times -= 1
                return fault
        return Fault()

    async def _mget(self, request: Request) -> Response:
        found, ids = self.documents(request.path_params["index"]), (await request.json())["ids"]
        return JSONResponse(
            {"docs": [{"_id": i, "found": True, "_source": found[i]} if i in found else {"_id": i} for i in ids]}
        )

    async def _count(self, request: Request) -> Response:
        return JSONResponse({"count": len(self.documents(request.path_params["index"]))})

    async def _search(self, request: Request) -> Response:
        found = sorted(self.documents(request.path_params["index"]).items())
        size = int(request.query_params.get("size", 10))
        hits = [{"_id": key, "_source": source} for key, source in found[:size]]
        return JSONResponse({"hits": {"total": {"value": len(found), "relation": "eq"}, "hits": hits}})

    async def _refresh(self, request: Request) -> Response:
        return JSONResponse({"_shards": {"failed": 0}})

    async def _document(self, request: Request) -> Response:
        name, key = request.path_params["index"], request.path_params["key"]
        if key not in self.indexes[name].documents:
            return JSONResponse({"_id": key, "found": False}, 404)
        version, source = self.indexes[name].documents[key]
        return JSONResponse({"_id": key, "_version": version, "found": True, "_source": source})


def _indexed(index: Index, action: Json, source: Json, *, fault: Fault) -> Json:
    """Do one action; what the answer says of it."""
    key, version = action["_id"], action["version"]
    if key in fault.items:
        return _item(key, fault.items[key], "told_to_exception", "told to")
    if misfit := _misfit(index.mapping, source):
        return _item(key, 400, "document_parsing_exception", misfit)
    if action.get("version_type") not in ("external", "external_gte"):
        return _item(key, 400, "illegal_argument_exception", "internal versioning can not be used with a version")
    if key in index.documents and not _may_replace(action, index.documents[key][0]):
        return _item(key, 409, "version_conflict_engine_exception", f"[{key}]: version conflict")
    status = 200 if key in index.documents else 201
    index.documents[key] = (version, source)
    return {"_id": key, "_version": version, "result": "updated" if status == 200 else "created", "status": status}


def _may_replace(action: Json, version: int) -> bool:
    return bool(action["version"] > version or (action["version"] == version and action["version_type"] != "external"))


def _item(key: str, status: int, kind: str, reason: str) -> Json:
    return {"_id": key, "status": status, "error": {"type": kind, "reason": reason}}


def _misfit(mapping: Json, source: Json) -> str:
    """Why the document does not fit; "" where it does."""
    properties = mapping.get("properties", {})
    for name, value in source.items():
        if name not in properties:
            if mapping.get("dynamic") == "strict":
                return f"mapping set to strict, dynamic introduction of [{name}] is not allowed"
        elif value is not None and not _fits(properties[name]["type"], value):
            return f"failed to parse field [{name}] of type [{properties[name]['type']}]"
    return ""


def _fits(kind: str, value: Any) -> bool:
    if kind not in ("float", "integer"):
        return not isinstance(value, dict)
    try:
        number = float("x" if isinstance(value, bool | list | dict) else value)
    except ValueError:
        return False
    return kind == "float" or abs(number) <= _LARGEST_INTEGER


def _refused(status: int, kind: str, reason: str) -> Response:
    return JSONResponse({"error": {"type": kind, "reason": reason}, "status": status}, status, headers=PRODUCT)


class _CutAnswer(Response):
    """Promises the whole answer, sends half of it, and ends: the server then closes the connection."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.body, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
