"""Dagster's jobs of the company identity; the work is `identity_queue`'s."""

from dagster import (
    AssetObservation,
    Config,
    MetadataValue,
    OpExecutionContext,
    in_process_executor,
    job,
    mem_io_manager,
    op,
)
from pydantic import Field

from work_data_hub.orchestration.dagster_instance import REGISTRY_POOL
from work_data_hub.orchestration.identity_queue import (
    Drained,
    drain_queue,
    lease_seconds,
    open_registry,
)
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.platform_assets import COMPANIES
from work_data_hub.orchestration.queue_worker import DrainRequest
from work_data_hub.settings import get_settings


class DrainConfig(Config):
    """How far to work the queue off; `wdh identity queue --drain` has a flag for each."""

    batch_size: int = Field(default=50, ge=1, le=500, description="requests taken at a time")
    limit: int = Field(default=0, ge=0, description="stop after so many requests; 0: no limit")
    seconds: float = Field(default=0.0, ge=0, description="begin no request after so many seconds; 0: no limit")
    retry_failed: bool = Field(default=False, description="also ask again for what was given up without an answer")

    def request(self) -> DrainRequest:
        """The same request that the command line would make."""
        return DrainRequest(
            batch_size=self.batch_size,
            limit=self.limit or None,
            seconds=self.seconds or None,
            retry_failed=self.retry_failed,
        )


@op(name="drain_identity_queue", pool=REGISTRY_POOL, description="Ask the company registry for the names that wait.")
def drain_identity_queue(context: OpExecutionContext, config: DrainConfig) -> None:
    """Drain the queue of the settings' warehouse; what the registry refused fails the run, what was stored stays."""
    settings = get_settings()
    with open_registry(settings) as registry:
        place = workplace(settings, execute=True)
        done = drain_queue(config.request(), place, registry=registry, lease_seconds=lease_seconds(settings))
    _tell(context, done)
    if done.error:
        raise done.error


@job(executor_def=in_process_executor, resource_defs={"io_manager": mem_io_manager})
def identity_queue_job() -> None:
    """The lookup queue → registry → index."""
    drain_identity_queue()


def _tell(context: OpExecutionContext, done: Drained) -> None:
    if done.depth.is_too_deep:
        context.log.warning(f"{done.depth.pending} names wait for the registry")
    if done.has_found:
        # Names wait for no month, so that none turns green by it.
        context.log_event(AssetObservation(COMPANIES, metadata=done.counts))
    context.add_output_metadata(
        {**done.counts, "left": done.depth.pending, "depth": MetadataValue.json(done.depth.as_json())}
    )
