"""Everything a run consults to find its companies, and what it writes down of them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pandas as pd

from work_data_hub.domain.identity.knowledge import IdentityBook, Knowledge
from work_data_hub.domain.identity.record import IdentityRecord, RegistryUse, record_of
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.report import DomainReport
from work_data_hub.domain.run import Outcome
from work_data_hub.io.identity_config import load_identity_overrides, load_identity_rules
from work_data_hub.log import get_logger
from work_data_hub.orchestration.registry_desk import NO_REGISTRY, RegistryClient
from work_data_hub.orchestration.requests import FileRequest, Workplace
from work_data_hub.orchestration.warehouse_side import warehouse_side

log = get_logger(__name__)

_SHOWN_CONFLICTS = 3


class IdentityDesk:
    """One run's. Index and decisions are looked up in the warehouse; only executed runs ask the registry."""

    def __init__(self, request: FileRequest, place: Workplace) -> None:
        self._request, self._place = request, place
        self._record: IdentityRecord | None = None

    def book(self, mappings: Mapping[str, Mapping[str, str]]) -> IdentityBook:
        """The book of the run; raises ConfigError for overrides or rules that cannot be."""
        overrides = load_identity_overrides(self._place.config_dir)
        return IdentityBook.from_entries(
            plans=overrides.plan_ids,
            names=overrides.name_ids,
            salt=self._place.alias_salt,
            no_plans=frozenset(mappings.get("plan_defaults", {}).values()),
            rules=self.rules,
            look_up=self._look_up,
            ask=self._client.ask,
        )

    def record(self, outcome: Outcome) -> IdentityRecord | None:
        """What the load of this outcome writes down; None for a domain whose rows name no company."""
        if outcome.identified is None:
            return None
        if self._record is None:
            answers = tuple(self._client.answers)
            self._record = record_of(outcome.identified, domain=self._request.domain, rules=self.rules, answers=answers)
        return self._record

    def export_unknown(self, outcome: Outcome) -> str | None:
        """Write the names behind temporary ids beside the load's other papers; None where there are none."""
        unknown = outcome.identified.unknown() if outcome.identified else pd.DataFrame()
        if unknown.empty:
            return None
        name = f"unknown_companies_{self._request.domain}_{outcome.period.yyyymm}.csv"
        path = self._place.home / "unknown" / name
        return self._written(path, unknown, outcome)

    def _written(self, path: Path, unknown: pd.DataFrame, outcome: Outcome) -> str | None:
        # Loaded only here: it needs the driver, and a plan may have none.
        write = import_module("work_data_hub.io.unknown_names").write_unknown_names
        try:
            # The load is committed: a full disk must not make it look failed.
            write(path, unknown, month=outcome.period.first_day)
        except OSError as error:
            log.warning("unknown_names.not_written", file=str(path), reason=error.strerror)
            return None
        return str(path.resolve())

    @property
    def use(self) -> RegistryUse:
        """What the run asked the registry."""
        return self._client.use

    @cached_property
    def rules(self) -> IdentityRules:
        """The thresholds of the configuration."""
        return load_identity_rules(self._place.config_dir)

    @cached_property
    def _client(self) -> RegistryClient:
        asks = self._request.execute and self._request.asks_registry and not self._request.skip_facts
        return (self._place.registry if asks else NO_REGISTRY).client(self.rules)

    def _look_up(self, keys: pd.DataFrame) -> Knowledge:
        url = self._place.database_url
        if url is None:
            return Knowledge()
        found: Knowledge = warehouse_side().peek_knowledge(url, keys, searched_days=self.rules.searched_days)
        return found


def with_identity(report: DomainReport, desk: IdentityDesk, outcome: Outcome | None) -> DomainReport:
    """The report with what was asked of the registry, and keys that point to several companies."""
    record = desk.record(outcome) if outcome else None
    if record is None:
        return report
    use = desk.use
    says_why = bool(use.remark) and (use.asked or len(record.unknown))
    return replace(
        report,
        identity_conflicts=record.conflicts,
        registry=use,
        warnings=(*report.warnings, *([use.remark] if says_why else []), *_conflict_warnings(record)),
    )


def _conflict_warnings(record: IdentityRecord) -> tuple[str, ...]:
    """One line for all conflicts, the first few named: the JSON report has every one."""
    if not record.conflicts:
        return ()
    more = len(record.conflicts) - _SHOWN_CONFLICTS
    shown = "; ".join(record.conflicts[:_SHOWN_CONFLICTS]) + (f"; and {more} more" if more > 0 else "")
    return (f"not learned, because rows of this load disagree about the company: {shown}",)
