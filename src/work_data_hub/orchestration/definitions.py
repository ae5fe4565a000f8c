"""The one Definitions object; loading it starts no server and needs no database."""

from dagster import Definitions

from work_data_hub.orchestration.batch_jobs import batch_assets, pipeline_run_job, pipeline_schedules
from work_data_hub.orchestration.file_jobs import file_jobs
from work_data_hub.orchestration.identity_jobs import identity_queue_job
from work_data_hub.orchestration.resources import settings_desk
from work_data_hub.orchestration.sample_job import sample_pipeline_job
from work_data_hub.settings import get_settings

defs = Definitions(
    assets=batch_assets(),
    jobs=[*file_jobs(settings_desk), identity_queue_job, pipeline_run_job, sample_pipeline_job],
    schedules=pipeline_schedules(get_settings().config_dir),
)
