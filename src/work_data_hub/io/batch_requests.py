"""Requests to run and to pause, written as moves of a pipeline's status; a runner answers them.

Everything happens in the caller's transaction, which must be one of read committed: a request that another
session overtakes looks again and decides anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from work_data_hub.domain.batch.status import Answer, Status, pause_requested, run_requested
from work_data_hub.io.batch_pipelines import PipelineRow, act_as, find_pipeline
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """The pipeline as the request leaves it, None where there is none; and why the request is refused."""

    row: PipelineRow | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Where a pipeline stood a moment ago; a runner that `is_alive` holds it."""

    status: Status
    enabled: bool
    is_alive: bool


_Decide: TypeAlias = Callable[[_Seen], Answer]
_Move: TypeAlias = Callable[[_Seen, Status], bool]


def request_run(
    cursor: Cursor, id: UUID, *, actor: str, key: str | None = None, trigger: str = "api", lease_seconds: float
) -> Requested:
    """Ask for a run; what runs or waits to already goes on as it is, and a wish to pause is taken back.

    A `key` that was given before asks for nothing, whatever became of the run; one of a refused request may be
    given again. A runner silent for longer than `lease_seconds` holds nothing.
    """
    if key is not None and not _keep_key(cursor, id, key):
        return Requested(row=find_pipeline(cursor, id))
    act_as(cursor, actor, reason=f"run requested ({trigger})")

    def decide(seen: _Seen) -> Answer:
        return run_requested(seen.status, enabled=seen.enabled, is_alive=seen.is_alive)

    def move(seen: _Seen, to: Status) -> bool:
        name = "request_run" if to is Status.RUN_REQUESTED else "go_on"
        return _changes(cursor, name, {"id": str(id), "seen": seen.status.value, "key": key, "trigger": trigger})

    requested = _request(cursor, id, decide=decide, move=move, lease_seconds=lease_seconds)
    if requested.refusal and key is not None:
        _changes(cursor, "forget_key", {"id": str(id), "key": key})
    return requested


def request_pause(cursor: Cursor, id: UUID, *, actor: str, reason: str = "pause requested") -> Requested:
    """Ask for a pause: at once where nobody runs the pipeline, after the batch at hand where somebody does."""
    act_as(cursor, actor, reason=reason)

    def decide(seen: _Seen) -> Answer:
        return pause_requested(seen.status)

    def move(seen: _Seen, to: Status) -> bool:
        return _changes(cursor, "request_pause", {"id": str(id), "seen": seen.status.value, "status": to.value})

    return _request(cursor, id, decide=decide, move=move, lease_seconds=0)


def _request(cursor: Cursor, id: UUID, *, decide: _Decide, move: _Move, lease_seconds: float) -> Requested:
    # Ends: each further turn needs a move of another session in between.
    while seen := _look(cursor, id, lease_seconds=lease_seconds):
        answer = decide(seen)
        if answer.refusal or answer.status is seen.status or move(seen, answer.status):
            return Requested(row=find_pipeline(cursor, id), refusal=answer.refusal)
    return Requested(row=None)


def _look(cursor: Cursor, id: UUID, *, lease_seconds: float) -> _Seen | None:
    cursor.execute(query("batch_pipelines", "standing"), {"id": str(id), "lease_seconds": lease_seconds})
    row = cursor.fetchone()
    return _Seen(status=Status(row[0]), enabled=row[1], is_alive=row[2]) if row else None


def _keep_key(cursor: Cursor, id: UUID, key: str) -> bool:
    return _changes(cursor, "keep_key", {"id": str(id), "key": key})


def _changes(cursor: Cursor, name: str, values: dict[str, Any]) -> bool:
    cursor.execute(query("batch_pipelines", name), values)
    return cursor.rowcount > 0
