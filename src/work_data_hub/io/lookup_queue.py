"""The queue of names that the company registry is to be asked for: filled by loads, worked off under leases."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.domain.identity.queue_rules import (
    FAILURE_STEPS,
    MOST_ATTEMPTS,
    REST_AFTER_GIVING_UP_SECONDS,
    WARN_ABOVE,
    WORKER_GONE,
    RequestStatus,
    Settlement,
)
from work_data_hub.io.postgres import Connection, Cursor, named_rows, transaction
from work_data_hub.io.queries import query

_SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request that a worker holds; `attempts` have failed before."""

    request_id: int
    raw_name: str
    normalized_name: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleReset:
    """What became of requests that workers had left behind, in requests."""

    requeued: int
    gave_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFailure:
    """A request whose last ask failed; pending ones are asked again."""

    raw_name: str
    status: str
    attempts: int
    reason: str
    failed_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.raw_name,
            "status": self.status,
            "attempts": self.attempts,
            "reason": self.reason,
            "failed_at": self.failed_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How many requests stand where; `ready` of the pending ones may be asked now, `stale` were left behind.

    The names of `given_up` failed ones were never answered. `oldest` is since when the longest unanswered one
    waits, `next_retry` when the next resting one is ready.
    """

    pending: int
    processing: int
    done: int
    failed: int
    ready: int
    stale: int
    given_up: int
    oldest: datetime | None
    next_retry: datetime | None

    @property
    def is_too_deep(self) -> bool:
        """Whether more is pending than anybody would want."""
        return self.pending > WARN_ABOVE

    def as_json(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.__slots__[:7]}
        moments = {"oldest": self.oldest, "next_retry": self.next_retry}
        return counts | {name: moment.isoformat() if moment else None for name, moment in moments.items()}


def enqueue(cursor: Cursor, unknown: pd.DataFrame, *, load_id: int | None, searched_days: int = 30) -> int:
    """Ask for names behind temporary ids; returns how many requests that makes, in the caller's transaction.

    Reads normalized_name, raw_name and temp_id, one row a name. Names that are asked for already, that the
    registry answered in the last `searched_days`, or that were given up minutes ago are left out.
    """
    if unknown.empty:
        return 0
    cursor.execute(
        query("lookup_queue", "enqueue"),
        {
            "raw_names": unknown["raw_name"].tolist(),
            "names": unknown["normalized_name"].tolist(),
            "temp_ids": unknown["temp_id"].tolist(),
            "normaliser_version": NORMALISER_VERSION,
            "load_id": load_id,
            "searched_days": searched_days,
            "rest_seconds": REST_AFTER_GIVING_UP_SECONDS,
        },
    )
    return cursor.rowcount


def sign_on(connection: Connection, *, worker: str) -> None:
    """Make it known that `worker` lives as long as this connection; it must claim with no other."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "sign_on"), {"worker": worker})


def claim(connection: Connection, *, worker: str, limit: int, lease_seconds: int) -> tuple[Claim, ...]:
    """Take up to `limit` ready requests for `worker`, oldest first, and commit; none where none is ready."""
    given = {"worker": worker, "limit": limit, "lease_seconds": lease_seconds}
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "claim"), given)
        taken = sorted(cursor.fetchall())
    return tuple(
        Claim(request_id=request_id, raw_name=raw_name, normalized_name=name, attempts=attempts)
        for _, request_id, raw_name, name, attempts in taken
    )


def renew(connection: Connection, *, worker: str, lease_seconds: int) -> frozenset[int]:
    """Prolong the lease of all that `worker` holds, and commit; returns the ids of what it still holds."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "renew"), {"worker": worker, "lease_seconds": lease_seconds})
        return frozenset(request_id for (request_id,) in cursor.fetchall())


def hold(cursor: Cursor, request_id: int, *, worker: str) -> datetime | None:
    """The database's time where `worker` still holds the request, None where it does not.

    Held, it cannot be taken by anybody before the transaction ends.
    """
    cursor.execute(query("lookup_queue", "hold"), {"request_id": request_id, "worker": worker})
    row = cursor.fetchone()
    return row[0] if row else None


def settle(cursor: Cursor, request_id: int, settlement: Settlement, *, worker: str) -> None:
    """Close the request, or let it rest, as the settlement says; ask `hold` first, in the same transaction."""
    cursor.execute(
        query("lookup_queue", "settle"),
        {
            "request_id": request_id,
            "worker": worker,
            "status": settlement.status.value,
            "attempts_added": settlement.attempts_added,
            "company_id": settlement.company_id,
            "reason": settlement.reason,
            "wait_seconds": settlement.wait_seconds,
        },
    )


def release(connection: Connection, *, worker: str) -> int:
    """Give back what `worker` holds, ready at once and no attempt counted, and commit; returns how many."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "release"), {"worker": worker})
        return cursor.rowcount


def reset_stale(connection: Connection) -> StaleReset:
    """Take requests back from workers whose connection or lease is over, and commit.

    The one a worker was asking for has failed once more, and is given up like any other; those it had
    only taken along are ready at once.
    """
    given = {
        "reason": WORKER_GONE,
        "most_attempts": MOST_ATTEMPTS,
        "attempts": [step.attempts for step in FAILURE_STEPS],
        "statuses": [step.status.value for step in FAILURE_STEPS],
        "waits": [step.wait_seconds for step in FAILURE_STEPS],
    }
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "reset_stale"), given)
        statuses = [status for (status,) in cursor.fetchall()]
    gave_up = statuses.count(RequestStatus.FAILED.value)
    return StaleReset(requeued=len(statuses) - gave_up, gave_up=gave_up)


def retry_failed(connection: Connection) -> int:
    """Ask anew for names whose newest request was given up without an answer, and commit; returns how many."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(query("lookup_queue", "retry_failed"), {"most_attempts": MOST_ATTEMPTS})
        return cursor.rowcount


def queue_depth(cursor: Cursor) -> QueueDepth:
    """How many requests stand where."""
    cursor.execute(query("lookup_queue", "depth"), {"most_attempts": MOST_ATTEMPTS})
    (row,) = named_rows(cursor)
    return QueueDepth(**row)


def newest_failures(cursor: Cursor, *, limit: int = _SHOWN_FAILURES) -> tuple[QueueFailure, ...]:
    """The requests whose last ask failed, newest first."""
    cursor.execute(query("lookup_queue", "newest_failures"), {"limit": limit})
    return tuple(QueueFailure(**row) for row in named_rows(cursor))
