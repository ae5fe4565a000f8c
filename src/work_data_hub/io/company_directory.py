"""The company registry, asked for names and companies; it never costs a run more than bounded time."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self, TypeVar

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.registry_answers import (
    Candidate,
    CompanyAnswer,
    NameAnswer,
    Payload,
    SearchAnswer,
    nothing_found,
    parse_search,
)
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.errors import DirectoryError, RegistryRefused, RegistryUnavailable
from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.io.registry_http import NO_TURN, OUT_OF_TIME, REAL_TIME, RegistryHttp, Reply, Timing
from work_data_hub.log import get_logger

__all__ = ["CompanyDirectory", "DirectoryAccess", "DirectoryCounts", "TokenCheck", "TokenState"]

MOST_FAILURES_IN_A_ROW = 3

log = get_logger(__name__)
_Answer = TypeVar("_Answer")
_REFUSALS = (401, 403)
_FRESH_TOKEN = "put a fresh token into WDH_EQC_TOKEN; `wdh registry check` says whether it counts"
_LATER = "ask again later: names without an answer wait in the queue, `wdh identity queue --drain`"


class Call(StrEnum):
    """What the registry can be asked, by its path."""

    SEARCH = "/kg-api-hfd/api/search/"
    DETAIL = "/kg-api-hfd/api/search/findDepart"
    LABELS = "/kg-api-hfd/api/search/findLabels"
    TOKEN = "/kg-api-hfd/api/search/searchAll"


class TokenState(StrEnum):
    """Whether the registry takes the token."""

    VALID = "valid"
    REFUSED = "refused"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCheck:
    """Whether the token counts, and why that cannot be told."""

    state: TokenState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryCounts:
    """What was asked so far: requests sent, names searched, questions without a usable answer, candidates ignored.

    A name that was not sent, because the asking had ended or the rate limit had no turn for it, counts nowhere.
    """

    calls: int
    names: int
    failures: int
    candidates_ignored: int


class CompanyDirectory:
    """The registry for one run, to be used by one thread.

    A refused token, three searches in a row without a usable answer, a wait the run has no time for, the rate
    limit's too, or the deadline end the asking: from then on every call raises at once, without a request.
    `deadline_seconds` counts from here, None for a worker that may take its time.
    """

    def __init__(
        self, access: DirectoryAccess, *, deadline_seconds: float | None = None, timing: Timing = REAL_TIME
    ) -> None:
        self._http = RegistryHttp(access, deadline_seconds=deadline_seconds, timing=timing)
        self._now = timing.now
        self._stopped: DirectoryError | None = None
        self._in_a_row: Counter[Call] = Counter()
        self._names = self._failures = self._ignored = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    @property
    def is_available(self) -> bool:
        """Whether asking has a point."""
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Why nothing more is asked; None while the registry is."""
        if self._stopped is not None:
            return self._stopped.message
        return OUT_OF_TIME.problem if self._http.is_out_of_time else None

    @property
    def counts(self) -> DirectoryCounts:
        """What was asked so far."""
        return DirectoryCounts(
            calls=self._http.calls,
            names=self._names,
            failures=self._failures,
            candidates_ignored=self._ignored,
        )

    def look_up(self, name: str, *, rules: IdentityRules, with_details: bool = True) -> NameAnswer:
        """Search the name, and fetch what is known of the company where one is taken.

        Details and labels are best effort: the search's answer counts without them. Raises RegistryRefused
        or RegistryUnavailable where the search itself has no answer; `counts.names` is the same as before
        where the name was not even sent.
        """
        search = self.search(name, rules=rules)
        if search.best is None or not search.outcome.is_taken:
            return NameAnswer(search=search, company=None)
        return NameAnswer(search=search, company=self._company(search.best, with_details=with_details))

    def search(self, name: str, *, rules: IdentityRules | None = None) -> SearchAnswer:
        """Return the companies the registry proposes for a name, asked as it is given.

        Raises ValueError for a name that normalises to nothing, and as `look_up` does.
        """
        normalised = normalise_name(name)
        if not normalised:
            raise ValueError("a blank name cannot be searched")

        def read(payload: Payload | None) -> SearchAnswer:
            if payload is None:
                return nothing_found(normalised, searched_name=name)
            return parse_search(payload, name=normalised, searched_name=name, rules=rules or IdentityRules())

        calls = self._http.calls
        try:
            answer = self._ask(Call.SEARCH, {"key": name}, read=read)
        finally:
            self._names += self._http.calls > calls
        self._ignored += answer.ignored
        return answer

    def detail(self, company_id: str) -> Payload | None:
        """Return the registry's facts about a company as they came; None where it has none."""
        return self._ask(Call.DETAIL, {"targetId": company_id}, read=_read_detail)

    def labels(self, company_id: str) -> Payload | None:
        """Return the registry's labels of a company as they came; None where it knows no such company."""
        return self._ask(Call.LABELS, {"targetId": company_id}, read=_read_labels)

    def check_token(self) -> TokenCheck:
        """Say whether the registry takes the token; a refused one ends the asking."""
        reply = self._http.get(Call.TOKEN, parameters={"keyword": "test", "currentPage": "1", "pageSize": "1"})
        if reply.status in _REFUSALS:
            self._stop(_refusal())
            return TokenCheck(state=TokenState.REFUSED)
        if reply.status == 200 and reply.content is not None:
            return TokenCheck(state=TokenState.VALID)
        return TokenCheck(state=TokenState.UNKNOWN, reason=reply.problem)

    def _company(self, best: Candidate, *, with_details: bool) -> CompanyAnswer:
        ask = with_details and self.is_available
        return CompanyAnswer(
            company_id=best.company_id,
            search=best.raw,
            detail=self._best_effort(self.detail, best.company_id) if ask else None,
            labels=self._best_effort(self.labels, best.company_id) if ask else None,
            fetched_at=self._now(),
        )

    def _best_effort(self, ask: Callable[[str], Payload | None], company_id: str) -> Payload | None:
        try:
            return ask(company_id)
        except DirectoryError:
            return None

    def _ask(self, call: Call, parameters: Mapping[str, str], *, read: Callable[[Payload | None], _Answer]) -> _Answer:
        """What `read` makes of the answer's JSON, None for one that says there is nothing; failures are counted."""
        self._refuse_if_stopped(call)
        reply = self._http.get(call, parameters=parameters)
        try:
            answer = read(_content(call, reply))
        except RegistryRefused as refusal:
            self._stop(refusal)
            raise
        except RegistryUnavailable as failure:
            self._note_failure(call, reply, failure)
            raise
        self._in_a_row[call] = 0
        return answer

    def _refuse_if_stopped(self, call: Call) -> None:
        if self._stopped is not None:
            raise type(self._stopped)(self._stopped.message, operation=_word(call), hint=self._stopped.hint)
        if self._http.is_out_of_time:
            raise _unavailable(call, OUT_OF_TIME.problem)
        if self._in_a_row[call] >= MOST_FAILURES_IN_A_ROW:
            raise _unavailable(call, f"{_word(call)} had no usable answer {MOST_FAILURES_IN_A_ROW} times in a row")

    def _note_failure(self, call: Call, reply: Reply, failure: RegistryUnavailable) -> None:
        if reply is NO_TURN:
            self._stop(failure)
        if reply.is_out_of_time:
            return
        self._failures += 1
        self._in_a_row[call] += 1
        log.info("registry.failed", call=_word(call), status=reply.status)
        if reply.wait_seconds and not self._http.can_wait(reply.wait_seconds):
            reason = f"{failure.message} and asks to wait {reply.wait_seconds:.0f} s"
            self._stop(_unavailable(call, reason))
        elif call is Call.SEARCH and self._in_a_row[call] >= MOST_FAILURES_IN_A_ROW:
            reason = f"{failure.message}, {MOST_FAILURES_IN_A_ROW} names in a row; it is not asked again in this run"
            self._stop(_unavailable(call, reason))

    def _stop(self, reason: DirectoryError) -> None:
        if self._stopped is None:
            self._stopped = reason
            log.warning("registry.stopped", reason=reason.message)


