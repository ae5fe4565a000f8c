"""Companies asked for again at the registry, each in a transaction of its own: a refresh may end anywhere and go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.refresh import Company, RefreshReport, RefreshRun, Selection
from work_data_hub.domain.identity.registry_answers import CompanyAnswer, Payload
from work_data_hub.errors import DirectoryError, RegistryUnavailable, UsageError
from work_data_hub.io.company_directory import CompanyDirectory
from work_data_hub.io.company_rows import write_companies
from work_data_hub.io.directory_access import directory_access, why_no_registry
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.refresh_store import (
    begin_refresh,
    chosen_counts,
    chosen_page,
    end_refresh,
    freshness,
    listed_companies,
    note_failed,
    note_refreshed,
    unfinished_refresh,
)
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger, redact_text
from work_data_hub.orchestration.places import describe_database
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import Settings

log = get_logger(__name__)
NOT_FOUND = "not found in results"
NO_NAME = "its name cannot be searched"

Told = Callable[[RefreshRun], None]
"""Is told the checkpoint after each company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRequest:
    """Which companies to refresh; `selection` None resumes the refresh that did not end.

    `batch_size` companies are read at once; at most `most_companies` are asked for in this call.
    """

    selection: Selection | None
    company_ids: tuple[str, ...] = ()
    threshold_days: int = 90
    batch_size: int = 100
    most_companies: int | None = None
    lock_wait_seconds: float = 0.0


@contextmanager
def refresh_directory(settings: Settings, *, requests_per_second: float) -> Iterator[CompanyDirectory]:
    """The registry at the refresh's own pace; raises DirectoryError where none is set up."""
    access = directory_access(settings)
    if access is None:
        raise DirectoryError(
            f"there is no registry to ask: {why_no_registry(settings)}",
            operation="refresh companies",
            hint="set what is missing; without --execute nothing is asked",
        )
    with CompanyDirectory(access.paced(requests_per_second)) as directory:
        yield directory


def plan_refresh(request: RefreshRequest, place: Workplace) -> RefreshReport:
    """Say which companies an executed refresh would ask for; asks nothing and writes nothing."""
    started = time.perf_counter()
    with _connected(place, "wdh plan identity refresh") as connection:
        with read_only(connection), connection.cursor() as cursor:
            run = _run(cursor, request, place)
            report = _described(cursor, run, place, mode="plan")
        companies = islice(_companies(connection, run, batch_size=request.batch_size), request.most_companies)
        to_ask = tuple(company.company_id for company in companies)
    return replace(report, to_ask=to_ask, seconds=time.perf_counter() - started)


def execute_refresh(
    request: RefreshRequest, place: Workplace, *, directory: CompanyDirectory, told: Told = lambda _run: None
) -> RefreshReport:
    """Ask for each company again and store the answers; each company commits with the checkpoint.

    A company that fails is passed over with its reason, and asked first when the refresh is resumed. A registry
    that refuses the token, or answers nobody, ends the refresh: the report has the error, the checkpoint stays.
    """
    started = time.perf_counter()
    with _connected(place, "wdh identity refresh") as connection:
        take_load_lock(connection, domain="identity", period="refresh", wait_seconds=request.lock_wait_seconds)
        with transaction(connection), connection.cursor() as cursor:
            run = _run(cursor, request, place)
            report = _described(cursor, run, place, mode="execute")
            if run.refresh_id is None and run.total:
                run = replace(run, refresh_id=begin_refresh(cursor, run, actor=place.actor))
        work = _Work(connection, place=place, directory=directory, told=told)
        run, asked, error = work.go(run, request)
    return replace(report, run=run, asked=asked, error=error, seconds=time.perf_counter() - started)


