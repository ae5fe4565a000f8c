"""Batch pipelines in Dagster: a job that requests a run and follows it, schedules, and the targets as assets.

Dagster asks and watches; `wdh pipelines runner` does the work, and the rows in PostgreSQL are the truth.
"""

from functools import partial
from hashlib import sha256
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
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    in_process_executor,
    job,
    mem_io_manager,
    op,
)
from pydantic import Field

from work_data_hub.domain.batch.targets import INDEX_PREFIX, TARGETS, IndexTarget, TableTarget
from work_data_hub.io.pipelines_config import PIPELINES_FOLDER, Declared, read_sound
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_follow import Followed, FollowRequest, pause_kept, request_and_follow
from work_data_hub.orchestration.batch_place import batch_place
from work_data_hub.settings import get_settings

log = get_logger(__name__)

ASSET_GROUP = "batch"
TRIGGER = "dagster"
_DIGITS = 8


class PipelineRunConfig(Config):
    """Which pipeline to run, and how patiently to watch it."""

    pipeline: str = Field(description="name of the pipeline, as `wdh pipelines list` shows it")
    wait_seconds: float = Field(default=60.0, ge=0, description="fail when no runner works on it for so long")
    poll_seconds: float = Field(default=1.0, gt=0, description="seconds between two looks")
    keep_pause: bool = Field(default=False, description="leave a paused pipeline alone, as schedules do")

    def request(self, *, key: str) -> FollowRequest:
        """The request, one of a kind by its key."""
        return FollowRequest(
            pipeline=self.pipeline,
            key=key,
            trigger=TRIGGER,
            wait_seconds=self.wait_seconds,
            poll_seconds=self.poll_seconds,
            keeps_pause=self.keep_pause,
        )


@op(name="run_pipeline", description="Request a run of a batch pipeline, and follow it to its end.")
def run_pipeline(context: OpExecutionContext, config: PipelineRunConfig) -> None:
    """Follow a run of the settings' warehouse; one that fails, is paused or finds no runner fails this one.

    A paused pipeline that the config leaves alone is a success that materializes nothing.
    """
    followed = request_and_follow(
        config.request(key=context.run_id), batch_place(get_settings()), tell=context.log.info
    )
    if followed.skipped:
        context.log.warning(followed.skipped)
        context.add_output_metadata({"skipped": MetadataValue.text(followed.skipped)})
        return
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

    Nothing but the files is read. What is wrong there has no schedule, is logged with its pipeline and file, and
    keeps no other from having one.
    """
    folder = config_dir / PIPELINES_FOLDER
    declared, left_out = read_sound(folder) if folder.is_dir() else ((), ())
    for wrong in left_out:
        log.error("schedule.left_out", pipeline=wrong.name, file=wrong.error.file, reason=str(wrong.error))
    schedules: dict[str, ScheduleDefinition] = {}
    for one in declared:
        schedule = _schedule(one)
        if schedule is not None and schedules.setdefault(schedule.name, schedule) is not schedule:
            _leave_out(one, reason=f"another pipeline has the schedule {schedule.name!r}")
    return list(schedules.values())


def schedule_name(pipeline: str) -> str:
    """The name of the pipeline's schedule: Dagster's have no hyphens, and those of two pipelines are never the same."""
    if "-" not in pipeline:
        return f"{pipeline}_schedule"
    return f"{pipeline.replace('-', '_')}_{sha256(pipeline.encode()).hexdigest()[:_DIGITS]}_schedule"


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


def _schedule(declared: Declared) -> ScheduleDefinition | None:
    pipeline = declared.pipeline
    if pipeline.cron is None:
        return None
    try:
        return ScheduleDefinition(
            name=schedule_name(pipeline.name),
            job=pipeline_run_job,
            cron_schedule=pipeline.cron,
            execution_fn=partial(_tick, pipeline=pipeline.name),
            description=f"{pipeline.description or pipeline.name} → {pipeline.target}; times are UTC.",
        )
    except DagsterInvalidDefinitionError as error:
        _leave_out(declared, reason=str(error))
        return None


def _tick(context: ScheduleEvaluationContext, *, pipeline: str) -> RunRequest | SkipReason:
    """The request of a schedule's moment; somebody who paused the pipeline has the say until they take it back."""
    if skipped := pause_kept(batch_place(get_settings()), pipeline):
        log.warning("schedule.skipped", pipeline=pipeline, reason=skipped)
        return SkipReason(skipped)
    # Who pauses after this look is asked again when the request is written.
    config = {"pipeline": pipeline, "keep_pause": True}
    return RunRequest(run_config={"ops": {"run_pipeline": {"config": config}}}, tags={"wdh/pipeline": pipeline})


def _leave_out(declared: Declared, *, reason: str) -> None:
    log.error("schedule.left_out", pipeline=declared.pipeline.name, file=str(declared.file), reason=reason)
