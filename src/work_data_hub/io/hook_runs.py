"""Which hooks ran after which load, kept so that one that failed runs again with the same command."""

import json
from datetime import datetime

from work_data_hub.domain.period import Period
from work_data_hub.domain.report import HookRun
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


def newest_load(cursor: Cursor, *, domain: str, period: Period) -> int | None:
    """The newest committed load of the domain's month; None where there is none."""
    cursor.execute(query("hook_runs", "newest_load"), {"domain": domain, "period": period.first_day})
    row = cursor.fetchone()
    return int(row[0]) if row and row[0] is not None else None


def finished_hooks(cursor: Cursor, *, load_id: int) -> set[str]:
    """The names of the hooks that ended well after the load, the last time each ran; those with nothing to do too."""
    cursor.execute(query("hook_runs", "finished"), {"load_id": load_id})
    return {str(row[0]) for row in cursor.fetchall()}


def record_hook_run(cursor: Cursor, run: HookRun, *, period: Period, load_id: int, started_at: datetime) -> None:
    """Write how a hook ended; part of the caller's transaction."""
    cursor.execute(
        query("hook_runs", "record"),
        {
            "hook": run.name,
            "domain": run.domain,
            "period": period.first_day,
            "load_id": load_id,
            "status": run.status,
            "counts": json.dumps(run.counts, ensure_ascii=False),
            "error": str(run.error) if run.error else None,
            "started_at": started_at,
        },
    )
