"""Connections that source queries are read through, what a query gives, and how its failures are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import errorcodes, errors, sql

from work_data_hub.domain.batch.failures import Failure, failure_of
from work_data_hub.domain.batch.run import Column
from work_data_hub.errors import BatchError, ConfigError, InvalidPipeline, MalformedUrl, SourceLost, WarehouseError
from work_data_hub.io.postgres import Connection, Cursor, connect, driver_message, limit_session, read_only, transaction
from work_data_hub.io.queries import query as named_query
from work_data_hub.io.roles import BATCH_READER

FILE = "batch_source"
READER_NAME = "wdh batch reader "
"""How the application name of our readers begins: they write nothing, so nobody waits for them."""

_LOCK_WAIT_SECONDS = 30
# A reader waits idle while a page is written, tried again or throttled.
_LEAST_IDLE_SECONDS, _IDLE_STATEMENTS = 300, 4
_NUMERIC, _LIMITED_TEXT = 1700, (1042, 1043)
_MODIFIER_HEADER, _UNLIMITED = 4, 0xFFFF
_HINTS = {
    errorcodes.INSUFFICIENT_PRIVILEGE: "queries are read as etl_reader; `wdh db roles` grants it the source schemas",
    errorcodes.READ_ONLY_SQL_TRANSACTION: "a source query reads; it writes and locks nothing",
    errorcodes.INVALID_CURSOR_DEFINITION: "a source query is one SELECT",
    errorcodes.QUERY_CANCELED: "the query is slower than ETL_STATEMENT_TIMEOUT_SECONDS, or somebody cancelled it",
    errorcodes.LOCK_NOT_AVAILABLE: "another session holds a table of the source; it is tried again",
}
_OWN_LOGIN = f"set ETL_READER_URL to a login of {BATCH_READER}, which `wdh db roles` makes"
_CLASS_HINTS = {
    errorcodes.CLASS_DATA_EXCEPTION: "a value of the source, or of the checkpoint, does not fit its type",
}


def reader_connection(
    url: str,
    *,
    reader_url: str | None,
    may_read_as_anyone: bool,
    statement_timeout_seconds: float,
    application_name: str,
) -> tuple[Connection, str | None]:
    """A connection whose transactions see one state of the database and only read; and a warning, if there is one.

    It is made with `reader_url`, which should be the login of etl_reader: a query can leave a role that was taken,
    and never the user that logged in. Without one, and only if `may_read_as_anyone`, it is made with `url`, in the
    role etl_reader where that may be taken, else as its user; the warning says so. Raises ConfigError where nobody
    may read, MalformedUrl where the URL cannot be read, SourceLost where the server does not answer. An
    `application_name` that begins with `READER_NAME` tells others that nothing it holds open will ever write.
    """
    if reader_url is None and not may_read_as_anyone:
        raise no_reader()
    with source_errors():
        connection = _connected(url, reader_url, application_name)
        try:
            warning = None if reader_url else _take_role(connection)
            _prepare(connection, statement_timeout_seconds)
        except BaseException:
            connection.close()
            raise
    return connection, warning


def no_reader() -> ConfigError:
    """The refusal to read source queries with the rights of whoever runs them."""
    return ConfigError(
        f"source queries are read with the login of {BATCH_READER}, and none is set",
        field="ETL_READER_URL",
        hint=f"`wdh db roles` gives {BATCH_READER} a password; set ETL_READER_URL to the database with that login",
    )


def describe(connection: Connection, query: str) -> tuple[Column, ...]:
    """The columns that a query gives, in order; nothing of it is read, and no transaction stays open.

    Raises InvalidPipeline, with the server's words, for what is not one reading statement that this connection
    may run, SourceLost where the connection broke off.
    """
    with source_errors(is_opening=True), read_only(connection), connection.cursor() as cursor:
        return columns_of(cursor, query)


def columns_of(cursor: Cursor, query: str) -> tuple[Column, ...]:
    """The columns that a query gives, in the caller's transaction, which keeps its tables as they are until it ends."""
    # On its own first: what closes the bracket around it is no query.
    for statement in (sql.SQL(query), wrapped(query, sql.SQL("source.*"))):
        open_query(cursor, statement, name="described")
        cursor.execute("fetch forward 0 from described")
        given = cursor.description or ()
        cursor.execute("close described")
    facts = {
        "types": [column.type_code for column in given],
        "modifiers": [_modifier(column) for column in given],
        "tables": [column.table_oid for column in given],
        "places": [column.table_column for column in given],
    }
    cursor.execute(named_query(FILE, "column_types"), facts)
    types = [row[0] for row in cursor.fetchall()]
    return tuple(Column(name=column.name, type=type_) for column, type_ in zip(given, types, strict=True))


