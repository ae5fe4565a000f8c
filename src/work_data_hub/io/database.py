"""Which database a command works on: the one that is named, else the embedded one."""

from contextlib import closing

from work_data_hub.errors import ConfigError, UsageError
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.migrations import upgrade
from work_data_hub.io.postgres import connect, plain_url
from work_data_hub.io.schema_head import current_head
from work_data_hub.settings import Settings


def warehouse_url(settings: Settings, *, for_execute: bool) -> str | None:
    """The URL to work on; None where a plan has nothing to look at.

    DATABASE_URL is taken as it is: nothing is started or migrated. Without it, in dev, the embedded
    server is started; to execute, it is initialised and migrated as well where it is empty.
    """
    named = named_url(settings)
    if named is not None:
        return named
    server = EmbeddedPostgres(settings.home)
    if not for_execute and not server.exists():
        return None
    url = server.start()
    if not _is_empty(url):
        return url
    if not for_execute:
        return None
    upgrade(url)
    return url


def existing_url(settings: Settings, *, for_execute: bool = False) -> str:
    """The URL to work on, as `warehouse_url` gives it; raises UsageError where there is none."""
    url = warehouse_url(settings, for_execute=for_execute)
    if url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    return url


def named_url(settings: Settings) -> str | None:
    """DATABASE_URL, None where the embedded server serves; raises ConfigError outside dev without it."""
    if settings.database_url is not None:
        return plain_url(settings.database_url.get_secret_value())
    if settings.environment != "dev":
        raise ConfigError(
            f"DATABASE_URL is required when ENVIRONMENT is {settings.environment}",
            field="DATABASE_URL",
            hint="set it; a server is started by ourselves in dev only",
        )
    return None


def _is_empty(url: str) -> bool:
    with closing(connect(url, application_name="wdh")) as connection:
        return current_head(connection) is None
