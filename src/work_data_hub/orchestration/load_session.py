"""One executed load's hold on the warehouse: connection, lock, execution record and transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg2

from work_data_hub.domain.period import Period
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.ledger import LastLoad, begin_execution, finish_execution, last_load
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Cursor, connect, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.orchestration.requests import FileRequest, Workplace


class LoadSession:
    """Opened when an executed run begins, closed when it ends; the server frees the lock with the connection."""

    def __init__(self, request: FileRequest, place: Workplace, *, period: Period, input_file: str) -> None:
        self.execution_id: UUID = uuid4()
        self._domain, self._period, self._place = request.domain, period, place
        name = f"wdh etl {request.domain} {period.yyyymm} {str(self.execution_id)[:8]}"
        self._connection = connect(_required(place.database_url), application_name=name)
        try:
            self._begin(request, input_file)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, request: FileRequest, input_file: str) -> None:
        with warehouse_errors():
            require_head(self._connection)
            self._connection.commit()
            take_load_lock(
                self._connection,
                domain=request.domain,
                period=self._period.yyyymm,
                wait_seconds=request.lock_wait_seconds,
            )
            self._place.faults.reach("after_lock")
            with self._connection.cursor() as cursor:
                begin_execution(cursor, self.execution_id, pipeline_name=request.domain, input_file=input_file)
            self._connection.commit()
            self._place.faults.reach("after_running")

    def last_load(self) -> LastLoad | None:
        """The newest committed load of this domain and month."""
        with warehouse_errors():
            found = last_load(self._connection, domain=self._domain, period=self._period.first_day)
            self._connection.commit()
        return found

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """The load's one transaction: committed when the block ends well, else rolled back whole."""
        with warehouse_errors():
            try:
                with self._connection.cursor() as cursor:
                    yield cursor
                self._place.faults.reach("before_commit")
                self._connection.commit()
            except BaseException:
                if not self._connection.closed:
                    self._connection.rollback()
                raise
        self._place.faults.reach("after_commit")

    def failed(self, error: BaseException, *, rows: tuple[int, int, int]) -> None:
        """Record the failure; a database that is gone keeps the record `running` until the next run closes it."""
        text = str(error) if isinstance(error, WorkDataHubError) else type(error).__name__
        try:
            self._connection.rollback()
            with self._connection.cursor() as cursor:
                finish_execution(cursor, self.execution_id, rows=rows, error=text)
            self._connection.commit()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return

    def close(self) -> None:
        """Give the lock and the connection back."""
        self._connection.close()


def _required(url: str | None) -> str:
    if url is None:
        raise WorkDataHubError("an executed run needs a database", hint="set DATABASE_URL, or run wdh db start")
    return url
