"""Rows that were set aside, given to their target again once what was wrong is mended."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from uuid import UUID

import psycopg2
from psycopg2 import sql

from work_data_hub.domain.batch.failures import is_lost
from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Column, Page
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import InvalidPipeline, WarehouseError, WorkDataHubError
from work_data_hub.io.batch_history import DeadLetterRow, dead_letters, mark_replayed
from work_data_hub.io.batch_letters import Asked, drop_requests, leave_overtaken, take_requested
from work_data_hub.io.batch_pipelines import find_pipeline, freeze, note
from work_data_hub.io.batch_stage import target_table
from work_data_hub.io.postgres import Connection, Cursor, connect, driver_message, limit_session, transaction
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_patience import Halted, Patience
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_sinks import IndexEnd, TableEnd, choose_end

log = get_logger(__name__)
MOST_LETTERS = 1000
APPLICATION = "wdh batch replay"
_LOCK_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the rows: taken now, refused again, or left since a newer row of their key came."""

    replayed: int = 0
    refused: int = 0
    superseded: int = 0


def replay(place: BatchPlace, pipeline_id: UUID, ids: Sequence[int] | None = None) -> Replayed:
    """Write the rows of these ids again, or the oldest 1,000 that wait, in one transaction.

    Of several rows of a key only the newest is written. Rows that the target takes, and those of which there is a
    newer version, wait no more. Raises InvalidPipeline while the pipeline runs or waits to: its rows would race
    with these.
    """
    with _connected(place) as connection, transaction(connection), connection.cursor() as cursor:
        pipeline = _at_rest(cursor, pipeline_id)
        writing = _Writing(cursor, pipeline_id, pipeline, place=place, stop=threading.Event())
        done = writing.write(ids)
        note(cursor, pipeline_id, actor=place.actor, reason=_told(done))
    return done


def replay_requested(place: BatchPlace, *, stop: threading.Event) -> int:
    """Write the rows that somebody asked for, of every pipeline at rest; returns how many were looked at.

    Each transaction takes up to 1,000 rows of one pipeline that no other runner is at, and ends the request with
    its outcome, which is an event. What fails ends the request as well, and is an event; a lost connection and
    `stop` leave it for later.
    """
    looked_at, given_up = 0, list[UUID]()
    with _connected(place) as connection:
        while not stop.is_set():
            turn = _Turn(connection, place, stop=stop)
            with ExitStack() as on_failure:
                on_failure.push(turn.failed)
                turn.write(without=given_up)
            if turn.asked is None:
                break
            looked_at += len(turn.asked.ids)
            # Whatever became of them, each pipeline has its turn.
            given_up += [turn.asked.pipeline_id] if turn.has_failed or not turn.asked.ids else []
    return looked_at


