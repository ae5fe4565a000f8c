"""Reference tables brought to what their sources say: a plan that writes nothing, or all of them in one transaction."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from work_data_hub.domain.reference_sync import (
    LegacySource,
    SyncEffect,
    SyncJob,
    SyncState,
    chosen_jobs,
    mark_of,
)
from work_data_hub.domain.sync_rows import FittedRows, SourceRows, TargetTable, check_target, fit
from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.legacy_source import LegacyDatabase, legacy_database, read_legacy_rows
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Connection, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.reference_files import read_reference_file
from work_data_hub.io.reference_sync import count_sync, create_sync_stage, target_table, write_sync
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.sync_jobs import SYNC_FILE, load_sync_jobs
from work_data_hub.io.sync_state import read_state, save_state
from work_data_hub.log import get_logger
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)
PIPELINE = "reference_sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Which tables to sync, and how; no name means every enabled job."""

    names: tuple[str, ...] = ()
    full: bool = False
    execute: bool = False
    allow_shrink: bool = False
    lock_wait_seconds: float = 0.0
    legacy_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A job whose source is read and checked, and fits its table."""

    job: SyncJob
    table: TargetTable
    rows: SourceRows
    fitted: FittedRows
    mark: datetime | None

    def told(self, effect: SyncEffect) -> SyncEffect:
        return replace(effect, temporary=self.fitted.temporary, since=self.rows.since)

    @property
    def has_moved(self) -> bool:
        """Whether the source's changes are taken over up to another moment than before."""
        return self.rows.since is None or self.rows.mark != self.mark

    @property
    def state(self) -> SyncState:
        return SyncState(last_synced_at=self.rows.mark, rows=len(self.rows.frame), job_version=self.job.version)


def sync_references(request: SyncRequest, place: Workplace) -> tuple[SyncEffect, ...]:
    """Plan or execute the jobs that the request names; returns what that does to each table, in the file's order."""
    jobs = chosen_jobs(load_sync_jobs(place.config_dir), request.names)
    if not jobs:
        return ()
    if place.database_url is None:
        raise UsageError("there is no database to compare with", hint="set DATABASE_URL, or run wdh db start")
    run = _execute if request.execute else _plan
    return run(jobs, request, place, place.database_url)


def _plan(jobs: tuple[SyncJob, ...], request: SyncRequest, place: Workplace, url: str) -> tuple[SyncEffect, ...]:
    with warehouse_errors(), closing(connect(url, application_name="wdh plan reference sync")) as connection:
        require_head(connection)
        ready = _read_all(connection, jobs, request, place.config_dir)
        with transaction(connection), connection.cursor() as cursor:
            for each in ready:
                create_sync_stage(cursor, each.job)
        with read_only(connection), connection.cursor() as cursor:
            return tuple(
                each.told(count_sync(cursor, each.job, each.fitted.frame, allow_shrink=request.allow_shrink))
                for each in ready
            )


def _execute(jobs: tuple[SyncJob, ...], request: SyncRequest, place: Workplace, url: str) -> tuple[SyncEffect, ...]:
    execution_id = uuid4()
    name = f"wdh reference sync {str(execution_id)[:8]}"
    with warehouse_errors(), closing(connect(url, application_name=name)) as connection:
        require_head(connection)
        take_load_lock(connection, domain="reference", period="sync", wait_seconds=request.lock_wait_seconds)
        place.faults.reach("after_lock")
        sources = ", ".join(str(job.source) for job in jobs)
        with recorded(connection, execution_id, pipeline_name=PIPELINE, sources=sources), warehouse_errors():
            place.faults.reach("after_running")
            ready = _read_all(connection, jobs, request, place.config_dir)
            return _write_all(connection, ready, execution_id, request=request, place=place)


def _write_all(
    connection: Connection, ready: list[_Ready], execution_id: UUID, *, request: SyncRequest, place: Workplace
) -> tuple[SyncEffect, ...]:
    """Every table, the states and the execution's success in one transaction."""
    effects = []
    with transaction(connection), connection.cursor() as cursor:
        for each in ready:
            place.faults.reach("before_copy")
            create_sync_stage(cursor, each.job)
            effect = write_sync(
                cursor, each.job, each.fitted.frame, table=each.table, allow_shrink=request.allow_shrink
            )
            if each.has_moved:
                save_state(cursor, each.job, each.state)
            effects.append(each.told(effect))
        read, written = sum(e.rows_read for e in effects), sum(e.inserted + e.updated for e in effects)
        finish_execution(cursor, execution_id, rows=(read, written, 0))
        place.faults.reach("before_commit")
    place.faults.reach("after_commit")
    for effect in effects:
        log.info("reference.synced", **_counts(effect))
    return tuple(effects)


def _read_all(
    connection: Connection, jobs: tuple[SyncJob, ...], request: SyncRequest, config_dir: Path
) -> list[_Ready]:
    """Every source, read and checked before anything is written; the legacy database is opened where a job needs it."""
    with transaction(connection), connection.cursor() as cursor:
        file = str(config_dir / SYNC_FILE)
        tables = {job.name: check_target(job, target_table(cursor, job.target), file=file) for job in jobs}
        marks = {job.name: None if request.full else mark_of(job, read_state(cursor, job)) for job in jobs}
    with ExitStack() as stack:
        is_needed = any(isinstance(job.source, LegacySource) for job in jobs)
        legacy = stack.enter_context(legacy_database(request.legacy_url)) if is_needed else None
        return [_ready(job, tables[job.name], legacy, config_dir, mark=marks[job.name]) for job in jobs]


def _ready(
    job: SyncJob, table: TargetTable, legacy: LegacyDatabase | None, config_dir: Path, *, mark: datetime | None
) -> _Ready:
    rows = _rows(job, legacy, config_dir, mark)
    log.info("reference.read", job=job.name, source=str(job.source), rows=len(rows.frame))
    return _Ready(job=job, table=table, rows=rows, fitted=fit(job, table, rows), mark=mark)


def _rows(job: SyncJob, legacy: LegacyDatabase | None, config_dir: Path, mark: datetime | None) -> SourceRows:
    if isinstance(job.source, LegacySource):
        if legacy is None:
            raise WorkDataHubError("the legacy database is not open", operation=f"sync {job.name}")
        return read_legacy_rows(legacy, job, job.source, mark=mark)
    return read_reference_file(config_dir, job, job.source)


def _counts(effect: SyncEffect) -> dict[str, object]:
    return {
        "table": effect.job.target,
        "rows": effect.rows_read,
        "inserted": effect.inserted,
        "updated": effect.updated,
        "deleted": effect.deleted,
        "unchanged": effect.unchanged,
    }
