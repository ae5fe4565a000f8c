"""One load at a time for a domain and month: an advisory lock on the loading connection itself."""

import hashlib

import psycopg2

from work_data_hub.errors import LoadLocked
from work_data_hub.io.postgres import Connection
from work_data_hub.io.queries import query


def take_load_lock(connection: Connection, *, domain: str, period: str, wait_seconds: float) -> None:
    """Take the lock for this connection's life; the server frees it when the connection ends, however it ends.

    Raises LoadLocked, naming the holder, when it is not free within `wait_seconds`.
    """
    key = load_lock_key(domain, period)
    with connection.cursor() as cursor:
        if wait_seconds > 0:
            cursor.execute("select set_config('lock_timeout', %s, false)", (f"{int(wait_seconds * 1000)}ms",))
            try:
                cursor.execute("select pg_advisory_lock(%s)", (key,))
            except psycopg2.errors.LockNotAvailable as error:
                connection.rollback()
                raise _locked(connection, key, domain=domain, period=period) from error
            cursor.execute("select set_config('lock_timeout', '0', false)")
        else:
            cursor.execute("select pg_try_advisory_lock(%s)", (key,))
            taken = cursor.fetchone()
            if not taken or not taken[0]:
                raise _locked(connection, key, domain=domain, period=period)
    connection.commit()


def _locked(connection: Connection, key: int, *, domain: str, period: str) -> LoadLocked:
    with connection.cursor() as cursor:
        cursor.execute(query("locks", "holder"), {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF})
        row = cursor.fetchone()
    connection.rollback()
    holder = f"{row[0]} (process {row[1]}, since {row[2]:%H:%M:%S})" if row else "a run that has just ended"
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
