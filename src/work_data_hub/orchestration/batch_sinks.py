"""Where the rows of a run go: transformed first, then into a table or an index of the allow-list."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from work_data_hub.domain.batch.pipeline import Deletes, NullKey, Pipeline
from work_data_hub.domain.batch.run import Claim, Column, Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget, TableTarget
from work_data_hub.domain.batch.transforms import transform_of
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_deletes import remember_keys
from work_data_hub.io.batch_index_sink import IndexSink, document_version
from work_data_hub.io.batch_ledger import fingerprint_of
from work_data_hub.io.batch_letters import known_fingerprints, pass_letters
from work_data_hub.io.batch_table_sink import TableSink
from work_data_hub.io.batch_text import lines_of
from work_data_hub.io.postgres import Cursor
from work_data_hub.orchestration.batch_patience import Patience
from work_data_hub.orchestration.batch_place import BatchPlace


class End(Protocol):
    """Where rows end; takes those of a batch, inside the transaction of the cursor where it can."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever watches the run should know of the target."""

    def write(self, cursor: Cursor, page: Page, *, seq: int, as_of: datetime) -> Written:
        """Write the page; `seq` numbers the batches of the run, which was claimed `as_of`."""

    def close(self) -> None:
        """Let go of what is open."""


class TableEnd:
    """Ends in a table: rows and checkpoint commit together."""

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        pipeline: Pipeline,
        target: TableTarget,
        columns: tuple[Column, ...] | None,
        *,
        run_id: UUID | None,
        place: BatchPlace,
    ) -> None:
        self._target, self._faults = target, place.faults
        self._remembers_for = run_id if pipeline.deletes is not Deletes.IGNORE else None
        self._sink = TableSink(
            target,
            columns or (),
            is_transformed=columns is None or bool(pipeline.transforms),
            most_dead=pipeline.dlq_max_rows,
        )

    def write(self, cursor: Cursor, page: Page, *, seq: int, as_of: datetime) -> Written:
        """Write the page in the cursor's transaction; a table has no versions, so that the last one writes."""
        if self._remembers_for is not None:
            remember_keys(cursor, self._remembers_for, target=self._target, page=page)
        return self._sink.write(cursor, page, faults=self._faults)

    def close(self) -> None:
        """Nothing stays open."""


class IndexEnd:
    """Ends in an index: documents are acknowledged before the checkpoint is committed."""

    def __init__(self, target: IndexTarget, *, place: BatchPlace, patience: Patience) -> None:
        if place.index_access is None:
            raise InvalidPipeline(
                f"there is no Elasticsearch to write {target.name} to",
                field="target_table",
                hint="set ELASTICSEARCH_URL for the runner, then request the run again",
            )
        self._faults, self._wait = place.faults, patience.before_try
        self._sink = IndexSink(place.index_access, target)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the index was found like."""
        return self._sink.notes

    def write(self, cursor: Cursor, page: Page, *, seq: int, as_of: datetime) -> Written:
        """Write the page, whatever becomes of the cursor's transaction: written again it is the same.

        Documents of later batches, and of runs that were claimed later, stay as they are.
        """
        version = document_version(claimed_at=as_of, seq=seq)
        return self._sink.write(page, version=version, wait=self._wait, faults=self._faults)

    def close(self) -> None:
        """Close the client."""
        self._sink.close()


class Refined:
    """Applies the pipeline's transforms, and its policy for rows without a key, before rows reach their end.

    Rows that were set aside before, and come again, are overtaken by those that come now.
    """

    def __init__(self, claim: Claim, end: End) -> None:
        self._pipeline_id, self._pipeline, self._end = claim.pipeline_id, claim.pipeline, end
        self._target = TARGETS[claim.pipeline.target]
        self._transforms = tuple(transform_of(name) for name in claim.pipeline.transforms)

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever watches the run should know of the target."""
        return self._end.notes

    def write(self, cursor: Cursor, page: Page, *, seq: int, as_of: datetime) -> Written:
        """Write what is left of the page; rows that transforms dropped count as read."""
        refined = self._transformed(page)
        if page.is_keyless and self._pipeline.null_key is NullKey.DLQ:
            return self._set_aside(cursor, refined, as_of=as_of)
        written = self._end.write(cursor, refined, seq=seq, as_of=as_of)
        written = replace(written, dead=self._passed(cursor, refined, written.dead, as_of=as_of))
        counts = written.counts
        if page.is_keyless:
            return replace(written, counts=_as_looked_at_again(counts, rows=page.rows_read))
        if self._transforms:
            return replace(written, counts=replace(counts, read=page.rows_read - counts.rescanned))
        return written

    def close(self) -> None:
        """Let go of what is open."""
        self._end.close()

    def _transformed(self, page: Page) -> Page:
        rows: Sequence[Mapping[str, Any]] = page.rows or ()
        for transform in self._transforms:
            rows = transform([dict(row) for row in rows]) if rows else rows
        return replace(page, rows=rows) if self._transforms else page

    def _passed(
        self, cursor: Cursor, page: Page, dead: Sequence[DeadLetter], *, as_of: datetime
    ) -> tuple[DeadLetter, ...]:
        return pass_letters(cursor, self._pipeline_id, dead, page=page, target=self._target, as_of=as_of)

    def _set_aside(self, cursor: Cursor, page: Page, *, as_of: datetime) -> Written:
        """All rows of the page become dead letters; those that wait as such already are only looked at again."""
        lines = lines_of(page, columns=tuple(column.name for column in page.columns), required=())
        reason = f"{self._pipeline.incremental_key} is null, so that the row has no place in the order"
        letters = [DeadLetter(payload=lines.payload(row), error=reason, place=row) for row in range(len(lines))]
        marks = [fingerprint_of(letter) for letter in letters]
        known = known_fingerprints(cursor, self._pipeline_id, marks)
        letters = list(self._passed(cursor, page, letters, as_of=as_of))
        fresh = tuple(letter for letter, mark in zip(letters, marks, strict=True) if mark not in known)
        again = page.rows_read - len(fresh)
        return Written(counts=Counts(read=len(fresh), dlq=len(fresh), rescanned=again), dead=fresh)


def choose_end(
    pipeline: Pipeline,
    columns: tuple[Column, ...] | None,
    *,
    run_id: UUID | None,
    place: BatchPlace,
    patience: Patience,
) -> TableEnd | IndexEnd:
    """The target of the pipeline; `columns` are those of its query, None where rows come from elsewhere.

    What the rows' keys are is remembered for the run, where deletes are to be found. Raises InvalidPipeline for a
    target that is not allowed, or cannot be had.
    """
    target = TARGETS.get(pipeline.target)
    if isinstance(target, TableTarget):
        return TableEnd(pipeline, target, columns, run_id=run_id, place=place)
    if isinstance(target, IndexTarget):
        return IndexEnd(target, place=place, patience=patience)
    raise InvalidPipeline(f"target_table '{pipeline.target}' is not allowed", field="target_table")


def _as_looked_at_again(counts: Counts, *, rows: int) -> Counts:
    """Rows without a key come with every run: only those that changed something count as read."""
    changed = counts.inserted + counts.updated + counts.dlq
    return replace(
        counts,
        read=changed,
        written=counts.inserted + counts.updated,
        unchanged=0,
        rescanned=rows - changed,
    )
