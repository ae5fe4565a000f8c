"""The newest migration, and the one a database is at; reads text only, so a plan can afford it."""

import re
from functools import cache
from pathlib import Path

from work_data_hub.errors import SchemaDrift
from work_data_hub.io.postgres import Connection

VERSION_SCHEMA, VERSION_TABLE = "public", "wdh_alembic_version"
_PACKAGE = Path(__file__).resolve().parent.parent
# A checkout has the schema beside `src`, an installed wheel inside the package.
_PLACES = (_PACKAGE.parent.parent / "io" / "schema", _PACKAGE / "schema")
_IDENTIFIER = re.compile(r'^(revision|down_revision)\b[^=\n]*= *["\'](\w+)["\']', re.MULTILINE)


def schema_folder() -> Path:
    """The folder of migrations and seeds; raises SchemaDrift when it was not installed."""
    for place in _PLACES:
        if (place / "migrations" / "versions").is_dir():
            return place
    raise SchemaDrift("the migrations are not installed", hint="install from a checkout, or the whole wheel")


@cache
def expected_head() -> str:
    """The revision that this version of the program works with."""
    revisions: set[str] = set()
    parents: set[str | None] = set()
    for file in sorted((schema_folder() / "migrations" / "versions").glob("*.py")):
        named = dict(_IDENTIFIER.findall(file.read_text(encoding="utf-8")))
        revisions.add(named["revision"])
        parents.add(named.get("down_revision"))
    heads = sorted(revision for revision in revisions if revision not in parents)
    if len(heads) != 1:
        raise SchemaDrift(f"the migrations have {len(heads)} heads: {', '.join(heads)}", hint="chain them into one")
    return heads[0]


def current_head(connection: Connection) -> str | None:
    """The revision that the database is at, None for one that was never migrated; leaves no transaction open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_tables where schemaname = %s and tablename = %s)",
            (VERSION_SCHEMA, VERSION_TABLE),
        )
        found = cursor.fetchone()
        row = None
        if found and found[0]:
            cursor.execute("select version_num from public.wdh_alembic_version")
            row = cursor.fetchone()
    connection.rollback()
    return str(row[0]) if row else None


def require_head(connection: Connection) -> None:
    """Raise SchemaDrift, naming both revisions and the command, unless the database is at the expected head."""
    current, expected = current_head(connection), expected_head()
    if current == expected:
        return
    newer = current is not None and not _is_known(current)
    raise SchemaDrift(
        f"the database {connection.info.dbname} is at migration {current or 'none'}, this version needs {expected}",
        operation="check the migration head",
        hint="the database is ahead: update WorkDataHub" if newer else "run `wdh db migrate`",
    )


def _is_known(revision: str) -> bool:
    return any((schema_folder() / "migrations" / "versions").glob(f"{revision}*.py"))
