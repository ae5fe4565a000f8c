"""Settings of the batch pipelines: their runner, their control plane, Elasticsearch."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from work_data_hub.settings.values import Attempts, Count, HttpUrl, PostgresUrl, Seconds, Token


class PipelineSettings(BaseSettings):
    """What a site may set for batch pipelines."""

    etl_reader_url: PostgresUrl | None = Field(
        default=None,
        validation_alias="ETL_READER_URL",
        description="The database with the login of the role etl_reader: source queries run there and only read. "
        "Required in staging and prod by runner and API; in dev the embedded server makes a login of its own.",
    )
    etl_workers: Count = Field(
        default=4, validation_alias="ETL_WORKERS", description="Most pipelines that one runner runs at once."
    )
    etl_lease_seconds: Seconds = Field(
        default=30,
        validation_alias="ETL_LEASE_SECONDS",
        description="A runner silent for longer is taken for dead, and its pipelines are run by others.",
    )
    etl_heartbeat_seconds: Seconds = Field(
        default=5, validation_alias="ETL_HEARTBEAT_SECONDS", description="Seconds between two signs of life."
    )
    etl_poll_seconds: Seconds = Field(
        default=5,
        validation_alias="ETL_POLL_SECONDS",
        description="Seconds after which a runner looks for requests and dead runners although nothing woke it.",
    )
    etl_retry_backoff_seconds: Seconds = Field(
        default=1,
        validation_alias="ETL_RETRY_BACKOFF_SECONDS",
        description="Wait before the second try of a batch; doubled each time.",
    )
    etl_retry_attempts: Attempts = Field(
        default=3, validation_alias="ETL_RETRY_ATTEMPTS", description="Most tries of one batch."
    )
    etl_max_recoveries: Attempts = Field(
        default=3,
        validation_alias="ETL_MAX_RECOVERIES",
        description="A pipeline whose runners die this often in a row without getting further is FAILED.",
    )
    etl_statement_timeout_seconds: Seconds = Field(
        default=600, validation_alias="ETL_STATEMENT_TIMEOUT_SECONDS", description="Most seconds of one statement."
    )
    etl_runner_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        validation_alias="ETL_RUNNER_PORT",
        description="Port on which a runner answers /healthz and /metrics, on this machine only; 0: none.",
    )
    etl_log_tracebacks: bool = Field(
        default=False, validation_alias="ETL_LOG_TRACEBACKS", description="Log where an unexpected failure happened."
    )
    api_token: Token | None = Field(
        default=None,
        validation_alias="WDH_API_TOKEN",
        description="Bearer token of the REST API. Without one it listens on this machine only.",
    )
    api_requests_per_minute: Count = Field(
        default=600, validation_alias="WDH_API_REQUESTS_PER_MINUTE", description="Most requests a minute of one client."
    )
    elasticsearch_url: HttpUrl | None = Field(
        default=None, validation_alias="ELASTICSEARCH_URL", description="Where Elasticsearch is; unset: no es: targets."
    )
    elasticsearch_user: str | None = Field(
        default=None, validation_alias="ELASTICSEARCH_USER", description="User of Elasticsearch."
    )
    elasticsearch_password: SecretStr | None = Field(
        default=None, validation_alias="ELASTICSEARCH_PASSWORD", description="That user's password."
    )
    elasticsearch_timeout_seconds: Seconds = Field(
        default=10, validation_alias="ELASTICSEARCH_TIMEOUT", description="Most seconds of one of its answers."
    )
