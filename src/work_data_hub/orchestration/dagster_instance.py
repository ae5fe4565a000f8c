"""Dagster's own home and storage: never in the warehouse, telemetry off."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from dagster import DagsterInstance

from work_data_hub.io.whole_files import replace_file
from work_data_hub.settings import Settings

HOME_VARIABLE, STORAGE_VARIABLE = "DAGSTER_HOME", "WDH_DAGSTER_STORAGE_URL"


def dagster_home(settings: Settings) -> Path:
    """The absolute folder of Dagster's instance, made and configured when it is not there.

    Its storage is SQLite in that folder unless WDH_DAGSTER_PG_URL names a database of its own.
    A `dagster.yaml` that somebody else wrote is left alone.
    """
    home = (settings.dagster_home or settings.home / "dagster").resolve()
    home.mkdir(parents=True, exist_ok=True)
    page = home / "dagster.yaml"
    text = _MARK + yaml.safe_dump(_instance_settings(settings), sort_keys=False, allow_unicode=True)
    written = page.read_text(encoding="utf-8") if page.is_file() else _MARK
    if written.startswith(_MARK) and written != text:
        with replace_file(page) as part:
            part.write_text(text, encoding="utf-8")
    return home


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The variables that a Dagster process needs beside our own settings; they hold a password."""
    home = {HOME_VARIABLE: str(dagster_home(settings)), "DAGSTER_DISABLE_TELEMETRY": "1"}
    if settings.dagster_pg_url is None:
        return home
    # SQLAlchemy 2.1 would take the plain scheme for psycopg 3.
    _, _, rest = settings.dagster_pg_url.get_secret_value().partition("://")
    return home | {STORAGE_VARIABLE: f"postgresql+psycopg2://{rest}"}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The persisted instance, so that runs of the command line show in Dagster's pages."""
    # Dagster reads its storage's URL from the environment, so that no password stands in its page.
    os.environ.update(dagster_environment(settings))
    with DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        yield instance


_MARK = "# Written by WorkDataHub; remove this line to keep your own changes.\n"


def _instance_settings(settings: Settings) -> dict[str, object]:
    page: dict[str, object] = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    if settings.dagster_pg_url is not None:
        page["storage"] = {"postgres": {"postgres_url": {"env": STORAGE_VARIABLE}}}
    return page
