"""The status of a pipeline, the moves between them, and what a request to run or to pause comes to."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a pipeline stands."""

    IDLE = "IDLE"
    RUN_REQUESTED = "RUN_REQUESTED"
    RUNNING = "RUNNING"
    PAUSE_REQUESTED = "PAUSE_REQUESTED"
    PAUSED = "PAUSED"
    FAILED = "FAILED"


class RunStatus(StrEnum):
    """How a run stands, or ended; a paused one has committed whole batches and can be resumed."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    PAUSED = "PAUSED"


MOVES: dict[Status, frozenset[Status]] = {
    Status.IDLE: frozenset({Status.RUN_REQUESTED, Status.PAUSED}),
    Status.RUN_REQUESTED: frozenset({Status.RUNNING, Status.PAUSED}),
    Status.RUNNING: frozenset({Status.IDLE, Status.PAUSE_REQUESTED, Status.FAILED, Status.RUN_REQUESTED}),
    Status.PAUSE_REQUESTED: frozenset(
        {Status.PAUSED, Status.RUNNING, Status.RUN_REQUESTED, Status.FAILED, Status.IDLE}
    ),
    Status.PAUSED: frozenset({Status.RUN_REQUESTED}),
    Status.FAILED: frozenset({Status.RUN_REQUESTED}),
}
"""Every move there is; the trigger `etl.guard_pipeline` keeps the same table."""

AT_REST = frozenset({Status.IDLE, Status.PAUSED, Status.FAILED})
"""The states in which nothing runs or waits to: a definition may be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request does: the status after it, and why it is refused (None: it is not)."""

    status: Status
    refusal: str | None = None


def run_requested(status: Status, *, enabled: bool, is_alive: bool) -> Answer:
    """What a request to run does to a pipeline; `is_alive` tells whether a runner holds it."""
    if not enabled:
        return Answer(status=status, refusal="the pipeline is disabled; enable it first")
    if status is Status.PAUSE_REQUESTED:
        return Answer(status=Status.RUNNING if is_alive else Status.RUN_REQUESTED)
    if status in AT_REST:
        return Answer(status=Status.RUN_REQUESTED)
    return Answer(status=status)


def pause_requested(status: Status) -> Answer:
    """What a request to pause does: at once where nothing runs, after its batch where something does."""
    if status in (Status.IDLE, Status.RUN_REQUESTED):
        return Answer(status=Status.PAUSED)
    return Answer(status=Status.PAUSE_REQUESTED if status is Status.RUNNING else status)
