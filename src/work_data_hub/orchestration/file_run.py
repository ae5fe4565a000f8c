"""A domain's run, the same for a plan, the CLI and Dagster: find, read, refine, publish, and what follows a load."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import SOURCE_SHEET, Bronze
from work_data_hub.domain.control_totals import Controls, compare, refuse
from work_data_hub.domain.loads import Fingerprint, LastLoad, LedgerEntry, LoadEffects
from work_data_hub.domain.period import Period
from work_data_hub.domain.plan_steps import digest_of, needs_open_plans
from work_data_hub.domain.plans import LoadMode, LoadPlan
from work_data_hub.domain.reference_rules import Reference
from work_data_hub.domain.refine import refine
from work_data_hub.domain.report import DomainReport, FileRead
from work_data_hub.domain.run import Outcome, RefineRun
from work_data_hub.domain.total_rows import set_totals_aside
from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.code_version import code_version
from work_data_hub.io.config_files import config_version, load_mappings
from work_data_hub.io.source_files import Found, refuse_copies
from work_data_hub.log import get_logger
from work_data_hub.orchestration.file_choice import chosen, declared
from work_data_hub.orchestration.file_report import domain_report, quality_metrics
from work_data_hub.orchestration.heading_drift import read_with_headings
from work_data_hub.orchestration.hook_desk import HookDesk
from work_data_hub.orchestration.identity_desk import IdentityDesk, with_identity
from work_data_hub.orchestration.kept_rejects import judge_rejects
from work_data_hub.orchestration.quarantine import Quarantine
from work_data_hub.orchestration.reference_plans import reference_plans, references_of
from work_data_hub.orchestration.requests import FileRequest, Workplace, refuse_mode
from work_data_hub.orchestration.spreading import Spread
from work_data_hub.orchestration.warehouse_side import warehouse_side

log = get_logger(__name__)


class FileRun:
    """One domain's run. Call `find`, `read`, `refine`, `publish`, `follow`, then `close`; `report` at any time.

    A plan writes nothing: it compares inside a transaction that PostgreSQL keeps read-only. An
    executed run holds the domain and month from `find` on and commits once, in `publish`; the hooks that
    follow have transactions of their own, and their failure leaves the load as it is.
    """

    def __init__(self, request: FileRequest, place: Workplace) -> None:
        self.request, self.place = request, place
        self.domain = declared(request.domain)
        self.found: Found | None = None
        self.bronze: Bronze | None = None
        self.heading_remarks: tuple[str, ...] = ()
        self.controls = Controls()
        self.quarantine = Quarantine(request)
        self.identity = IdentityDesk(request, place)
        self.hooks = HookDesk(request, place)
        self.spread = Spread(place.cluster, run_id=request.run_id)
        self.unknown_names_path: str | None = None
        self.outcome: Outcome | None = None
        self.unchanged: LastLoad | None = None
        self.effects: LoadEffects | None = None
        self.load_id: int | None = None
        self.seconds: dict[str, float] = {}
        self._session: Any = None
        self._started_at = place.now()
        self._log = log.bind(
            run_id=request.run_id, domain=request.domain, execution_mode="execute" if request.execute else "plan"
        )

    def find(self) -> None:
        """Choose the workbook; an executed run also takes the month, and both see whether it is loaded already."""
        refuse_mode(self.domain, self.request.mode)
        with self._stage("find"):
            self.found = chosen(self.request, self.place)
            refuse_copies(self.found)
            self._log.info("workbook.found", file=[f.label for f in self.found.files], reason=self.found.reason)
            if self.request.period is not None:
                self._look_at_warehouse(self.request.period)

    def read(self) -> None:
        """Read the chosen sheets into one bronze frame."""
        if self.unchanged:
            return
        with self._stage("read"):
            if self.request.period is None:
                self._know_corrections(repeats=None)
            sheets, self.heading_remarks = read_with_headings(
                self._found, domain=self.domain, request=self.request, place=self.place, mapper=self.spread.mapper
            )
            self.bronze, totals = set_totals_aside(self.domain, self.quarantine.corrected(sheets))
            self.controls = Controls(set_aside=totals)
            self._log.info(
                "workbook.read", rows=self.bronze.rows_read, sheet=self._sheets, columns=list(self.bronze.frame.columns)
            )

    def refine(self) -> None:
        """Clean and check the rows; a run without a period takes it from the rows."""
        if self.unchanged or self.bronze is None:
            return
        with self._stage("refine"):
            rows = self.quarantine.to_refine(self.bronze)
            outcome = refine(self.domain, rows, self._refine_run(), emit=self._emit, clock=time.perf_counter)
            self.outcome = self.quarantine.completed(outcome)
            self._log.info(
                "rows.refined",
                rows=len(self.outcome.gold),
                rejected=self.outcome.rows_rejected,
                identity=dict(self.outcome.identity),
            )
            if self.request.period is None:
                self._look_at_warehouse(self.outcome.period)

    def publish(self) -> None:
        """Count the effects (plan), or load facts, references, ledger and metrics in one transaction."""
        if self.unchanged or self.outcome is None or self.bronze is None:
            self._close_unchanged()
            return
        with self._stage("publish"):
            judge_rejects(self.quarantine, self.outcome, domain=self.domain, place=self.place)
            self._compare_totals(self.bronze, self.quarantine.as_read(self.outcome))
            if self.request.execute:
                entry, metrics = self._ledger_entry(self.outcome), quality_metrics(self.outcome)
                plan = self._plan(self.outcome)
                sent_back = self.quarantine.record(self.outcome, actor=self.place.actor)
                told = None if self.request.skip_facts else self.identity.record(self.outcome)
                self.load_id, self.effects = self._held_session.load(
                    plan, entry, metrics=metrics, quarantine=sent_back, identity=told
                )
                self.unknown_names_path = self.identity.export_unknown(self.outcome)
            elif self.place.database_url is not None:
                self.effects = warehouse_side().peek_effects(self.place.database_url, self._plan(self.outcome))
            event = "load.committed" if self.request.execute else "load.planned"
            self._log.info(event, **self._effect_facts(self.outcome))

    def follow(self, only: str | None = None) -> None:
        """Run the hooks that what is loaded waits for, or the one of them that is named."""
        if self._period is not None and (self.load_id or self.unchanged):
            with self._stage("hooks"):
                self.hooks.follow(self._period, only=only)

    def seems_unchanged(self) -> bool:
        """A quick look, without the lock, whether the same input is loaded already; False when it cannot tell."""
        if self.request.period is None or self.request.force:
            return False
        self.found = chosen(self.request, self.place)
        self._know_corrections(repeats=None)
        return self._same_among(self._planned_loads(self.request.period)) is not None

    def close(self) -> None:
        """Give the warehouse and the cluster back."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self.spread.close()

    def report(self, error: WorkDataHubError | None = None) -> DomainReport:
        """The run so far, in the words of the JSON report."""
        report = domain_report(
            self.request,
            period=self._period,
            found=self.found,
            files=self._files,
            outcome=self.outcome,
            unchanged=self.unchanged,
            effects=self.effects,
            controls=self.controls,
            load_id=self.load_id,
            rejects_path=self.quarantine.rejects_path,
            seconds=dict(self.seconds),
            error=error,
            heading_remarks=self.heading_remarks,
            has_database=self.place.database_url is not None,
        )
        report = with_identity(report, self.identity, self.outcome)
        return replace(
            report,
            parent_load_id=self.quarantine.parent_load_id,
            warnings=(*report.warnings, *self.quarantine.warnings),
            unknown_names_path=self.unknown_names_path,
            hooks=self.hooks.runs,
        )

    # -- parts of the stages

    def _look_at_warehouse(self, period: Period) -> None:
        rules = self._references
        if self.place.database_url is not None:
            warehouse_side().check_references(self.place.database_url, rules)
        if self.request.execute:
            self._session = warehouse_side().LoadSession(
                self.request, self.place, period=period, input_file=", ".join(f.label for f in self._found.files)
            )
            loads = self._session.loads()
        else:
            loads = self._planned_loads(period)
        self._know_corrections(repeats=self.quarantine.repeat(loads))
        self.unchanged = None if self.request.force else self._same_among(loads)
        if self.unchanged:
            self._log.info("workbook.unchanged", load_id=self.unchanged.load_id)

    def _same_among(self, loads: tuple[LastLoad, ...]) -> LastLoad | None:
        """The load of the same input; one that was replaced or added to since counts only when adding."""
        candidates = loads[:1] if self.request.mode is LoadMode.DELETE_INSERT else loads
        return next((load for load in candidates if load.fingerprint == self._fingerprint), None)

    def _planned_loads(self, period: Period) -> tuple[LastLoad, ...]:
        if self.place.database_url is None:
            return ()
        url, side = self.place.database_url, warehouse_side()
        loads: tuple[LastLoad, ...] = side.peek_loads(url, domain=self.domain.name, period=period)
        return loads

    def _close_unchanged(self) -> None:
        if self.unchanged and self._session:
            self._session.unchanged(self.unchanged)

    def _know_corrections(self, *, repeats: int | None) -> None:
        """Look up what was sent back of these files, over the run's own connection where it holds one."""
        self.quarantine.watch(self._found.files)
        url, hashes = self.place.database_url, self.quarantine.hashes
        if self._session is not None:
            self.quarantine.know(*self._session.sent_back(hashes, repeats=repeats))
        elif url is not None:
            look = warehouse_side().peek_sent_back
            self.quarantine.know(*look(url, domain=self.domain.name, hashes=hashes, repeats=repeats))

    def _compare_totals(self, bronze: Bronze, outcome: Outcome) -> None:
        tolerance = self._found.source.totals_tolerance
        self.controls = compare(
            self.controls.set_aside, domain=self.domain, bronze=bronze, outcome=outcome, tolerance=tolerance
        )
        refuse(self.controls.compared, domain=self.domain.name)

    def _plan(self, outcome: Outcome) -> LoadPlan:
        return LoadPlan(
            domain=self.domain,
            period=outcome.period.first_day,
            gold=outcome.gold,
            references=reference_plans(self._references, outcome.gold, config_dir=self.place.config_dir),
            mode=self.request.mode,
            scope=self.request.scope,
            skip_facts=self.request.skip_facts,
            allow_shrink=self.request.allow_shrink,
            controls=self.controls.compared,
            anomaly_share=self._found.source.anomaly_share,
        )

    def _refine_run(self) -> RefineRun:
        mappings = load_mappings(self.place.config_dir)
        return RefineRun(
            run_id=self.request.run_id,
            period=self.request.period,
            today=self.place.today(),
            mappings=mappings,
            book=self.identity.book(mappings),
            open_plans=self._open_plans,
            mapper=self.spread.mapper,
        )

    def _ledger_entry(self, outcome: Outcome) -> LedgerEntry:
        return LedgerEntry(
            run_id=self.request.run_id,
            domain=self.domain.name,
            period=outcome.period.first_day,
            actor=self.place.actor,
            started_at=self._started_at,
            files=self._files,
            rows_read=outcome.rows_read,
            rows_rejected=outcome.rows_rejected,
            fingerprint=self._fingerprint,
            adds=self.request.mode is not LoadMode.DELETE_INSERT,
            parent_load_id=self.quarantine.parent_load_id,
        )

    # -- what the run knows

    @property
    def _found(self) -> Found:
        if self.found is None:
            raise UsageError("the run has not found its workbook yet", operation="read")
        return self.found

    @property
    def _held_session(self) -> Any:
        if self._session is None:
            raise UsageError("the run does not hold its month", operation="publish")
        return self._session

    @cached_property
    def _open_plans(self) -> pd.DataFrame | None:
        url = self.place.database_url
        return warehouse_side().peek_open_plans(url) if url and needs_open_plans(self.domain) else None

    @property
    def _plans_digest(self) -> str:
        return digest_of(self._open_plans, before=self._period.first_day) if self._period else ""

    @cached_property
    def _references(self) -> tuple[Reference, ...]:
        return references_of(self.domain.name, config_dir=self.place.config_dir)

    @property
    def _period(self) -> Period | None:
        return self.outcome.period if self.outcome else self.request.period

    @property
    def _sheets(self) -> str:
        if self.bronze:
            return ", ".join(self.bronze.frame[SOURCE_SHEET].unique())
        return self.request.sheet or ", ".join(self._found.source.sheet_labels)

    @property
    def _files(self) -> tuple[FileRead, ...]:
        if self.found is None:
            return ()
        rows = self.bronze.rows_by_file() if self.bronze else {}
        return tuple(
            FileRead(
                path=file.label,
                sheet=self._sheets,
                sha256=file.sha256,
                version=file.version,
                rows=rows.get(file.label, 0),
            )
            for file in self.found.files
        )

    @property
    def _fingerprint(self) -> Fingerprint:
        request = self.request
        # The salt decides temporary ids; only its digest with the rest leaves this line.
        rule = (self.domain.fingerprint, request.mode, request.scope, request.sheet, request.skip_facts)
        known = [digest for digest in (self.quarantine.given.digest, self._plans_digest) if digest]
        declaration = hashlib.sha256(repr((*rule, *known, self.place.alias_salt)).encode()).hexdigest()[:16]
        return Fingerprint(
            files=tuple(file.sha256 for file in self._found.files),
            code_version=code_version(),
            config_version=config_version(self.place.config_dir),
            declaration_version=declaration,
        )

    def _effect_facts(self, outcome: Outcome) -> dict[str, Any]:
        facts = self.effects.facts if self.effects else None
        return {
            "table": self.domain.table,
            "mode": str(self.request.mode),
            "rows": len(outcome.gold),
            "deleted": facts.deleted if facts else None,
            "inserted": facts.inserted if facts else None,
            "unchanged": facts.unchanged if facts else None,
        }

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time a stage; a failure is recorded in the warehouse and goes on."""
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            if self._session is not None:
                read = self.bronze.rows_read if self.bronze else 0
                rejected = self.outcome.rows_rejected if self.outcome else 0
                self._session.failed(error, rows=(read, 0, rejected))
            raise
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def _emit(self, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith("step.completed") and facts.get("step") == "identify company":
            self.seconds["identify"] = float(facts.get("duration_ms", 0.0)) / 1000
        self._log.debug(event, **facts)
