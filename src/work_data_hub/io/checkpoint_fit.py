"""Whether a checkpoint that somebody sets fits the columns of the pipeline's query."""

import re
from collections.abc import Iterator

from psycopg2 import DataError, sql

from work_data_hub.domain.batch.pipeline import Pipeline, Problem, Strategy, column_problems
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.io.batch_reader import describe, source_errors
from work_data_hub.io.batch_watermark import is_moment
from work_data_hub.io.postgres import Connection, read_only

_VALUE, _ID = "last_processed_value", "last_processed_id"
# Words such as now or tomorrow are moments too, and other ones with each run.
_BEGINS_AS_DATE = re.compile(r"\d{4,}-\d\d-\d\d")
_BEYOND_ALL = ("NaN", "Infinity", "-Infinity")
_NUMBERS = ("numeric", "real", "double precision")


def checkpoint_problems(connection: Connection, pipeline: Pipeline, place: Place) -> tuple[Problem, ...]:
    """What of an incremental pipeline's new checkpoint the next run could not go on from; the query is only prepared.

    Raises InvalidPipeline where the query cannot be read, SourceLost where the connection broke off.
    """
    columns = describe(connection, pipeline.reader_query)
    if problems := column_problems(pipeline, [column.name for column in columns]):
        return problems
    return tuple(_problems(connection, pipeline, place, types={column.name: column.type for column in columns}))


def _problems(connection: Connection, pipeline: Pipeline, place: Place, *, types: dict[str, str]) -> Iterator[Problem]:
    key, id_key = str(pipeline.incremental_key), str(pipeline.incremental_id_key)
    # By version a place is the number of a transaction, whatever the column is.
    key_type = "bigint" if pipeline.strategy is Strategy.XMIN else types[key]
    if not _is_one(connection, place.value, type_=key_type):
        example = "2026-01-31T12:00:00Z" if is_moment(key_type) else f"the newest {key} that needs no reading"
        yield Problem(field=_VALUE, message=f"{key} is {key_type}, and this is none; write {example}")
    if not _is_one(connection, place.id, type_=types[id_key]):
        yield Problem(
            field=_ID, message=f"{id_key} is {types[id_key]}, and this is none; write the {id_key} of the last row read"
        )


def _is_one(connection: Connection, text: str | None, *, type_: str) -> bool:
    if text is None:
        return True
    if is_moment(type_) and not _BEGINS_AS_DATE.match(text):
        return False
    statement = sql.SQL("select ({}::{})::text").format(sql.Literal(text), sql.SQL(type_))
    with source_errors(is_opening=True), read_only(connection), connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except DataError:
            return False
        ((written,),) = cursor.fetchall()
    return not (type_.startswith(_NUMBERS) and written in _BEYOND_ALL)
