"""The roles of the warehouse and what each may do; made again as often as one likes."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import extensions, sql

from work_data_hub.io.postgres import Connection, transaction, warehouse_errors
from work_data_hub.io.queries import query

MIGRATOR, APPLICATION = "wdh_migrator", "wdh_app"
BATCH_API, BATCH_READER, BATCH_WRITER = "etl_api", "etl_reader", "etl_writer"
REPORTS = "bi_reader"
ROLES = (MIGRATOR, APPLICATION, BATCH_API, BATCH_READER, BATCH_WRITER, REPORTS)

_BATCH = ("etl", "content", "ugc", "analytics")
_OURS = ("business", "customer", "enterprise", "ledger", "mapping", "system", "bi", "sandbox", *_BATCH)
_SOURCES = ("content", "ugc")
_CHANGE = "select, insert, update, delete"
# What happened is only ever added to, runs end, dead letters are settled, and pipelines are never deleted.
_KEPT = {
    "update, delete": ("etl.etl_batches", "etl.etl_events"),
    "delete": ("etl.etl_dlq", "etl.etl_runs", "etl.etl_pipelines"),
}
_SEES_TRANSACTIONS = "etl.open_transactions(text)"
_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    APPLICATION: {_CHANGE: _OURS},
    BATCH_API: {_CHANGE: ("etl",)},
    BATCH_READER: {"select": _SOURCES},
    BATCH_WRITER: {_CHANGE: ("etl", "analytics", "sandbox"), "select": ("ledger",)},
    REPORTS: {"select": ("bi",)},
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
    every table and function of ours. What a role was granted earlier and needs no more is taken back.
    Passwords reach the server as verifiers only, so none stands in its log.
    """
    with warehouse_errors(), transaction(connection):
        states = [_make(connection, name, passwords.get(name)) for name in ROLES]
        _give_to_migrator(connection)
        for role, grants in _GRANTS.items():
            for schema in _existing(connection, _OURS):
                _take_back(connection, schema, role)
            for privileges, schemas in grants.items():
                for schema in _existing(connection, schemas):
                    _grant(connection, privileges, schema, role, made_by=MIGRATOR)
        _grant_public(connection)
        _grant_batches(connection)
    return states


def make_reader(connection: Connection, *, password: str) -> RoleState:
    """Make the role that reads source queries alone, with this password and all that it needs.

    Tables that the connection's user makes in source schemas later may be read at once.
    """
    with warehouse_errors(), transaction(connection):
        state = _make(connection, BATCH_READER, password)
        for schema in _existing(connection, _SOURCES):
            _grant(connection, "select", schema, BATCH_READER, made_by=connection.info.user)
        _grant_reader(connection)
    return state


def has_password(connection: Connection, role: str) -> bool:
    """Whether there is such a role and it has a password; a superuser alone may ask. Leaves no transaction open."""
    return _is_so(connection, "has_password", role=role)


def is_reader(connection: Connection) -> bool:
    """Whether the connection's user may read all that source queries are read from; leaves no transaction open."""
    return _is_so(connection, "is_reader", sources=list(_SOURCES), function=_SEES_TRANSACTIONS)


def _is_so(connection: Connection, question: str, **given: object) -> bool:
    with warehouse_errors(), connection.cursor() as cursor:
        cursor.execute(query("roles", question), given)
        found = cursor.fetchone()
    connection.rollback()
    return bool(found and found[0])


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
            "select schemaname, tablename from pg_tables where schemaname = any(%(ours)s)"
            " or (schemaname = 'public' and tablename = any(%(public)s))"
            " union all select schemaname, viewname from pg_views where schemaname = any(%(ours)s)",
            {"ours": list(_OURS), "public": list(_PUBLIC_TABLES)},
        )
        tables = cursor.fetchall()
    for schema, table in tables:
        _run(connection, sql.SQL("alter table {} owner to {}"), sql.Identifier(schema, table), migrator)
    with connection.cursor() as cursor:
        cursor.execute(query("roles", "functions"), {"schemas": list(_OURS)})
        functions = [row[0] for row in cursor.fetchall()]
    for function in functions:
        _run(connection, sql.SQL("alter function {} owner to {}"), sql.SQL(function), migrator)
    # A function of his tells readers since when others write; nobody else is to see what sessions do.
    _run(connection, sql.SQL("grant pg_read_all_stats to {}"), migrator)


