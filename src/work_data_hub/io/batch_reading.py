"""What a run reads, decided before its first row: which rows of the source, in which order, and up to where."""

from dataclasses import dataclass

from psycopg2 import sql

from work_data_hub.domain.batch.key_types import is_moment, type_problems
from work_data_hub.domain.batch.pipeline import Mode, NullKey, Pipeline, Strategy, column_problems
from work_data_hub.domain.batch.run import Column, Cursor
from work_data_hub.errors import InvalidPipeline, SourceLost
from work_data_hub.io.batch_reader import columns_of, describe, source_errors
from work_data_hub.io.batch_scans import (
    Order,
    Scan,
    below_horizon,
    below_watermark,
    column,
    keyless_count,
    keyless_scan,
    ordered_scan,
    transaction_number,
    unordered_scan,
)
from work_data_hub.io.batch_watermark import Horizon, Watermark, safe_watermark, transaction_horizon
from work_data_hub.io.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Which rows of an incremental run, in which order.

    Rows at or before `seen_to` were read before. `end` is the place of the run once all of them are read, where
    that is another than its last row's.
    """

    order: Order
    where: tuple[sql.Composable, ...] = ()
    seen_to: Cursor | None = None
    end: Cursor | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The scans of a run, one after the other; `refused_rows` counts rows that must not be there."""

    columns: tuple[Column, ...]
    scans: tuple[Scan, ...]
    order: Order | None = None
    seen_to: Cursor | None = None
    end: Cursor | None = None
    refused_rows: sql.Composable | None = None
    notes: tuple[str, ...] = ()


def plan_reading(
    connection: Connection,
    pipeline: Pipeline,
    *,
    checkpoint: Cursor | None,
    resume_at: Cursor | None,
    as_records: bool,
) -> Reading:
    """Decide what is read, and begin the transaction to read it in.

    Raises InvalidPipeline for a query, or keys of it, that cannot be read so; SourceLost where the connection
    broke off.
    """
    columns = describe(connection, pipeline.reader_query)
    types = {one.name: one.type for one in columns}
    _refuse_problems(pipeline, columns)
    watermark = _watermark(connection, pipeline, types)
    with source_errors(is_opening=True), connection.cursor() as cursor:
        # From here on its tables stay as they are.
        if columns_of(cursor, pipeline.reader_query) != columns:
            raise SourceLost("the columns of the source changed while it was opened")
        if pipeline.mode is Mode.FULL:
            return _full_reading(pipeline, columns, resume_at=resume_at, as_records=as_records)
        since = checkpoint if checkpoint and checkpoint.value is not None else None
        if pipeline.strategy is Strategy.XMIN:
            reach = _xmin_reach(pipeline, types, since=since, horizon=transaction_horizon(cursor))
        elif pipeline.strategy is Strategy.OVERLAP:
            reach = _overlap_reach(pipeline, types, since=since)
        else:
            reach = _safe_reach(pipeline, types, since=since, watermark=watermark)
    return _incremental_reading(pipeline, columns, reach=reach, as_records=as_records)


def _full_reading(
    pipeline: Pipeline, columns: tuple[Column, ...], *, resume_at: Cursor | None, as_records: bool
) -> Reading:
    if pipeline.unique_key is None:
        return Reading(columns=columns, scans=(unordered_scan(pipeline, as_records=as_records),))
    types = {one.name: one.type for one in columns}
    order = Order(id=column(pipeline.unique_key), id_type=types[pipeline.unique_key])
    where = (order.behind(resume_at),) if resume_at and resume_at.id is not None else ()
    return Reading(
        columns=columns, scans=(ordered_scan(pipeline, order, where=where, as_records=as_records),), order=order
    )


