"""Dagster's own home and storage: never in the warehouse, telemetry off."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import yaml
from dagster import DagsterError, DagsterInstance, DagsterInvalidConfigError
from dagster._core.instance.ref import InstanceRef  # the documented ways in know no overrides
from dagster_shared.check import CheckError
from sqlalchemy.exc import SQLAlchemyError

from work_data_hub.errors import ConfigError, WarehouseError
from work_data_hub.io.file_lock import file_lock
from work_data_hub.io.postgres import connect
from work_data_hub.io.whole_files import replace_file
from work_data_hub.settings import Settings

DEFINITIONS = "work_data_hub.orchestration.definitions"
HOME_VARIABLE, STORAGE_VARIABLE = "DAGSTER_HOME", "WDH_DAGSTER_STORAGE_URL"
WAREHOUSE_POOL, REGISTRY_POOL = "warehouse", "registry"
MARK = "# Written by WorkDataHub; remove this line to keep your own changes.\n"


def dagster_home(settings: Settings) -> Path:
    """The absolute folder of Dagster's instance, made and configured when it is not there.

    Its storage is SQLite in that folder unless WDH_DAGSTER_PG_URL names a database of its own.
    A `dagster.yaml` that somebody else wrote is left alone. Raises ConfigError where the folder cannot be used.
    """
    home = (settings.dagster_home or settings.home / "dagster").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_page(home / _PAGE, instance_page(in_postgres=settings.dagster_pg_url is not None))
    except OSError as error:
        raise ConfigError(
            f"Dagster's folder cannot be used: {error.strerror}",
            file=str(home),
            field=HOME_VARIABLE if settings.dagster_home else "WDH_HOME",
            hint=f"set {HOME_VARIABLE} to a folder that may be written",
        ) from error
    return home


def instance_page(*, in_postgres: bool) -> str:
    """The text of `dagster.yaml`: history in the database of WDH_DAGSTER_PG_URL, else in Dagster's own folder."""
    return MARK + yaml.safe_dump(_instance_settings(in_postgres=in_postgres), sort_keys=False)


def write_page(page: Path, text: str) -> None:
    """Write a page of ours, which begins with MARK, unless it is there already or somebody made it his own."""
    written = page.read_bytes() if page.exists() else MARK.encode()
    if written.startswith(MARK.encode()) and written != text.encode():
        with replace_file(page) as part:
            part.write_bytes(text.encode())


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The variables that a Dagster process needs beside our own settings; they hold a password.

    Raises WarehouseError when Dagster's own database cannot be reached.
    """
    home = {HOME_VARIABLE: str(dagster_home(settings)), "DAGSTER_DISABLE_TELEMETRY": "1"}
    if settings.dagster_pg_url is None:
        return home
    url = settings.dagster_pg_url.get_secret_value()
    _require_reachable(url)
    # SQLAlchemy 2.1 would take the plain scheme for psycopg 3.
    _, _, rest = url.partition("://")
    return home | {STORAGE_VARIABLE: f"postgresql+psycopg2://{rest}"}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The persisted instance, so that runs of the command line show in Dagster's pages.

    Raises ConfigError when Dagster refuses its page or its storage.
    """
    # Dagster reads its storage's URL from the environment, so that no password stands in its page.
    os.environ.update(dagster_environment(settings))
    with _open(Path(os.environ[HOME_VARIABLE])) as instance:
        yield instance


_PAGE = "dagster.yaml"
# Capturing takes two processes a step, which print tracebacks of their own when Ctrl-C reaches them. What the command
# line says stands in its terminal already; runs launched from Dagster's pages are captured as their page says.
_OF_THE_COMMAND_LINE = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}

# One run at a time for a domain's month: the warehouse's own lock refuses a second one anyway, a queue makes it wait.
_CONCURRENCY = {
    "runs": {
        "max_concurrent_runs": 4,
        "tag_concurrency_limits": [
            {"key": "wdh/target", "value": {"applyLimitPerUniqueValue": True}, "limit": 1},
            {"key": "dagster/backfill", "limit": 2},
        ],
    },
    # What writes facts goes one after the other, in the order asked for: companies and reference rows that one load
    # learns are what the next one builds on, so that months side by side would give other tables.
    "pools": {"granularity": "run", "default_limit": 1},
}
_MONITORING = {
    "enabled": True,
    "start_timeout_seconds": 180,
    "cancel_timeout_seconds": 180,
    "max_runtime_seconds": 14_400,
    # Otherwise a cancelled run keeps its place in a pool for ever.
    "free_slots_after_run_end_seconds": 60,
    "poll_interval_seconds": 30,
}
_RETENTION = {
    "schedule": {"purge_after_days": 90},
    "sensor": {"purge_after_days": {"skipped": 7, "failure": 30, "success": 90}},
}


def _instance_settings(*, in_postgres: bool) -> dict[str, object]:
    page: dict[str, object] = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "concurrency": _CONCURRENCY,
        "run_monitoring": _MONITORING,
        # A worker that crashes is tried once more; what a run itself refuses is not.
        "run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False},
        "retention": _RETENTION,
    }
    if in_postgres:
        page["storage"] = {"postgres": {"postgres_url": {"env": STORAGE_VARIABLE}}}
    return page


def _require_reachable(url: str) -> None:
    """Ask once: Dagster itself would try for half a minute and then show a traceback."""
    try:
        with closing(connect(url, application_name="wdh dagster")):
            return
    except WarehouseError as error:
        raise WarehouseError(
            error.message,
            field="WDH_DAGSTER_PG_URL",
            hint="check that its server runs and the database exists, or unset it: SQLite then keeps the history",
        ) from None


def _open(home: Path) -> DagsterInstance:
    try:
        # Of processes that make its tables at once, all but the first would fail.
        with file_lock(home / "opening.lock"):
            instance = DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_OF_THE_COMMAND_LINE))
            _limit_pools(instance)
            return instance
    except _refusals() as error:
        # Dagster's error stays out of the chain: its text quotes values of the page, and one may be a password.
        raise ConfigError(
            f"Dagster refuses its page: {_reason(error)}",
            file=str(home / _PAGE),
            field=HOME_VARIABLE,
            hint="correct the page, or delete it: it is then written anew",
        ) from None


def _limit_pools(instance: DagsterInstance) -> None:
    """Make the limits of our pools known: the queue learns one by its first look, and lets that one pass unlimited."""
    known = instance.event_log_storage.get_concurrency_keys()
    if instance.global_op_concurrency_default_limit is not None:
        for pool in {WAREHOUSE_POOL, REGISTRY_POOL} - set(known):
            instance.event_log_storage.initialize_concurrency_limit_to_default(pool)


def _refusals() -> tuple[type[Exception], ...]:
    # Loaded only when something failed: it brings a driver that SQLite does not need.
    unreachable: type[Exception] = import_module("dagster_postgres.utils").DagsterPostgresException
    return OSError, UnicodeDecodeError, yaml.YAMLError, DagsterError, CheckError, SQLAlchemyError, unreachable


def _reason(error: Exception) -> str:
    """What is wrong and where, without any value of the page."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"not YAML at line {error.problem_mark.line + 1}"
    if isinstance(error, DagsterInvalidConfigError) and error.errors:
        wrong = error.errors[0]
        name = getattr(wrong.error_data, "field_name", None)
        place = ".".join([*wrong.stack.levels, *([name] if name else [])])
        return f"{place or 'the whole page'}, {wrong.reason.value.lower().replace('_', ' ')}"
    return type(error).__name__
