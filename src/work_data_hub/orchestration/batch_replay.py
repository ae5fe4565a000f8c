"""Rows that were set aside, given to their target again once what was wrong is mended."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID, uuid4

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Claim, Column, Page
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_history import DeadLetterRow, dead_letters, mark_replayed
from work_data_hub.io.batch_letters import database_now, is_superseded
from work_data_hub.io.batch_pipelines import find_pipeline, freeze, note
from work_data_hub.io.postgres import Cursor, connect, transaction
from work_data_hub.orchestration.batch_patience import Patience
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_sinks import IndexEnd, TableEnd, choose_end

MOST_LETTERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the rows: taken now, refused again, or left since the target has a newer row of their key."""

    replayed: int = 0
    refused: int = 0
    superseded: int = 0


def replay(place: BatchPlace, pipeline_id: UUID, ids: Sequence[int] | None = None) -> Replayed:
    """Write the rows of these ids again, or the oldest 1,000 that wait, in one transaction.

    Rows that the target takes, and those of which it has a newer version, wait no more. Raises InvalidPipeline
    while the pipeline runs or waits to: its rows would race with these.
    """
    with (
        closing(connect(place.database_url, application_name="wdh batch replay")) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        pipeline = _at_rest(cursor, pipeline_id)
        letters = dead_letters(cursor, pipeline_id, limit=MOST_LETTERS, ids=ids)
        with closing(_end(cursor, pipeline_id, pipeline, place=place)) as end:
            done = [_again(cursor, letter, pipeline, end=end) for letter in letters]
        over = [letter.id for letter, result in zip(letters, done, strict=True) if not result.refused]
        mark_replayed(cursor, pipeline_id, over)
        total = Replayed(
            replayed=sum(one.replayed for one in done),
            refused=sum(one.refused for one in done),
            superseded=sum(one.superseded for one in done),
        )
        note(cursor, pipeline_id, actor=place.actor, reason=f"dead letters replayed: {total.replayed}")
    return total


def _at_rest(cursor: Cursor, pipeline_id: UUID) -> Pipeline:
    """The definition, kept from being claimed until this transaction ends."""
    status, row = freeze(cursor, pipeline_id), find_pipeline(cursor, pipeline_id)
    if row is None:
        raise InvalidPipeline("there is no such pipeline", input_data=str(pipeline_id))
    if status not in AT_REST:
        raise InvalidPipeline(
            f"the pipeline is {status}",
            operation=row.pipeline.name,
            rule="rows are replayed while nothing runs",
            hint="wait for the run to end, or pause it",
        )
    return row.pipeline


def _end(cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline, *, place: BatchPlace) -> TableEnd | IndexEnd:
    """The pipeline's target."""
    claim = Claim(
        run_id=uuid4(),
        pipeline_id=pipeline_id,
        pipeline=pipeline,
        worker_id=place.actor,
        epoch=0,
        claimed_at=database_now(cursor),
    )
    patience = Patience(
        stop=threading.Event(),
        lost=threading.Event(),
        is_pause_wanted=lambda: False,
        base_seconds=place.retry_backoff_seconds,
        attempts=place.retry_attempts,
    )
    return choose_end(claim, columns=None, place=place, patience=patience)


def _again(cursor: Cursor, letter: DeadLetterRow, pipeline: Pipeline, *, end: TableEnd | IndexEnd) -> Replayed:
    if is_superseded(cursor, pipeline.target, key=letter.key, since=letter.created_at):
        return Replayed(superseded=1)
    end.stand_at(letter.created_at)
    columns = tuple(Column(name=name, type="text") for name in letter.payload)
    written = end.write(cursor, Page(columns=columns, rows_read=1, rows=[dict(letter.payload)]), seq=0)
    if written.counts.stale:
        return Replayed(superseded=1)
    return Replayed(refused=1) if written.dead else Replayed(replayed=1)
