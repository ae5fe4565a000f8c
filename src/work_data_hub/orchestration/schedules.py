"""What Dagster does by the clock: the month, the queue of names, the reference tables. Times are Shanghai's."""

from dagster import (
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
)

from work_data_hub.domain.period import Period
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.config_files import load_sources
from work_data_hub.orchestration.file_jobs import JOB_SUFFIX
from work_data_hub.orchestration.identity_jobs import identity_queue_job
from work_data_hub.orchestration.identity_queue import look_at_queue
from work_data_hub.orchestration.launched_runs import UNDER_WAY
from work_data_hub.orchestration.month_requests import month_request
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.reference_jobs import reference_sync_job
from work_data_hub.settings import get_settings

TIMEZONE = "Asia/Shanghai"
MONTHLY, HOURLY, DAILY = "0 2 5 * *", "0 * * * *", "0 1 * * *"
_DEPTH_SECONDS = 300


def schedules(jobs: list[JobDefinition]) -> list[ScheduleDefinition]:
    """The schedules of the platform; each stands still until an operator starts it."""
    return [
        *(_month_schedule(job) for job in jobs),
        ScheduleDefinition(
            name="identity_queue_schedule",
            job=identity_queue_job,
            cron_schedule=HOURLY,
            execution_timezone=TIMEZONE,
            default_status=DefaultScheduleStatus.STOPPED,
            description="Asks the company registry for the names that wait.",
        ),
        ScheduleDefinition(
            name="reference_sync_schedule",
            job=reference_sync_job,
            cron_schedule=DAILY,
            execution_timezone=TIMEZONE,
            run_config={"ops": {"sync_references": {"config": {"execute": True}}}},
            default_status=DefaultScheduleStatus.STOPPED,
            description="Brings reference tables to what their sources say.",
        ),
    ]


def queue_depth_sensor() -> SensorDefinition:
    """A sensor that drains the queue of names when it is too deep to wait for the hour."""
    return SensorDefinition(
        name="identity_queue_depth",
        job=identity_queue_job,
        evaluation_fn=deep_queue,
        minimum_interval_seconds=_DEPTH_SECONDS,
        default_status=DefaultSensorStatus.STOPPED,
        description="Too many names wait for the company registry: asks now.",
    )


def _month_schedule(job: JobDefinition) -> ScheduleDefinition:
    domain = job.name.removesuffix(JOB_SUFFIX)
    return ScheduleDefinition(
        name=f"{domain}_month_schedule",
        job=job,
        cron_schedule=MONTHLY,
        execution_timezone=TIMEZONE,
        execution_fn=lambda context: last_month(context, domain=domain),
        default_status=DefaultScheduleStatus.STOPPED,
        description="On the 5th, the month before: plans it, or loads it where on_arrival says execute.",
    )


def last_month(context: ScheduleEvaluationContext, *, domain: str) -> RunRequest | SkipReason:
    """A run of the domain for the month before the tick's; none where its configuration leaves it out."""
    period = Period.of(context.scheduled_execution_time.date()).previous
    source = load_sources(get_settings().config_dir).get(domain)
    if source is None:
        return SkipReason(f"data_sources.yml does not say where workbooks of {domain} lie")
    return month_request(domain, period, source=source, key=f"month:{domain}:{period.yyyymm}", actor="schedule")


def deep_queue(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """A run where the queue is too deep and none drains it yet; asked for again while it stays too deep."""
    try:
        depth, _ = look_at_queue(workplace(get_settings(), execute=False))
    except WorkDataHubError as error:
        return SkipReason(str(error))
    if not depth.is_too_deep:
        return SkipReason(f"{depth.pending} names wait")
    under_way = RunsFilter(job_name=identity_queue_job.name, statuses=[DagsterRunStatus.QUEUED, *UNDER_WAY])
    drains = context.instance.get_runs(filters=under_way, limit=1)
    if drains:
        return SkipReason(f"{depth.pending} names wait; run {drains[0].run_id} drains them, {drains[0].status.value}")
    return RunRequest()
