"""`wdh db`: what the commands do."""

import os
import subprocess
import time
from contextlib import closing

from psycopg2.extensions import parse_dsn

from work_data_hub.cli.doors import open_door
from work_data_hub.errors import WarehouseError
from work_data_hub.io.database import named_url
from work_data_hub.io.database_check import check_database
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.migrations import upgrade
from work_data_hub.io.postgres import connect, masked_url
from work_data_hub.io.roles import ROLES, RoleState, make_roles
from work_data_hub.io.schema_head import current_head, expected_head
from work_data_hub.io.server_programs import find_psql
from work_data_hub.settings import Settings

_PASSWORD_VARIABLE = "WDH_ROLE_PASSWORD_"  # pragma: allowlist secret


def start() -> None:
    """Start the embedded server and print its URL without the password."""
    settings = open_door()
    named = named_url(settings)
    if named is not None:
        print(f"DATABASE_URL is set: {masked_url(named)}; nothing to start")
        return
    print(f"running: {masked_url(EmbeddedPostgres(settings.home).start())}")


def stop() -> None:
    """Stop the embedded server of this home."""
    print("stopped" if EmbeddedPostgres(open_door().home).stop() else "the embedded server was not running")


def status() -> None:
    """Print which database serves and what it is at; starts nothing."""
    settings = open_door()
    named = named_url(settings)
    server = EmbeddedPostgres(settings.home)
    if named is not None:
        print(f"database: {masked_url(named)} (DATABASE_URL)")
    elif not server.exists():
        print(f"database: none yet; `wdh db start` makes one in {settings.home}")
        return
    else:
        print(f"database: {masked_url(server.url())} (embedded)\ndata: {server.data}")
        if not server.is_running():
            print("stopped; `wdh db start` starts it")
            return
    with closing(connect(named or server.url(), application_name="wdh status")) as connection:
        version, head = connection.info.parameter_status("server_version"), current_head(connection)
    print(f"running: PostgreSQL {version}\nmigration: {head or 'none'}, expected {expected_head()}")


def migrate(*, revision: str) -> None:
    """Bring the schema up to `revision` and print where it stood and stands."""
    target = _url(open_door())
    before = _head(target)
    upgrade(target, revision)
    after = _head(target)
    print(f"migration: {after} (nothing to do)" if before == after else f"migration: {before or 'none'} → {after}")


def check() -> None:
    """Print a line for each check; raises WarehouseError when one failed."""
    for line in check_database(open_door()):
        print(line)


def ping() -> None:
    """Connect and print how long that took, and to what."""
    target = _existing_url(open_door())
    began = time.perf_counter()
    with closing(connect(target, application_name="wdh ping")) as connection, connection.cursor() as cursor:
        cursor.execute("select 1")
        version = connection.info.parameter_status("server_version")
    print(f"{masked_url(target)}: PostgreSQL {version}, {(time.perf_counter() - began) * 1000:.0f} ms")


def url(*, show_password: bool) -> None:
    """Print the database's URL."""
    target = _existing_url(open_door())
    print(target if show_password else masked_url(target))


def shell() -> None:
    """Run psql on the database until the user leaves it; the password goes by environment, not by argument."""
    target = _existing_url(open_door())
    program = find_psql()
    if program is None:
        raise WarehouseError("there is no psql on this machine", hint="install postgresql-client, or use `wdh db url`")
    given = parse_dsn(target)
    password = given.pop("password", "")
    arguments = " ".join(f"{name}='{_quoted(value)}'" for name, value in given.items())
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    done = subprocess.run([str(program), arguments], env=environment, check=False)
    if done.returncode != 0:
        raise WarehouseError(f"psql ended with {done.returncode}", hint="what it said stands above")


def roles() -> None:
    """Make the roles and print how each stands; passwords are never printed."""
    target = _url(open_door())
    passwords = {role: os.environ.get(_PASSWORD_VARIABLE + role.upper(), "") for role in ROLES}
    with closing(connect(target, application_name="wdh roles")) as connection:
        states = make_roles(connection, passwords=passwords)
    for state in states:
        print(_state(state))


def _state(state: RoleState) -> str:
    made = "made" if state.was_made else "was there"
    if state.password_was_set:
        return f"{state.name}: {made}, can log in, password set"
    if state.can_login:
        return f"{state.name}: {made}, can log in, password as before"
    return f"{state.name}: {made}, cannot log in; set {_PASSWORD_VARIABLE}{state.name.upper()} to let it"


def _url(settings: Settings) -> str:
    """The named database, else the embedded one, started and made as needed."""
    return named_url(settings) or EmbeddedPostgres(settings.home).start()


def _existing_url(settings: Settings) -> str:
    """The named database, else the embedded one where it exists, started when it is stopped."""
    named = named_url(settings)
    if named is not None:
        return named
    server = EmbeddedPostgres(settings.home)
    if not server.exists():
        raise WarehouseError(f"there is no database in {settings.home}", hint="wdh db start, or set DATABASE_URL")
    return server.start()


def _head(target: str) -> str | None:
    with closing(connect(target, application_name="wdh migrate")) as connection:
        return current_head(connection)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
