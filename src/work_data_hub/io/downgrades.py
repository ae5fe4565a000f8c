"""A downgrade drops tables, so it is for test databases, or for one that is named aloud."""

import os

from work_data_hub.errors import UsageError
from work_data_hub.io.marked_databases import is_test_database
from work_data_hub.io.postgres import Connection

ALLOWED = "WDH_ALLOW_DOWNGRADE"


def refuse_unless_allowed(connection: Connection) -> None:
    """Raise UsageError unless the database is marked as test or WDH_ALLOW_DOWNGRADE is exactly its name."""
    name = connection.info.dbname
    if is_test_database(connection) or os.environ.get(ALLOWED) == name:
        return
    raise UsageError(
        f"a downgrade would drop tables of the database {name}",
        operation="downgrade",
        rule="only databases marked as test are downgraded unasked",
        hint=f"take a backup, then set {ALLOWED}={name} for this one command",
    )
