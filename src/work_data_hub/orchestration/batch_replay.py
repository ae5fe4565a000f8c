"""Rows that were set aside, given to their target again once what was wrong is mended."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from uuid import UUID

import psycopg2
from psycopg2 import sql

from work_data_hub.domain.batch.failures import Failure, failure_of, is_lost
from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Column, Page
from work_data_hub.domain.batch.status import AT_REST
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import InvalidPipeline, MalformedUrl, SinkUnavailable, WarehouseError, WorkDataHubError
from work_data_hub.io.batch_history import DeadLetterRow, dead_letters, mark_replayed
from work_data_hub.io.batch_letters import (
    Asked,
    changed_behind,
    drop_requests,
    leave_older,
    refuse_letters,
    set_aside_elsewhere,
    take_requested,
)
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
# Who asks for a run or a pause meanwhile waits as long.
_HELD_SECONDS = 1.0
_BEHIND = (
    "its row in the target changed since this one was read, which may be older: let the pipeline read it again "
    "(`wdh pipelines reset`, then run)"
)
_ELSEWHERE = "set aside for another target than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the rows: taken now, refused again, or left since a newer row of their key came."""

    replayed: int = 0
    refused: int = 0
    superseded: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            replayed=self.replayed + other.replayed,
            refused=self.refused + other.refused,
            superseded=self.superseded + other.superseded,
        )

    @property
    def total(self) -> int:
        """All that were looked at."""
        return self.replayed + self.refused + self.superseded


def replay(place: BatchPlace, pipeline_id: UUID, ids: Sequence[int] | None = None) -> Replayed:
    """Write the rows of these ids again, or the oldest 1,000 that wait, in one transaction.

    Of several rows of a key only the newest is written. Rows that the target takes, and those of which there is a
    newer version, wait no more. Those whose row in the target changed since they were read are refused: they may
    be older than it. Raises InvalidPipeline while the pipeline runs or waits to: its rows would race with these.
    """
    with _connected(place) as connection, transaction(connection), connection.cursor() as cursor:
        pipeline = _at_rest(cursor, pipeline_id)
        writing = _Writing(cursor, pipeline_id, pipeline, place=place, stop=threading.Event())
        done = writing.write(ids)
        note(cursor, pipeline_id, actor=place.actor, reason=_told(done))
    return done


