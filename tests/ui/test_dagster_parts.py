"""Dagster's servers as units start them, each a process of its own: they find each other, and end when told."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
import psutil
import pytest
from tests.free_ports import free_port
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until

pytestmark = pytest.mark.ui

QUESTION = """{
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
  instance { daemonHealth { allDaemonStatuses { required healthy } } }
}"""
LAUNCH = """mutation { launchRun(executionParams: {runConfigData: {}, selector: {
  repositoryLocationName: "work_data_hub.orchestration.definitions", repositoryName: "__repository__",
  jobName: "customer_checks_job"
}}) { __typename } }"""


@contextmanager
def part(hub: Hub, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with (hub.home / f"{arguments[0]}.log").open("w") as lines:
        process = subprocess.Popen(
            hub.command("dagster", *arguments),
            env=hub.environment(),
            cwd=hub.home,
            stdout=lines,
            stderr=lines,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def answer(url: str) -> dict[str, object]:
    try:
        told: dict[str, object] = httpx.post(f"{url}/graphql", json={"query": QUESTION}, timeout=30).json()["data"]
    except (httpx.HTTPError, KeyError, ValueError):
        return {}
    return told


def is_ready(url: str) -> bool:
    told = str(answer(url))
    return "RepositoryLocation" in told and "'healthy': True" in told and "'healthy': False" not in told


def test_page_and_daemon_work_without_the_warehouse(hub: Hub) -> None:
    place, port = f"127.0.0.1:{free_port()}", free_port()
    # In prod a command that works on the warehouse refuses to start without it.
    blind = replace(hub, url="", extra={"ENVIRONMENT": "prod"})
    with ExitStack() as stack:
        code = stack.enter_context(part(hub, "code-server", "--port", place.rpartition(":")[2]))
        daemon = stack.enter_context(part(blind, "daemon", "--code", place))
        page = stack.enter_context(part(blind, "webserver", "--port", str(port), "--code", place, "--read-only"))
        until(lambda: is_ready(f"http://127.0.0.1:{port}"))

        refused = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": LAUNCH}, timeout=30).json()
        family = [child for one in (code, daemon, page) for child in psutil.Process(one.pid).children(recursive=True)]
        for process in (page, daemon, code):
            process.terminate()

        assert "UnauthorizedError" in str(refused)
        assert [process.wait(timeout=PATIENT_SECONDS) for process in (page, daemon, code)] == [0, 0, 0]
        assert not psutil.wait_procs(family, timeout=PATIENT_SECONDS)[1]
