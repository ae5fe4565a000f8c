"""Dagster's job of the reference tables; the work is `reference_sync`'s."""

from dagster import AssetObservation, Config, OpExecutionContext, in_process_executor, job, mem_io_manager, op
from pydantic import Field

from work_data_hub.orchestration.dagster_instance import WAREHOUSE_POOL
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.platform_assets import REFERENCES
from work_data_hub.orchestration.reference_sync import SyncRequest, sync_references
from work_data_hub.settings import get_settings


class SyncConfig(Config):
    """Which tables to sync, and how; `wdh reference sync` has a flag for each."""

    names: list[str] = Field(default_factory=list, description="jobs of reference_sync.yml; none means all enabled")
    full: bool = Field(default=False, description="true: read every row again, not only what changed")
    execute: bool = Field(default=False, description="true writes; false plans")
    allow_shrink: bool = False


@op(name="sync_references", pool=WAREHOUSE_POOL, description="Bring reference tables to what their sources say.")
def sync_references_op(context: OpExecutionContext, config: SyncConfig) -> None:
    """Plan or execute; what changed shows by table."""
    settings = get_settings()
    legacy = settings.legacy_url
    request = SyncRequest(
        names=tuple(config.names),
        full=config.full,
        execute=config.execute,
        allow_shrink=config.allow_shrink,
        legacy_url=legacy.get_secret_value() if legacy else None,
    )
    effects = sync_references(request, workplace(settings, execute=config.execute))
    changes = {f"{effect.job.target}: changes": effect.changes for effect in effects}
    if config.execute and any(changes.values()):
        # A table has no month, so that none turns green by it.
        context.log_event(AssetObservation(REFERENCES, metadata=changes))
    context.add_output_metadata({"tables": len(effects), **changes})


@job(executor_def=in_process_executor, resource_defs={"io_manager": mem_io_manager})
def reference_sync_job() -> None:
    """Files and the legacy database → reference tables."""
    sync_references_op()
