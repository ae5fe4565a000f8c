"""Connections to PostgreSQL: made, kept to one transaction at a time, and their errors in our words."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeAlias

import psycopg2
from psycopg2 import errors, extensions

from work_data_hub.errors import MalformedUrl, SchemaDrift, WarehouseError

Connection: TypeAlias = extensions.connection
Cursor: TypeAlias = extensions.cursor

_URL = re.compile(
    r"^(?P<scheme>postgres(?:ql)?)(?:\+\w+)?://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?(?P<place>[^@]*)$"
)
_SECRET_OPTION = re.compile(r"(?i)([?&](?:ssl)?password=)[^&\s]*")
_CHECKS_CLIENTS_SINCE = 140_000
_PORTS = range(1, 65_536)
_ESCAPES = "write @ : / ? # inside a password as %40 %3A %2F %3F %23"
_DRIFT = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_HINTS: tuple[tuple[type[psycopg2.Error], str], ...] = (
    (errors.InsufficientPrivilege, "grant what is missing; `wdh db check` lists it"),
    (errors.DiskFull, "free space on the server's disk, then run again"),
    (errors.LockNotAvailable, "another session holds the table; run again when it is done"),
    (errors.ReadOnlySqlTransaction, "the server or the session only reads: is DATABASE_URL a replica?"),
    (errors.DatabaseError, "the transaction was rolled back; nothing was written"),
)


class Session(Connection):
    """A connection whose server notices within a second that its client is gone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.server_version < _CHECKS_CLIENTS_SINCE:
            return
        # Some platforms cannot watch a socket and refuse the setting; such a server is used without it.
        with suppress(errors.InvalidParameterValue), self.cursor() as cursor:
            cursor.execute("set client_connection_check_interval = '1s'")
        self.commit()


def session_options(application_name: str, *, connect_timeout_seconds: int = 5) -> dict[str, Any]:
    """The keywords that every connection of ours is made with; a dead network ends it within a minute."""
    return {
        "application_name": application_name,
        "connect_timeout": connect_timeout_seconds,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "connection_factory": Session,
    }


def connect(url: str, *, application_name: str = "wdh", connect_timeout_seconds: int = 5) -> Connection:
    """Return an open connection; raise WarehouseError, without any password, where that fails.

    It is MalformedUrl where the URL is none, whatever the server does.
    """
    plain = plain_url(url)
    options = session_options(application_name, connect_timeout_seconds=connect_timeout_seconds)
    try:
        connection: Connection = psycopg2.connect(plain, **options)
    except psycopg2.Error as error:
        # The driver's error stays out of the chain: its text may quote the URL.
        message = f"cannot connect to {masked_url(plain)}: {_without_secret(str(error), plain)}"
        if _is_malformed(plain, error):
            raise MalformedUrl(message, operation="connect", field="DATABASE_URL", hint=_ESCAPES) from None
        raise WarehouseError(
            message,
            operation="connect",
            hint="check that the server runs and what DATABASE_URL says; `wdh db status` shows both",
        ) from None
    return connection


def limit_session(
    connection: Connection, *, statement_seconds: float, lock_seconds: float, idle_seconds: float
) -> None:
    """Let no statement on the connection last longer, wait longer for a lock, or a transaction idle for longer.

    Limits are whole milliseconds and at least one: none of them ever means "for ever". Where they cannot be set
    the connection is closed and the driver's error raised.
    """
    limits = [f"{max(round(seconds * 1000), 1)}ms" for seconds in (statement_seconds, lock_seconds, idle_seconds)]
    try:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute(
                "select set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
                " set_config('idle_in_transaction_session_timeout', %s, false)",
                limits,
            )
    except psycopg2.Error:
        connection.close()
        raise


@contextmanager
def transaction(connection: Connection) -> Iterator[Connection]:
    """One transaction: committed when the block ends well, rolled back on anything else."""
    try:
        yield connection
        connection.commit()
    except BaseException:
        _roll_back(connection)
        raise


@contextmanager
def read_only(connection: Connection) -> Iterator[Connection]:
    """One transaction in which PostgreSQL itself refuses to write; always rolled back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("set transaction read only")
        yield connection
    finally:
        _roll_back(connection)


@contextmanager
def warehouse_errors() -> Iterator[None]:
    """Turn what the driver raises inside the block into WarehouseError, or SchemaDrift for missing objects."""
    try:
        yield
    except psycopg2.Error as error:
        raise warehouse_error(error) from error


@contextmanager
def reading_cursor(url: str, *, application_name: str) -> Iterator[Cursor]:
    """A cursor of a session of its own, for one look: it sees one transaction, in which nothing can be written.

    Raises WarehouseError where the database cannot be reached or asked.
    """
    with (
        warehouse_errors(),
        closing(connect(url, application_name=application_name)) as connection,
        read_only(connection),
        connection.cursor() as cursor,
    ):
        yield cursor


def named_rows(cursor: Cursor) -> list[dict[str, Any]]:
    """What a query answered and nobody has fetched yet: one dictionary a row, by the names of its columns."""
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def warehouse_error(error: psycopg2.Error) -> WarehouseError:
    """The driver's error in our words: the server's message, the table and column, and what to do."""
    message = driver_message(error)
    if isinstance(error, _DRIFT):
        return SchemaDrift(message, hint="`wdh db check` shows what differs, `wdh db migrate` brings it up to date")
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), None)
    return WarehouseError(message, field=error.diag.column_name, hint=hint)


def driver_message(error: psycopg2.Error) -> str:
    """The server's message on one line; the driver's own where no server spoke."""
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


def plain_url(url: str) -> str:
    """The URL as libpq reads it (no driver's name in it); raises MalformedUrl for anything else."""
    match = _URL.match(url.strip())
    if match is None:
        raise MalformedUrl(
            "the database URL is not of the form postgresql://user:password@host:port/database",
            field="DATABASE_URL",
            hint=_ESCAPES,
        )
    return f"{match['scheme']}://{url.strip().split('://', 1)[1]}"


def masked_url(url: str) -> str:
    """The URL with `***` in place of the password."""
    match = _URL.match(url)
    if match is None:
        return "postgresql://***"
    place = _SECRET_OPTION.sub(r"\1***", match["place"])
    if match["user"] is None:
        return f"{match['scheme']}://{place}"
    password = ":***" if match["password"] else ""
    return f"{match['scheme']}://{match['user']}{password}@{place}"


def _is_malformed(url: str, error: psycopg2.Error) -> bool:
    """Whether connecting failed by the URL alone; the driver looks at a port only when it connects."""
    if error.pgcode is None and isinstance(error, psycopg2.ProgrammingError):
        return True
    ports = str(extensions.parse_dsn(url).get("port") or "").split(",")
    return any(port and not (port.isdecimal() and int(port) in _PORTS) for port in ports)


def _without_secret(message: str, url: str) -> str:
    shown = message.replace(url, masked_url(url))
    match = _URL.match(url)
    if match is not None and match["password"]:
        shown = shown.replace(match["password"], "***")
    return " ".join(_SECRET_OPTION.sub(r"\1***", shown).split())


def _roll_back(connection: Connection) -> None:
    """Leave the transaction; a connection that is gone has nothing left to roll back."""
    with suppress(psycopg2.InterfaceError, psycopg2.OperationalError):
        connection.rollback()