def replay_requested(place: BatchPlace, *, stop: threading.Event) -> int:
    """Write the rows that somebody asked for, of every pipeline at rest; returns how many were looked at.

    Each transaction takes rows of one pipeline that no other runner is at, for as long as nobody minds that the
    pipeline is held, and ends their request with the outcome, which is an event. What can never be done ends the
    request as well, and is an event; what may pass, a lost connection and `stop` leave it for later.
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
            looked_at += turn.rows
            # Whatever became of them, each pipeline has its turn.
            given_up += [turn.asked.pipeline_id] if turn.has_failed or not turn.asked.ids else []
    return looked_at


class _Turn:
    """One pipeline's rows that were asked for, and what became of the request."""

    def __init__(self, connection: Connection, place: BatchPlace, *, stop: threading.Event) -> None:
        self._connection, self._place, self._stop = connection, place, stop
        self.asked: Asked | None = None
        self.rows = 0
        self.has_failed = False

    def write(self, *, without: Sequence[UUID]) -> None:
        """Write them in one transaction with the end of the request; nothing where there are none."""
        with transaction(self._connection), self._connection.cursor() as cursor:
            self.asked = asked = take_requested(cursor, limit=MOST_LETTERS, without=without)
            if asked is None or not asked.ids:
                return
            pipeline = _at_rest(cursor, asked.pipeline_id)
            writing = _Writing(cursor, asked.pipeline_id, pipeline, place=self._place, stop=self._stop)
            done = writing.write(asked.ids, within_seconds=_HELD_SECONDS)
            drop_requests(cursor, asked.pipeline_id, writing.tried)
            reason = f"{_told(done)}; asked for by {', '.join(asked.by)}"
            note(cursor, asked.pipeline_id, actor=self._place.actor, reason=reason)
        self.rows = done.total
        log.info("letters.replayed", pipeline=pipeline.name, replayed=done.replayed, refused=done.refused)

    def failed(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """End the request that cannot be done and say why, unless it may just be done later; True where that is all."""
        if error is None or self.asked is None or isinstance(error, Halted) or _is_away(error):
            return False
        self.has_failed, why = True, _sentence(error)
        if _may_pass(error):
            log.warning("replay.put_off", pipeline=str(self.asked.pipeline_id), error=why)
            return True
        self.rows = len(self.asked.ids)
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
        self.tried: list[int] = []
        self._patience = Patience(
            stop=stop,
            lost=threading.Event(),
            is_pause_wanted=lambda: False,
            base_seconds=place.retry_backoff_seconds,
            attempts=place.retry_attempts,
        )

    def write(self, ids: Sequence[int] | None, *, within_seconds: float | None = None) -> Replayed:
        """Write those of the ids, or the oldest, and settle what is settled; what takes longer is left as it is."""
        until = None if within_seconds is None else time.monotonic() + within_seconds
        table = self._locked_table()
        older = leave_older(self._cursor, self._pipeline_id)
        letters = dead_letters(self._cursor, self._pipeline_id, limit=MOST_LETTERS, ids=ids)
        refused = self._refused_unseen([letter.id for letter in letters], table=table)
        done = Replayed(superseded=older, refused=len(refused))
        end = choose_end(self._pipeline, None, run_id=None, place=self._place, patience=self._patience)
        with closing(end):
            for letter in letters:
                if letter.id in refused:
                    continue
                if until is not None and done.total and time.monotonic() >= until:
                    break
                done += self._again(letter, end)
                self.tried.append(letter.id)
        self.tried += refused
        return done

    def _refused_unseen(self, ids: Sequence[int], *, table: TableTarget | None) -> frozenset[int]:
        """The letters that must not be written, with the reason beside them."""
        target = self._pipeline.target
        elsewhere = set_aside_elsewhere(self._cursor, self._pipeline_id, ids, target=target)
        refuse_letters(self._cursor, self._pipeline_id, elsewhere, error=f"{_ELSEWHERE} {target}")
        ours = [id for id in ids if id not in elsewhere]
        behind = changed_behind(self._cursor, self._pipeline_id, ours, target=table) if table else []
        refuse_letters(self._cursor, self._pipeline_id, behind, error=_BEHIND)
        return frozenset((*elsewhere, *behind))

    def _locked_table(self) -> TableTarget | None:
        """The table, which nobody else writes to meanwhile: a row must not change once it was found to be older."""
        target = TARGETS.get(self._pipeline.target)
        if not isinstance(target, TableTarget):
            return None
        self._cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(target_table(target)))
        return target

    def _again(self, letter: DeadLetterRow, end: TableEnd | IndexEnd) -> Replayed:
        columns = tuple(Column(name=name, type="text") for name in letter.payload)
        page = Page(columns=columns, rows_read=1, rows=[dict(letter.payload)])
        written = end.write(self._cursor, page, seq=letter.seq or 0, as_of=letter.as_of or letter.seen_at)
        if written.dead:
            (dead,) = written.dead
            refuse_letters(self._cursor, self._pipeline_id, [letter.id], error=dead.error, sqlstate=dead.sqlstate)
            return Replayed(refused=1)
        is_stale = bool(written.counts.stale)
        mark_replayed(self._cursor, self._pipeline_id, [letter.id], superseded=is_stale)
        return Replayed(superseded=1) if is_stale else Replayed(replayed=1)


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
    return isinstance(error, WarehouseError) and not isinstance(error, MalformedUrl)


def _may_pass(error: BaseException) -> bool:
    """Whether the same may be done later, as a batch is tried again."""
    if isinstance(error, psycopg2.Error):
        return failure_of(error.pgcode, is_target=True) is Failure.TRANSIENT
    return isinstance(error, SinkUnavailable)


def _sentence(error: BaseException) -> str:
    """Why it failed, in words for whoever asked; a fault of the program by its kind alone."""
    if isinstance(error, psycopg2.Error):
        return driver_message(error)
    return str(error) if isinstance(error, WorkDataHubError) else f"[UNEXPECTED] {type(error).__name__}"
