"""How long tests wait for what must come: long enough on a machine that is busy with other work."""

import time
from collections.abc import Callable

from work_data_hub.io.postgres import Connection, transaction

PATIENT_SECONDS = 120.0


def until(is_so: Callable[[], object], *, seconds: float = PATIENT_SECONDS, every: float = 0.01) -> None:
    """Wait until it is so, looking `every` so many seconds; fails where that never comes."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(every)


def until_gone(connection: Connection, application: str) -> None:
    """Wait until no session goes by a name that begins so; a server notices a little later that a client was killed."""
    sessions = "select from pg_stat_activity where starts_with(application_name, %s) and pid <> pg_backend_pid()"

    def is_gone() -> bool:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute(sessions, (application,))
            return cursor.fetchone() is None

    until(is_gone)