class _Turn:
    """One pipeline's rows that were asked for, and what became of the request."""

    def __init__(self, connection: Connection, place: BatchPlace, *, stop: threading.Event) -> None:
        self._connection, self._place, self._stop = connection, place, stop
        self.asked: Asked | None = None
        self.has_failed = False

    def write(self, *, without: Sequence[UUID]) -> None:
        """Write them in one transaction with the end of the request; nothing where there are none."""
        with transaction(self._connection), self._connection.cursor() as cursor:
            self.asked = asked = take_requested(cursor, limit=MOST_LETTERS, without=without)
            if asked is None or not asked.ids:
                return
            pipeline = _at_rest(cursor, asked.pipeline_id)
            writing = _Writing(cursor, asked.pipeline_id, pipeline, place=self._place, stop=self._stop)
            done = writing.write(asked.ids)
            drop_requests(cursor, asked.pipeline_id, asked.ids)
            reason = f"{_told(done)}; asked for by {', '.join(asked.by)}"
            note(cursor, asked.pipeline_id, actor=self._place.actor, reason=reason)
        log.info("letters.replayed", pipeline=pipeline.name, replayed=done.replayed, refused=done.refused)

    def failed(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """End the request that cannot be done and say why, unless it may just be done later; True where that is all."""
        if error is None or self.asked is None or isinstance(error, Halted) or _is_away(error):
            return False
        self.has_failed = True
        why = _sentence(error)
        log.error("replay.failed", pipeline=str(self.asked.pipeline_id), error=why)
        with transaction(self._connection), self._connection.cursor() as cursor:
            drop_requests(cursor, self.asked.pipeline_id)
            reason = f"dead letters not replayed: {why}"
            note(cursor, self.asked.pipeline_id, actor=self._place.actor, reason=reason)
        return isinstance(error, psycopg2.Error | WorkDataHubError)


class _Writing:
    """Writes rows of one pipeline, in the transaction of the cursor."""

    def __init__(
        self, cursor: Cursor, pipeline_id: UUID, pipeline: Pipeline, *, place: BatchPlace, stop: threading.Event
    ) -> None:
        self._cursor, self._pipeline_id, self._pipeline, self._place = cursor, pipeline_id, pipeline, place
        self._patience = Patience(
            stop=stop,
            lost=threading.Event(),
            is_pause_wanted=lambda: False,
            base_seconds=place.retry_backoff_seconds,
            attempts=place.retry_attempts,
        )

    def write(self, ids: Sequence[int] | None) -> Replayed:
        """Write those of the ids, or the oldest, and settle what is settled."""
        table = self._locked_table()
        chosen = [letter.id for letter in self._letters(ids)]
        overtaken = leave_overtaken(self._cursor, self._pipeline_id, chosen, target=table)
        letters = self._letters(chosen)
        end = choose_end(self._pipeline, None, run_id=None, place=self._place, patience=self._patience)
        with closing(end):
            done = {letter.id: self._again(letter, end) for letter in letters}
        for superseded in (False, True):
            over = [id for id, one in done.items() if (one.superseded if superseded else one.replayed)]
            mark_replayed(self._cursor, self._pipeline_id, over, superseded=superseded)
        return Replayed(
            replayed=sum(one.replayed for one in done.values()),
            refused=sum(one.refused for one in done.values()),
            superseded=overtaken + sum(one.superseded for one in done.values()),
        )

    def _locked_table(self) -> TableTarget | None:
        """The table, which nobody else writes to meanwhile: a row must not change once it was found to be older."""
        target = TARGETS.get(self._pipeline.target)
        if not isinstance(target, TableTarget):
            return None
        self._cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(target_table(target)))
        return target

    def _letters(self, ids: Sequence[int] | None) -> tuple[DeadLetterRow, ...]:
        return dead_letters(self._cursor, self._pipeline_id, limit=MOST_LETTERS, ids=ids)

    def _again(self, letter: DeadLetterRow, end: TableEnd | IndexEnd) -> Replayed:
        columns = tuple(Column(name=name, type="text") for name in letter.payload)
        page = Page(columns=columns, rows_read=1, rows=[dict(letter.payload)])
        written = end.write(self._cursor, page, seq=letter.seq or 0, as_of=letter.as_of or letter.seen_at)
        if written.counts.stale:
            return Replayed(superseded=1)
        return Replayed(refused=1) if written.dead else Replayed(replayed=1)


@contextmanager
def _connected(place: BatchPlace) -> Iterator[Connection]:
    with closing(connect(place.database_url, application_name=APPLICATION)) as connection:
        limit_session(
            connection,
            statement_seconds=place.statement_timeout_seconds,
            lock_seconds=_LOCK_WAIT_SECONDS,
            idle_seconds=place.statement_timeout_seconds,
        )
        yield connection


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


def _told(done: Replayed) -> str:
    return f"dead letters replayed: {done.replayed}, refused {done.refused}, superseded {done.superseded}"


def _is_away(error: BaseException) -> bool:
    """Whether the connection is lost, so that not even the request could be ended."""
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return is_lost(error.pgcode)
    return isinstance(error, WarehouseError)


def _sentence(error: BaseException) -> str:
    """Why it failed, in words for whoever asked; a fault of the program by its kind alone."""
    if isinstance(error, psycopg2.Error):
        return driver_message(error)
    return str(error) if isinstance(error, WorkDataHubError) else f"[UNEXPECTED] {type(error).__name__}"
