"""Settings become the place a run works in; the command line and Dagster use the same."""

import getpass
import re
from importlib import import_module
from urllib.parse import urlsplit

from work_data_hub.io.directory_access import directory_access, why_no_registry
from work_data_hub.io.faults import Faults
from work_data_hub.io.postmaster import has_data
from work_data_hub.orchestration.registry_desk import RegistryDesk
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.spreading import Cluster
from work_data_hub.settings import Settings


def workplace(settings: Settings, *, execute: bool) -> Workplace:
    """The place the settings describe; an executed run has a migrated database, a plan may have none."""
    return Workplace(
        data_root=settings.data_root,
        config_dir=settings.config_dir,
        home=settings.home,
        database_url=_warehouse_url(settings, execute=execute),
        alias_salt=settings.alias_salt.get_secret_value(),
        actor=getpass.getuser(),
        faults=Faults.parse(settings.fault),
        registry=registry_desk(settings),
        cluster=_cluster(settings),
    )


def registry_desk(settings: Settings) -> RegistryDesk:
    """The company registry of the settings, or a desk that says why there is none."""
    return RegistryDesk(
        directory_access(settings),
        why_not=why_no_registry(settings),
        most_names=settings.eqc_sync_budget,
        most_seconds=settings.eqc_run_seconds,
    )


def _cluster(settings: Settings) -> Cluster | None:
    if settings.dask_scheduler is None:
        return None
    return Cluster(
        address=settings.dask_scheduler,
        block_rows=settings.dask_block_rows,
        wait_seconds=settings.dask_wait_seconds,
    )


def _warehouse_url(settings: Settings, *, execute: bool) -> str | None:
    """The warehouse; the driver is loaded only when there is one, or must be."""
    if not execute and settings.database_url is None and not has_data(settings.home):
        return None
    url: str | None = import_module("work_data_hub.io.database").warehouse_url(settings, for_execute=execute)
    return url


def refuse_unreachable(url: str | None) -> None:
    """Raise WarehouseError where nobody answers at this URL; one attempt of a few seconds, and no query."""
    if url is not None:
        import_module("work_data_hub.io.postgres").connect(url).close()


def describe_database(url: str | None) -> dict[str, str] | None:
    """The database's name and its server, for reports; None without a database."""
    if url is None:
        return None
    parts = urlsplit(url)
    # Everything after the last @: several hosts are allowed, and no password stands there.
    hosts = parts.netloc.rpartition("@")[2] or "local socket"
    server = hosts if re.search(r":\d+$", hosts) else f"{hosts}:5432"
    return {"name": parts.path.lstrip("/") or (parts.username or ""), "server": server}
