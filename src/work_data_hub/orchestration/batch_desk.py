"""What the API and the command line do with batch pipelines: declare, ask, look. Nothing here runs one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any, TypeVar
from uuid import UUID

from work_data_hub.domain.batch.checkpoints import notes_of_checkpoint, reads_other_rows, state_refusal
from work_data_hub.domain.batch.key_types import type_problems
from work_data_hub.domain.batch.notes import notes_of_change
from work_data_hub.domain.batch.pipeline import Pipeline, Problem, column_problems, problems_of
from work_data_hub.domain.batch.refusals import NAME_TAKEN, NOT_FOUND, Refusal, Why, busy, refusal_of
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_definitions import definition_of, pipeline_of
from work_data_hub.io.batch_history import (
    MetricsSnapshot,
    batches_of,
    dead_letters,
    events_of,
    runs_of,
    set_state,
    snapshot_of_metrics,
    state_of,
)
from work_data_hub.io.batch_letters import request_replay
from work_data_hub.io.batch_pipelines import (
    DuplicatePipeline,
    PipelineRow,
    create_pipeline,
    find_by_name,
    find_pipeline,
    list_pipelines,
    update_pipeline,
)
from work_data_hub.io.batch_reader import READER_NAME, describe, reader_connection
from work_data_hub.io.batch_requests import Requested, request_pause, request_run
from work_data_hub.io.batch_totals import RunTotal, run_totals
from work_data_hub.io.checkpoint_fit import Misfit, checkpoint_problems, misfit_of
from work_data_hub.io.postgres import Connection, Cursor, transaction
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_shown import Shown, shown_change, shown_pipeline, shown_row, shown_state

# A query is only prepared to see its columns; whatever takes longer waits for a lock.
_DESCRIBE_SECONDS = 10.0
Seen = TypeVar("Seen")
_KEYS = ("incremental_key", "incremental_id_key", "unique_key")
_MEANING_OF_COLUMNS = ("source_query", "tasks", "type", "python_module", "target_table", "mode", "strategy", *_KEYS)


class BatchDesk:
    """Answers questions and takes requests on one connection, each in a transaction of its own.

    What comes back is ready for JSON. A `Refusal` says that nothing was changed, and why; the driver's errors
    pass.
    """

    def __init__(self, connection: Connection, place: BatchPlace, *, actor: str, trigger: str) -> None:
        self._connection, self._place = connection, place
        self._actor, self._trigger = actor, trigger

    def pipelines(self, *, name: str | None = None) -> list[Shown]:
        """All pipelines by name, or the one of a name."""
        with self._transaction() as cursor:
            rows = list_pipelines(cursor) if name is None else (find_by_name(cursor, name),)
        return [shown_pipeline(row) for row in rows if row is not None]

    def pipeline(self, id: UUID) -> Shown | Refusal:
        """The pipeline of the id."""
        row = self._row(id)
        return shown_pipeline(row) if row else NOT_FOUND

    def problems(self, definition: Mapping[str, Any]) -> tuple[Problem, ...]:
        """Every rule that a definition's JSON breaks; once there is none, what its query lacks for the reader."""
        pipeline = _pipeline(definition)
        return problems_of(pipeline) or self._problems_of_columns(pipeline)

    def create(self, definition: Mapping[str, Any]) -> Shown | Refusal:
        """A new pipeline of a definition's JSON, idle; its `notes` say what is left to do."""
        if refusal := refusal_of(self.problems(definition)):
            return refusal
        try:
            with self._transaction() as cursor:
                made = create_pipeline(cursor, _pipeline(definition), actor=self._actor)
        except DuplicatePipeline:
            return NAME_TAKEN
        return shown_change(made, notes_of_change(None, made.pipeline))

    def change(self, id: UUID, changes: Mapping[str, Any]) -> Shown | Refusal:
        """The pipeline with some fields, named as in its JSON, given anew; the whole must keep every rule.

        Its `notes` say what is left to do.
        """
        # Ends: each further turn needs a change by another session in between.
        while row := self._row(id):
            if row.status not in AT_REST:
                return busy("update pipeline", row.status)
            if not changes:
                return shown_change(row, ())
            wanted = _merged(row.pipeline, changes)
            if refusal := refusal_of(self._problems_of_change(row.pipeline, wanted)):
                return refusal
            try:
                changed = self._changed(row, wanted, self._misfit(row, wanted))
            except DuplicatePipeline:
                return NAME_TAKEN
            if changed:
                return changed
        return NOT_FOUND

    def request_run(self, id: UUID, *, key: str | None = None) -> Shown | Refusal:
        """Ask for a run, with the same key once; the pipeline as it stands then."""
        with self._transaction() as cursor:
            requested = request_run(
                cursor,
                id,
                actor=self._actor,
                key=key,
                trigger=self._trigger,
                lease_seconds=self._place.lease_seconds,
            )
        return _answer(requested)

    def request_pause(self, id: UUID) -> Shown | Refusal:
        """Ask for a pause; the pipeline as it stands then."""
        with self._transaction() as cursor:
            requested = request_pause(cursor, id, actor=self._actor)
        return _answer(requested)

    def runs(self, id: UUID, *, limit: int) -> list[Shown] | Refusal:
        """Its runs, newest first."""
        return self._of_pipeline(id, lambda cursor: [shown_row(row) for row in runs_of(cursor, id, limit)])

    def batches(self, id: UUID, *, limit: int) -> list[Shown] | Refusal:
        """The batches that were committed, newest first."""
        return self._of_pipeline(id, lambda cursor: [shown_row(row) for row in batches_of(cursor, id, limit)])

    def events(self, id: UUID, *, limit: int) -> list[Shown] | Refusal:
        """What befell it, newest first."""
        return self._of_pipeline(id, lambda cursor: [shown_row(row) for row in events_of(cursor, id, limit)])

    def dead_letters(self, id: UUID, *, limit: int, replayed: bool = False) -> list[Shown] | Refusal:
        """The rows set aside, oldest first."""
        return self._of_pipeline(
            id, lambda cursor: [shown_row(row) for row in dead_letters(cursor, id, limit=limit, replayed=replayed)]
        )

    def replay(self, id: UUID, ids: Sequence[int] | None) -> Shown | Refusal:
        """Write rows that were set aside again, the oldest that wait or those of the ids; what became of them."""
        if refusal := self._replay_refusal(id):
            return refusal
        # Loaded late: it brings the sinks, and no other request needs them.
        replay = import_module("work_data_hub.orchestration.batch_replay").replay
        return shown_row(replay(self._place, id, ids))

    def request_replay(self, id: UUID, ids: Sequence[int] | None) -> Shown | Refusal:
        """Ask for rows that were set aside to be written again by a runner, all that wait or those of the ids."""
        if refusal := self._replay_refusal(id):
            return refusal
        with self._transaction() as cursor:
            requested = request_replay(cursor, id, ids, actor=self._actor)
        return {"requested": requested}

    def state(self, id: UUID) -> Shown | Refusal:
        """The checkpoint that the next incremental run goes on from."""
        return self._of_pipeline(id, lambda cursor: shown_state(state_of(cursor, id)))

    def set_state(self, id: UUID, state: Place) -> Shown | Refusal:
        """Put the checkpoint elsewhere, an empty one: to the beginning; only while nothing runs or waits to.

        It has to fit the columns of the query, which is prepared for that, and not run.
        """
        row = self._row(id)
        if row is None:
            return NOT_FOUND
        if refusal := state_refusal(row.pipeline, state):
            return refusal
        if row.status not in AT_REST:
            return busy("change the state of the pipeline", row.status)
        if state != Place() and (refusal := refusal_of(self._problems_of_state(row.pipeline, state))):
            return refusal
        with self._transaction() as cursor:
            was_set = set_state(cursor, id, state, actor=self._actor)
        if was_set:
            return shown_state(state)
        row = self._row(id)
        return busy("change the state of the pipeline", row.status) if row else NOT_FOUND

    def metrics(self) -> MetricsSnapshot:
        """The numbers that only the database knows."""
        with self._transaction() as cursor:
            return snapshot_of_metrics(cursor)

    def run_totals(self) -> tuple[RunTotal, ...]:
        """What all runs came to that have ended; it looks through the whole history."""
        with self._transaction() as cursor:
            return run_totals(cursor)

    def _replay_refusal(self, id: UUID) -> Refusal | None:
        row = self._row(id)
        if row is None:
            return NOT_FOUND
        return None if row.status in AT_REST else busy("replay dead letters of the pipeline", row.status)

    def _row(self, id: UUID) -> PipelineRow | None:
        with self._transaction() as cursor:
            return find_pipeline(cursor, id)

    def _of_pipeline(self, id: UUID, look: Callable[[Cursor], Seen]) -> Seen | Refusal:
        with self._transaction() as cursor:
            return look(cursor) if find_pipeline(cursor, id) else NOT_FOUND

    def _changed(self, seen: PipelineRow, wanted: Pipeline, misfit: Misfit) -> Shown | None:
        with self._transaction() as cursor:
            if find_pipeline(cursor, seen.id, for_change=True) != seen:
                return None
            had = state_of(cursor, seen.id)
            if had != misfit.place:
                return None
            is_misfit = misfit.why is not None
            changed = update_pipeline(cursor, seen.id, wanted, actor=self._actor, drops_checkpoint=is_misfit)
            has = state_of(cursor, seen.id)
        if changed is None:
            return None
        are_others = reads_other_rows(definition_of(seen.pipeline), definition_of(changed.pipeline))
        notes = notes_of_checkpoint(had, has, are_rows_others=are_others, misfit=misfit.why)
        return shown_change(changed, (*notes, *notes_of_change(seen.pipeline, changed.pipeline)))

    def _misfit(self, row: PipelineRow, wanted: Pipeline) -> Misfit:
        """The checkpoint as it stands, and why it would be none of the changed query, if so."""
        with self._transaction() as cursor:
            place = state_of(cursor, row.id)
        if place is None or row.pipeline.reader_query == wanted.reader_query:
            return Misfit(place=place)
        with self._reader() as reader:
            return misfit_of(reader, place, before=row.pipeline, after=wanted)

    def _problems_of_change(self, before: Pipeline, wanted: Pipeline) -> tuple[Problem, ...]:
        problems = problems_of(wanted)
        if problems or all(getattr(before, name) == getattr(wanted, name) for name in _MEANING_OF_COLUMNS):
            return problems
        return self._problems_of_columns(wanted)

    def _problems_of_columns(self, pipeline: Pipeline) -> tuple[Problem, ...]:
        with self._reader() as reader:
            try:
                columns = describe(reader, pipeline.reader_query)
            except InvalidPipeline as refused:
                return (Problem(field="source_query", message=refused.message),)
        types = {column.name: column.type for column in columns}
        return column_problems(pipeline, [column.name for column in columns]) or type_problems(pipeline, types)

    def _problems_of_state(self, pipeline: Pipeline, state: Place) -> tuple[Problem, ...]:
        with self._reader() as reader:
            try:
                return checkpoint_problems(reader, pipeline, state)
            except InvalidPipeline as refused:
                return (Problem(field="source_query", message=refused.message),)

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        place = self._place
        reader, _ = reader_connection(
            place.database_url,
            reader_url=place.reader_url,
            may_read_as_anyone=place.may_read_as_anyone,
            statement_timeout_seconds=min(place.statement_timeout_seconds, _DESCRIBE_SECONDS),
            application_name=f"{READER_NAME}check",
        )
        with closing(reader):
            yield reader

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with transaction(self._connection), self._connection.cursor() as cursor:
            yield cursor


def _pipeline(definition: Mapping[str, Any]) -> Pipeline:
    """The pipeline that is meant; a number counts as it is written, not as what is nearest to it in binary."""
    values = {name: str(value) if isinstance(value, float) else value for name, value in definition.items()}
    return pipeline_of(values, definition.get("tasks", ()))


def _merged(pipeline: Pipeline, changes: Mapping[str, Any]) -> Pipeline:
    return _pipeline(definition_of(pipeline) | dict(changes))


def _answer(requested: Requested) -> Shown | Refusal:
    if requested.row is None:
        return NOT_FOUND
    return Refusal(why=Why.DISABLED, message=requested.refusal) if requested.refusal else shown_pipeline(requested.row)
