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
from work_data_hub.io.postgres import connect
from work_data_hub.io.whole_files import replace_file
from work_data_hub.settings import Settings

HOME_VARIABLE, STORAGE_VARIABLE = "DAGSTER_HOME", "WDH_DAGSTER_STORAGE_URL"


def dagster_home(settings: Settings) -> Path:
    """The absolute folder of Dagster's instance, made and configured when it is not there.

    Its storage is SQLite in that folder unless WDH_DAGSTER_PG_URL names a database of its own.
    A `dagster.yaml` that somebody else wrote is left alone. Raises ConfigError where the folder cannot be used.
    """
    home = (settings.dagster_home or settings.home / "dagster").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write_page(home / _PAGE, _MARK + yaml.safe_dump(_instance_settings(settings), sort_keys=False))
    except OSError as error:
        raise ConfigError(
            f"Dagster's folder cannot be used: {error.strerror}",
            file=str(home),
            field=HOME_VARIABLE if settings.dagster_home else "WDH_HOME",
            hint=f"set {HOME_VARIABLE} to a folder that may be written",
        ) from error
    return home


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
_MARK = "# Written by WorkDataHub; remove this line to keep your own changes.\n"


def _instance_settings(settings: Settings) -> dict[str, object]:
    page: dict[str, object] = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    if settings.dagster_pg_url is not None:
        page["storage"] = {"postgres": {"postgres_url": {"env": STORAGE_VARIABLE}}}
    return page


def _write_page(page: Path, text: str) -> None:
    written = page.read_bytes() if page.exists() else _MARK.encode()
    if written.startswith(_MARK.encode()) and written != text.encode():
        with replace_file(page) as part:
            part.write_bytes(text.encode())


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
        return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_OF_THE_COMMAND_LINE))
    except _refusals() as error:
        # Dagster's error stays out of the chain: its text quotes values of the page, and one may be a password.
        raise ConfigError(
            f"Dagster refuses its page: {_reason(error)}",
            file=str(home / _PAGE),
            field=HOME_VARIABLE,
            hint="correct the page, or delete it: it is then written anew",
        ) from None


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
