"""The replays of a runner: rows that were set aside, and that somebody asked to be written again, in a thread."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from work_data_hub.io.batch_letters import is_replay_requested
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_patience import Halted
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_replay import replay_requested

log = get_logger(__name__)


class BatchReplays:
    """Writes what is asked for, beside the executions; `wake` is called, in another thread, when it is done.

    After a try that came to nothing it rests until the place would poll again.
    """

    def __init__(self, place: BatchPlace, *, wake: Callable[[], None]) -> None:
        self._place, self._wake = place, wake
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch-replay")
        self._under_way: Future[int] | None = None
        self._rests_until = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether rows are written just now."""
        return self._under_way is not None and not self._under_way.done()

    def look(self, store: Connection) -> None:
        """Begin to write where something is asked for and nothing is written yet."""
        if self.is_busy:
            return
        self._collect()
        if time.monotonic() < self._rests_until:
            return
        with transaction(store), store.cursor() as cursor:
            is_requested = is_replay_requested(cursor)
        if is_requested and not self._stop.is_set():
            self._under_way = self._thread.submit(replay_requested, self._place, stop=self._stop)
            self._under_way.add_done_callback(lambda _: self._wake())

    def stop(self) -> None:
        """Begin nothing more, and end after the rows at hand."""
        self._stop.set()

    def close(self) -> None:
        """Begin nothing more; does not wait for what is under way."""
        if not self.is_busy:
            self._collect()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _collect(self) -> None:
        over, self._under_way = self._under_way, None
        if over is None:
            return
        error = over.exception()
        if error is not None or not over.result():
            self._rests_until = time.monotonic() + self._place.poll_seconds
        if error is not None and not isinstance(error, Halted):
            where = error if self._place.log_tracebacks else None
            log.error("replay.broke_off", error_type=type(error).__name__, exc_info=where)
