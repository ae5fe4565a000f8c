"""Leases that a living runner holds without knowing: the answer to its claim was lost, or its execution broke off."""

from collections.abc import Sequence
from uuid import UUID

from work_data_hub.domain.batch.run import Claim
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


def disown(cursor: Cursor, worker_id: str, *, known: Sequence[Claim]) -> tuple[UUID, ...]:
    """Give up what the worker holds beside the known claims; the next sweep takes it up. Returns the pipelines."""
    cursor.execute(
        query("batch_orphans", "disown"),
        {
            "worker": worker_id,
            "pipelines": [str(claim.pipeline_id) for claim in known],
            "epochs": [claim.epoch for claim in known],
        },
    )
    return tuple(UUID(str(pipeline_id)) for (pipeline_id,) in cursor.fetchall())
