"""Pages of rows into a table of the warehouse, inside the caller's transaction; sent again, they change nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psycopg2
from psycopg2 import errors, sql

from work_data_hub.domain.batch.failures import Failure, failure_of
from work_data_hub.domain.batch.run import Column, Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_poison import Halving, Poison
from work_data_hub.io.batch_stage import Stage, stage_for
from work_data_hub.io.batch_text import RecordLines, ValueLines, lines_of
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.io.postgres import Cursor, driver_message

_SAVEPOINT = sql.SQL("savepoint wdh_batch")
_KEEP = "release savepoint wdh_batch"
_TAKE_BACK = "rollback to savepoint wdh_batch; release savepoint wdh_batch"
_NO_KEY = "23502"


class TableSink:
    """Writes the pages of one run into one table.

    `columns` are the query's. Those that the table does not take are ignored; those of the table that the query
    lacks are left alone. Raises InvalidPipeline for a table that is not allowed, and for a query without a
    required column; with `is_transformed`, where transforms may add columns, each row is looked at instead.
    More than `most_dead` rows of one page that are not taken raise TooManyDeadLetters.
    """

    def __init__(
        self,
        target: TableTarget,
        columns: tuple[Column, ...],
        *,
        is_transformed: bool = False,
        most_dead: int | None = None,
    ) -> None:
        _check_target(target)
        if not is_transformed:
            _check_columns(target, columns)
        self._target, self._most_dead = target, most_dead
        self._stages: dict[tuple[Column, ...], Stage] = {}

    def write(self, cursor: Cursor, page: Page, *, faults: Faults = NO_FAULTS) -> Written:
        """Write the page's rows; the rows that the table does not take are left out and told.

        Counts: `written` rows were taken, and are inserted, updated or unchanged; of rows with one key the last
        one counts, and the others are unchanged. Rows that were scanned before and changed nothing are `rescanned`
        alone. What concerns no row (a lost connection, a lock, a table that is away) is raised as psycopg2.Error,
        and the transaction is then good for a rollback only.
        """
        lines = lines_of(page, columns=self._target.columns, required=self._target.required)
        if not len(lines):
            return Written(counts=_counts_of(page, Counts(), rows=0, dead=0))
        faults.reach("before_copy")
        stage = self._stage(cursor, lines.columns)
        stage.make(cursor)
        batch = _Batch(cursor=cursor, lines=lines, stage=stage, faults=faults, rescanned=_prefix(page, len(lines)))
        halving = Halving(batch.write, most=self._most_dead)
        counts = halving.write(range(len(lines)))
        refused = {**batch.keyless, **{one.row: one.poison for one in halving.refused}}
        dead = tuple(self._letter(lines, row, refused[row]) for row in sorted(refused))
        return Written(counts=_counts_of(page, counts, rows=len(lines), dead=len(dead)), dead=dead)

    def _stage(self, cursor: Cursor, columns: tuple[Column, ...]) -> Stage:
        if columns not in self._stages:
            self._stages[columns] = stage_for(cursor, columns, target=self._target)
        return self._stages[columns]

    def _letter(self, lines: RecordLines | ValueLines, row: int, poison: Poison) -> DeadLetter:
        payload = lines.payload(row)
        key = payload.get(self._target.key)
        return DeadLetter(
            payload=payload,
            error=poison.message,
            sqlstate=poison.sqlstate,
            key=None if key is None else str(key),
            place=row,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """One page on its way; `keyless` are its rows without a key, by their place."""

    cursor: Cursor
    lines: RecordLines | ValueLines
    stage: Stage
    faults: Faults
    rescanned: int
    keyless: dict[int, Poison] = field(default_factory=dict)

    def write(self, rows: Sequence[int]) -> Counts:
        """Write some of the rows, which follow each other; raises Poison, nothing written, where one is not taken."""
        try:
            return self._try(rows, expects_others=False)
        except _AnotherWriter:
            return self._try(rows, expects_others=True)

    def _try(self, rows: Sequence[int], *, expects_others: bool) -> Counts:
        first, end = rows[0], rows[-1] + 1
        lines = self.lines.csv(first, end)
        self.cursor.execute(sql.SQL("delete from {}; {}").format(self.stage.table, _SAVEPOINT))
        try:
            self.stage.fill(self.cursor, lines, faults=self.faults)
            rescanned = min(max(self.rescanned - first, 0), len(rows))
            self.cursor.execute(self.stage.take_over(expects_others=expects_others), {"rescanned": rescanned})
        except psycopg2.Error as error:
            if failure_of(error.pgcode, is_target=True) is not Failure.ROW:
                raise
            self.cursor.execute(_TAKE_BACK)
            if isinstance(error, errors.UniqueViolation) and not expects_others:
                raise _AnotherWriter from error
            raise Poison(driver_message(error), sqlstate=error.pgcode) from error
        inserted, updated, rescanned, keyless = self.cursor.fetchone() or (0, 0, 0, None)
        self.cursor.execute(_KEEP)
        self.keyless.update({first + place: _keyless(self.stage) for place in keyless or ()})
        return Counts(inserted=inserted, updated=updated, rescanned=rescanned)


class _AnotherWriter(Exception):
    """Another session has added one of the keys since this one looked."""


def _check_target(target: TableTarget) -> None:
    if TARGETS.get(target.name) != target:
        raise InvalidPipeline(
            f"target_table '{target.name}' is not allowed",
            field="target_table",
            input_data=target.name,
            rule="pipelines fill only the tables of the allow-list",
            hint=f"one of {', '.join(name for name, one in TARGETS.items() if isinstance(one, TableTarget))}",
        )


def _check_columns(target: TableTarget, columns: tuple[Column, ...]) -> None:
    given = [column.name for column in columns]
    missing = [name for name in target.required if name not in given]
    if missing:
        raise InvalidPipeline(
            f"the query gives no {', '.join(missing)}, which {target.name} needs",
            field="source_query",
            input_data=", ".join(given),
            rule=f"required: {', '.join(target.required)}",
            hint=f"name a column of the query so: select … as {missing[0]}",
        )


def _prefix(page: Page, rows: int) -> int:
    """How many of the rows, from the first, were scanned before; unknown after a transform that drops or adds rows."""
    return page.rows_rescanned if rows == page.rows_read else 0


def _counts_of(page: Page, counts: Counts, *, rows: int, dead: int) -> Counts:
    """The page's counts, from what was inserted, updated and rescanned in vain."""
    touched = counts.inserted + counts.updated
    written = rows - dead - counts.rescanned
    rescanned = counts.rescanned
    if rows != page.rows_read and page.rows_rescanned == page.rows_read and not touched + dead:
        # No row can be told from another, but none is new and none has changed.
        rescanned, written = page.rows_rescanned, 0
    return replace(
        counts,
        read=page.rows_read - rescanned,
        rescanned=rescanned,
        written=written,
        unchanged=written - touched,
        dlq=dead,
    )


def _keyless(stage: Stage) -> Poison:
    return Poison(f"{stage.target.key} is null; it is the key of {stage.target.name}", sqlstate=_NO_KEY)
