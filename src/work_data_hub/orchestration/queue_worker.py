"""One worker of the lookup queue: claims a batch, asks outside any transaction, closes one request at a time."""

import os
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import pandas as pd
import psycopg2

from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.identified import (
    COMPANY_ID,
    DECISION,
    EXCLUDED,
    SOURCE,
    TEMPORARY,
    UNRESOLVED,
    IdentityColumns,
)
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.identity.matchers import MATCHERS
from work_data_hub.domain.identity.queue_rules import (
    BELONGS_TO_NOBODY,
    NOT_A_NAME,
    RequestStatus,
    Settlement,
    answered,
    definitive,
    resolved,
    tried_in_vain,
)
from work_data_hub.domain.identity.registry_answers import NameAnswer, SearchOutcome
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.errors import DirectoryError, Interrupted, RegistryRefused, RegistryUnavailable, WorkDataHubError
from work_data_hub.io.identity_config import load_identity_overrides, load_identity_rules
from work_data_hub.io.identity_index import look_up
from work_data_hub.io.lookup_queue import Claim, claim, hold, release, renew, reset_stale, retry_failed, settle, sign_on
from work_data_hub.io.postgres import Connection, driver_message, transaction
from work_data_hub.io.registry_store import record_answers
from work_data_hub.log import get_logger, redact_text
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)
_BY_NAME = IdentityColumns(target=COMPANY_ID, plan=None, customer="name", existing=None)
COUNTED = ("asked", "resolved", "review", "known", "unsure", "unknown", "retried", "gave_up", "recovered", "lost")
"""What a drain counts, in requests.

`resolved` and `review` have a company, the latter to be looked at; `known` were settled without asking;
`unsure` had no match sure enough, `unknown` none; `retried` failed for now, `gave_up` for good;
`recovered` were left behind by other workers; `lost` went to another worker meanwhile.
"""


# What a bare name can be known by.
_MATCHERS = tuple(
    matcher
    for matcher in MATCHERS
    if matcher.name in ("name_override", DECISION, "index_customer_name", "index_former_name", TEMPORARY)
)
_NAMELESS = {EXCLUDED: definitive(BELONGS_TO_NOBODY), UNRESOLVED: definitive(NOT_A_NAME)}
_WORDS = {
    SearchOutcome.ACCEPTED: "resolved",
    SearchOutcome.REVIEW: "review",
    SearchOutcome.UNCERTAIN: "unsure",
    SearchOutcome.NOT_FOUND: "unknown",
}


class Registry(Protocol):
    """What a worker asks; `CompanyDirectory` is one."""

    @property
    def is_available(self) -> bool: ...
    @property
    def reason(self) -> str | None: ...
    def look_up(self, name: str, *, rules: IdentityRules) -> NameAnswer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRequest:
    """How far to work the queue off: at most `limit` requests, no new one after `seconds`."""

    batch_size: int = 50
    limit: int | None = None
    seconds: float | None = None
    retry_failed: bool = False