class _Work:
    """Asks for the companies of a refresh, and writes what comes of it."""

    def __init__(self, connection: Connection, *, place: Workplace, directory: CompanyDirectory, told: Told) -> None:
        self._connection, self._place, self._directory, self._told = connection, place, directory, told

    def go(self, run: RefreshRun, request: RefreshRequest) -> tuple[RefreshRun, int, DirectoryError | None]:
        """Return the checkpoint after this call, how many companies it asked for, and what ended it early."""
        asked, companies = 0, _companies(self._connection, run, batch_size=request.batch_size)
        for company in islice(companies, request.most_companies):
            try:
                answer = self._ask(company)
            except DirectoryError as error:
                log.warning("refresh.stopped", refresh_id=run.refresh_id, asked=asked, left=run.left)
                return run, asked, error
            run, asked = self._record(run, company, answer), asked + 1
            self._told(run)
        if asked != request.most_companies:
            run = run.with_none_left()
        if run.refresh_id is not None and not run.left and not run.failed:
            with transaction(self._connection), self._connection.cursor() as cursor:
                end_refresh(cursor, run)
        log.info("refresh.ended", refresh_id=run.refresh_id, asked=asked, failed=len(run.failed), left=run.left)
        return run, asked, None

    def _ask(self, company: Company) -> CompanyAnswer | str:
        """The registry's answers, or why this company has none; raises DirectoryError when asking on has no point."""
        if company.name is None or not normalise_name(company.name):
            return NO_NAME
        try:
            search = self._directory.search(company.name)
        except RegistryUnavailable as failure:
            if not self._directory.is_available:
                raise
            return redact_text(failure.message)
        same = (one.raw for one in search.candidates if one.company_id == company.company_id.upper())
        if (found := next(same, None)) is None:
            return NOT_FOUND
        return CompanyAnswer(
            company_id=company.company_id,
            search=found,
            detail=self._best_effort(self._directory.detail, company),
            labels=self._best_effort(self._directory.labels, company),
            fetched_at=self._place.now(),
        )

    def _best_effort(self, ask: Callable[[str], Payload | None], company: Company) -> Payload | None:
        try:
            return ask(company.company_id)
        except RegistryUnavailable:
            if not self._directory.is_available:
                raise
            return None

    def _record(self, run: RefreshRun, company: Company, answer: CompanyAnswer | str) -> RefreshRun:
        """The checkpoint past this company, committed with what was learnt of it."""
        company_id = company.company_id
        with transaction(self._connection), self._connection.cursor() as cursor:
            if isinstance(answer, str):
                note_failed(cursor, run, company_id=company_id, reason=answer)
                run = run.with_failed(company_id, reason=answer)
            else:
                write_companies(cursor, [answer], searched={}, data_source="refresh")
                note_refreshed(cursor, run, company_id=company_id)
                run = run.with_refreshed(company_id)
            self._place.faults.reach("before_refresh_commit")
        return run


@contextmanager
def _connected(place: Workplace, application_name: str) -> Iterator[Connection]:
    if place.database_url is None:
        raise UsageError("there is no database with companies", hint="set DATABASE_URL, or run wdh db start")
    with warehouse_errors(), closing(connect(place.database_url, application_name=application_name)) as connection:
        require_head(connection)
        yield connection


def _run(cursor: Cursor, request: RefreshRequest, place: Workplace) -> RefreshRun:
    """The refresh to go on with, or the one that is asked for, which has no id yet."""
    if request.selection is None:
        unfinished = unfinished_refresh(cursor)
        if unfinished is None:
            raise UsageError(
                "no refresh waits to be resumed", field="--resume", hint="begin one with --stale, --all or --companies"
            )
        return unfinished
    _refuse_unknown(cursor, request.company_ids)
    run = RefreshRun(
        selection=request.selection,
        company_ids=request.company_ids,
        threshold_days=request.threshold_days,
        started_at=place.now(),
    )
    return replace(run, total=chosen_counts(cursor, run)[0])


def _refuse_unknown(cursor: Cursor, company_ids: tuple[str, ...]) -> None:
    known = {company.company_id for company in listed_companies(cursor, company_ids)}
    if unknown := [company_id for company_id in company_ids if company_id not in known]:
        raise UsageError(
            "the registry never told of this company",
            field="--companies",
            input_data=", ".join(unknown),
            rule="company ids of enterprise.base_info",
            hint="leave it out; companies come in by a load's names, not by their ids",
        )


def _described(cursor: Cursor, run: RefreshRun, place: Workplace, *, mode: str) -> RefreshReport:
    return RefreshReport(
        mode=mode,
        database=describe_database(place.database_url),
        run=run,
        freshness=freshness(cursor, run),
        without_name=chosen_counts(cursor, run)[1],
    )


def _companies(connection: Connection, run: RefreshRun, *, batch_size: int) -> Iterator[Company]:
    """The companies still to ask for: those that failed first, then on in the order of their ids.

    No transaction stays open while a company is asked for.
    """
    with read_only(connection), connection.cursor() as cursor:
        failed = listed_companies(cursor, run.failed)
    yield from failed
    after = run.reached
    while True:
        with read_only(connection), connection.cursor() as cursor:
            page = chosen_page(cursor, run, after=after, limit=batch_size)
        if not page:
            return
        yield from page
        after = page[-1].company_id
