"""The sample pipeline: a CSV file, validated, into `public.sample_data`; the shortest whole example."""

from pathlib import Path
from typing import Any

import pandas as pd
from dagster import Config, OpExecutionContext, in_process_executor, job, mem_io_manager, op
from pydantic import Field

from work_data_hub.domain.pipelines import Pipeline, PipelineConfig
from work_data_hub.domain.sample_data import validate_sample
from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.database import warehouse_url
from work_data_hub.io.warehouse_loader import WarehouseLoader
from work_data_hub.settings import Settings, get_settings


class CsvConfig(Config):
    """Which CSV file to load."""

    path: str = Field(default="tests/fixtures/sample_data.csv", description="relative to the current folder")


@op(description="Read the CSV file as text.")
def read_csv_op(context: OpExecutionContext, config: CsvConfig) -> Any:
    """One row per line, every column text; blank is null."""
    path = Path(config.path)
    if not path.is_file():
        raise UnreadableWorkbook("there is no such file", file=str(path), hint="set ops › read_csv_op › config › path")
    rows = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    context.add_output_metadata({"rows": len(rows)})
    return rows


@op(description="Check and type the rows.")
def validate_op(context: OpExecutionContext, rows: Any) -> Any:
    """The rows with typed columns; a bad row fails the run and is named."""
    result = Pipeline("sample_data", PipelineConfig(stop_on_error=True)).add_step(validate_sample()).run(rows)
    result.raise_first()
    context.add_output_metadata({"rows": len(result.output_data)})
    return result.output_data


def sample_loader(settings: Settings) -> WarehouseLoader:
    """A loader of the warehouse with the pool and the chunks that the settings ask for."""
    url = warehouse_url(settings, for_execute=True) or ""
    return WarehouseLoader(url, pool_size=settings.db_pool_size, batch_size=settings.db_batch_size)


@op(description="Upsert the rows by id.")
def load_to_db_op(context: OpExecutionContext, rows: Any) -> Any:
    """Rows inserted and updated; the same file again gives 0 and 0."""
    with sample_loader(get_settings()) as loader:
        result = loader.load_dataframe(rows, "sample_data", "public", ["id"])
    context.add_output_metadata({"inserted": result.rows_inserted, "updated": result.rows_updated})
    return result


@job(executor_def=in_process_executor, resource_defs={"io_manager": mem_io_manager})
def sample_pipeline_job() -> None:
    """CSV → validate → PostgreSQL."""
    load_to_db_op(validate_op(read_csv_op()))