class QueueWorker:
    """One worker on one connection; what it holds carries its name, which no other worker has."""

    def __init__(self, connection: Connection, place: Workplace, *, registry: Registry, lease_seconds: int) -> None:
        self.name = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self.counts: Counter[str] = Counter()
        self._connection, self._registry, self._lease_seconds = connection, registry, lease_seconds
        self._faults, self._rules = place.faults, load_identity_rules(place.config_dir)
        self._book = _book(connection, place, self._rules)
        self._taken = 0

    def run(self, request: DrainRequest) -> WorkDataHubError | None:
        """Work; returns what ended it early, None where it came to an end by itself."""
        try:
            self._work(request)
        except DirectoryError as error:
            log.info("queue.stopped", error_type=type(error).__name__)
            return error
        except KeyboardInterrupt:
            return Interrupted("interrupted; what was answered is stored, the rest went back to the queue")
        finally:
            self._give_back()
        return None

    def _work(self, request: DrainRequest) -> None:
        sign_on(self._connection, worker=self.name)
        ends = time.monotonic() + request.seconds if request.seconds is not None else None
        if request.retry_failed:
            log.info("queue.revived", requests=retry_failed(self._connection))
        while batch := self._claim(request):
            self._faults.reach("after_claim")
            for item in self._still_unknown(batch):
                if ends is not None and time.monotonic() >= ends:
                    return
                self._ask(item)

    def _claim(self, request: DrainRequest) -> tuple[Claim, ...]:
        stale = reset_stale(self._connection)
        self.counts.update(recovered=stale.requeued, gave_up=stale.gave_up)
        left = request.batch_size if request.limit is None else request.limit - self._taken
        if left <= 0:
            return ()
        size = min(request.batch_size, left)
        batch = claim(self._connection, worker=self.name, limit=size, lease_seconds=self._lease_seconds)
        self._taken += len(batch)
        return batch

    def _still_unknown(self, batch: tuple[Claim, ...]) -> list[Claim]:
        """Close the requests whose name has a company by now, or has none on purpose; returns the others."""
        names = pd.DataFrame({"name": pd.array([item.normalized_name for item in batch], dtype="string")})
        with transaction(self._connection):
            found = identify(names, book=self._book, columns=_BY_NAME, matchers=_MATCHERS).frame
        unknown = []
        for item, company_id, source in zip(batch, found[COMPANY_ID], found[SOURCE], strict=True):
            if source == TEMPORARY:
                unknown.append(item)
            elif self._close(item, _NAMELESS[source] if source in _NAMELESS else resolved(company_id)):
                self.counts["known"] += 1
        return unknown

    def _ask(self, item: Claim) -> None:
        if not self._registry.is_available:
            raise RegistryUnavailable(self._registry.reason or "the registry is gone", operation="drain the queue")
        if item.request_id not in renew(self._connection, worker=self.name, lease_seconds=self._lease_seconds):
            self.counts["lost"] += 1
            return
        try:
            answer = self._registry.look_up(item.normalized_name, rules=self._rules)
        except RegistryRefused:
            # Nobody's fault: the request goes back as it was.
            raise
        except DirectoryError as error:
            self._try_later(item, redact_text(error.message))
            if not self._registry.is_available:
                raise
            return
        self._faults.reach("after_ask")
        self._store(item, answer)

    def _store(self, item: Claim, answer: NameAnswer) -> None:
        try:
            is_closed = self._close(item, answered(answer.search), answer=answer)
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            # One answer that the tables refuse must not stop the queue for all the others.
            self._try_later(item, f"the answer could not be stored: {driver_message(error)}")
            return
        if is_closed:
            self.counts.update(["asked", _WORDS[answer.search.outcome]])

    def _try_later(self, item: Claim, reason: str) -> None:
        settlement = tried_in_vain(reason, attempts=item.attempts)
        log.info("queue.ask_failed", request_id=item.request_id, attempts=item.attempts + 1, reason=reason)
        if self._close(item, settlement):
            self.counts.update(["asked", "retried" if settlement.status is RequestStatus.PENDING else "gave_up"])

    def _close(self, item: Claim, settlement: Settlement, *, answer: NameAnswer | None = None) -> bool:
        """Store the answer and close the request in one transaction; False, and nothing, where it is no longer ours."""
        with transaction(self._connection), self._connection.cursor() as cursor:
            now = hold(cursor, item.request_id, worker=self.name)
            if now is None:
                self.counts["lost"] += 1
                return False
            if answer is not None:
                record_answers(cursor, [answer], rules=self._rules, domain=None, now=now)
            settle(cursor, item.request_id, settlement, worker=self.name)
            self._faults.reach("before_item_commit")
        self._faults.reach("after_item_commit")
        return True

    def _give_back(self) -> None:
        """A warehouse that is gone takes the requests back when their lease is over."""
        with suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
            self._connection.rollback()
            release(self._connection, worker=self.name)


def _book(connection: Connection, place: Workplace, rules: IdentityRules) -> IdentityBook:
    """What is known without asking the registry."""
    overrides = load_identity_overrides(place.config_dir)
    return IdentityBook.from_entries(
        plans=overrides.plan_ids,
        names=overrides.name_ids,
        salt=place.alias_salt,
        rules=rules,
        look_up=lambda keys: look_up(connection, keys, searched_days=rules.searched_days),
    )
