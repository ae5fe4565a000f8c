"""Dagster's own home and storage: never in the warehouse, telemetry off."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from dagster import DagsterInstance

from work_data_hub.io.whole_files import replace_file
from work_data_hub.settings import Settings

HOME_VARIABLE, STORAGE_VARIABLE = "DAGSTER_HOME", "WDH_DAGSTER_PG_URL"


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


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The persisted instance, so that runs of the command line show in Dagster's pages."""
    with DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        yield instance


_MARK = "# Written by WorkDataHub; remove this line to keep your own changes.\n"


def _instance_settings(settings: Settings) -> dict[str, object]:
    page: dict[str, object] = {"telemetry": {"enabled": False}}
    if settings.dagster_pg_url is not None:
        page["storage"] = {"postgres": {"postgres_url": {"env": STORAGE_VARIABLE}}}
    return page
