"""At most so many requests in any window of time."""

import time
from collections import deque
from collections.abc import Callable

# The other side counts by its own clock, and counts when a request arrives.
MARGIN_SECONDS = 0.1


class SlidingWindow:
    """Lets at most `limit` requests begin in any `window_seconds`; later ones wait until the oldest leaves."""

    def __init__(
        self,
        limit: int,
        *,
        window_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit, self._kept_seconds = limit, window_seconds + MARGIN_SECONDS
        self._clock, self._sleep = clock, sleep
        self._begun: deque[float] = deque()

    def wait(self, *, until: float | None = None) -> bool:
        """Return True when the next request may begin; False, at once, where that is after `until`."""
        while (pause_seconds := self._pause_seconds()) > 0:
            if until is not None and self._clock() + pause_seconds > until:
                return False
            self._sleep(pause_seconds)
        self._begun.append(self._clock())
        return True

    def _pause_seconds(self) -> float:
        now = self._clock()
        while self._begun and self._begun[0] + self._kept_seconds <= now:
            self._begun.popleft()
        return 0.0 if len(self._begun) < self._limit else self._begun[0] + self._kept_seconds - now
