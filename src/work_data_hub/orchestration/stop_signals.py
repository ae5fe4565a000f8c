"""Signals to end, taken from the moment a long-running command begins; light, so that it may come before all else."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self, TypeAlias

from work_data_hub.errors import Interrupted

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Notes the first SIGTERM or SIGINT while its block lasts; the second one ends the process at once, with 130.

    A program that is still loading thus ends as one that works does. Outside the main thread nothing is noted.
    """

    def __init__(self) -> None:
        self.came = False
        self._stop: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._obey) for number in _NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._before:
            signal.signal(number, self._before[number])

    def tell(self, stop: Callable[[], None]) -> None:
        """Call it at the first signal, at once where that has come already; it may be called twice."""
        self._stop = stop
        if self.came:
            stop()

    def _obey(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            os._exit(Interrupted.exit_code)
        self.came = True
        self._stop()
