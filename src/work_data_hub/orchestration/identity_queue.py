"""The lookup queue: looked at, or worked off against the registry that the settings name."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from work_data_hub.domain.identity.queue_rules import lease_seconds_for
from work_data_hub.errors import RegistryUnavailable, UsageError, WorkDataHubError
from work_data_hub.io.company_directory import CompanyDirectory
from work_data_hub.io.directory_access import directory_access, why_no_registry
from work_data_hub.io.lookup_queue import QueueDepth, QueueFailure, newest_failures, queue_depth
from work_data_hub.io.postgres import Connection, connect, read_only, warehouse_errors
from work_data_hub.io.registry_http import LONGEST_WAIT_SECONDS
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger
from work_data_hub.orchestration.queue_worker import COUNTED, DrainRequest, QueueWorker, Registry
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import Settings

log = get_logger(__name__)
_APPLICATION = "wdh identity queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain did, in requests by the words of COUNTED, how the queue stands then, and what stopped it."""

    counts: Mapping[str, int]
    depth: QueueDepth
    failures: tuple[QueueFailure, ...]
    error: WorkDataHubError | None = None

    @property
    def has_found(self) -> bool:
        """Whether temporary ids can be replaced now."""
        return any(self.counts[word] for word in ("resolved", "review", "known"))


def look_at_queue(place: Workplace) -> tuple[QueueDepth, tuple[QueueFailure, ...]]:
    """How the queue stands and what failed last; reads only."""
    with _warehouse(place) as connection:
        return _look(connection)


@contextmanager
def open_registry(settings: Settings) -> Iterator[CompanyDirectory]:
    """The registry of the settings, for as long as the block runs; RegistryUnavailable where none is set up."""
    access = directory_access(settings)
    if access is None:
        raise RegistryUnavailable(
            why_no_registry(settings),
            operation="drain the queue",
            hint="names keep waiting in the queue; set WDH_EQC_BASE_URL and WDH_EQC_TOKEN, then drain it",
        )
    with CompanyDirectory(access) as directory:
        yield directory


def lease_seconds(settings: Settings) -> int:
    """A lease that outlasts the longest ask that the settings allow."""
    return lease_seconds_for(
        timeout_seconds=settings.eqc_timeout_seconds,
        # Before an attempt it waits for the window, and after a 429 as long as the registry asks.
        wait_seconds=settings.eqc_rate_limit_window_seconds + LONGEST_WAIT_SECONDS,
        retries=settings.eqc_retry_max,
    )


def drain_queue(request: DrainRequest, place: Workplace, *, registry: Registry, lease_seconds: int) -> Drained:
    """Ask for every request that is ready, until none is, or the request's bounds are reached.

    Each request is closed in a transaction of its own. Several drains may run at once. A registry that
    refuses or is gone, and Ctrl-C, end it early: `error` says so, and what was in hand went back.
    """
    with _warehouse(place) as connection:
        worker = QueueWorker(connection, place, registry=registry, lease_seconds=lease_seconds)
        error = worker.run(request)
        depth, failures = _look(connection)
    counts = {word: worker.counts[word] for word in COUNTED}
    log.info("queue.drained", pending=depth.pending, **counts)
    return Drained(counts=counts, depth=depth, failures=failures, error=error)


def _look(connection: Connection) -> tuple[QueueDepth, tuple[QueueFailure, ...]]:
    with read_only(connection), connection.cursor() as cursor:
        return queue_depth(cursor), newest_failures(cursor)


@contextmanager
def _warehouse(place: Workplace) -> Iterator[Connection]:
    if place.database_url is None:
        raise UsageError("there is no database with a queue", hint="set DATABASE_URL, or run wdh db start")
    with warehouse_errors(), closing(connect(place.database_url, application_name=_APPLICATION)) as connection:
        require_head(connection)
        yield connection
