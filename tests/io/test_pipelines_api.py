"""The client of the pipelines API: what it makes of answers that are not the expected ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from work_data_hub.domain.batch.refusals import NAME_TAKEN, NOT_FOUND, Refusal, Why
from work_data_hub.errors import ConfigError, Unexpected, UsageError, WarehouseError
from work_data_hub.io.local_server import local_server
from work_data_hub.io.pipelines_api import PipelinesApi

pytestmark = pytest.mark.unit

TOKEN = "canary-4f1c9a77e2-token"


@contextmanager
def answering(*answers: Response) -> Iterator[tuple[PipelinesApi, list[str], list[float]]]:
    """A client of a server that gives these answers in turn, the tokens it is shown, and the waits."""
    tokens, waits, waiting = list[str](), list[float](), list(answers)

    async def answer(request: Request) -> Response:
        tokens.append(request.headers.get("authorization", ""))
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PATCH"])])
    with (
        local_server(app, host="127.0.0.1", port=0) as url,
        PipelinesApi(f"{url}/", token=TOKEN, sleep=waits.append) as api,
    ):
        yield api, tokens, waits


@pytest.mark.parametrize(
    ("status", "detail", "refusal"),
    [
        (404, "Pipeline not found", NOT_FOUND),
        (400, "Pipeline with this name already exists", NAME_TAKEN),
        (400, "target_table 'x' is not allowed", Refusal(why=Why.TARGET, message="target_table 'x' is not allowed")),
        (409, "Cannot update pipeline while it is RUNNING", None),
        (409, "the pipeline is disabled; enable it first", None),
        (422, "name: too short", Refusal(why=Why.RULE, message="name: too short")),
        (
            422,
            [{"loc": ["body", "tasks", 0, "body"], "msg": "too long", "type": "x"}],
            Refusal(why=Why.RULE, message="tasks.0.body: too long"),
        ),
    ],
)
def test_refusals_come_back_as_they_were(status: int, detail: object, refusal: Refusal | None) -> None:
    kind = Why.BUSY if str(detail).startswith("Cannot") else Why.DISABLED
    with answering(JSONResponse({"detail": detail}, status)) as (api, _, _):
        assert api.request_run(uuid4()) == (refusal or Refusal(why=kind, message=str(detail)))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (JSONResponse({"detail": "a bearer token is needed"}, 401), ConfigError),
        (JSONResponse({"detail": "only this machine may ask"}, 403), ConfigError),
        (JSONResponse({"detail": "the database is away"}, 503), WarehouseError),
        (JSONResponse({"detail": "internal error", "id": "1"}, 500), Unexpected),
        (JSONResponse({"detail": "Not Found"}, 404), UsageError),
        (JSONResponse({"error": "another program"}, 404), UsageError),
        (PlainTextResponse("<html>another program</html>"), UsageError),
        (RedirectResponse("http://127.0.0.1:9/elsewhere"), UsageError),
    ],
    ids=lambda value: getattr(value, "status_code", None) or value.__name__,
)
def test_other_answers_are_errors_of_their_kind(answer: Response, error: type[Exception]) -> None:
    with answering(answer) as (api, _, _), pytest.raises(error) as caught:
        api.pipelines()

    assert TOKEN not in str(caught.value)


def test_a_busy_api_is_asked_again_when_it_says() -> None:
    busy = JSONResponse({"detail": "too many"}, 429, {"Retry-After": "7"})
    with answering(busy, busy, JSONResponse([])) as (api, tokens, waits):
        assert api.pipelines() == []

    assert waits == [7.0, 7.0]
    assert tokens == [f"Bearer {TOKEN}"] * 3


def test_an_api_that_stays_busy_is_given_up() -> None:
    busy = JSONResponse({"detail": "too many"}, 429, {"Retry-After": "9999"})
    with answering(busy) as (api, tokens, waits), pytest.raises(Unexpected):
        api.pipelines()

    assert (len(tokens), waits) == (4, [60.0] * 3)
