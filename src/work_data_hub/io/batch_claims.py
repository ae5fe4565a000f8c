"""Who runs which pipeline: runners and their signs of life, claims, leases, and what dead runners left behind.

A claim is a lease with an epoch. The epoch grows with every change of hands, and whoever writes for a pipeline
shows that the lease is still its own: a runner that was taken for dead and wakes up can change nothing.

Everything happens in the caller's transaction, which must be one of read committed. Rows are locked in one order:
the lease, then the pipeline, then the run. A claim waits for no lock at all; several sweeps go through pipelines
in the same order. So nobody here can be part of a deadlock.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg2 import errors

from work_data_hub.domain.batch.run import Claim
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_beginnings import beginning_of
from work_data_hub.io.batch_definitions import definition_of, pipeline_of
from work_data_hub.io.batch_ledger import add_warning
from work_data_hub.io.batch_pipelines import act_as
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query

RUNNER_STOPPED = "recovered: its runner stopped"
_SWEEPER = "recovery"
_BY_HAND = "by hand"
_SWEEP_LOCK_WAIT = "500ms"
_SILENT_LEASES = 10
_LONGEST_APPLICATION_NAME = 63
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A pipeline that was taken from a dead runner, and where it stands now.

    `recoveries` counts how often that happened in a row, without getting further.
    """

    pipeline_id: UUID
    name: str
    owner: str | None
    status: Status
    recoveries: int
    run_id: UUID | None


class _NotLeft(Exception):
    """A pipeline that looked left behind is not: somebody was faster, or its runner lives."""


def batch_application(worker_id: str) -> str:
    """The name that a runner's writing connections bear, by which a sweep knows them; servers cut longer ones."""
    prefix = "wdh batch "
    return prefix + worker_id[-(_LONGEST_APPLICATION_NAME - len(prefix)) :]


def register_worker(cursor: Cursor, worker_id: str, *, host: str, pid: int, version: str) -> None:
    """Make it known that a runner lives; its id must be new, so that nobody passes for one that died."""
    cursor.execute(
        query("batch_claims", "register"), {"worker": worker_id, "host": host, "pid": pid, "version": version}
    )


def beat(cursor: Cursor, worker_id: str) -> bool:
    """Give a sign of life. False: the runner is forgotten, all its leases are lost, and it needs a new id."""
    cursor.execute(query("batch_claims", "beat"), {"worker": worker_id})
    return cursor.rowcount > 0


def forget_worker(cursor: Cursor, worker_id: str) -> None:
    """Let a runner be gone; what it still holds is taken back by the next sweep."""
    cursor.execute(query("batch_claims", "forget"), {"worker": worker_id})


def claim_next(cursor: Cursor, worker_id: str) -> Claim | None:
    """Take the oldest request that nobody else is just taking; None where there is none.

    The pipeline is RUNNING and its run open once the transaction is committed. The definition is not judged: one
    that cannot be run is claimed as well, so that its run says why. A runner that is not registered gets nothing.
    """
    found = _next_request(cursor, worker_id)
    if found is None:
        return None
    given, trigger = found["id"], found["request_trigger"] or _BY_HAND
    (lease,) = _rows(cursor, "take", worker=worker_id, trigger=trigger, pipeline=given)
    act_as(cursor, worker_id, reason="claimed")
    _execute(cursor, "start", pipeline=given)
    _execute(cursor, "close_left", pipeline=given, error=RUNNER_STOPPED)
    pipeline = pipeline_of(found, _rows(cursor, "tasks", pipeline=given))
    begin = beginning_of(cursor, UUID(str(given)), pipeline)
    run = _rows(
        cursor,
        "open_run",
        pipeline=given,
        attempt=begin.attempt,
        trigger=trigger,
        key=found["request_key"],
        worker=worker_id,
        epoch=lease["epoch"],
        resumed_from=str(begin.resumed_from) if begin.resumed_from else None,
        definition=json.dumps(definition_of(pipeline), ensure_ascii=False),
    )
    claim = Claim(
        run_id=UUID(str(run[0]["id"])),
        pipeline_id=UUID(str(given)),
        pipeline=pipeline,
        worker_id=worker_id,
        epoch=lease["epoch"],
        claimed_at=lease["claimed_at"],
        trigger=trigger,
        resumed_from=begin.resumed_from,
        resume_at=begin.resume_at,
        scan_began_at=begin.scan_began_at,
        checkpoint=begin.checkpoint,
    )
    for note in begin.notes:
        add_warning(cursor, claim, note)
    return claim


