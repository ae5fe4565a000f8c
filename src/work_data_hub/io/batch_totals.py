"""How many runs each pipeline has ended, and what they counted together."""

from dataclasses import dataclass

from work_data_hub.domain.batch.run import Counts
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTotal:
    """The runs of a pipeline that ended in one way: how many there were, and what was read, written and set aside."""

    pipeline: str
    status: RunStatus
    runs: int
    counts: Counts


def run_totals(cursor: Cursor) -> tuple[RunTotal, ...]:
    """All runs that have ended, by pipeline and by how; reads the whole table of runs."""
    cursor.execute(query("batch_history", "metrics_runs"))
    return tuple(
        RunTotal(
            pipeline=name,
            status=RunStatus(status),
            runs=runs,
            counts=Counts(read=read, written=written, unchanged=unchanged, dlq=dlq),
        )
        for name, status, runs, read, written, unchanged, dlq in cursor.fetchall()
    )
