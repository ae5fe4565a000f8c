"""`wdh dagster`: what the commands do."""

import signal
import sys

from work_data_hub.cli.doors import open_door
from work_data_hub.orchestration.dagster_instance import dagster_home, dagster_instance
from work_data_hub.orchestration.dagster_servers import (
    dagster_servers,
    page_url,
    port_to_take,
    sole_servers,
    wait_until_ready,
)
from work_data_hub.orchestration.dagster_watch import groups_url, how_it_ended, months_url, watch
from work_data_hub.orchestration.places import describe_database, refuse_unreachable, workplace
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.run_verdicts import close_orphans
from work_data_hub.orchestration.server_log import ServerLog
from work_data_hub.settings import Settings, get_client_settings


def run_dev(*, port: int, host: str) -> int:
    """Run Dagster's servers until they end; returns their exit code, 0 after Ctrl-C."""
    settings, port = open_door(), port_to_take(host, port)
    with sole_servers(settings, host=host, port=port) as hold:
        _tell(f"Dagster on {page_url(host, port)} · Ctrl-C stops it")
        with dagster_instance(settings):
            pass
        with dagster_servers(settings, host=host, port=port, hold=hold) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:
                return 0


def run_up(*, port: int, host: str) -> int:
    """Start the warehouse where it is ours, close what was killed, start Dagster, and say when it can be used.

    Returns 0 after Ctrl-C or a signal to end, else the servers' exit code. Raises UsageError where Dagster runs
    already or the port is taken, WarehouseError where the warehouse cannot be reached, ConfigError where the
    definitions do not load, Unexpected where the servers do not come up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings, port = open_door(), port_to_take(host, port)
    try:
        with sole_servers(settings, host=host, port=port) as hold:
            return _serve(settings, host=host, port=port, hold=hold)
    except KeyboardInterrupt:
        _tell("Dagster has stopped")
        return 0


def print_home() -> None:
    """Print the absolute folder."""
    print(dagster_home(get_client_settings()))


def _serve(settings: Settings, *, host: str, port: int, hold: int) -> int:
    url, place = page_url(host, port), workplace(settings, execute=True)
    log = ServerLog(dagster_home(settings) / "logs" / "servers.log", tell=_tell)
    _introduce(url, place, log=log)
    refuse_unreachable(place.database_url)
    _close_what_was_killed(settings, place)
    with dagster_servers(settings, host=host, port=port, hold=hold, log=log) as process:
        try:
            wait_until_ready(url, process, log=log)
            _tell(f"ready: {url} · Ctrl-C stops it")
            _tell(f"  months     {months_url(url)}")
            _tell(f"  all        {groups_url(url)}")
            watch(process, tell=_tell)
        except KeyboardInterrupt:
            _tell("Dagster stops; a run under way is broken off, and the next start says how it ended")
            raise
    _tell(f"{how_it_ended(process, log=log)}: {log.path} says why")
    return process.returncode or 1


def _introduce(url: str, place: Workplace, *, log: ServerLog) -> None:
    """What is shown, and where: said before anything can go wrong."""
    database = describe_database(place.database_url) or {}
    _tell(f"Dagster starts on {url}; it takes a minute or so")
    _tell("  shown      the months of every domain, their checks and runs, and the pipelines")
    _tell(f"  warehouse  {database.get('name', '')} on {database.get('server', '')}")
    _tell(f"  workbooks  {place.data_root}: a month's workbook that is new or changed is planned")
    _tell(f"  its log    {log.path}")


def _close_what_was_killed(settings: Settings, place: Workplace) -> None:
    with dagster_instance(settings) as instance:
        for verdict in close_orphans(instance, place):
            _tell(f"closed {verdict.run_id}: {verdict.text}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
