"""What a failure calls for: another try, the row set aside, or the end of the run."""

from enum import StrEnum

LOST_ATTEMPTS = 8
"""How often a lost connection is made again: a server that restarts is no fault of the batch."""
_JITTER = 0.1
_LONGEST_WAIT = 8
# By the first two characters of the SQLSTATE: the connection, the server's resources, rows, the query itself.
_TRANSIENT_CLASSES = frozenset({"08", "53", "58"})
_ROW_CLASSES = frozenset({"22", "23"})
_TRANSIENT = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "55P03",  # lock not available
        "57014",  # statement timeout
        "57P01",  # the server is shut down
        "57P02",
        "57P03",
        "57P05",
        "25P03",  # idle in transaction too long
    }
)
_RAISED = "P0001"  # by a trigger of the target
# A table that is renamed away for a moment is back at the next try.
_MISSING_TARGET = frozenset({"42P01", "3F000"})


class Failure(StrEnum):
    """The class of a failure."""

    TRANSIENT = "transient"
    ROW = "row"
    PERMANENT = "permanent"


def failure_of(sqlstate: str | None, *, is_target: bool) -> Failure:
    """The class of a PostgreSQL error; without a code the connection was lost. `is_target`: it came from the writer."""
    if sqlstate is None or sqlstate in _TRANSIENT or sqlstate[:2] in _TRANSIENT_CLASSES:
        return Failure.TRANSIENT
    if is_target and sqlstate in _MISSING_TARGET:
        return Failure.TRANSIENT
    is_row = sqlstate[:2] in _ROW_CLASSES or sqlstate == _RAISED
    return Failure.ROW if is_target and is_row else Failure.PERMANENT


def failure_of_status(status: int | None) -> Failure:
    """The class of an HTTP answer of Elasticsearch; None: there was no answer."""
    if status is None or status in (408, 429) or status >= 500:
        return Failure.TRANSIENT
    return Failure.ROW if status == 400 else Failure.PERMANENT


def wait_seconds(attempt: int, *, base_seconds: float, chance: float) -> float:
    """How long to wait after the attempt (1, 2, …) that failed: doubled each time up to eight times the base.

    Up to a tenth is added by `chance` (0 to 1), so that runners do not come back all at once.
    """
    return float(base_seconds * min(2 ** (attempt - 1), _LONGEST_WAIT) * (1 + _JITTER * chance))


def is_lost(sqlstate: str | None) -> bool:
    """Whether a PostgreSQL error says that the connection is gone, or the server is."""
    return sqlstate is None or sqlstate[:2] == "08" or sqlstate[:4] == "57P0"
