"""An executed run of the command line is a real run of the Dagster job, in the persisted instance."""

from dagster import DagsterExecutionInterruptedError, ResourceDefinition

from work_data_hub.orchestration.dagster_instance import dagster_instance
from work_data_hub.orchestration.file_jobs import GivenDesk, file_job
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.settings import Settings

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_in_dagster(run: FileRun, settings: Settings) -> None:
    """Run the domain's job with `run` doing the work; raises what the run raised, KeyboardInterrupt included."""
    try:
        _run(run, settings)
    except DagsterExecutionInterruptedError as error:
        raise KeyboardInterrupt from error


def _run(run: FileRun, settings: Settings) -> None:
    request = run.request
    with dagster_instance(settings) as instance:
        file_job(run.domain, desk=ResourceDefinition.hardcoded_resource(GivenDesk(run))).execute_in_process(
            run_config=_QUIET,
            instance=instance,
            raise_on_error=True,
            tags={
                "wdh/domain": request.domain,
                "wdh/month": request.period.yyyymm if request.period else "",
                "wdh/mode": "execute" if request.execute else "plan",
                "wdh/actor": run.place.actor,
                "wdh/run_id": request.run_id,
            },
        )
