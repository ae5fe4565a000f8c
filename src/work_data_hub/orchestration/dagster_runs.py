"""An executed run of the command line is a real run of the Dagster job, in the persisted instance."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from dagster import DagsterExecutionInterruptedError, ResourceDefinition

from work_data_hub.orchestration.dagster_instance import dagster_instance
from work_data_hub.orchestration.file_jobs import FileRunConfig, GivenDesk, file_job
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.requests import FileRequest
from work_data_hub.settings import Settings

_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


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
            run_config=_run_config(request),
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


def _run_config(request: FileRequest) -> dict[str, Any]:
    """The request in full, so that Dagster's history says what was asked and "Re-execute" asks the same."""
    # Dagster's own processes stand in another folder.
    request = replace(request, file=_absolute(request.file), rejects_folder=_absolute(request.rejects_folder))
    return {"loggers": _QUIET, "ops": {"find": {"config": FileRunConfig.of(request).model_dump()}}}


def _absolute(path: Path | None) -> Path | None:
    return path.absolute() if path else None