def _content(call: Call, reply: Reply) -> Payload | None:
    """The JSON of an answer; None for one that says there is nothing; raises for everything else."""
    if reply.status in _REFUSALS:
        raise _refusal(call)
    # Without JSON it is not the registry that says so: an address that is wrong must not make names unknown.
    if reply.status == 404 and (call is not Call.SEARCH or reply.content is not None):
        return None
    if reply.status == 200 and reply.content is not None:
        return reply.content
    raise _unavailable(call, reply.problem)


def _read_detail(payload: Payload | None) -> Payload | None:
    block: Any = (payload or {}).get("businessInfodto", payload)
    if block is not None and not isinstance(block, Mapping):
        raise _unavailable(Call.DETAIL, "the registry's answer is no description of a company")
    return payload if block else None


def _read_labels(payload: Payload | None) -> Payload | None:
    labels = payload.get("labels", payload) if payload is not None else None
    if labels is not None and not isinstance(labels, list):
        raise _unavailable(Call.LABELS, "the registry's answer has no list of labels")
    return payload if labels is not None else None


def _word(call: Call) -> str:
    return call.name.lower()


def _refusal(call: Call = Call.TOKEN) -> RegistryRefused:
    return RegistryRefused(
        "the registry refuses the token; it is not asked again in this run", operation=_word(call), hint=_FRESH_TOKEN
    )


def _unavailable(call: Call, reason: str) -> RegistryUnavailable:
    return RegistryUnavailable(reason, operation=_word(call), hint=_LATER)