def wrapped(query: str, values: sql.Composable) -> sql.Composed:
    """A select of these values from the query's rows, which are called `source`; the query stands as it was written."""
    # The line break ends a comment at the query's end.
    return sql.SQL("select {} from ({}\n) as source").format(values, sql.SQL(query))


def open_query(cursor: Cursor, statement: sql.Composable, *, name: str) -> None:
    """Open a server-side cursor of this name in the caller's transaction; the server takes one statement only."""
    cursor.execute(named_query(FILE, "open_query"), {"name": name, "statement": statement.as_string(cursor)})


@contextmanager
def source_errors(*, is_opening: bool = False) -> Iterator[None]:
    """Turn what the driver raises in the block into errors of batch runs.

    What another try may mend is SourceLost; the rest is InvalidPipeline while a query is opened, BatchError later.
    """
    try:
        yield
    except psycopg2.Error as error:
        raise source_error(error, is_opening=is_opening) from error
    except (ValueError, OverflowError) as error:
        # The driver's, for a query or a value that Python cannot hold: year 12024, for one.
        kind = InvalidPipeline if is_opening else BatchError
        raise kind(f"the source cannot be read: {error}", field="source_query", hint="cast it to text") from error


def source_error(error: psycopg2.Error, *, is_opening: bool) -> BatchError:
    """The driver's error in our words, with the server's message."""
    state = error.pgcode
    hint = _HINTS.get(state or "") or error.diag.message_hint or _CLASS_HINTS.get((state or "")[:2])
    message = driver_message(error)
    was_lost = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) if state is None else True
    if was_lost and failure_of(state, is_target=False) is Failure.TRANSIENT:
        return SourceLost(f"the source broke off: {message}", hint=hint)
    kind = InvalidPipeline if is_opening else BatchError
    return kind(message, field="source_query", hint=hint or "try the query in psql, in the role etl_reader")


def _connected(url: str, reader_url: str | None, application_name: str) -> Connection:
    try:
        return connect(reader_url or url, application_name=application_name)
    except MalformedUrl as error:
        error.field = "ETL_READER_URL" if reader_url else error.field
        raise
    except WarehouseError as error:
        raise SourceLost(error.message, field=error.field, hint=error.hint) from error


def _take_role(connection: Connection) -> str:
    """Become etl_reader where that may be; what a run whose queries are read so has to say."""
    user = connection.info.user
    if _can_take_role(connection):
        return f"source queries run in the role {BATCH_READER}, which a query could leave for {user}: {_OWN_LOGIN}"
    return f"source queries run with all rights of {user}: {_OWN_LOGIN}"


def _can_take_role(connection: Connection) -> bool:
    try:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute(named_query(FILE, "may_take_role"), {"role": BATCH_READER})
            found = cursor.fetchone()
            if not (found and found[0]):
                return False
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(BATCH_READER)))
    except errors.InsufficientPrivilege:
        return False
    return True


def _prepare(connection: Connection, statement_seconds: float) -> None:
    limit_session(
        connection,
        statement_seconds=statement_seconds,
        lock_seconds=_LOCK_WAIT_SECONDS,
        idle_seconds=max(_LEAST_IDLE_SECONDS, _IDLE_STATEMENTS * statement_seconds),
    )
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(named_query(FILE, "prepare_session"))
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)


def _modifier(column: Any) -> int:
    """What the type is limited to, as far as the driver tells: digits of a number, length of a text; -1: nothing."""
    if column.type_code == _NUMERIC and column.precision != _UNLIMITED:
        return int(column.precision << 16 | column.scale) + _MODIFIER_HEADER
    if column.type_code in _LIMITED_TEXT and column.internal_size > 0:
        return int(column.internal_size) + _MODIFIER_HEADER
    return -1
