"""Which database a command works on: the one that is named, else the embedded one."""

from collections.abc import Iterator
from contextlib import closing

from work_data_hub.errors import ConfigError, UsageError, WarehouseError
from work_data_hub.io.database_check import Finding, examine
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


def check_database(settings: Settings) -> Iterator[str]:
    """Yield a line for each thing a run needs; then raise WarehouseError when any is missing.

    Connection, server, database, schemas, tables, migration head and privileges. Nothing is
    initialised, migrated or written.
    """
    url = named_url(settings) or _embedded_url(settings)
    with closing(connect(url, application_name="wdh check")) as connection:
        findings = examine(connection)
    missing = [finding for finding in findings if not finding.is_fine]
    yield from (_line(finding) for finding in findings)
    if missing:
        raise WarehouseError(
            f"{len(missing)} of {len(findings)} checks failed: {', '.join(finding.name for finding in missing)}",
            operation="check the database",
            hint=missing[0].hint or None,
        )


def _embedded_url(settings: Settings) -> str:
    server = EmbeddedPostgres(settings.home)
    if not server.exists():
        raise WarehouseError(
            f"no database: DATABASE_URL is not set, and there is no embedded server in {settings.home}",
            operation="check the database",
            hint="set DATABASE_URL, or run `wdh db migrate` to make the embedded one",
        )
    return server.start()


def _is_empty(url: str) -> bool:
    with closing(connect(url, application_name="wdh")) as connection:
        return current_head(connection) is None


def _line(finding: Finding) -> str:
    mark = "ok     " if finding.is_fine else "MISSING"
    hint = f" → {finding.hint}" if finding.hint and not finding.is_fine else ""
    return f"{mark} {finding.name}: {finding.detail}{hint}"
