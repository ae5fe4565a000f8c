"""The one Definitions object; loading it starts no server and needs no database."""

from dagster import Definitions

from work_data_hub.orchestration.file_jobs import file_jobs
from work_data_hub.orchestration.identity_jobs import identity_queue_job
from work_data_hub.orchestration.resources import settings_desk
from work_data_hub.orchestration.sample_job import sample_pipeline_job

defs = Definitions(jobs=[*file_jobs(settings_desk), identity_queue_job, sample_pipeline_job])
