"""The place that batch pipelines run in: the settings as the runner, the API and replays need them."""

import getpass
from dataclasses import dataclass, field

from work_data_hub.io.batch_reader import no_reader
from work_data_hub.io.database import named_url, warehouse_url
from work_data_hub.io.elasticsearch_access import IndexAccess
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.embedded_reader import embedded_reader_url
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlace:
    """Where pipelines read and write, and how patient their runner is; the URLs hold passwords and are not shown.

    Without a `reader_url` source queries are read only where `may_read_as_anyone`: as the user of `database_url`,
    in the role etl_reader where he may take it.
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
    """The place the settings describe; in dev the embedded server is started where no other is named.

    The embedded server gets a login of its own for source queries, unless ETL_READER_URL names one.
    """
    return BatchPlace(
        database_url=str(warehouse_url(settings, for_execute=True)),
        reader_url=_reader_url(settings),
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


def reading_place(settings: Settings) -> BatchPlace:
    """The same for whoever reads source queries; raises ConfigError outside dev without ETL_READER_URL."""
    if settings.etl_reader_url is None and settings.environment != "dev":
        raise no_reader()
    return batch_place(settings)


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


def _reader_url(settings: Settings) -> str | None:
    if settings.etl_reader_url is not None:
        return settings.etl_reader_url.get_secret_value()
    if named_url(settings) is not None:
        return None
    return embedded_reader_url(EmbeddedPostgres(settings.home))
