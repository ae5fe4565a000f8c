"""What a run says of itself once it begins, so that another process can tell later how it ended."""

from collections.abc import Mapping
from pathlib import Path

from dagster import DagsterRun
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from work_data_hub.io.processes import is_alive, keep_sign, this_process
from work_data_hub.io.run_verdicts import warehouse_name
from work_data_hub.orchestration.file_run import FileRun

LEDGER_TAG = "wdh/run_id"
# Dagster's page does not show tags of this prefix.
PROCESS_TAG, WAREHOUSE_TAG = f"{HIDDEN_TAG_PREFIX}wdh_process", f"{HIDDEN_TAG_PREFIX}wdh_warehouse"
# A run that is launched again begins with a copy of all tags: these are its own where they name it.
BEGUN_TAG = f"{HIDDEN_TAG_PREFIX}wdh_begun"


def marks(run: FileRun, *, dagster_run: str) -> dict[str, str]:
    """The run's process, its id in the ledger and, where it may write, its warehouse; no user, no password.

    From then on the process keeps its sign, by which another container sees whether it lives.
    """
    keep_sign(signs_folder(run.place.home))
    url = run.place.database_url
    writes = {WAREHOUSE_TAG: warehouse_name(url)} if run.request.execute and url else {}
    return {BEGUN_TAG: dagster_run, PROCESS_TAG: this_process(), LEDGER_TAG: run.request.run_id, **writes}


def asked_of(run: DagsterRun, *, graph: str = "") -> Mapping[str, object]:
    """How the load of a run was configured; in a run of assets that of one domain's graph."""
    config: object = run.run_config
    for part in (*(("ops", graph) if graph else ()), "ops", "find", "config"):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def is_marked(run: DagsterRun) -> bool:
    """Whether the marks that the run carries are its own."""
    return run.tags.get(BEGUN_TAG) == run.run_id


def signs_folder(home: Path) -> Path:
    """Where the processes of runs keep their signs."""
    return home / "processes"


def is_dead(run: DagsterRun, *, home: Path) -> bool:
    """Whether the run's process has certainly ended; not so where it has not begun, or runs where we cannot look."""
    return is_marked(run) and is_alive(run.tags.get(PROCESS_TAG, ""), signs=signs_folder(home)) is False
