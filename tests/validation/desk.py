"""What targets and scenarios do with a running stack: ask its API, look into its database, wait for states."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

from tests.validation.stack import Stack
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.postgres import connect, transaction, warehouse_errors

BASE = "/api/v1/pipelines"
RUNS_SEEN = 500
PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.05
Seen = TypeVar("Seen")
Shown = dict[str, Any]


class NeverCame(WorkDataHubError):
    """A state that was waited for did not come in time; the message says which, and what was seen last."""


class ApiRefused(WorkDataHubError):
    """The API answered with an error code; the message holds the code and its sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A running stack as its users see it; every look into the database is a short transaction of its own."""

    stack: Stack

    def ask(self, method: str, path: str, *, json: object = None, key: str | None = None) -> httpx.Response:
        """The API's answer, whatever its code."""
        headers = {"Authorization": f"Bearer {self.stack.token}"} if self.stack.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            return httpx.request(
                method, f"{self.stack.api_url}{path}", json=json, headers=headers, timeout=60, trust_env=False
            )
        except httpx.HTTPError as error:
            raise ApiRefused(f"the API does not answer: {type(error).__name__}", hint="make ps; make logs") from error

    def told(self, method: str, path: str, *, json: object = None, key: str | None = None) -> Any:
        """What the API answers; raises ApiRefused for a code of 400 or more."""
        answer = self.ask(method, path, json=json, key=key)
        if answer.is_error:
            raise ApiRefused(f"{answer.status_code} {answer.text}", hint="mend what it says, then try again")
        return answer.json()

    def id_of(self, id_or_name: str) -> str:
        """The id of a pipeline; raises UsageError where it is not given, or no pipeline has that name."""
        if not id_or_name:
            raise UsageError("which pipeline?", field="ID", hint="ID=<its id or its name>; make api-list shows them")
        try:
            return str(UUID(id_or_name))
        except ValueError:
            named = [one for one in self.told("GET", BASE) if one["name"] == id_or_name]
        if not named:
            raise UsageError("there is no such pipeline", field="ID", input_data=id_or_name, hint="make api-list")
        return str(named[0]["id"])

    def create(self, definition: Shown) -> str:
        """The id of a new pipeline."""
        return str(self.told("POST", BASE, json=definition)["id"])

    def pipeline(self, id: str) -> Shown:
        """One pipeline."""
        shown: Shown = self.told("GET", f"{BASE}/{id}")
        return shown

    def runs(self, id: str) -> list[Shown]:
        """Its runs, newest first."""
        shown: list[Shown] = self.told("GET", f"{BASE}/{id}/runs?limit={RUNS_SEEN}")
        return shown

    def batches(self, id: str) -> list[Shown]:
        """The batches that its runs have committed."""
        shown: list[Shown] = self.told("GET", f"{BASE}/{id}/batches?limit={RUNS_SEEN}")
        return shown

    def state(self, id: str) -> Shown:
        """Its checkpoint."""
        shown: Shown = self.told("GET", f"{BASE}/{id}/state")
        return shown

    def request(self, id: str, *, key: str | None = None) -> Shown:
        """The pipeline after a request to run it."""
        shown: Shown = self.told("POST", f"{BASE}/{id}/run", key=key)
        return shown

    def pause(self, id: str) -> Shown:
        """The pipeline after a request to pause it."""
        shown: Shown = self.told("POST", f"{BASE}/{id}/pause")
        return shown

    def run_to_end(self, id: str) -> Shown:
        """The newest run, once one was requested and nothing runs or waits to any more."""
        self.request(id, key=str(uuid4()))
        self.at_rest(id)
        return self.newest_run(id)

    def at_rest(self, id: str) -> str:
        """The status of the pipeline, once nothing runs or waits to."""
        return until(
            lambda: str(self.pipeline(id)["status"]), lambda status: status in AT_REST, what="the end of the run"
        )

    def newest_run(self, id: str) -> Shown:
        """The newest run, once it has ended."""
        runs = until(
            lambda: self.runs(id), lambda runs: bool(runs) and bool(runs[0]["finished_at"]), what="a run that has ended"
        )
        return runs[0]

    def until_batches(self, id: str, number: int) -> None:
        """Wait until its runs have committed so many batches."""
        until(lambda: len(self.batches(id)), lambda seen: seen >= number, what=f"batch {number}")

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, none where it gives none; committed. Waits no longer than 30 s for a lock."""
        with (
            closing(connect(self.stack.database_url, application_name="wdh validation")) as connection,
            warehouse_errors(),
            transaction(connection),
            connection.cursor() as cursor,
        ):
            cursor.execute("set local lock_timeout = '30s'")
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def search(self, method: str, path: str) -> httpx.Response:
        """Elasticsearch's answer; raises UsageError where there is none."""
        url = self.stack.search_url
        if url is None:
            raise UsageError("there is no Elasticsearch", field="ELASTICSEARCH_URL", hint="set it, then make restart")
        try:
            return httpx.request(method, f"{url}{path}", timeout=60, trust_env=False)
        except httpx.HTTPError as error:
            raise UsageError(
                f"Elasticsearch does not answer: {type(error).__name__}",
                field="ELASTICSEARCH_URL",
                hint="start it, or make restart",
            ) from error


def until(
    look: Callable[[], Seen], is_so: Callable[[Seen], object], *, what: str, seconds: float = PATIENCE_SECONDS
) -> Seen:
    """What is seen once it is so; raises NeverCame."""
    deadline = time.monotonic() + seconds
    while not is_so(seen := look()):
        if time.monotonic() > deadline:
            raise NeverCame(f"{what} did not come within {seconds:.0f} s; seen last: {seen}", hint="make logs-runner")
        time.sleep(_LOOK_SECONDS)
    return seen
