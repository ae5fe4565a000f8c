"""The company registry as loads use it: within a budget of names and seconds, and never in a load's way."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pandas as pd

from work_data_hub.domain.identity.record import RegistryUse
from work_data_hub.domain.identity.registry_answers import NameAnswer
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.errors import DirectoryError
from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.log import get_logger

log = get_logger(__name__)


class RegistryDesk:
    """One a call, for all its domains: they share its rate limit and its time.

    `why_not` says why there is no registry; then nothing is asked, and `use` says so.
    """

    def __init__(
        self, access: DirectoryAccess | None, *, why_not: str = "", most_names: int = 0, most_seconds: float = 0.0
    ) -> None:
        self._access, self._why_not = access, why_not
        self._most_names, self._most_seconds = most_names, most_seconds
        self._directory: Any = None

    def client(self, rules: IdentityRules) -> "RegistryClient":
        """What one domain's run asks, and what it was answered."""
        return RegistryClient(self, rules)

    @property
    def is_there(self) -> bool:
        """Whether there is a registry to ask."""
        return self._access is not None

    @property
    def why_not(self) -> str:
        """Why nobody is asked, or no more; "" while somebody is."""
        if self._directory is not None and self._directory.reason:
            return str(self._directory.reason)
        return self._why_not

    @property
    def most_names(self) -> int:
        """How many distinct names one load may ask."""
        return self._most_names

    def directory(self) -> Any:
        """The registry's client, made when it is first asked: the clock of the call's time runs from then."""
        if self._directory is None and self._access is not None:
            # An HTTP client is loaded only where somebody is asked.
            make = import_module("work_data_hub.io.company_directory").CompanyDirectory
            self._directory = make(self._access, deadline_seconds=self._most_seconds)
        return self._directory

    def close(self) -> None:
        """Let the connections go."""
        if self._directory is not None:
            self._directory.close()


class RegistryClient:
    """One domain's questions to the registry."""

    def __init__(self, desk: RegistryDesk, rules: IdentityRules) -> None:
        self._desk, self._rules = desk, rules
        self.answers: list[NameAnswer] = []
        self._failed = self._not_asked = 0

    def ask(self, names: pd.DataFrame) -> pd.DataFrame:
        """By name the company_id and confidence of the matches sure enough to be taken; most frequent names first.

        Whatever the registry does, the names it has no answer for simply stay unknown.
        """
        wanted = names["name"].tolist() if self._desk.is_there else []
        for place, name in enumerate(wanted):
            if len(self.answers) + self._failed >= self._desk.most_names or not self._desk.directory().is_available:
                self._not_asked += len(wanted) - place
                break
            self._ask_one(name)
        return _taken(self.answers)

    def _ask_one(self, name: str) -> None:
        directory = self._desk.directory()
        before = directory.counts.names
        try:
            self.answers.append(directory.look_up(name, rules=self._rules, with_details=False))
        except DirectoryError as trouble:
            # A name for which there was no time was never sent.
            was_sent = directory.counts.names > before
            self._failed += was_sent
            self._not_asked += not was_sent
            log.info("registry.failed", reason=trouble.message)

    @property
    def use(self) -> RegistryUse:
        """What was asked so far."""
        return RegistryUse(
            asked=len(self.answers) + self._failed,
            outcomes=dict(Counter(answer.search.outcome.value for answer in self.answers)),
            failed=self._failed,
            not_asked=self._not_asked,
            remark=self._remark(),
        )

    def _remark(self) -> str:
        if self._desk.why_not:
            verb = "is not asked any more" if self.answers or self._failed else "was not asked"
            return f"the company registry {verb}: {self._desk.why_not}; unknown names wait in the queue"
        if self._not_asked:
            return f"{self._not_asked} names were left to the queue: one load asks at most {self._desk.most_names}"
        return ""


NO_REGISTRY = RegistryDesk(None)
"""The desk of a run that asks nobody, and need not say why."""


def _taken(answers: Sequence[NameAnswer]) -> pd.DataFrame:
    taken = [(answer.search.name, answer.search) for answer in answers if answer.search.outcome.is_taken]
    return pd.DataFrame(
        {
            "company_id": pd.array([search.best.company_id for _, search in taken if search.best], dtype="string"),
            "confidence": pd.array([search.confidence for _, search in taken], dtype="float64"),
        },
        index=[name for name, _ in taken],
    )
