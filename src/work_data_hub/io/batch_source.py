"""The rows of a pipeline's query, page by page out of one snapshot of the source."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias

import psycopg2

from work_data_hub.domain.batch.pipeline import MOST_ROWS_A_BATCH, Mode, Pipeline
from work_data_hub.domain.batch.run import Column, Cursor, Page
from work_data_hub.errors import BatchError, SourceLost
from work_data_hub.io.batch_reader import open_query, source_errors
from work_data_hub.io.batch_reading import Reading, plan_reading
from work_data_hub.io.batch_scans import Scan
from work_data_hub.io.postgres import Connection
from work_data_hub.io.postgres import Cursor as Rows

_Row: TypeAlias = tuple[Any, ...]
_CANCEL_AGAIN_SECONDS = 0.05
_REFUSED = "refused"
_ENDED = "reading was ended"
# Rows that tell more than their key and id.
_SEEN_BEFORE = 2


def open_source(
    connection: Connection,
    pipeline: Pipeline,
    *,
    checkpoint: Cursor | None,
    resume_at: Cursor | None,
    as_records: bool,
) -> "Source":
    """Open the pipeline's query on a connection of `reader_connection`, which stays in a transaction until `close`.

    An incremental run reads what is behind `checkpoint`; a full one by `unique_key` what is behind `resume_at`;
    any other all rows. `as_records` says what a page holds: texts of records, or rows as dictionaries. Raises
    InvalidPipeline where the query, its keys or the checkpoint cannot be used, SourceLost where the connection
    broke off; nothing is open then.
    """
    try:
        reading = plan_reading(connection, pipeline, checkpoint=checkpoint, resume_at=resume_at, as_records=as_records)
        with source_errors(is_opening=True), connection.cursor() as cursor:
            for number, scan in enumerate(reading.scans):
                open_query(cursor, scan.statement, name=_name(number))
            if reading.refused_rows is not None:
                open_query(cursor, reading.refused_rows, name=_REFUSED)
            cursor.execute("select now()")
            ((moment,),) = cursor.fetchall()
    except BaseException:
        _leave(connection)
        raise
    return Source(connection, pipeline, reading=reading, moment=moment, as_records=as_records)


class Source:
    """An open source as it stood at a `moment`; its pages are read once, by one thread, and any thread may close it."""

    def __init__(
        self, connection: Connection, pipeline: Pipeline, *, reading: Reading, moment: datetime, as_records: bool
    ) -> None:
        self.moment = moment
        self._connection, self._pipeline, self._reading, self._as_records = connection, pipeline, reading, as_records
        self._names = [column.name for column in reading.columns]
        self._is_closed = threading.Event()
        self._in_use = threading.Lock()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the query gives."""
        return self._reading.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever watches the run should know: what holds rows back, what a strategy cannot promise."""
        return self._reading.notes

    def pages(self) -> Iterator[Page]:
        """The rows in order, `batch_size` a page; none where there is nothing new.

        A page gets longer where rows share their key and id, so that no page ends between them. Raises
        SourceLost where reading broke off, by `close` too, BatchError where a row has no place in the order.
        An end without an error is the end of the rows.
        """
        self._refuse_keyless()
        for number, scan in enumerate(self._reading.scans):
            cursor = self._opened(_name(number))
            if scan.marks:
                yield from self._ordered_pages(cursor, scan)
            else:
                yield from self._plain_pages(cursor, scan)

    def close(self) -> None:
        """End reading, at once even where the query is slow; the connection stays open, in no transaction."""
        self._is_closed.set()
        while not self._in_use.acquire(timeout=_CANCEL_AGAIN_SECONDS):
            with suppress(psycopg2.Error):
                self._connection.cancel()
        try:
            _leave(self._connection)
        finally:
            self._in_use.release()

    def _plain_pages(self, cursor: Rows, scan: Scan) -> Iterator[Page]:
        while rows := self._fetch(cursor, self._pipeline.batch_size):
            yield self._page(rows, is_keyless=scan.is_keyless)

    def _ordered_pages(self, cursor: Rows, scan: Scan) -> Iterator[Page]:
        for rows, is_last in self._batches(cursor, scan.marks):
            yield self._page(
                rows,
                cursor=self._reading.end if is_last and self._reading.end else self._place(rows, scan.marks),
                rows_rescanned=sum(row[-1] for row in rows) if scan.marks > _SEEN_BEFORE else 0,
            )

    def _batches(self, cursor: Rows, marks: int) -> Iterator[tuple[list[_Row], bool]]:
        """The rows of each page, and whether it is the last: one row more is read than it takes."""
        size, rows = self._pipeline.batch_size, list[_Row]()
        while True:
            rows += self._fetch(cursor, size + 1 - len(rows))
            cut = size
            while cut < len(rows) and _mark(rows[cut - 1], marks) == _mark(rows[cut], marks):
                cut += 1
                if cut == len(rows):
                    self._refuse_many(cut)
                    rows += self._fetch(cursor, size)
            if rows:
                self._refuse_placeless(rows[:cut], marks)
                yield rows[:cut], cut >= len(rows)
            if cut >= len(rows):
                return
            rows = rows[cut:]

    def _opened(self, name: str) -> Rows:
        with source_errors():
            return self._connection.cursor(name)

    def _fetch(self, cursor: Rows, count: int) -> list[_Row]:
        """The next rows; `close` waits for it while it cancels what runs."""
        with self._in_use:
            try:
                if self._is_closed.is_set():
                    raise SourceLost(_ENDED)
                with source_errors():
                    return cursor.fetchmany(count)
            except BatchError as error:
                if self._is_closed.is_set():
                    raise SourceLost(_ENDED) from error
                raise

    def _page(
        self, rows: list[_Row], *, cursor: Cursor | None = None, rows_rescanned: int = 0, is_keyless: bool = False
    ) -> Page:
        return Page(
            columns=self._reading.columns,
            rows_read=len(rows),
            records=[row[0] for row in rows] if self._as_records else None,
            rows=None if self._as_records else [dict(zip(self._names, row, strict=False)) for row in rows],
            cursor=cursor,
            rows_rescanned=rows_rescanned,
            is_keyless=is_keyless,
        )

    def _place(self, rows: list[_Row], marks: int) -> Cursor | None:
        """The place of the last row; it never goes back behind where the run began."""
        last = rows[-1]
        if marks > _SEEN_BEFORE and last[-1]:
            return self._reading.seen_to
        assert self._reading.order is not None
        return self._reading.order.place(*_mark(last, marks))

    def _refuse_placeless(self, rows: list[_Row], marks: int) -> None:
        is_full = self._pipeline.mode is Mode.FULL
        field = "unique_key" if is_full else "incremental_id_key"
        if any(_mark(row, marks)[1] is None for row in rows):
            raise BatchError(
                f"a row has no {getattr(self._pipeline, field)}, and so no place in the order of rows",
                field=field,
                hint="leave such rows out in the query, or name a column that is never null",
            )

    def _refuse_many(self, count: int) -> None:
        if count > self._pipeline.batch_size + MOST_ROWS_A_BATCH:
            raise BatchError(
                f"more than {MOST_ROWS_A_BATCH:,} rows have the same key and id, so that they do not fit one page",
                field="incremental_id_key",
                hint="name an id that tells rows apart",
            )

    def _refuse_keyless(self) -> None:
        if self._reading.refused_rows is None:
            return
        ((count,),) = self._fetch(self._opened(_REFUSED), 1)
        if count:
            raise BatchError(
                f"{count} rows have no {self._pipeline.incremental_key}",
                field="incremental_key",
                rule="null_key=error",
                hint="give them one, or set null_key to dlq or first",
            )


def _mark(row: _Row, marks: int) -> tuple[Any, Any]:
    """The key's text and the id's."""
    return row[-marks], row[1 - marks]


def _name(number: int) -> str:
    return f"scan_{number}"


def _leave(connection: Connection) -> None:
    with suppress(psycopg2.Error):
        connection.rollback()
