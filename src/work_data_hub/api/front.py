"""Between the routes and the desk: a connection for each question, and refusals as answers."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from fastapi import HTTPException

from work_data_hub.api.failures import CODES
from work_data_hub.domain.batch.refusals import Refusal
from work_data_hub.io.connection_pool import ConnectionPool
from work_data_hub.orchestration.batch_desk import BatchDesk
from work_data_hub.orchestration.batch_metrics import BatchMetrics, render
from work_data_hub.orchestration.batch_place import BatchPlace

_CONNECTIONS = 8
_API = "api"
Told = TypeVar("Told")


class Front:
    """Asks the desk of one place; safe to use from several threads."""

    def __init__(self, place: BatchPlace) -> None:
        self._place = place
        self._pool = ConnectionPool(place.database_url, size=_CONNECTIONS, application_name="wdh pipelines api")
        self._metrics, self._lock = BatchMetrics(), Lock()

    def ask(self, question: Callable[[BatchDesk], Told | Refusal]) -> Told:
        """The desk's answer; a refusal becomes the HTTP error that belongs to it."""
        with self._pool.connection() as connection:
            answer = question(BatchDesk(connection, self._place, actor=_API, trigger=_API))
        if isinstance(answer, Refusal):
            raise HTTPException(CODES[answer.why], answer.message)
        return answer

    def prove_alive(self) -> None:
        """Return when the database answers; raises WarehouseError where it does not."""
        with self._pool.connection():
            return

    def metrics(self) -> bytes:
        """How all pipelines and runners stand, as Prometheus reads it."""
        seen = self.ask(BatchDesk.metrics)
        with self._lock:
            self._metrics.observe(seen)
            return render(self._metrics.registry)

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()
