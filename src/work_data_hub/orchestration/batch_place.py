"""The place that batch pipelines run in: the settings as the runner, the API and replays need them."""

import getpass
from dataclasses import dataclass, field

from work_data_hub.io.database import warehouse_url
from work_data_hub.io.elasticsearch_access import IndexAccess
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlace:
    """Where pipelines read and write, and how patient their runner is; the URLs hold passwords and are not shown.

    Without a `reader_url` queries run in the role etl_reader of the same connection, or, where
    `may_read_as_anyone`, as the runner itself.
    """

    database_url: str = field(repr=False)
    reader_url: str | None = field(default=None, repr=False)
    may_read_as_anyone: bool = True
    index_access: IndexAccess | None = None
    workers: int = 4
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0
    poll_seconds: float = 5.0
    retry_backoff_seconds: float = 1.0
    retry_attempts: int = 3
    max_recoveries: int = 3
    statement_timeout_seconds: float = 600.0
    log_tracebacks: bool = False
    actor: str = "runner"
    faults: Faults = NO_FAULTS


def batch_place(settings: Settings) -> BatchPlace:
    """The place the settings describe; in dev the embedded server is started where no other is named."""
    return BatchPlace(
        database_url=str(warehouse_url(settings, for_execute=True)),
        reader_url=settings.etl_reader_url.get_secret_value() if settings.etl_reader_url else None,
        may_read_as_anyone=settings.environment == "dev",
        index_access=index_access(settings),
        workers=settings.etl_workers,
        lease_seconds=settings.etl_lease_seconds,
        heartbeat_seconds=settings.etl_heartbeat_seconds,
        poll_seconds=settings.etl_poll_seconds,
        retry_backoff_seconds=settings.etl_retry_backoff_seconds,
        retry_attempts=settings.etl_retry_attempts,
        max_recoveries=settings.etl_max_recoveries,
        statement_timeout_seconds=settings.etl_statement_timeout_seconds,
        log_tracebacks=settings.etl_log_tracebacks,
        actor=getpass.getuser(),
        faults=Faults.parse(settings.fault),
    )


def index_access(settings: Settings) -> IndexAccess | None:
    """Where Elasticsearch is, when the settings name it."""
    if settings.elasticsearch_url is None:
        return None
    return IndexAccess(
        url=settings.elasticsearch_url,
        user=settings.elasticsearch_user,
        password=settings.elasticsearch_password,
        timeout_seconds=settings.elasticsearch_timeout_seconds,
    )
