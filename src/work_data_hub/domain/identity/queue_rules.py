"""How a request to the company registry goes on: answered, tried again later, or given up."""

from dataclasses import dataclass
from enum import StrEnum

from work_data_hub.domain.identity.registry_answers import SearchAnswer, SearchOutcome

BACK_OFF_MINUTES = (1, 5, 15)
"""How long a request rests after its first, second and third failure."""
MOST_ATTEMPTS = 3
WARN_ABOVE = 10_000
"""More pending requests than this are worth a warning."""

NO_SUCH_COMPANY = "no such company in the registry"
NOT_SURE_ENOUGH = "no match sure enough, waits for review"
NOT_A_NAME = "not a name that a company can be found by"
BELONGS_TO_NOBODY = "belongs to no company, as settled by hand"
WORKER_GONE = "the worker was gone before it had stored an answer"
_LONGEST_REASON = 500
_REQUESTS_PER_NAME = 4  # search, the search with the token alone, detail, labels


class RequestStatus(StrEnum):
    """Where a request stands; done and failed are final, a later load may ask anew."""

    PENDING = "pending"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a request that a worker holds.

    Done has a company, failed a reason; pending rests `wait_seconds` before it is asked again.
    """

    status: RequestStatus
    company_id: str | None = None
    reason: str | None = None
    attempts_added: int = 0
    wait_seconds: int | None = None

    def __post_init__(self) -> None:
        if (self.status is RequestStatus.DONE) != (self.company_id is not None):
            raise ValueError("a request is done exactly when its company is known")
        if (self.status is RequestStatus.PENDING) != (self.wait_seconds is not None):
            raise ValueError("a request rests exactly when it is pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureStep:
    """What the failure that brings a request to `attempts` means: pending again after a rest, or failed."""

    attempts: int
    status: RequestStatus
    wait_seconds: int | None


def after_failure(attempts: int) -> FailureStep:
    """What follows when an ask has failed for the `attempts`th time."""
    if attempts >= MOST_ATTEMPTS:
        return FailureStep(attempts=attempts, status=RequestStatus.FAILED, wait_seconds=None)
    wait_seconds = 60 * BACK_OFF_MINUTES[attempts - 1]
    return FailureStep(attempts=attempts, status=RequestStatus.PENDING, wait_seconds=wait_seconds)


FAILURE_STEPS = tuple(after_failure(attempts) for attempts in range(1, MOST_ATTEMPTS + 1))
"""The whole course of failures, for statements that move many requests at once."""
REST_AFTER_GIVING_UP_SECONDS = 60 * BACK_OFF_MINUTES[-1]
"""How long a name whose request was given up is not queued anew."""


def resolved(company_id: str) -> Settlement:
    """The request is done: the name is this company's."""
    return Settlement(status=RequestStatus.DONE, company_id=company_id)


def definitive(reason: str) -> Settlement:
    """The registry, or somebody, has answered for good: asking again would give the same."""
    return Settlement(status=RequestStatus.FAILED, reason=reason)


def answered(answer: SearchAnswer) -> Settlement:
    """What the registry's answer means: a company that is taken, or the end of the asking without one."""
    if answer.best is not None and answer.outcome.is_taken:
        return resolved(answer.best.company_id)
    return definitive(NO_SUCH_COMPANY if answer.outcome is SearchOutcome.NOT_FOUND else NOT_SURE_ENOUGH)


def tried_in_vain(reason: str, *, attempts: int) -> Settlement:
    """The ask failed after `attempts` earlier failures; the reason is cut where it is endless."""
    step = after_failure(attempts + 1)
    return Settlement(
        status=step.status, reason=reason[:_LONGEST_REASON], attempts_added=1, wait_seconds=step.wait_seconds
    )


def lease_seconds_for(*, timeout_seconds: float, wait_seconds: float, retries: int) -> int:
    """A lease that outlasts the longest ask of one name, with a minute to spare.

    At every attempt a request may wait `wait_seconds` for its turn and then run into its timeout.
    """
    return int(_REQUESTS_PER_NAME * (retries + 1) * (wait_seconds + timeout_seconds)) + 60
