"""How far each sync job has come; read and written inside the caller's transaction."""

from work_data_hub.domain.reference_sync import SyncJob, SyncState
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


def read_state(cursor: Cursor, job: SyncJob) -> SyncState | None:
    """The state that the last executed sync left, None where there was none."""
    cursor.execute(query("reference_sync", "read_state"), _place(job))
    row = cursor.fetchone()
    return SyncState(last_synced_at=row[0], rows=row[1], job_version=row[2]) if row else None


def save_state(cursor: Cursor, job: SyncJob, state: SyncState) -> None:
    """Note the state; nothing is written where it is as it was."""
    facts = {"last_synced_at": state.last_synced_at, "rows": state.rows, "job_version": state.job_version}
    cursor.execute(query("reference_sync", "save_state"), _place(job) | facts)


def _place(job: SyncJob) -> dict[str, object]:
    return {"job_name": job.name, "table_name": job.target}
