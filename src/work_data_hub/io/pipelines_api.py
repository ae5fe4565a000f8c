"""The pipelines API seen from outside: the questions of the desk, asked over HTTP."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from work_data_hub.domain.batch.pipeline import Problem
from work_data_hub.domain.batch.refusals import BUSY_BEGINS, NAME_TAKEN, NOT_FOUND, Refusal, Why
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.errors import ConfigError, Unexpected, UsageError, WarehouseError, WorkDataHubError

Shown: TypeAlias = dict[str, Any]
_PIPELINES = "/api/v1/pipelines"
_TIMEOUT_SECONDS = 60.0
_MOST_REPEATS = 3
_LONGEST_WAIT_SECONDS = 60.0
_KINDS = {400: Why.TARGET, 409: Why.BUSY, 422: Why.RULE}


class PipelinesApi:
    """Asks the API at `url`; answers are what the database's own desk gives.

    A `Refusal` says that nothing was changed. Raises UsageError where no such API answers, ConfigError where it
    does not take the token, WarehouseError where its database is away. Use it in a `with` block.
    """

    def __init__(self, url: str, *, token: str | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url, self._sleep = _plain(url), sleep
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No redirect is followed: it could carry the token elsewhere.
        self._client = httpx.Client(
            base_url=self._url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def pipelines(self, *, name: str | None = None) -> list[Shown]:
        """All pipelines by name, or the one of a name."""
        found: list[Shown] = _known(self._ask("GET", "", params={} if name is None else {"name": name}))
        return found

    def pipeline(self, id: UUID) -> Shown | Refusal:
        """The pipeline of the id."""
        answer: Shown | Refusal = self._ask("GET", f"/{id}")
        return answer

    def problems(self, definition: Mapping[str, Any]) -> tuple[Problem, ...]:
        """Every rule that the definition breaks; raises ConfigError for values that the API cannot take at all."""
        answer = _known(self._ask("POST", "/validate", json=definition))
        return tuple(Problem(**one) for one in answer["problems"])

    def create(self, definition: Mapping[str, Any]) -> Shown | Refusal:
        """A new pipeline, idle."""
        answer: Shown | Refusal = self._ask("POST", "", json=definition)
        return answer

    def change(self, id: UUID, changes: Mapping[str, Any]) -> Shown | Refusal:
        """The pipeline with some fields given anew."""
        answer: Shown | Refusal = self._ask("PATCH", f"/{id}", json=changes)
        return answer

    def request_run(self, id: UUID, *, key: str | None = None) -> Shown | Refusal:
        """Ask for a run, with the same key once; the pipeline as it stands then."""
        answer: Shown | Refusal = self._ask("POST", f"/{id}/run", headers={"Idempotency-Key": key} if key else {})
        return answer

    def request_pause(self, id: UUID) -> Shown | Refusal:
        """Ask for a pause; the pipeline as it stands then."""
        answer: Shown | Refusal = self._ask("POST", f"/{id}/pause")
        return answer

    def runs(self, id: UUID, *, limit: int) -> list[Shown] | Refusal:
        """Its runs, newest first."""
        answer: list[Shown] | Refusal = self._ask("GET", f"/{id}/runs", params={"limit": limit})
        return answer

    def state(self, id: UUID) -> Shown | Refusal:
        """Where the next incremental run goes on."""
        answer: Shown | Refusal = self._ask("GET", f"/{id}/state")
        return answer

    def set_state(self, id: UUID, state: Place) -> Shown | Refusal:
        """Put the checkpoint elsewhere, an empty one: to the beginning."""
        given = {"last_processed_value": state.value, "last_processed_id": state.id}
        answer: Shown | Refusal = self._ask("PUT", f"/{id}/state", json=given)
        return answer

    def dead_letters(self, id: UUID, *, limit: int) -> list[Shown] | Refusal:
        """The rows set aside, oldest first."""
        answer: list[Shown] | Refusal = self._ask("GET", f"/{id}/dlq", params={"limit": limit})
        return answer

    def replay(self, id: UUID, ids: Sequence[int] | None) -> Shown | Refusal:
        """Ask for rows that were set aside to be written again; how many a runner will write."""
        answer: Shown | Refusal = self._ask(
            "POST", f"/{id}/dlq/replay", json={"ids": None if ids is None else list(ids)}
        )
        return answer

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        response = self._sent(method, path, **given)
        for _ in range(_MOST_REPEATS):
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            self._sleep(_wait_seconds(response))
            response = self._sent(method, path, **given)
        body = self._body(response)
        return body if response.is_success else self._refusal(response.status_code, body.get("detail"))

    def _sent(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._client.request(method, f"{_PIPELINES}{path}", **given)
        except httpx.HTTPError as error:
            raise self._nobody(type(error).__name__) from error

    def _body(self, response: httpx.Response) -> Any:
        try:
            body = response.json()
        except ValueError as error:
            raise self._nobody(f"it answered {response.status_code}") from error
        if not response.is_success and not (isinstance(body, dict) and "detail" in body):
            raise self._nobody(f"it answered {response.status_code}")
        return body

    def _refusal(self, status: int, detail: Any) -> Refusal:
        message = _sentence(detail)
        known = {refusal.message: refusal for refusal in (NOT_FOUND, NAME_TAKEN)}
        if message in known:
            return known[message]
        if status in _KINDS:
            is_off = status == httpx.codes.CONFLICT and not message.startswith(BUSY_BEGINS)
            return Refusal(why=Why.DISABLED if is_off else _KINDS[status], message=message)
        raise self._error(status, message)

    def _error(self, status: int, message: str) -> WorkDataHubError:
        if status == httpx.codes.NOT_FOUND:
            return self._nobody("it knows no such address")
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return ConfigError(
                f"the API at {self._url} refuses: {message}", field="WDH_API_TOKEN", hint="set the token it was given"
            )
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            return WarehouseError(f"the API at {self._url} says: {message}", hint="see `wdh db check` where it runs")
        return Unexpected(f"the API at {self._url} answered {status}: {message}", hint="its log says more")

    def _nobody(self, why: str) -> UsageError:
        return UsageError(
            f"no pipelines API answers at {self._url}: {why}",
            field="--api",
            hint="start it with `wdh pipelines serve`, or leave --api out to ask the database",
        )


def _known(answer: Any) -> Any:
    if isinstance(answer, Refusal):
        raise ConfigError(answer.message, hint="correct the definition")
    return answer


def _plain(url: str) -> str:
    """The URL without what follows its port; raises UsageError where it is none, without showing what it holds."""
    try:
        parts = urlsplit(url.strip())
        is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "not the URL of an API",
            field="--api",
            rule="http://host:port; the token stands in WDH_API_TOKEN",
            hint="--api http://127.0.0.1:8000",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/')}"


def _sentence(detail: Any) -> str:
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in detail)
    return str(detail)


def _wait_seconds(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "1")
    return min(float(text) if text.isdecimal() else 1.0, _LONGEST_WAIT_SECONDS)
