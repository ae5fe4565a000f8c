"""Freshness by month: whether each domain's last closed month is in, as a check on its table.

Dagster's own freshness checks do not fit. They take the newest partition for the expected one, which is the
current month here, count a plan as an arrival, and fail where nothing was ever loaded.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dagster import (
    AssetCheckEvaluation,
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    DefaultSensorStatus,
    MetadataValue,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    multi_asset_check,
)

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.freshness import NEVER_DUE, MonthStanding, judge_month
from work_data_hub.domain.period import Period
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.config_files import load_sources
from work_data_hub.io.loaded_months import loaded_months
from work_data_hub.io.postgres import reading_cursor
from work_data_hub.orchestration.file_assets import GOLD, asset_key
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import get_settings

MONTH_IS_IN = "month_is_in"
LOOK_SECONDS = 60
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_MEANING = "the last closed month is loaded, from the day on which data_sources.yml has it due (due_day)"

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def month_checks(now: Clock = _now) -> AssetChecksDefinition:
    """The check of every domain, run by a click; `month_freshness` tells the same by itself."""
    specs = [AssetCheckSpec(MONTH_IS_IN, asset=asset_key(GOLD, name), description=_MEANING) for name in DOMAINS]

    @multi_asset_check(name="month_checks", specs=specs, can_subset=True)
    def checks(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        standings = standings_of(workplace(get_settings(), execute=False), now())
        wanted = {key.asset_key for key in context.selected_asset_check_keys}
        for domain, standing in standings.items():
            if asset_key(GOLD, domain) in wanted:
                told = _verdict(domain, standing)
                yield AssetCheckResult(
                    asset_key=told.asset_key,
                    check_name=told.check_name,
                    passed=told.passed,
                    severity=told.severity,
                    description=told.description,
                    metadata=told.metadata,
                )

    return checks


def month_sensor(now: Clock = _now) -> SensorDefinition:
    """A sensor that judges every minute, and tells where a verdict is another than the one it told last."""

    def look(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        return tell_months(context, now=now())

    return SensorDefinition(
        name="month_freshness",
        evaluation_fn=look,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="A month is due, or came in: says so in the check month_is_in of its domain. Starts no run.",
    )


def tell_months(context: SensorEvaluationContext, *, now: datetime) -> SensorResult | SkipReason:
    """One look: an evaluation for each domain that stands otherwise than was told."""
    try:
        standings = standings_of(workplace(get_settings(), execute=False), now)
    except WorkDataHubError as error:
        return SkipReason(str(error))
    said = {domain: standing.text for domain, standing in standings.items()}
    told = json.loads(context.cursor) if context.cursor else {}
    new = [domain for domain, text in said.items() if told.get(domain) != text]
    return SensorResult(
        asset_events=[_verdict(domain, standings[domain]) for domain in new],
        skip_reason=None if new else SkipReason("every domain stands as it was told"),
        cursor=json.dumps(said),
    )


def standings_of(place: Workplace, now: datetime) -> dict[str, MonthStanding]:
    """How the last closed month of every domain stands at that moment; the day is that of Shanghai."""
    today, sources, loaded = now.astimezone(_SHANGHAI).date(), load_sources(place.config_dir), _loaded(place)
    due_days = {name: sources[name].due_day if name in sources else NEVER_DUE for name in DOMAINS}
    return {
        name: judge_month(loaded.get(name, frozenset()), today=today, due_day=day) for name, day in due_days.items()
    }


def _loaded(place: Workplace) -> dict[str, frozenset[Period]]:
    if place.database_url is None:
        return {}
    with reading_cursor(place.database_url, application_name="wdh months") as cursor:
        return loaded_months(cursor)


def _verdict(domain: str, standing: MonthStanding) -> AssetCheckEvaluation:
    facts = {"month": standing.month, "due": standing.due, "newest month": standing.newest}
    shown = {name: MetadataValue.text(str(value)) for name, value in facts.items() if value is not None}
    missing = len(standing.missing) + (not standing.passed)
    return AssetCheckEvaluation(
        asset_key=asset_key(GOLD, domain),
        check_name=MONTH_IS_IN,
        passed=standing.passed,
        severity=AssetCheckSeverity.WARN,
        description=standing.text,
        metadata=shown | {"months missing": MetadataValue.int(missing)},
    )
