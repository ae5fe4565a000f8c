"""The sensor that ends in Dagster what was killed, as the ledger says it ended."""

from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason

from work_data_hub.orchestration.crashed_runs import tell_crashes
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.run_verdicts import close_orphans
from work_data_hub.settings import get_settings

LOOK_SECONDS = 30


def reconciler() -> SensorDefinition:
    """A sensor that closes what was killed, and says what stands of it."""
    return SensorDefinition(
        name="run_reconciler",
        evaluation_fn=_tick,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Closes runs whose process was killed, by what the ledger says of them.",
    )


def _tick(context: SensorEvaluationContext) -> SkipReason:
    place = workplace(get_settings(), execute=False)
    told = (*close_orphans(context.instance, place), *tell_crashes(context.instance, place))
    return SkipReason("; ".join(f"{one.run_id}: {one.text}" for one in told) or "no run to close")
