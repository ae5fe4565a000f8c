"""Why a request about a pipeline is refused, in the words that clients know."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from work_data_hub.domain.batch.pipeline import Problem
from work_data_hub.domain.batch.status import Status


class Why(StrEnum):
    """The kind of a refusal: no such id, a name in use, the wrong moment, switched off, a forbidden target, a rule."""

    MISSING = "missing"
    TAKEN = "taken"
    BUSY = "busy"
    DISABLED = "disabled"
    TARGET = "target"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What is answered instead of doing it; nothing was changed."""

    why: Why
    message: str


BUSY_BEGINS = "Cannot "
NOT_FOUND = Refusal(why=Why.MISSING, message="Pipeline not found")
NAME_TAKEN = Refusal(why=Why.TAKEN, message="Pipeline with this name already exists")


def busy(what: str, status: Status) -> Refusal:
    """The refusal to change something of a pipeline that runs or waits to; `what` follows "Cannot"."""
    return Refusal(why=Why.BUSY, message=f"{BUSY_BEGINS}{what} while it is {status}")


def refusal_of(problems: Sequence[Problem]) -> Refusal | None:
    """The refusal of a definition; a target that is not allowed is named alone, once nothing else is wrong."""
    if not problems:
        return None
    others = [problem for problem in problems if not _is_forbidden_target(problem)]
    if not others:
        return Refusal(why=Why.TARGET, message=problems[0].message)
    return Refusal(why=Why.RULE, message="; ".join(f"{problem.field}: {problem.message}" for problem in others))


def _is_forbidden_target(problem: Problem) -> bool:
    return problem.field == "target_table" and problem.message.endswith(" is not allowed")
