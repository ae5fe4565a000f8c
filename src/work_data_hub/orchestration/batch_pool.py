"""The executions that a runner has under way at once: a bounded number, and none that stops the others."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from work_data_hub.domain.batch.run import Claim
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.errors import LeaseLost
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_metrics import BatchMetrics
from work_data_hub.orchestration.batch_place import BatchPlace

log = get_logger(__name__)


class Execute(Protocol):
    """Executes a claim to its end; `batch_run.run_claim` is one."""

    def __call__(
        self, claim: Claim, place: BatchPlace, *, stop: threading.Event, lost: threading.Event, metrics: BatchMetrics
    ) -> RunStatus | None:
        """How the run ended; None when another runner holds it by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An execution that is over: how its run ended, or what ended it without closing it."""

    claim: Claim
    status: RunStatus | None = None
    bug: BaseException | None = None


class BatchPool:
    """Executions in threads, as many at once as the place has workers.

    `stop` asks all of them to end after their batch. `wake` is called, in another thread, when one has ended.
    """

    def __init__(self, place: BatchPlace, *, execute: Execute, metrics: BatchMetrics, wake: Callable[[], None]) -> None:
        self.stop = threading.Event()
        self._place, self._execute, self._metrics, self._wake = place, execute, metrics, wake
        self._threads = ThreadPoolExecutor(max_workers=place.workers, thread_name_prefix="batch")
        self._under_way: dict[Future[RunStatus | None], Claim] = {}

    @property
    def room(self) -> int:
        """How many more executions may begin."""
        return self._place.workers - len(self._under_way)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is under way, or was not collected yet."""
        return tuple(self._under_way.values())

    @property
    def is_busy(self) -> bool:
        """Whether an execution goes on."""
        return not all(future.done() for future in self._under_way)

    def begin(self, claim: Claim, *, lost: threading.Event) -> None:
        """Execute the claim; `lost` tells it that its worker may be taken for dead."""
        future = self._threads.submit(
            self._execute, claim, self._place, stop=self.stop, lost=lost, metrics=self._metrics
        )
        self._under_way[future] = claim
        future.add_done_callback(lambda _: self._wake())

    def collect(self) -> tuple[Ended, ...]:
        """What has ended since the last time."""
        over = [future for future in self._under_way if future.done()]
        return tuple(self._ended(future, self._under_way.pop(future)) for future in over)

    def close(self) -> None:
        """Begin nothing more; does not wait for what is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: Future[RunStatus | None], claim: Claim) -> Ended:
        bug = future.exception()
        if bug is None:
            return Ended(claim=claim, status=future.result())
        facts = {"pipeline": claim.pipeline.name, "run": str(claim.run_id), "worker": claim.worker_id}
        if isinstance(bug, LeaseLost):
            self._metrics.fenced()
            log.warning("run.fenced", **facts)
            return Ended(claim=claim)
        where = bug if self._place.log_tracebacks else None
        log.error("run.broke_off", **facts, error_type=type(bug).__name__, exc_info=where)
        return Ended(claim=claim, bug=bug)
