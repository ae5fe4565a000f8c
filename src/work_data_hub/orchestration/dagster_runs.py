"""An executed run of the command line is a real run of the Dagster job, in the persisted instance."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from dagster import DagsterExecutionInterruptedError, ResourceDefinition
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

from work_data_hub.orchestration.dagster_instance import DEFINITIONS, dagster_instance
from work_data_hub.orchestration.file_jobs import FileRunConfig, file_job, run_tags
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.requests import FileRequest
from work_data_hub.orchestration.run_marks import marks
from work_data_hub.settings import Settings

# Dagster cannot launch it again, and would say all the same that it will.
_NEVER_RETRIED = {"dagster/max_retries": "0"}
# The page lists a job's runs by the place that its definitions are loaded from.
_LISTED = {REPOSITORY_LABEL_TAG: f"{SINGLETON_REPOSITORY_NAME}@{DEFINITIONS}"}
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


class GivenDesk:
    """A desk that hands out one run made elsewhere, so that its maker can ask it for its report."""

    def __init__(self, run: FileRun) -> None:
        self._run = run

    def open(self, request: FileRequest) -> FileRun:
        """The given run, whatever is requested: both come from the same command."""
        return self._run


def run_in_dagster(run: FileRun, settings: Settings) -> None:
    """Run the domain's job with `run` doing the work; raises what the run raised, KeyboardInterrupt included."""
    try:
        _run(run, settings)
    except DagsterExecutionInterruptedError as error:
        raise KeyboardInterrupt from error


def _run(run: FileRun, settings: Settings) -> None:
    request, run_id = run.request, str(uuid4())
    with dagster_instance(settings) as instance:
        file_job(run.domain, desk=ResourceDefinition.hardcoded_resource(GivenDesk(run))).execute_in_process(
            run_config=_run_config(request),
            instance=instance,
            run_id=run_id,
            raise_on_error=True,
            partition_key=str(request.period) if request.period else None,
            tags={
                **run_tags(request.domain, request.period, is_executed=request.execute, actor=run.place.actor),
                # From the first: it may be killed before its first op can say so.
                **marks(run, dagster_run=run_id),
                **_NEVER_RETRIED,
                **_LISTED,
            },
        )


def _run_config(request: FileRequest) -> dict[str, Any]:
    """The request in full, so that Dagster's history says what was asked and "Re-execute" asks the same."""
    # Dagster's own processes stand in another folder.
    request = replace(request, file=_absolute(request.file), rejects_folder=_absolute(request.rejects_folder))
    return {"loggers": _QUIET, "ops": {"find": {"config": FileRunConfig.of(request).model_dump()}}}


def _absolute(path: Path | None) -> Path | None:
    return path.absolute() if path else None
