"""A runner's signs of life: written by a thread with a connection of its own, so that no batch delays them."""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from os import getpid

import psycopg2

from work_data_hub.errors import UsageError, WarehouseError
from work_data_hub.io.batch_claims import beat
from work_data_hub.io.postgres import Connection, connect, limit_session, transaction
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_place import BatchPlace

log = get_logger(__name__)
APPLICATION = "wdh runner heartbeat"
AWAY = (WarehouseError, psycopg2.Error)
"""What a database that is away, or comes back only now, answers with."""

# A server keeps 63 bytes of a connection's name, and there the id stands after `wdh batch reader `.
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,34}")
_RETRY_SECONDS = 1.0


def new_worker_id(name: str = "") -> str:
    """An id that no other start of a runner has: the name, or host and process, and something random."""
    if name and not _NAME.fullmatch(name):
        raise UsageError(
            "a worker's id has 1 to 34 letters, digits and _ . : -",
            field="--worker-id",
            input_data=name,
            hint="--worker-id runner-1",
        )
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:20]
    return f"{name or f'{host}:{getpid()}'}:{secrets.token_hex(4)}"


def control_connection(place: BatchPlace, *, application_name: str) -> Connection:
    """A connection for short statements, none of which lasts longer than a lease; raises WarehouseError."""
    connection = connect(place.database_url, application_name=application_name)
    longest = place.lease_seconds
    limit_session(connection, statement_seconds=longest, lock_seconds=longest, idle_seconds=longest)
    return connection


class Heartbeat:
    """Keeps one worker alive in the database from `start` to `stop`.

    `lost` is set when that failed for as long as a lease lasts, or when the worker is not known there any more:
    whatever it held may belong to others. It is never taken back; go on under a new id.
    """

    def __init__(self, worker_id: str, place: BatchPlace, *, when_lost: Callable[[], None] = lambda: None) -> None:
        self.worker_id = worker_id
        self.lost = threading.Event()
        self._place, self._when_lost = place, when_lost
        self._done = threading.Event()
        self._last = time.monotonic()

    def age_seconds(self) -> float:
        """Seconds since the last sign of life that the database took began."""
        return time.monotonic() - self._last

    def start(self) -> None:
        """Begin, right after the worker was registered."""
        # The one may hang in a dead network, so another one watches it.
        for name, work in (("heartbeat", self._keep_beating), ("heartbeat-watch", self._keep_watching)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def stop(self) -> None:
        """End soon; does not wait for it."""
        self._done.set()

    def _keep_beating(self) -> None:
        pause = 0.0
        while self._is_on(pause):
            try:
                with closing(control_connection(self._place, application_name=APPLICATION)) as connection:
                    self._beat_on(connection)
            except AWAY as error:
                log.warning("heartbeat.failed", worker=self.worker_id, error_type=type(error).__name__)
                pause = min(_RETRY_SECONDS, self._place.heartbeat_seconds)

    def _beat_on(self, connection: Connection) -> None:
        is_first = True
        while is_first or self._is_on(self._place.heartbeat_seconds):
            is_first = False
            began = time.monotonic()
            with transaction(connection), connection.cursor() as cursor:
                is_known = beat(cursor, self.worker_id)
                self._place.faults.reach("in_heartbeat")
            if not is_known:
                self._lose("the worker is not known any more")
                return
            self._last = began

    def _keep_watching(self) -> None:
        lease = self._place.lease_seconds
        while self._is_on(min(max(lease - self.age_seconds(), 0.02), lease / 4)):
            if self.age_seconds() >= lease:
                self._lose("no sign of life could be given")

    def _is_on(self, seconds: float) -> bool:
        """Wait so long, and tell whether to go on."""
        return not self._done.wait(seconds) and not self.lost.is_set()

    def _lose(self, reason: str) -> None:
        if not self._done.is_set():
            log.error("heartbeat.lost", worker=self.worker_id, reason=reason)
        self.lost.set()
        self._when_lost()
