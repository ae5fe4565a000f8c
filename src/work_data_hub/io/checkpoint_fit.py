"""Whether a checkpoint fits the columns of a pipeline's query: one that somebody sets, or another query left."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2 import DataError, sql

from work_data_hub.domain.batch.key_types import is_moment, type_problems
from work_data_hub.domain.batch.pipeline import Pipeline, Problem, Strategy, column_problems
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_reader import describe, source_errors
from work_data_hub.io.batch_scans import Order, typed
from work_data_hub.io.postgres import Connection, read_only

_VALUE, _ID = "last_processed_value", "last_processed_id"
# Words such as now or tomorrow are moments too, and other ones with each run.
_BEGINS_AS_DATE = re.compile(r"\d{4,}-\d\d-\d\d")
_BEYOND_ALL = ("NaN", "Infinity", "-Infinity")
_NUMBERS = ("numeric", "real", "double precision")
_TRANSACTION = re.compile("[0-9]{1,20}")
_LAST_TRANSACTION = 2**64 - 1
_NONE = "no column"
_TEXTS = ("text", "character", '"char"', "name", "citext")
# What columns of other types write: numbers, moments, and ids of 128 bits.
_OF_ANOTHER_TYPE = re.compile(r"[+-]?[0-9.]+(e[+-]?\d+)?|\d{4,}-\d\d-\d\d.*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A checkpoint as it stands, and why it says nothing of the rows that are to be read by now, if so."""

    place: Place | None
    why: str | None = None


def checkpoint_problems(connection: Connection, pipeline: Pipeline, place: Place) -> tuple[Problem, ...]:
    """What of an incremental pipeline's new checkpoint the next run could not go on from; the query is only prepared.

    Raises InvalidPipeline where the query cannot be read, SourceLost where the connection broke off.
    """
    columns = describe(connection, pipeline.reader_query)
    types = {column.name: column.type for column in columns}
    if problems := column_problems(pipeline, [column.name for column in columns]) or type_problems(pipeline, types):
        return problems
    return tuple(_problems(connection, pipeline, place, types=types))


def misfit_of(connection: Connection, place: Place, *, before: Pipeline, after: Pipeline) -> Misfit:
    """Whether a checkpoint that the one query left says where to go on in the other one, which can be read.

    It does as long as the key and the id keep their types: rows in the order of another type are other ones behind
    the same place. Where the query before cannot be read any more, the checkpoint has to be written as the columns
    of the present one are. Raises InvalidPipeline where the present one cannot be read, SourceLost where the
    connection broke off.
    """
    keys = [key for key in (after.incremental_key, after.incremental_id_key) if key]
    now = _types(connection, after)
    try:
        was = _types(connection, before)
    except InvalidPipeline:
        is_fitting = (
            len(keys) == 2 and now.keys() >= set(keys) and _is_written_so(connection, place, pipeline=after, types=now)
        )
        return Misfit(place=place, why=None if is_fitting else _unlike(keys, now))
    changed = [
        f"{key} is {now.get(key, _NONE)} now, and was {was.get(key, _NONE)}"
        for key in keys
        if now.get(key) != was.get(key)
    ]
    return Misfit(place=place, why=" and ".join(changed) or None)


def _types(connection: Connection, pipeline: Pipeline) -> dict[str, str]:
    return {column.name: column.type for column in describe(connection, pipeline.reader_query)}


def _unlike(keys: list[str], types: dict[str, str]) -> str:
    named = " and ".join(f"{key} ({types.get(key, _NONE)})" for key in keys)
    return f"the query before cannot be read any more, and its checkpoint is not written as {named} would be"


def _is_written_so(connection: Connection, place: Place, *, pipeline: Pipeline, types: dict[str, str]) -> bool:
    """Whether rows of these types would leave the checkpoint letter by letter, and rows of other ones would not."""
    key_type, id_type = _key_type(pipeline, types), types[str(pipeline.incremental_id_key)]
    order = Order(key=typed(place.value, key_type), key_type=key_type, id=typed(place.id, id_type), id_type=id_type)
    for text, type_ in ((place.value, key_type), (place.id, id_type)):
        if type_.startswith(_TEXTS) and _OF_ANOTHER_TYPE.fullmatch(text or ""):
            return False
    written = _answered(connection, sql.SQL("select {}, {}").format(*order.texts()))
    return written is not None and order.place(*written) == place


def _problems(connection: Connection, pipeline: Pipeline, place: Place, *, types: dict[str, str]) -> Iterator[Problem]:
    key, id_key = str(pipeline.incremental_key), str(pipeline.incremental_id_key)
    if pipeline.strategy is Strategy.XMIN:
        if not _is_transaction(place.value):
            message = f"{key} is {types[key]}, and a place by it is the number of a transaction as xid8 has it: 0 to "
            yield Problem(field=_VALUE, message=f"{message}{_LAST_TRANSACTION}; this is none")
    elif not _is_one(connection, place.value, type_=types[key]):
        example = "2026-01-31T12:00:00Z" if is_moment(types[key]) else f"the newest {key} that needs no reading"
        yield Problem(field=_VALUE, message=f"{key} is {types[key]}, and this is none; write {example}")
    if not _is_one(connection, place.id, type_=types[id_key]):
        yield Problem(
            field=_ID, message=f"{id_key} is {types[id_key]}, and this is none; write the {id_key} of the last row read"
        )


def _key_type(pipeline: Pipeline, types: dict[str, str]) -> str:
    # By version a place is the number of a transaction, whatever the column is.
    return "bigint" if pipeline.strategy is Strategy.XMIN else types[str(pipeline.incremental_key)]


def _is_transaction(text: str | None) -> bool:
    return bool(_TRANSACTION.fullmatch(text or "")) and int(text or "") <= _LAST_TRANSACTION


def _is_one(connection: Connection, text: str | None, *, type_: str) -> bool:
    if text is None:
        return True
    if is_moment(type_) and not _BEGINS_AS_DATE.match(text):
        return False
    written = _answered(connection, sql.SQL("select {}::text").format(typed(text, type_)))
    return written is not None and not (type_.startswith(_NUMBERS) and written[0] in _BEYOND_ALL)


def _answered(connection: Connection, statement: sql.Composable) -> tuple[str, ...] | None:
    """The one row of a statement; None where a value of it does not fit its type."""
    with source_errors(is_opening=True), read_only(connection), connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except DataError:
            return None
        ((*texts,),) = cursor.fetchall()
    return tuple(texts)
