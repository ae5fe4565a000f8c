"""Pieces of a run on the workers of a dask cluster: every answer that was asked for, once, or an error."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures as calls
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic
from uuid import uuid4

import dask
from distributed import CancelledError, Client, Future, KilledWorker, wait
from distributed.exceptions import WorkerStartTimeoutError
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from work_data_hub.domain.spreading import Piece, Result
from work_data_hub.errors import ClusterError, WorkDataHubError
from work_data_hub.io.code_version import code_version
from work_data_hub.io.left_calls import Given, begun, within
from work_data_hub.io.worker_versions import refuse_others

SETTING = "WDH_DASK_SCHEDULER"
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Result]):
    """What a worker made of one piece: its number, the worker's code, and the one result found or the error met."""

    number: int
    code: str
    found: tuple[Result, ...] = ()
    error: WorkDataHubError | None = None


def answer(number: int, function: Callable[[Piece], Result], piece: Piece) -> Answer[Result]:
    """Work on one piece; an error of ours is an answer, since the first in order counts and not the first in time."""
    try:
        return Answer(number=number, code=code_version(), found=(function(piece),))
    except WorkDataHubError as error:
        return Answer(number=number, code=code_version(), error=error)


class DaskMapper:
    """Calls functions on a cluster's workers. Close it with the run: the cluster then forgets what it was given."""

    def __init__(self, client: Client, *, run_id: str, block_rows: int, wait_seconds: float) -> None:
        self.client, self._address = client, str(client.scheduler.address)
        # The mark keeps two runs of one id, one after the other, from being given each other's answers.
        self._prefix = f"{run_id}:{uuid4().hex[:8]}"
        self.block_rows, self._wait_seconds = block_rows, wait_seconds

    def __call__(self, function: Callable[[Piece], Result], pieces: Sequence[Piece], *, what: str) -> Iterator[Result]:
        """Yield the results in order; a single piece stays here. Raises ClusterError where an answer fails to come."""
        if len(pieces) < 2:
            return map(function, pieces)
        keys = [f"{self._prefix}:{what}:{number}" for number in range(len(pieces))]
        with _told(self._address), self.client.as_current():
            futures = self.client.map(
                answer, range(len(pieces)), [function] * len(pieces), pieces, key=keys, pure=False
            )
            self._await(partial(wait, futures))
            _raise_failure(futures)
            answers = self._await(partial(self.client.gather, {future.key: future for future in futures}))
        return results(answers, keys=keys)

    def close(self) -> None:
        """Give the cluster back; one that does not answer is left as it is."""
        _leave(self.client, self._wait_seconds)

    def _await(self, call: Callable[[], Given]) -> Given:
        """What the call gives, waited for as long as the scheduler answers and has a worker."""
        coming, seen = begun(call), time.monotonic()
        while not calls.wait([coming], timeout=_LOOK_SECONDS).done:
            seen = time.monotonic() if within(self._wait_seconds, self.client.nthreads) else seen
            if time.monotonic() - seen > self._wait_seconds:
                raise ClusterError(f"no worker is left at {self._address}", field=SETTING, hint="start workers again")
        return coming.result()


def open_cluster(address: str, *, run_id: str, block_rows: int, wait_seconds: float) -> DaskMapper:
    """Return a mapper over the workers of the scheduler at this address.

    Raises ClusterError where the scheduler does not answer in that time, where it has no worker, or one whose
    code or libraries are of another version than here.
    """
    _keep_quiet()
    security = _security(address)
    with _told(address):
        connect = partial(Client, address, timeout=wait_seconds, set_as_default=False, security=security)
        # The client's own limit leaves out the words that both exchange first.
        client = within(wait_seconds, connect)
        try:
            _await_worker(client, address, wait_seconds)
            within(wait_seconds, partial(refuse_others, client))
        except BaseException:
            _leave(client, wait_seconds)
            raise
    return DaskMapper(client, run_id=run_id, block_rows=block_rows, wait_seconds=wait_seconds)


def results(answers: Mapping[str, Answer[Result]], *, keys: Sequence[str]) -> Iterator[Result]:
    """Yield each result in the order of `keys`; an answer that is an error of ours is raised in its place.

    Raises ClusterError, before the first of them, unless there is exactly one answer for each key, to its
    piece, and by this very code.
    """
    wrong = [f"no answer for {key}" for key in keys if key not in answers]
    wrong += [f"an answer for {key}, which was not asked for" for key in answers if key not in keys]
    for number, key in enumerate(keys):
        given = answers.get(key)
        if given is not None and given.number != number:
            wrong.append(f"the answer for {key} is that for piece {given.number}")
        elif given is not None and given.code != code_version():
            wrong.append(f"the answer for {key} is of code {given.code}, and {code_version()} is running here")
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ClusterError(f"{wrong[0]}{more}", field=SETTING, rule="one answer a piece", hint="run it again")
    return _in_order([answers[key] for key in keys])


def _in_order(answers: Sequence[Answer[Result]]) -> Iterator[Result]:
    for given in answers:
        if given.error is not None:
            raise given.error
        yield from given.found


def _raise_failure(futures: Sequence[Future]) -> None:
    """Raise the first failure that is no answer: a worker that died again and again, or a fault of the program."""
    for future in futures:
        if future.status == "error":
            failure = future.exception()
            if isinstance(failure, KilledWorker):
                raise ClusterError(
                    f"workers died again and again at {future.key}, the last one at {failure.last_worker.address}",
                    field=SETTING,
                    hint="see the worker's log; most often it needs more memory, or WDH_DASK_BLOCK_ROWS fewer rows",
                )
            raise failure


def _security(address: str) -> Security:
    """How dask's own settings protect the connection; raises ClusterError where they do not go with the address."""
    hint = "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY, and write tls://<host>:<port>"
    security = Security()
    try:
        has_certificates = security.get_connection_args("client")["ssl_context"] is not None
    except OSError as error:
        reason = f"the certificates that dask is set to use cannot be read: {error.strerror}"
        raise ClusterError(reason, field=SETTING, hint=hint) from error
    is_encrypted = address.startswith("tls:")
    if is_encrypted and not has_certificates:
        raise ClusterError(f"{address} needs certificates, and dask is given none", field=SETTING, hint=hint)
    if security.require_encryption and not is_encrypted:
        raise ClusterError(f"dask is set to require encryption, and {address} has none", field=SETTING, hint=hint)
    return security


def _await_worker(client: Client, address: str, wait_seconds: float) -> None:
    # It asks first without a limit, so that silence ends a little later than its own wait for a worker.
    try:
        within(wait_seconds + _LOOK_SECONDS, partial(client.wait_for_workers, 1, timeout=wait_seconds))
    except WorkerStartTimeoutError:
        raise ClusterError(
            f"the scheduler at {address} has no worker", field=SETTING, hint=f"start one: dask worker {address}"
        ) from None


def _leave(client: Client, wait_seconds: float) -> None:
    with suppress(OSError):
        within(wait_seconds, partial(client.close, timeout=wait_seconds))


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Tell what breaks off between here and the scheduler as an error of the cluster."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise ClusterError(
            f"the scheduler at {address} does not answer: {type(error).__name__}",
            field=SETTING,
            hint=f"start it, or unset {SETTING} to work on this machine alone",
        ) from error


def _keep_quiet() -> None:
    """Keep what dask says of itself off the terminal; what matters of it is raised."""
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})
    warnings.simplefilter("ignore", VersionMismatchWarning)
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
