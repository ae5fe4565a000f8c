"""The roles of the warehouse and what each may do; made again as often as one likes."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import extensions, sql

from work_data_hub.io.postgres import Connection, transaction, warehouse_errors

MIGRATOR, APPLICATION = "wdh_migrator", "wdh_app"
BATCH_API, BATCH_READER, BATCH_WRITER = "etl_api", "etl_reader", "etl_writer"
ROLES = (MIGRATOR, APPLICATION, BATCH_API, BATCH_READER, BATCH_WRITER)

_BATCH = ("etl", "content", "ugc", "analytics")
_OURS = ("business", "customer", "enterprise", "ledger", "mapping", "system", "bi", "sandbox", *_BATCH)
_SOURCES = ("business", "customer", "mapping", "content", "ugc")
_CHANGE = "select, insert, update, delete"
_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    APPLICATION: {_CHANGE: _OURS},
    BATCH_API: {_CHANGE: ("etl",)},
    BATCH_READER: {"select": _SOURCES},
    BATCH_WRITER: {_CHANGE: ("etl", "analytics", "sandbox"), "select": ("ledger",)},
}
_HEAD = "wdh_alembic_version"
_PUBLIC_TABLES = ("pipeline_executions", "data_quality_metrics", "sample_data", _HEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleState:
    """How a role stands after `make_roles`."""

    name: str
    was_made: bool
    can_login: bool
    password_was_set: bool


def make_roles(connection: Connection, *, passwords: Mapping[str, str]) -> list[RoleState]:
    """Make the missing roles, give those named in `passwords` their password, and grant what each needs.

    A role without a password cannot log in; a role that got one earlier keeps it. The migrator owns
    every table of ours. Passwords reach the server as verifiers only, so none stands in its log.
    """
    with warehouse_errors(), transaction(connection):
        states = [_make(connection, name, passwords.get(name)) for name in ROLES]
        _give_to_migrator(connection)
        for role, grants in _GRANTS.items():
            for privileges, schemas in grants.items():
                for schema in _existing(connection, schemas):
                    _grant(connection, privileges, schema, role)
        _grant_public(connection)
        _grant_batches(connection)
    return states


def _make(connection: Connection, name: str, password: str | None) -> RoleState:
    with connection.cursor() as cursor:
        cursor.execute("select rolcanlogin from pg_roles where rolname = %s", (name,))
        known = cursor.fetchone()
        if known is None:
            cursor.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))
        if password:
            verifier = extensions.encrypt_password(password, name, scope=connection, algorithm="scram-sha-256")
            cursor.execute(
                sql.SQL("alter role {} login password {}").format(sql.Identifier(name), sql.Literal(verifier))
            )
    return RoleState(
        name=name,
        was_made=known is None,
        can_login=bool(password) or bool(known and known[0]),
        password_was_set=bool(password),
    )


def _give_to_migrator(connection: Connection) -> None:
    """Let the migrator make schemas, and own those of ours with all that is in them."""
    migrator = sql.Identifier(MIGRATOR)
    if not _is_superuser(connection):
        _run(connection, sql.SQL("grant {} to current_user"), migrator)
    _run(connection, sql.SQL("grant create, temporary on database {} to {}"), _database(connection), migrator)
    _run(connection, sql.SQL("grant usage, create on schema public to {}"), migrator)
    for schema in _existing(connection, _OURS):
        _run(connection, sql.SQL("alter schema {} owner to {}"), sql.Identifier(schema), migrator)
    with connection.cursor() as cursor:
        cursor.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s)"
            " or (schemaname = 'public' and tablename = any(%s))",
            (list(_OURS), list(_PUBLIC_TABLES)),
        )
        tables = cursor.fetchall()
    for schema, table in tables:
        _run(connection, sql.SQL("alter table {} owner to {}"), sql.Identifier(schema, table), migrator)


def _grant(connection: Connection, privileges: str, schema: str, role: str) -> None:
    """Grant on what is in the schema now, and on what the migrator will make there."""
    where, to, words = sql.Identifier(schema), sql.Identifier(role), sql.SQL(privileges)
    _run(connection, sql.SQL("grant usage on schema {} to {}"), where, to)
    _run(connection, sql.SQL("grant {} on all tables in schema {} to {}"), words, where, to)
    later = sql.SQL("alter default privileges for role {} in schema {} grant {} on tables to {}")
    _run(connection, later, sql.Identifier(MIGRATOR), where, words, to)
    if privileges == _CHANGE:
        _run(connection, sql.SQL("grant usage on all sequences in schema {} to {}"), where, to)
        later = sql.SQL("alter default privileges for role {} in schema {} grant usage on sequences to {}")
        _run(connection, later, sql.Identifier(MIGRATOR), where, to)


def _grant_public(connection: Connection) -> None:
    application, database = sql.Identifier(APPLICATION), _database(connection)
    _run(connection, sql.SQL("grant temporary on database {} to {}"), database, application)
    _run(connection, sql.SQL("grant usage on schema public to {}"), application)
    for table in _existing_public(connection):
        words = sql.SQL("select" if table == _HEAD else _CHANGE)
        _run(connection, sql.SQL("grant {} on public.{} to {}"), words, sql.Identifier(table), application)
    _run(connection, sql.SQL("grant pg_read_all_stats to {}"), sql.Identifier(BATCH_READER))


def _grant_batches(connection: Connection) -> None:
    """The reader opens its queries through a function of the schema etl, whose tables it does not see."""
    if _existing(connection, ("etl",)):
        _run(connection, sql.SQL("grant usage on schema etl to {}"), sql.Identifier(BATCH_READER))
    temporary = sql.SQL("grant temporary on database {} to {}")
    _run(connection, temporary, _database(connection), sql.Identifier(BATCH_WRITER))
    if _HEAD in _existing_public(connection):
        for role in (BATCH_API, BATCH_WRITER):
            head, to = sql.Identifier("public", _HEAD), sql.Identifier(role)
            _run(connection, sql.SQL("grant select on {} to {}"), head, to)


def _existing(connection: Connection, schemas: tuple[str, ...]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select nspname from pg_namespace where nspname = any(%s) order by 1", (list(schemas),))
        return [row[0] for row in cursor.fetchall()]


def _existing_public(connection: Connection) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tablename from pg_tables where schemaname = 'public' and tablename = any(%s)",
            (list(_PUBLIC_TABLES),),
        )
        return [row[0] for row in cursor.fetchall()]


def _database(connection: Connection) -> sql.Identifier:
    return sql.Identifier(connection.info.dbname)


def _is_superuser(connection: Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _run(connection: Connection, statement: sql.SQL, *parts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(*parts))