def _take_back(connection: Connection, schema: str, role: str) -> None:
    """Take all on the schema and on what is in it, and on what the migrator will make there."""
    where, of = sql.Identifier(schema), sql.Identifier(role)
    for kind in ("tables", "sequences"):
        _run(connection, sql.SQL("revoke all on all {} in schema {} from {}"), sql.SQL(kind), where, of)
        later = sql.SQL("alter default privileges for role {} in schema {} revoke all on {} from {}")
        _run(connection, later, sql.Identifier(MIGRATOR), where, sql.SQL(kind), of)
    _run(connection, sql.SQL("revoke all on schema {} from {}"), where, of)


def _grant(connection: Connection, privileges: str, schema: str, role: str, *, made_by: str) -> None:
    """Grant on what is in the schema now, and on what the role `made_by` will make there."""
    where, to, words = sql.Identifier(schema), sql.Identifier(role), sql.SQL(privileges)
    _run(connection, sql.SQL("grant usage on schema {} to {}"), where, to)
    _run(connection, sql.SQL("grant {} on all tables in schema {} to {}"), words, where, to)
    later = sql.SQL("alter default privileges for role {} in schema {} grant {} on tables to {}")
    _run(connection, later, sql.Identifier(made_by), where, words, to)
    if privileges == _CHANGE:
        _run(connection, sql.SQL("grant usage on all sequences in schema {} to {}"), where, to)
        later = sql.SQL("alter default privileges for role {} in schema {} grant usage on sequences to {}")
        _run(connection, later, sql.Identifier(made_by), where, to)


def _grant_public(connection: Connection) -> None:
    application, database = sql.Identifier(APPLICATION), _database(connection)
    _run(connection, sql.SQL("grant temporary on database {} to {}"), database, application)
    _run(connection, sql.SQL("grant usage on schema public to {}"), application)
    for table in _existing_public(connection):
        words = sql.SQL("select" if table == _HEAD else _CHANGE)
        _run(connection, sql.SQL("grant {} on public.{} to {}"), words, sql.Identifier(table), application)


def _grant_reader(connection: Connection) -> None:
    """The reader opens its queries through functions of the schema etl, whose tables it does not see."""
    if _existing(connection, ("etl",)):
        reader, function = sql.Identifier(BATCH_READER), sql.SQL(_SEES_TRANSACTIONS)
        _run(connection, sql.SQL("grant usage on schema etl to {}"), reader)
        _run(connection, sql.SQL("grant execute on function {} to {}"), function, reader)
    # What it once saw of others' sessions, their statements with them, a function tells it now.
    if _is_member(connection, BATCH_READER, of="pg_read_all_stats"):
        _run(connection, sql.SQL("revoke pg_read_all_stats from {}"), sql.Identifier(BATCH_READER))


def _keep_trail(connection: Connection) -> None:
    """Nobody but the migrator rewrites, deletes or empties what happened."""
    if not _existing(connection, ("etl",)):
        return
    for role in (APPLICATION, BATCH_API, BATCH_WRITER):
        for privileges, tables in _KEPT.items():
            for table in tables:
                words, on = sql.SQL(privileges), sql.Identifier(*table.split("."))
                _run(connection, sql.SQL("revoke {} on {} from {}"), words, on, sql.Identifier(role))


def _grant_batches(connection: Connection) -> None:
    _grant_reader(connection)
    _keep_trail(connection)
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


def _is_member(connection: Connection, role: str, *, of: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_has_role(%s, %s, 'member')", (role, of))
        row = cursor.fetchone()
    return bool(row and row[0])


def _database(connection: Connection) -> sql.Identifier:
    return sql.Identifier(connection.info.dbname)


def _is_superuser(connection: Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _run(connection: Connection, statement: sql.SQL, *parts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(*parts))
