"""The roles of the pipelines with logins, for tests: each may be entered, and all are gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.roles import ROLES, make_roles

PASSWORD = "pw-of-this-test"  # pragma: allowlist secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """A database whose roles can log in."""

    url: str

    def url_of(self, role: str) -> str:
        """The database as the role sees it."""
        place = parse_dsn(self.url)
        return f"postgresql://{role}:{PASSWORD}@{place['host']}:{place['port']}/{place['dbname']}"

    def enter(self, role: str) -> Connection:
        """A connection of the role."""
        return connect(self.url_of(role), application_name=f"wdh test {role}")


@contextmanager
def logins_of(warehouse: Connection, url: str) -> Iterator[Logins]:
    """The roles of `wdh db roles`, all with a password, for the block; roles belong to the whole server."""
    make_roles(warehouse, passwords=dict.fromkeys(ROLES, PASSWORD))
    try:
        yield Logins(url=url)
    finally:
        warehouse.rollback()
        forget_roles(warehouse)


def forget_roles(warehouse: Connection, *roles: str) -> None:
    """Take the roles away, with all that they may do here."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        for role in roles or ROLES:
            name = sql.Identifier(role)
            for statement in ("reassign owned by {} to current_user", "drop owned by {}", "drop role {}"):
                cursor.execute(sql.SQL(statement).format(name))
