"""Between the routes and the desk: a connection for each question, and refusals as answers."""

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from fastapi import HTTPException

from work_data_hub.api.failures import CODES
from work_data_hub.domain.batch.refusals import Refusal
from work_data_hub.io.connection_pool import ConnectionPool
from work_data_hub.orchestration.batch_desk import BatchDesk
from work_data_hub.orchestration.batch_metrics import HistoryMetrics, render
from work_data_hub.orchestration.batch_place import BatchPlace

_CONNECTIONS = 8
_API = "api"
# All runs there ever were are looked through for it.
_COUNTED_SECONDS = 10.0
Told = TypeVar("Told")


class Front:
    """Asks the desk of one place; safe to use from several threads."""

    def __init__(self, place: BatchPlace) -> None:
        self._place = place
        self._pool = ConnectionPool(place.database_url, size=_CONNECTIONS, application_name="wdh pipelines api")
        self._metrics, self._lock = HistoryMetrics(), Lock()
        self._counted_at = -math.inf

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
        """How all pipelines and runners stand, and what was run a moment ago, as Prometheus reads it."""
        seen = self.ask(BatchDesk.metrics)
        with self._lock:
            self._metrics.observe(seen)
            if time.monotonic() >= self._counted_at + _COUNTED_SECONDS:
                self._metrics.count(self.ask(BatchDesk.run_totals))
                self._counted_at = time.monotonic()
            return render(self._metrics.registry)

    def close(self) -> None:
        """Close its connections."""
        self._pool.close()