def _incremental_reading(pipeline: Pipeline, columns: tuple[Column, ...], *, reach: Reach, as_records: bool) -> Reading:
    """Rows without a key come first: they have no place in the order, and the checkpoint passes them by."""
    key, is_refused = _key(pipeline), pipeline.null_key is NullKey.ERROR
    where = (sql.SQL("{} is not null").format(key), *reach.where)
    scans = [ordered_scan(pipeline, reach.order, where=where, seen_to=reach.seen_to, as_records=as_records)]
    if not is_refused:
        scans.insert(0, keyless_scan(pipeline, reach.order, key=key, as_records=as_records))
    return Reading(
        columns=columns,
        scans=tuple(scans),
        order=reach.order,
        seen_to=reach.seen_to,
        end=reach.end,
        refused_rows=keyless_count(pipeline, key=key) if is_refused else None,
        notes=reach.notes,
    )


def _safe_reach(
    pipeline: Pipeline, types: dict[str, str], *, since: Cursor | None, watermark: Watermark | None
) -> Reach:
    order = _order(pipeline, types)
    where = (order.behind(since),) if since else ()
    if watermark is None:
        note = f"rows committed late may be missed: {pipeline.incremental_key} is {order.key_type}, and tells no time"
        return Reach(order=order, where=where, notes=(note,))
    return Reach(order=order, where=(*where, below_watermark(order, watermark)), notes=watermark.notes)


def _overlap_reach(pipeline: Pipeline, types: dict[str, str], *, since: Cursor | None) -> Reach:
    order = _order(pipeline, types)
    where = (order.since(since, seconds=pipeline.overlap_seconds),) if since else ()
    return Reach(order=order, where=where, seen_to=since)


def _xmin_reach(pipeline: Pipeline, types: dict[str, str], *, since: Cursor | None, horizon: Horizon) -> Reach:
    """All transactions before the horizon are over, so that the next run begins there, wherever the last row was."""
    order = Order(
        key=transaction_number(_key(pipeline), horizon),
        key_type="bigint",
        id=column(str(pipeline.incremental_id_key)),
        id_type=types[str(pipeline.incremental_id_key)],
    )
    notes: tuple[str, ...] = ()
    if since and horizon.is_out_of_reach(_number(since)):
        notes = (f"all rows are read again: the checkpoint, transaction {since.value}, is too far from the present",)
        since = None
    where = (order.behind(since),) if since else ()
    return Reach(
        order=order,
        where=(*where, below_horizon(order, horizon)),
        end=Cursor(value=str(horizon.oldest)),
        notes=notes,
    )


def _watermark(connection: Connection, pipeline: Pipeline, types: dict[str, str]) -> Watermark | None:
    """The watermark of strategy safe; it has to be older than the snapshot that is read."""
    key_type = types.get(pipeline.incremental_key or "", "")
    if pipeline.mode is Mode.FULL or pipeline.strategy is not Strategy.SAFE or not is_moment(key_type):
        return None
    return safe_watermark(connection, key_type=key_type, prepared_seconds=pipeline.overlap_seconds)


def _order(pipeline: Pipeline, types: dict[str, str]) -> Order:
    id_name = str(pipeline.incremental_id_key)
    return Order(
        key=_key(pipeline),
        key_type=types[str(pipeline.incremental_key)],
        id=column(id_name),
        id_type=types[id_name],
    )


def _key(pipeline: Pipeline) -> sql.Composable:
    return column(str(pipeline.incremental_key))


def _number(place: Cursor) -> int:
    try:
        return int(place.value or "")
    except ValueError as error:
        raise InvalidPipeline(
            "the checkpoint is no transaction: it is of another strategy",
            field="checkpoint",
            input_data=place.value,
            hint="clear the pipeline's state; the next run then reads all rows",
        ) from error


def _refuse_problems(pipeline: Pipeline, columns: tuple[Column, ...]) -> None:
    problems = column_problems(pipeline, [one.name for one in columns])
    if problems:
        raise InvalidPipeline(
            "; ".join(problem.message for problem in problems),
            field=problems[0].field,
            hint="name columns of the query's output, as it calls them",
        )
    for problem in type_problems(pipeline, {one.name: one.type for one in columns}):
        raise InvalidPipeline(
            problem.message, field=problem.field, hint="change the definition, then request the run again"
        )