def hold(cursor: Cursor, claim: Claim) -> None:
    """Keep the pipeline from being taken over before this transaction ends; raises LeaseLost where it was.

    Waits for a change of hands that is under way, at most the connection's lock_timeout.
    """
    if not _rows(cursor, "hold", **_of(claim)):
        raise _lost(claim)


def requested_status(cursor: Cursor, claim: Claim) -> Status:
    """What is asked of the runner now: RUNNING, go on; PAUSE_REQUESTED, stop. Raises LeaseLost."""
    found = _rows(cursor, "asked", **_of(claim))
    if not found:
        raise _lost(claim)
    return Status(found[0]["status"])


def close_run(
    cursor: Cursor,
    claim: Claim,
    *,
    status: RunStatus,
    to: Status,
    error: str | None = None,
    warnings: Sequence[str] = (),
) -> Status:
    """End the run, free the lease and move the pipeline; returns where it stands. Raises LeaseLost.

    `to` PAUSED or RUN_REQUESTED ends a run half-way, and what is asked at that moment decides between the two: a
    pause that was taken back leaves the rest to the next claim, and one that came in the meantime is kept.
    A run that has ended (`to` IDLE or FAILED) does not pause any more.
    """
    _execute(cursor, "free", **_of(claim))
    if not cursor.rowcount:
        raise _lost(claim)
    act_as(cursor, claim.worker_id, reason=error[:_LONGEST_REASON] if error else f"run {status.value}")
    moved = _rows(cursor, "end", pipeline=str(claim.pipeline_id), to=to.value)
    if not moved:
        raise _lost(claim)
    _execute(
        cursor,
        "close_run",
        run=str(claim.run_id),
        status=status.value,
        error=error,
        warnings=json.dumps(list(warnings), ensure_ascii=False),
    )
    return Status(moved[0]["status"])


def sweep(cursor: Cursor, *, lease_seconds: float, max_recoveries: int) -> tuple[Recovered, ...]:
    """Take back what runners hold that were silent for longer than the lease; returns what became of each.

    A running pipeline is requested again, or FAILED after more than `max_recoveries` in a row without getting
    further; one that was asked to pause is PAUSED. A batch under way is waited for, shortly; one that outlasts
    the lease is cut off. Where a request has moved a pipeline from under its dead runner, the lease and the run
    are ended, and the pipeline stays where it is. Runners silent for ten leases that hold nothing are forgotten.
    """
    cursor.execute("select set_config('lock_timeout', %s, true)", (_SWEEP_LOCK_WAIT,))
    left = _rows(cursor, "left_behind", lease_seconds=lease_seconds)
    tried = (_recover(cursor, seen, lease_seconds=lease_seconds, max_recoveries=max_recoveries) for seen in left)
    recovered = tuple(one for one in tried if one is not None)
    for seen in _rows(cursor, "loose"):
        _settle(cursor, seen)
    _execute(cursor, "forget_silent", silent_seconds=_SILENT_LEASES * lease_seconds)
    return recovered


