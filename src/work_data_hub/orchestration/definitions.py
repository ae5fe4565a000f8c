"""The one Definitions object; loading it starts no server and needs no database."""

from dagster import Definitions, in_process_executor, mem_io_manager

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.orchestration.arrivals import arrival_sensor
from work_data_hub.orchestration.batch_jobs import batch_assets, pipeline_run_job, pipeline_schedules
from work_data_hub.orchestration.customer_checks import customer_checks, customer_checks_job, customer_sensor
from work_data_hub.orchestration.file_assets import source_asset
from work_data_hub.orchestration.file_jobs import file_assets, file_jobs
from work_data_hub.orchestration.identity_jobs import identity_queue_job
from work_data_hub.orchestration.month_checks import month_checks, month_sensor
from work_data_hub.orchestration.notices import notice_sensors
from work_data_hub.orchestration.platform_assets import platform_assets
from work_data_hub.orchestration.reconciler import reconciler
from work_data_hub.orchestration.reference_jobs import reference_sync_job
from work_data_hub.orchestration.resources import settings_desk
from work_data_hub.orchestration.sample_job import sample_pipeline_job
from work_data_hub.orchestration.schedules import queue_depth_sensor, schedules
from work_data_hub.settings import get_settings

_FILE_JOBS = file_jobs(settings_desk)

defs = Definitions(
    assets=[
        *(source_asset(domain) for domain in DOMAINS.values()),
        *(file_assets(domain) for domain in DOMAINS.values()),
        *platform_assets(),
        *batch_assets(),
    ],
    asset_checks=[customer_checks, month_checks()],
    jobs=[
        *_FILE_JOBS,
        customer_checks_job,
        identity_queue_job,
        reference_sync_job,
        pipeline_run_job,
        sample_pipeline_job,
    ],
    schedules=[*schedules(_FILE_JOBS), *pipeline_schedules(get_settings().config_dir)],
    sensors=[
        arrival_sensor(_FILE_JOBS),
        reconciler(),
        month_sensor(),
        customer_sensor(),
        queue_depth_sensor(),
        *notice_sensors(),
    ],
    executor=in_process_executor,
    resources={"desk": settings_desk, "io_manager": mem_io_manager},
)
