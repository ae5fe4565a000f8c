"""Whether a run that Dagster launched, and that has not yet said by which process, has lost it already."""

import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.dagster_run import RunRecord  # what get_run_records gives
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient  # as Dagster's own launcher asks
from dagster._grpc.types import GetCurrentRunsResult
from dagster_shared.serdes import deserialize_value

from work_data_hub.io.hosts import is_this_machine
from work_data_hub.io.processes import runs_since

SETTLED_SECONDS = 15.0
_ANSWER_SECONDS = 5
UNDER_WAY = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)


def is_lost(instance: DagsterInstance, record: RunRecord, *, settled_seconds: float = SETTLED_SECONDS) -> bool:
    """Whether nobody runs it: its code server is gone or does not know it, nor does the process it named still run.

    Not so where that cannot be seen: on another machine, and within `settled_seconds` of its last change.
    """
    run = record.dagster_run
    age = datetime.now(UTC).timestamp() - record.update_timestamp.timestamp()
    if run.status not in UNDER_WAY or GRPC_INFO_TAG not in run.tags or age < settled_seconds:
        return False
    return _knows(json.loads(run.tags[GRPC_INFO_TAG]), run.run_id) is False and not _has_process(instance, run)


def _knows(server: Mapping[str, Any], run_id: str) -> bool | None:
    """Whether the code server runs it; None where it cannot be asked."""
    host = server.get("host", "")
    if not is_this_machine(host) and host.lower() != socket.gethostname().lower():
        return None
    try:
        _knock(server)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return None
    client = DagsterGrpcClient(
        host=server["host"],
        port=server.get("port"),
        socket=server.get("socket"),
        use_ssl=bool(server.get("use_ssl")),
    )
    try:
        answer = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
    except DagsterUserCodeUnreachableError:
        return None
    return None if answer.serializable_error_info else run_id in answer.current_runs


def _knock(server: Mapping[str, Any]) -> None:
    """Connect and go: only the kind of refusal tells a server that is gone from one that is slow."""
    if "port" in server:
        socket.create_connection((server["host"], server["port"]), timeout=_ANSWER_SECONDS).close()
        return
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_ANSWER_SECONDS)
        line.connect(server["socket"])


def _has_process(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether a process that the run's events name still runs: it may outlive its code server."""
    entries = instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
    named = [
        (one.dagster_event.engine_event_data.metadata.get("pid"), one.timestamp) for one in entries if one.dagster_event
    ]
    return any(number and runs_since(int(str(number.value)), moment) for number, moment in named)
