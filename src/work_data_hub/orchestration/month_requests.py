"""What Dagster asks for by itself: a run of a domain's month."""

from dagster import RunRequest

from work_data_hub.domain.period import Period
from work_data_hub.domain.source import OnArrival, Source
from work_data_hub.orchestration.file_jobs import JOB_SUFFIX, FileRunConfig, run_tags
from work_data_hub.orchestration.requests import FileRequest


def month_request(domain: str, period: Period, *, source: Source, key: str, actor: str) -> RunRequest:
    """A plan of the month, or its load where the source says `on_arrival: execute`; once for each key."""
    executes = source.on_arrival is OnArrival.EXECUTE
    request = FileRequest(run_id="", domain=domain, period=period, execute=executes)
    return RunRequest(
        run_key=key,
        job_name=f"{domain}{JOB_SUFFIX}",
        partition_key=str(period),
        run_config={"ops": {"find": {"config": FileRunConfig.of(request).model_dump()}}},
        tags=run_tags(domain, period, is_executed=executes, actor=actor),
    )
