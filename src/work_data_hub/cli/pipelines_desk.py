"""Where the commands of `wdh pipelines` ask: the database itself, or an API in front of it. Both answer alike."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Problem
from work_data_hub.domain.batch.refusals import Refusal, Why
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import ConfigError, LoadLocked, UsageError, WorkDataHubError
from work_data_hub.io.hosts import is_this_machine
from work_data_hub.io.pipelines_api import PipelinesApi
from work_data_hub.io.postgres import connect, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.orchestration.batch_desk import BatchDesk
from work_data_hub.orchestration.batch_place import batch_place
from work_data_hub.orchestration.batch_shown import Shown
from work_data_hub.settings import Settings

_CLI = "cli"
_ERRORS: Mapping[Why, type[WorkDataHubError]] = {
    Why.MISSING: UsageError,
    Why.TAKEN: UsageError,
    Why.DISABLED: UsageError,
    Why.BUSY: LoadLocked,
    Why.TARGET: ConfigError,
    Why.RULE: ConfigError,
}
_HINTS: Mapping[Why, str] = {
    Why.TAKEN: "somebody made it meanwhile; run the command again",
    Why.DISABLED: "set `enabled: true` in its file and apply that",
    Why.BUSY: "wait for its run, or pause it, then run the command again",
    Why.TARGET: "name one of the allowed targets",
    Why.RULE: "correct the definition",
}
Told = TypeVar("Told")


class Desk(Protocol):
    """What can be asked about pipelines; answers are ready for JSON."""

    def pipelines(self, *, name: str | None = None) -> list[Shown]: ...
    def pipeline(self, id: UUID) -> Shown | Refusal: ...
    def problems(self, definition: Mapping[str, Any]) -> tuple[Problem, ...]: ...
    def create(self, definition: Mapping[str, Any]) -> Shown | Refusal: ...
    def change(self, id: UUID, changes: Mapping[str, Any]) -> Shown | Refusal: ...
    def request_run(self, id: UUID, *, key: str | None = None) -> Shown | Refusal: ...
    def request_pause(self, id: UUID) -> Shown | Refusal: ...
    def runs(self, id: UUID, *, limit: int) -> list[Shown] | Refusal: ...
    def state(self, id: UUID) -> Shown | Refusal: ...
    def set_state(self, id: UUID, state: Place) -> Shown | Refusal: ...
    def dead_letters(self, id: UUID, *, limit: int) -> list[Shown] | Refusal: ...
    def replay(self, id: UUID, ids: Sequence[int] | None) -> Shown | Refusal: ...


@contextmanager
def open_desk(settings: Settings, *, api: str) -> Iterator[Desk]:
    """The desk of the API at that URL, else of the database that the settings name."""
    if api:
        with PipelinesApi(api, token=_token(settings, api)) as desk:
            yield desk
        return
    place = batch_place(settings)
    with closing(connect(place.database_url, application_name="wdh pipelines")) as connection, warehouse_errors():
        require_head(connection)
        yield BatchDesk(connection, place, actor=place.actor, trigger=_CLI)


def named(desk: Desk, name: str) -> Shown:
    """The pipeline of that name; raises UsageError that proposes one."""
    found = desk.pipelines(name=name)
    if found:
        return found[0]
    names = [one["name"] for one in desk.pipelines()]
    shown = "`wdh pipelines list` shows what there is" if names else "`wdh pipelines apply FILE` makes the first"
    hint = did_you_mean(name, names) or shown
    raise UsageError(f"no pipeline {name!r}", field="NAME", hint=hint)


def settled(answer: Told | Refusal) -> Told:
    """The answer; raises what a refusal means on the command line."""
    if isinstance(answer, Refusal):
        raise _ERRORS[answer.why](answer.message, hint=_HINTS.get(answer.why))
    return answer


def id_of(shown: Shown) -> UUID:
    """The id of a pipeline that was shown."""
    return UUID(shown["id"])


def _token(settings: Settings, api: str) -> str | None:
    if settings.api_token is None:
        return None
    parts = urlsplit(api)
    if parts.scheme == "http" and settings.environment != "dev" and not is_this_machine(parts.hostname or ""):
        raise ConfigError(
            "the token could be read on its way",
            field="--api",
            rule=f"https: to other machines when ENVIRONMENT is {settings.environment}",
            hint="put TLS in front of the API, or ask the database",
        )
    return settings.api_token.get_secret_value()