def _recover(cursor: Cursor, seen: Mapping[str, Any], *, lease_seconds: float, max_recoveries: int) -> Recovered | None:
    """Take one pipeline back, unless somebody else did, its runner lives again, or a batch of it does not end."""
    for _ in range(2):
        try:
            with _savepoint(cursor):
                return _take_back(cursor, seen, lease_seconds=lease_seconds, max_recoveries=max_recoveries)
        except _NotLeft:
            return None
        except errors.LockNotAvailable:
            if not _cut_off(cursor, seen["owner"], lease_seconds=lease_seconds):
                return None
    return None


@contextmanager
def _savepoint(cursor: Cursor) -> Iterator[None]:
    cursor.execute("savepoint before_recovery")
    try:
        yield
    except (_NotLeft, errors.LockNotAvailable):
        cursor.execute("rollback to savepoint before_recovery")
        raise
    cursor.execute("release savepoint before_recovery")


def _cut_off(cursor: Cursor, owner: str | None, *, lease_seconds: float) -> bool:
    if owner is None:
        return False
    return bool(_rows(cursor, "cut_off", application=batch_application(owner), lease_seconds=lease_seconds))


def _settle(cursor: Cursor, seen: Mapping[str, Any]) -> None:
    """End what is left of a run whose pipeline does not run any more, unless a claim does so first."""
    pipeline = seen["id"]
    with suppress(_NotLeft, errors.LockNotAvailable), _savepoint(cursor):
        if not _rows(cursor, "fence_off", pipeline=pipeline, owner=seen["owner"], epoch=seen["epoch"]):
            raise _NotLeft
        _execute(cursor, "close_left", pipeline=pipeline, error=RUNNER_STOPPED)


def _take_back(cursor: Cursor, seen: Mapping[str, Any], *, lease_seconds: float, max_recoveries: int) -> Recovered:
    pipeline, owner = seen["id"], seen["owner"]
    if seen["epoch"] is None:
        _execute(cursor, "make_lease", pipeline=pipeline)
    taken = _rows(cursor, "take_back", pipeline=pipeline, owner=owner, epoch=seen["epoch"], lease_seconds=lease_seconds)
    if not taken:
        raise _NotLeft
    recoveries = taken[0]["recoveries"]
    is_given_up = recoveries > max_recoveries
    act_as(cursor, _SWEEPER, reason=_why(owner, times=recoveries, is_given_up=is_given_up))
    moved = _rows(cursor, "recover", pipeline=pipeline, is_given_up=is_given_up)
    if not moved:
        raise _NotLeft
    closed = _rows(cursor, "close_left", pipeline=pipeline, error=RUNNER_STOPPED)
    return Recovered(
        pipeline_id=UUID(str(pipeline)),
        name=moved[0]["name"],
        owner=owner,
        status=Status(moved[0]["status"]),
        recoveries=recoveries,
        run_id=UUID(str(closed[0]["id"])) if closed else None,
    )


def _why(owner: str | None, *, times: int, is_given_up: bool) -> str:
    gone = f"runner {owner} stopped" if owner else "no runner holds it"
    return f"{gone}; {times} times in a row without getting further" if is_given_up else gone


def _next_request(cursor: Cursor, worker_id: str) -> Mapping[str, Any] | None:
    _execute(cursor, "add_lease")
    return next(iter(_rows(cursor, "next", worker=worker_id)), None)


def _of(claim: Claim) -> dict[str, Any]:
    return {"pipeline": str(claim.pipeline_id), "worker": claim.worker_id, "epoch": claim.epoch}


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(
        "another runner holds the pipeline by now, or none",
        operation=claim.pipeline.name,
        rule=f"epoch {claim.epoch} of {claim.worker_id}",
        hint="nothing of this batch was written; whoever claims next goes on from the last one that was",
    )


def _execute(cursor: Cursor, name: str, **values: Any) -> None:
    cursor.execute(query("batch_claims", name), values)


def _rows(cursor: Cursor, name: str, **values: Any) -> list[dict[str, Any]]:
    _execute(cursor, name, **values)
    return named_rows(cursor)
