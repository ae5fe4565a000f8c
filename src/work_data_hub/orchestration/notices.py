"""Failed runs and checks, told to humans: sensors that read Dagster's events and send each once it is there."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from dagster import (
    DagsterEventType,
    DagsterInstance,
    DefaultSensorStatus,
    EventLogEntry,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
)

from work_data_hub.domain.notices import Notice, cursor_of, positions
from work_data_hub.errors import NoticeNotSent, NoticeRefused
from work_data_hub.io.notices import NoticeRoutes, send
from work_data_hub.orchestration.notice_texts import failed_check, failed_run
from work_data_hub.settings import Settings, get_settings

_Event = tuple[int, EventLogEntry]
LOOK_SECONDS = 30
_MOST_AT_ONCE = 50
_NOBODY = "nobody is told: set WDH_NOTICE_WEBHOOK, or WDH_NOTICE_MAIL_TO and WDH_NOTICE_MAIL_SERVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a look may take; Dagster ends one after 60 s, and forgets what it has sent."""

    look_seconds: float = 40.0
    send_seconds: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """Events of a kind, and what to say of one."""

    event_type: DagsterEventType
    tell: Callable[[DagsterInstance, EventLogEntry], Notice | None]

    def after(self, instance: DagsterInstance, position: int) -> list[_Event]:
        """The oldest of those behind a position, each with its own, of all runs."""
        # As Dagster's own daemon follows failures: no public call gives the checks of all assets.
        entries = instance.event_log_storage.get_logs_for_all_runs_by_log_id(
            after_cursor=position, dagster_event_type=self.event_type, limit=_MOST_AT_ONCE
        )
        return sorted(entries.items())


def notice_sensors(patience: Patience | None = None) -> list[SensorDefinition]:
    """One sensor for failed runs, one for checks that loads did not pass."""
    runs = _News(event_type=DagsterEventType.RUN_FAILURE, tell=failed_run)
    checks = _News(event_type=DagsterEventType.ASSET_CHECK_EVALUATION, tell=failed_check)
    patience = patience or Patience()
    return [_sensor("run_failure_notices", runs, patience), _sensor("check_failure_notices", checks, patience)]


def notice_routes(settings: Settings) -> NoticeRoutes:
    """Where the settings send notices."""
    webhook, server = settings.notice_webhook, settings.notice_mail_server
    return NoticeRoutes(
        webhook=webhook.get_secret_value() if webhook else None,
        mail_server=server.get_secret_value() if server else None,
        mail_to=settings.notice_mail_to,
        mail_from=settings.notice_mail_from,
    )


def _sensor(name: str, news: _News, patience: Patience) -> SensorDefinition:
    def look(context: SensorEvaluationContext) -> SensorResult:
        return _look(context, news, patience)

    return SensorDefinition(
        name=name,
        evaluation_fn=look,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells humans by webhook and mail, as the WDH_NOTICE settings say.",
    )


def _look(context: SensorEvaluationContext, news: _News, patience: Patience) -> SensorResult:
    """Send what is new by every route; the cursor keeps how far each has come."""
    routes = notice_routes(get_settings())
    known = positions(context.cursor, routes=routes.names)
    newest = context.instance.event_log_storage.get_maximum_record_id() or 0
    look = _Look(context, routes, dict.fromkeys(routes.names, newest) | known)
    if not routes.names:
        said = _NOBODY
    elif not known:
        said = "begins with what fails from now on"
    else:
        said = look.send_all(news, patience)
    return SensorResult(skip_reason=SkipReason(said), cursor=cursor_of(look.reached))


class _Look:
    """One look: what each route has told, and what it met on its way."""

    def __init__(self, context: SensorEvaluationContext, routes: NoticeRoutes, reached: dict[str, int]) -> None:
        self.reached = reached
        self._context, self._routes = context, routes
        self._sent, self._refused = 0, 0
        self._away: dict[str, str] = {}
        self._first_refusal = ""

    def send_all(self, news: _News, patience: Patience) -> str:
        """Send in turn, each route its oldest, while there is time for a whole sending; returns what to say of it."""
        last_start = time.monotonic() + patience.look_seconds - patience.send_seconds
        instance = self._context.instance
        waiting = {name: news.after(instance, position) for name, position in self.reached.items()}
        for name, (position, entry) in _in_turn(waiting):
            if name in self._away:
                continue
            notice = news.tell(instance, entry)
            if notice and self._has_tried and time.monotonic() > last_start:
                return self._said("the rest follows at the next look")
            if notice is None or self._has_done_with(notice, by=name, seconds=patience.send_seconds):
                self.reached[name] = position
        return self._said()

    @property
    def _has_tried(self) -> bool:
        return bool(self._sent or self._refused or self._away)

    def _has_done_with(self, notice: Notice, *, by: str, seconds: float) -> bool:
        """Whether the notice need not be sent again: it is there, or is refused for good."""
        try:
            send(notice, self._routes, by=by, seconds=seconds)
        except NoticeRefused as error:
            self._context.log.error(str(error))
            self._refused += 1
            self._first_refusal = self._first_refusal or str(error)
        except NoticeNotSent as error:
            self._context.log.error(str(error))
            self._away[by] = str(error)
            return False
        else:
            self._sent += 1
        return True

    def _said(self, more: str = "") -> str:
        refused = f"{self._refused} refused and passed over, the first: {self._first_refusal}" if self._refused else ""
        return "; ".join(filter(None, (f"{self._sent} notices sent", refused, *self._away.values(), more)))


def _in_turn(waiting: Mapping[str, list[_Event]]) -> Iterator[tuple[str, _Event]]:
    """The first of each, the second of each, and so on."""
    for row in zip_longest(*waiting.values()):
        yield from ((name, item) for name, item in zip(waiting, row, strict=True) if item is not None)
