"""Batch pipelines in Dagster: a job that requests a run and follows it, schedules, and the targets as assets.

Dagster asks and watches; `wdh pipelines runner` does the work, and the rows in PostgreSQL are the truth.
"""

from pathlib import Path

from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetSpec,
    Config,
    DagsterInvalidDefinitionError,
    Failure,
    MetadataValue,
    OpExecutionContext,
    ScheduleDefinition,
    in_process_executor,
    job,
    mem_io_manager,
    op,
)
from pydantic import Field

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.targets import INDEX_PREFIX, TARGETS, IndexTarget, TableTarget
from work_data_hub.errors import ConfigError
from work_data_hub.io.pipelines_config import PIPELINES_FOLDER, read_pipelines
from work_data_hub.orchestration.batch_follow import Followed, FollowRequest, request_and_follow
from work_data_hub.orchestration.batch_place import batch_place
from work_data_hub.settings import get_settings

ASSET_GROUP = "batch"
TRIGGER = "dagster"


class PipelineRunConfig(Config):
    """Which pipeline to run, and how patiently to watch it."""

    pipeline: str = Field(description="name of the pipeline, as `wdh pipelines list` shows it")
    wait_seconds: float = Field(default=60.0, ge=0, description="fail when no runner works on it for so long")
    poll_seconds: float = Field(default=1.0, gt=0, description="seconds between two looks")

    def request(self, *, key: str) -> FollowRequest:
        """The request, one of a kind by its key."""
        return FollowRequest(
            pipeline=self.pipeline,
            key=key,
            trigger=TRIGGER,
            wait_seconds=self.wait_seconds,
            poll_seconds=self.poll_seconds,
        )


@op(name="run_pipeline", description="Request a run of a batch pipeline, and follow it to its end.")
def run_pipeline(context: OpExecutionContext, config: PipelineRunConfig) -> None:
    """Follow a run of the settings' warehouse; one that fails, is paused or finds no runner fails this one."""
    followed = request_and_follow(
        config.request(key=context.run_id), batch_place(get_settings()), tell=context.log.info
    )
    metadata = followed_metadata(followed)
    if followed.error:
        raise Failure(str(followed.error), metadata=metadata) from followed.error
    context.log_event(AssetMaterialization(asset_key=asset_key(followed.row.pipeline.target), metadata=metadata))
    context.add_output_metadata(metadata)


@job(executor_def=in_process_executor, resource_defs={"io_manager": mem_io_manager})
def pipeline_run_job() -> None:
    """A batch pipeline: source query → mart or index."""
    run_pipeline()


def asset_key(target: str) -> AssetKey:
    """A target as Dagster names it: analytics/film_dim, es/film_dim."""
    schema, _, name = target.replace(INDEX_PREFIX, f"{INDEX_PREFIX.removesuffix(':')}.").partition(".")
    return AssetKey([schema, name])


def batch_assets() -> list[AssetSpec]:
    """Each target that pipelines may fill; the op that followed a run reports what it did."""
    return [_asset(target) for target in TARGETS.values()]


def pipeline_schedules(config_dir: Path) -> list[ScheduleDefinition]:
    """A schedule for each pipeline declared in `pipelines` below the folder with a `cron`; all begin as stopped.

    Nothing but the files is read. Raises ConfigError naming file and key for a wrong one.
    """
    folder = config_dir / PIPELINES_FOLDER
    declared = read_pipelines(folder) if folder.is_dir() else ()
    return [_schedule(pipeline, cron=pipeline.cron) for pipeline in declared if pipeline.cron]


def followed_metadata(followed: Followed) -> dict[str, MetadataValue]:
    """What Dagster shows of the runs that served a request; rows are those of all of them."""
    counts = followed.counts
    numbers = {
        "rows read": counts.read,
        "rows written": counts.written,
        "rows inserted": counts.inserted,
        "rows updated": counts.updated,
        "rows unchanged": counts.unchanged,
        "rows deleted": counts.deleted,
        "rows in dlq": counts.dlq,
    }
    shown: dict[str, MetadataValue] = {name: MetadataValue.int(number) for name, number in numbers.items()}
    shown |= {"pipeline": MetadataValue.text(followed.row.pipeline.name)}
    shown |= {"seconds": MetadataValue.float(round(followed.seconds, 3))}
    if followed.runs:
        warnings = [warning for run in followed.runs for warning in run.warnings]
        shown |= {"run id": MetadataValue.text(str(followed.runs[-1].id))}
        shown |= {
            "runs": MetadataValue.json([{"id": str(run.id), "status": run.status.value} for run in followed.runs])
        }
        shown |= {"warnings": MetadataValue.json(warnings)} if warnings else {}
    return shown


def _asset(target: TableTarget | IndexTarget) -> AssetSpec:
    where = f"index {target.index}" if isinstance(target, IndexTarget) else f"table {target.name}"
    return AssetSpec(
        key=asset_key(target.name),
        group_name=ASSET_GROUP,
        description=f"The {where}, filled by batch pipelines; one row a {target.key}.",
        kinds={"elasticsearch" if isinstance(target, IndexTarget) else "postgres"},
    )


def _schedule(pipeline: Pipeline, *, cron: str) -> ScheduleDefinition:
    try:
        return ScheduleDefinition(
            # Dagster's names have no hyphens.
            name=f"{pipeline.name.replace('-', '__')}_schedule",
            job=pipeline_run_job,
            cron_schedule=cron,
            run_config={"ops": {"run_pipeline": {"config": {"pipeline": pipeline.name}}}},
            tags={"wdh/pipeline": pipeline.name},
            description=f"{pipeline.description or pipeline.name} → {pipeline.target}; times are UTC.",
        )
    except DagsterInvalidDefinitionError as error:
        raise ConfigError(
            f"pipeline {pipeline.name!r} has a schedule that never comes",
            field="cron",
            input_data=cron,
            hint=f"correct cron in {PIPELINES_FOLDER}, or remove it",
        ) from error
