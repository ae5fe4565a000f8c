"""Settings of a load that is spread over the workers of a cluster."""

from pydantic import Field
from pydantic_settings import BaseSettings

from work_data_hub.settings.values import Count, SchedulerAddress, Seconds


class SpreadSettings(BaseSettings):
    """What a site may set to spread a load; without a scheduler one machine does it all."""

    dask_scheduler: SchedulerAddress | None = Field(
        default=None,
        validation_alias="WDH_DASK_SCHEDULER",
        description="Scheduler of a dask cluster whose workers read files and rows of a load; unset, all is done here. "
        "Workers need this very version, and WDH_DATA_ROOT under the same path.",
    )
    dask_block_rows: Count = Field(
        default=50_000, validation_alias="WDH_DASK_BLOCK_ROWS", description="Rows of a sheet that one worker takes."
    )
    dask_wait_seconds: Seconds = Field(
        default=30,
        validation_alias="WDH_DASK_WAIT_SECONDS",
        description="Most seconds to wait for the scheduler, or for a worker when none is left.",
    )
