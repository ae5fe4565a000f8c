"""One load at a time for a domain and month: an advisory lock on the loading connection itself."""

import hashlib
import time

from work_data_hub.errors import LoadLocked
from work_data_hub.io.postgres import Connection
from work_data_hub.io.queries import query

_ASK_AGAIN_SECONDS = 0.2


def take_load_lock(connection: Connection, *, domain: str, period: str, wait_seconds: float) -> None:
    """Take the lock for this connection's life; the server frees it when the connection ends, however it ends.

    Raises LoadLocked, naming the holder, when it is not free within `wait_seconds`.
    """
    key, deadline = load_lock_key(domain, period), time.monotonic() + wait_seconds
    while not _try(connection, key):
        # Asking again, not waiting in the server: a process that waits there hears no Ctrl-C.
        if time.monotonic() >= deadline:
            raise _locked(connection, key, domain=domain, period=period)
        time.sleep(_ASK_AGAIN_SECONDS)


def _try(connection: Connection, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (key,))
        row = cursor.fetchone()
    connection.commit()
    return bool(row and row[0])


def _locked(connection: Connection, key: int, *, domain: str, period: str) -> LoadLocked:
    with connection.cursor() as cursor:
        cursor.execute(query("locks", "holder"), {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF})
        row = cursor.fetchone()
    connection.rollback()
    # Of another role's session PostgreSQL shows the process only.
    since = f", since {row[2]:%H:%M:%S}" if row and row[2] else ""
    holder = f"{row[0]} (process {row[1]}{since})" if row else "a run that has just ended"
    return LoadLocked(
        f"{domain} {period} is being loaded by {holder}",
        domain=domain,
        operation="load",
        rule="one load at a time for a domain and month",
        hint="wait for it, or give --lock-wait SECONDS",
    )


def load_lock_key(domain: str, period: str) -> int:
    """The advisory lock of a domain and month (YYYYMM), the same in every process."""
    digest = hashlib.sha256(f"wdh load {domain} {period}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
