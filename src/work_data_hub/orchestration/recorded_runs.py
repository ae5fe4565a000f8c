"""The record of a run that is no load of a file: running, and failed where it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg2

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.ledger import begin_execution, finish_execution
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.log import get_logger, redact_text

log = get_logger(__name__)


@contextmanager
def recorded(
    connection: Connection, execution_id: UUID, *, pipeline_name: str, sources: str | None = None
) -> Iterator[None]:
    """Note that a run begins, and where it fails, why; its success is noted in its own transaction."""
    with transaction(connection), connection.cursor() as cursor:
        begin_execution(cursor, execution_id, pipeline_name=pipeline_name, input_file=sources)
    try:
        yield
    except BaseException as error:
        _note_failure(connection, execution_id, error, pipeline_name=pipeline_name)
        raise


def _note_failure(connection: Connection, execution_id: UUID, error: BaseException, *, pipeline_name: str) -> None:
    """A database that is gone keeps the record `running` until the pipeline's next run closes it."""
    text = redact_text(str(error)) if isinstance(error, WorkDataHubError) else type(error).__name__
    log.info(
        "execution.failed",
        pipeline_name=pipeline_name,
        execution_id=str(execution_id),
        error_type=type(error).__name__,
    )
    try:
        with transaction(connection), connection.cursor() as cursor:
            finish_execution(cursor, execution_id, rows=(0, 0, 0), error=text)
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return
