"""Workbooks that arrive: seen by a sensor, observed as assets, planned, and loaded where the domain says so."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from dagster import (
    DefaultSensorStatus,
    JobDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
)

from work_data_hub.domain.arrivals import Known, Looked, Place, Refusal, Sight, first_look, look
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError, UnreadableWorkbook, WorkbookNotFound
from work_data_hub.io.arrivals import MonthsSeen, content_of, is_empty, months_outside, months_with_workbooks
from work_data_hub.io.config_files import load_sources
from work_data_hub.orchestration.file_assets import MONTHS, period_of, workbook_seen
from work_data_hub.orchestration.month_requests import month_request
from work_data_hub.settings import Settings, get_settings

LOOK_SECONDS = 30
# Dagster ends a look after 60 s, and forgets what it saw: months that there is no time to read wait for the next.
READ_SECONDS = 25.0
ACTOR = "arrival"
_MOST_TOLD = 5
# Each look is stored with the whole cursor, and a hash is only compared with the one before of the same month.
_HASH_LETTERS = 12


def arrival_sensor(jobs: list[JobDefinition], *, read_seconds: float = READ_SECONDS) -> SensorDefinition:
    """A sensor that plans, or loads, each month whose workbook is new or changed, once per change.

    What is there when it looks for the first time counts as known. A workbook counts when it looked the same at
    two looks, so that none is read while it is being copied.
    """

    def tell(context: SensorEvaluationContext) -> SensorResult:
        return tell_arrivals(context, read_seconds=read_seconds)

    return SensorDefinition(
        name="workbook_arrivals",
        jobs=jobs,
        evaluation_fn=tell,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="A month's workbook is new or changed: plans it, or loads it where on_arrival says execute.",
    )


def tell_arrivals(context: SensorEvaluationContext, *, read_seconds: float = READ_SECONDS) -> SensorResult:
    """One look: a run and an observation for each month that arrived, and the cursor for the next look.

    A month that holds something that cannot be taken gets a run as well: it fails, and with it people are told why.
    Looks and reads for about `read_seconds`, at least at one month's workbooks; the others follow at later looks.
    While the data root is away nothing is looked at, and what is known stays.
    """
    until = time.monotonic() + read_seconds
    settings, before = get_settings(), _read_cursor(context.cursor)
    away = _why_away(settings, before)
    if away:
        return SensorResult(skip_reason=SkipReason(away), cursor=context.cursor)
    sources = {name: source for name, source in load_sources(settings.config_dir).items() if name in DOMAINS}
    periods = _periods()
    seen = months_with_workbooks(sources, data_root=settings.data_root, periods=periods)
    outside = months_outside(settings.data_root, periods)
    looked = _looked(before, seen, until=until)
    arrived = sorted(looked.arrived, key=_as_loaded)
    for at in arrived:
        context.log.info(f"{at.domain} {at.period}: {seen.found[at].reason}")
    for at in looked.refused:
        context.log.warning(f"{at.domain} {at.period}: {seen.refused[at]}")
    turn, unusable = looked.known.turn, seen.unusable
    # Where all are refused at once, it is the share: a few runs say so as well as hundreds.
    asked = {at: unusable[at] for at in looked.refused[:_MOST_TOLD]} | {
        at: content_of(seen.found[at]) for at in arrived
    }
    return SensorResult(
        run_requests=[
            month_request(at.domain, at.period, source=sources[at.domain], key=f"{at}:{what}:{turn}", actor=ACTOR)
            for at, what in asked.items()
        ],
        asset_events=[workbook_seen(at, seen.found[at]) for at in arrived],
        skip_reason=None if asked else SkipReason(_nothing_new(looked.known, seen, outside, is_first=before is None)),
        cursor=_cursor(looked.known),
    )


def _why_away(settings: Settings, before: Known | None) -> str:
    """Why months cannot be seen at all now; blank where they can."""
    try:
        is_gone = is_empty(settings.data_root) and before is not None and bool(before.sights)
    except WorkbookNotFound as error:
        return str(error)
    return f"{settings.data_root} is empty, and held months before: is it mounted? They stay known" if is_gone else ""


def _as_loaded(at: Place) -> tuple[Period, int]:
    """Months in their order, and domains in theirs: what one learns, the next one builds on."""
    return at.period, list(DOMAINS).index(at.domain)


def _periods() -> list[Period]:
    return [period_of(key) for key in MONTHS.get_partition_keys()]


def _looked(before: Known | None, seen: MonthsSeen, *, until: float) -> Looked:
    content = _reader(seen, until=until)
    if before is None:
        # Later than whatever a lost cursor told: a look tells at most once in LOOK_SECONDS.
        return first_look(seen.stamps, seen.unusable, turn=int(time.time()), content=content)
    return look(before, _in_rotation(seen.stamps), lambda: seen.unusable, content=content)


def _in_rotation(stamps: Mapping[Place, str]) -> dict[Place, str]:
    """From another month at each look, so that one that takes all the time to fail holds up no other for good."""
    months = sorted(stamps)
    first = int(time.time() // LOOK_SECONDS) % max(len(months), 1)
    return {at: stamps[at] for at in (*months[first:], *months[:first])}


def _reader(seen: MonthsSeen, *, until: float) -> Callable[[Place], str | None]:
    """What a month holds, shortened; what cannot be read now is refused, and none but the first after `until`."""
    read: set[Place] = set()

    def content(at: Place) -> str | None:
        if read and time.monotonic() > until:
            return None
        read.add(at)
        try:
            return content_of(seen.found[at])[:_HASH_LETTERS]
        except UnreadableWorkbook as error:
            seen.refused[at] = error
            return None

    return content


def _nothing_new(known: Known, seen: MonthsSeen, outside: Sequence[str], *, is_first: bool) -> str:
    """What a look saw, with what a human should see to."""
    waiting = [str(at) for at in seen.stamps if known.sights[at].stamp != known.sights[at].told_stamp]
    gone = len(known.sights) - len(seen.stamps)
    unread = sum(not known.sights[at].content for at in seen.stamps)
    said = [f"{len(seen.stamps)} months of domains hold workbooks, {'known from now on' if is_first else 'none new'}"]
    if outside:
        said += [f"never looked at, since no months from {_periods()[0]} to now: {', '.join(outside[:_MOST_TOLD])}"]
    said += [f"{gone} that are known cannot be seen now"] if gone else []
    said += [f"{unread} still to be read"] if unread else []
    said += [f"waiting until they rest and are read: {', '.join(waiting[:_MOST_TOLD])}"] if waiting else []
    said += [f"{at}: {error}" for at, error in list((seen.refused | seen.unseen).items())[:_MOST_TOLD]]
    return " · ".join(said)


def _cursor(known: Known) -> str:
    """The turn, and by domain and month the stamp and the content told, and the stamp now where it is another.

    And why months are refused, with a blank behind it until that was told.
    """
    months: dict[str, dict[str, str]] = {}
    for at, sight in sorted(known.sights.items()):
        now = "" if sight.stamp == sight.told_stamp else f" {sight.stamp}"
        months.setdefault(at.domain, {})[at.period.yyyymm] = f"{sight.told_stamp} {sight.content}{now}"
    refused: dict[str, dict[str, str]] = {}
    for at, refusal in sorted((known.refusals or {}).items()):
        refused.setdefault(at.domain, {})[at.period.yyyymm] = refusal.why + ("" if refusal.is_told else " ")
    return json.dumps({"turn": known.turn, "months": months, "refused": refused}, separators=(",", ":"))


def _read_cursor(text: str | None) -> Known | None:
    """What `_cursor` wrote; None for anything else, which is then learned anew and starts no run."""
    try:
        told = json.loads(text or "")
        return Known(
            turn=int(told["turn"]),
            sights={at: _sight(text) for at, text in _by_place(told["months"])},
            refusals={at: _refusal(text) for at, text in _by_place(told["refused"])} if "refused" in told else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError):
        return None


def _by_place(told: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Place, str]]:
    for domain, months in told.items():
        yield from ((Place(domain, Period.parse(month)), text) for month, text in months.items())


def _refusal(text: str) -> Refusal:
    return Refusal(why=text.rstrip(), is_told=not text.endswith(" "))


def _sight(text: str) -> Sight:
    told_stamp, content, *now = text.split(" ")
    return Sight(stamp=now[0] if now else told_stamp, told_stamp=told_stamp, content=content)
