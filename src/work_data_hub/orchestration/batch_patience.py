"""Waiting between batches and between tries, while listening for whoever asks the run to end."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from work_data_hub.domain.batch.failures import wait_seconds

_STEP_SECONDS = 0.25


class Ask(StrEnum):
    """Why a run ends before its last page."""

    STOP = "the runner was stopped"
    PAUSE = "a pause was requested"
    LOST = "the lease was lost"


class Halted(Exception):
    """A run was asked to end while it waited."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(ask)
        self.ask = ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a run waits, and what wakes it: the runner's signals, and a pause that stands in the database."""

    stop: threading.Event
    lost: threading.Event
    is_pause_wanted: Callable[[], bool]
    base_seconds: float = 1.0
    attempts: int = 3
    chance: random.Random = field(default_factory=random.Random)

    def asked(self) -> Ask | None:
        """What the run is asked to do now; a lost lease before a stop before a pause."""
        if self.lost.is_set():
            return Ask.LOST
        if self.stop.is_set():
            return Ask.STOP
        return Ask.PAUSE if self.is_pause_wanted() else None

    def wait(self, seconds: float) -> None:
        """Wait; raises Halted as soon as the run is asked to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.stop.wait(min(left, _STEP_SECONDS))
            if ask := self.asked():
                raise Halted(ask)

    def before_try(self, failed: int) -> None:
        """Wait after so many tries that failed in a row."""
        self.wait(wait_seconds(failed, base_seconds=self.base_seconds, chance=self.chance.random()))
