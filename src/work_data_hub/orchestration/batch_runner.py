"""The runner: a plain loop that claims what is requested, keeps its leases alive and recovers what the dead left."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2 import errors

from work_data_hub import __version__
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import ConfigError, LeaseLost, MalformedUrl, SchemaDrift, WarehouseError
from work_data_hub.io.batch_claims import claim_next, close_run, forget_worker, register_worker, sweep
from work_data_hub.io.batch_history import snapshot_of_metrics
from work_data_hub.io.batch_orphans import disown
from work_data_hub.io.batch_wakeups import Wakeups
from work_data_hub.io.postgres import Connection, transaction, warehouse_error
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.batch_health import answering
from work_data_hub.orchestration.batch_heartbeat import AWAY, Heartbeat, control_connection, new_worker_id
from work_data_hub.orchestration.batch_metrics import BatchMetrics
from work_data_hub.orchestration.batch_place import BatchPlace
from work_data_hub.orchestration.batch_pool import BatchPool, Ended, Execute
from work_data_hub.orchestration.batch_replays import BatchReplays
from work_data_hub.orchestration.batch_run import run_claim
from work_data_hub.orchestration.stop_signals import StopSignals

log = get_logger(__name__)
APPLICATION = "wdh runner"
TRIES = 10
_FORGET_LOCK_WAIT = "500ms"
# The database is there, and not as it must be, or nobody can tell where it is.
_HOPELESS = (SchemaDrift, MalformedUrl, psycopg2.ProgrammingError)


def batch_runner(
    place: BatchPlace, *, worker_id: str = "", when_ready: Callable[[str], None] = lambda worker_id: None
) -> "BatchRunner":
    """A runner of pipelines for `run_batches`; raises ConfigError where its leases would end between signs of life.

    `when_ready` is given the worker's id as soon as it is registered, listens and has swept.
    """
    if place.heartbeat_seconds >= place.lease_seconds:
        raise ConfigError(
            "a sign of life must come sooner than its lease ends",
            field="ETL_HEARTBEAT_SECONDS",
            input_data=str(place.heartbeat_seconds),
            rule=f"less than ETL_LEASE_SECONDS={place.lease_seconds:g}; a third of it, or less, is sound",
            hint="shorten the heartbeat, or lengthen the lease",
        )
    return BatchRunner(place, execute=run_claim, name=worker_id, when_ready=when_ready)


def run_batches(runner: "BatchRunner", *, signals: StopSignals, once: bool = False, port: int = 0) -> int:
    """Run pipelines until a signal to end, or with `once` until nothing is requested; returns the exit code.

    0 after a graceful end; 1 where `once` saw a run fail. Raises WarehouseError where the database stays away at
    the start.
    """
    with answering(port, health=runner.health, metrics=runner.metrics):
        signals.tell(runner.stop)
        code = runner.run(once=once)
    if runner.is_busy:
        # Their threads would keep the process; the server takes back what they have not committed.
        os._exit(code)
    return code


class BatchRunner:
    """One runner; `execute` runs a claim. Under a given name it goes by that, with something random behind it.

    A database that is away is asked again after 1, 2, 4, … seconds, up to the longest rest.
    """

    def __init__(
        self,
        place: BatchPlace,
        *,
        execute: Execute,
        name: str = "",
        when_ready: Callable[[str], None] = lambda worker_id: None,
        longest_rest_seconds: float = 8.0,
    ) -> None:
        self.metrics = BatchMetrics()
        self._place, self._name, self._when_ready = place, name, when_ready
        self._longest_rest_seconds = longest_rest_seconds
        self._wakeups = Wakeups(place.database_url)
        self._heart = self._new_heart()
        self._pool = BatchPool(place, execute=execute, metrics=self.metrics, wake=self._wakeups.wake)
        self._replays = BatchReplays(replace(place, actor=self._heart.worker_id), wake=self._wakeups.wake)
        self._store: Connection | None = None
        self._broken: list[Ended] = []
        self._is_stopping = self._is_registered = self._is_ready = self._has_failed = False
        self._next_look = 0.0
        self._failed_tries = 0

    @property
    def is_busy(self) -> bool:
        """Whether an execution goes on; after `run`, one that did not end in time."""
        return self._pool.is_busy or self._replays.is_busy

    def stop(self) -> None:
        """Claim nothing more, and end after the batches under way; safe in a signal handler."""
        self._is_stopping = True
        self._wakeups.wake()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, alive and not about to stop; and the facts."""
        heart, age = self._heart, self._heart.age_seconds()
        is_alive = not heart.lost.is_set() and age < self._place.lease_seconds
        words = {"stopping": self._is_stopping, "starting": not self._is_ready, "lost": not is_alive}
        status = next((word for word, is_so in words.items() if is_so), "ok")
        running = sorted(claim.pipeline.name for claim in self._pool.claims)
        facts = {"status": status, "worker": heart.worker_id, "heartbeat_age_seconds": round(age, 3)}
        return status == "ok", facts | {"running": running}

    def run(self, *, once: bool = False) -> int:
        """Work until told to stop, or with `once` until nothing is requested; 1 where `once` saw a run fail."""
        try:
            while not self._is_stopping:
                if self._turn(once=once):
                    break
        finally:
            self._end()
        return int(once and self._has_failed)

    def _turn(self, *, once: bool) -> bool:
        """Do what there is to do, then wait for more; True where `once` has nothing left."""
        try:
            self._serve()
        except AWAY as error:
            self._rest(error, once=once)
            return False
        self._failed_tries = 0
        if once and not self._pool.claims and not self._broken and not self._replays.is_busy:
            return True
        self._wakeups.wait(self._next_look - time.monotonic())
        return False

    def _serve(self) -> None:
        store = self._connected()
        self._collect()
        self._register(store)
        is_listening = self._wakeups.listen()
        self._release_broken(store)
        if time.monotonic() >= self._next_look:
            self._look_around(store)
        if is_listening and not self._is_ready:
            self._is_ready = True
            log.info("runner.ready", worker=self._heart.worker_id)
            self._when_ready(self._heart.worker_id)
        self._claim(store)
        self._replays.look(store)

    def _connected(self) -> Connection:
        if self._store is None:
            self._store = control_connection(self._place, application_name=APPLICATION)
            if not self._is_ready:
                require_head(self._store)
        return self._store

    def _register(self, store: Connection) -> None:
        """Be known and alive; under a new id where the old one may be taken for dead."""
        if self._is_registered and not self._heart.lost.is_set():
            return
        old, heart = self._heart, self._new_heart()
        old.stop()
        with transaction(store), store.cursor() as cursor:
            register_worker(cursor, heart.worker_id, host=socket.gethostname(), pid=os.getpid(), version=__version__)
        heart.start()
        self._heart, self._is_registered = heart, True
        self.metrics.follow_heartbeat(heart.worker_id, heart.age_seconds)
        log.info("runner.registered", worker=heart.worker_id)
        _forget(store, old.worker_id)

    def _new_heart(self) -> Heartbeat:
        return Heartbeat(new_worker_id(self._name), self._place, when_lost=self._wakeups.wake)

    def _look_around(self, store: Connection) -> None:
        """Take up what the dead left, and what a broken connection hid; then show how everything stands."""
        known = [*self._pool.claims, *(one.claim for one in self._broken)]
        with transaction(store), store.cursor() as cursor:
            for pipeline_id in disown(cursor, self._heart.worker_id, known=known):
                log.warning("lease.disowned", pipeline=str(pipeline_id), worker=self._heart.worker_id)
        with transaction(store), store.cursor() as cursor:
            recovered = sweep(
                cursor, lease_seconds=self._place.lease_seconds, max_recoveries=self._place.max_recoveries
            )
            if recovered:
                self._place.faults.reach("in_recovery")
        for one in recovered:
            log.warning("run.recovered", pipeline=one.name, status=one.status, owner=one.owner, times=one.recoveries)
        with transaction(store), store.cursor() as cursor:
            self.metrics.observe(snapshot_of_metrics(cursor))
        self._next_look = time.monotonic() + self._place.poll_seconds

    def _claim(self, store: Connection) -> None:
        while self._pool.room > 0 and not self._is_stopping and not self._heart.lost.is_set():
            with transaction(store), store.cursor() as cursor:
                claim = claim_next(cursor, self._heart.worker_id)
            if claim is None:
                return
            self._place.faults.reach("after_claim")
            self.metrics.claimed()
            log.info("run.claimed", pipeline=claim.pipeline.name, run=str(claim.run_id), worker=claim.worker_id)
            self._pool.begin(claim, lost=self._heart.lost)

    def _collect(self) -> None:
        for ended in self._pool.collect():
            self._has_failed = self._has_failed or ended.status is RunStatus.FAILED or ended.bug is not None
            if ended.bug is not None:
                self._broken.append(ended)

    def _release_broken(self, store: Connection) -> None:
        """Close runs whose execution broke off: while this worker lives, nobody else would."""
        while self._broken:
            self._close(store, self._broken[0])
            self._broken.pop(0)

    def _close(self, store: Connection, ended: Ended) -> None:
        error = f"its execution broke off: {type(ended.bug).__name__}"
        try:
            with suppress(LeaseLost), transaction(store), store.cursor() as cursor:
                close_run(cursor, ended.claim, status=RunStatus.FAILED, to=Status.FAILED, error=error)
                self.metrics.run_ended(RunStatus.FAILED)
        except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.ProgrammingError) as refusal:
            # Trying again would not help, and would keep all others waiting: the next look disowns it.
            log.error("run.not_closed", run=str(ended.claim.run_id), error_type=type(refusal).__name__)

    def _rest(self, error: WarehouseError | psycopg2.Error, *, once: bool) -> None:
        """Wait longer each time, and try again with a new connection; at the start not for ever."""
        self._disconnect()
        self._failed_tries += 1
        may_give_up = once or not self._is_ready
        if may_give_up and (self._failed_tries >= TRIES or isinstance(error, _HOPELESS)):
            raise warehouse_error(error) if isinstance(error, psycopg2.Error) else error
        until = time.monotonic() + min(2.0 ** (self._failed_tries - 1), self._longest_rest_seconds)
        log.warning("database.away", tries=self._failed_tries, error=str(error))
        while not self._is_stopping and (left := until - time.monotonic()) > 0:
            self._wakeups.wait(left)

    def _end(self) -> None:
        """Let batches end, no longer than a lease lasts; then leave as if never there."""
        self._is_stopping = True
        self._pool.stop.set()
        self._replays.stop()
        until = time.monotonic() + self._place.lease_seconds
        while self.is_busy and (left := until - time.monotonic()) > 0:
            self._wakeups.wait(left)
        if self._pool.is_busy:
            log.warning("runner.left_batches", worker=self._heart.worker_id, runs=len(self._pool.claims))
        self._pool.close()
        self._replays.close()
        self._heart.stop()
        with suppress(*AWAY):
            self._sign_off()
        self._disconnect()
        self._wakeups.close()
        log.info("runner.ended", worker=self._heart.worker_id)

    def _sign_off(self) -> None:
        if not self._is_registered:
            return
        store = self._connected()
        self._collect()
        self._release_broken(store)
        _forget(store, self._heart.worker_id)

    def _disconnect(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None


def _forget(store: Connection, worker_id: str) -> None:
    """Let others take up what the worker held at once; where its last sign of life hangs, once its lease is over."""
    with suppress(errors.LockNotAvailable), transaction(store), store.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", (_FORGET_LOCK_WAIT,))
        forget_worker(cursor, worker_id)
