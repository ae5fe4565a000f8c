"""What Dagster's page asks its server, asked by a test."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from tests.patience import PATIENT_SECONDS

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "work_data_hub.orchestration.definitions"}
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_TERMINATE = """
mutation ($id: String!) { terminateRun(runId: $id) { __typename ... on TerminateRunFailure { message } } }
"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status } } }"
_POOLS = "{ instance { concurrencyLimits { concurrencyKey limit usingDefaultLimit } } }"


def ask(url: str, question: str, **variables: Any) -> dict[str, Any]:
    """The answer's data; fails where the server finds a fault with the question."""
    body = {"query": question, "variables": variables}
    answer = httpx.post(f"{url}/graphql", json=body, timeout=PATIENT_SECONDS).json()
    assert "errors" not in answer, answer
    return dict(answer["data"])


def launch(url: str, job: str, config: Mapping[str, Any]) -> str:
    """Launch a run as the Launchpad does; its id."""
    params = {"selector": {**LOCATION, "jobName": job}, "runConfigData": json.dumps(config)}
    launched = ask(url, _LAUNCH, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def terminate(url: str, run_id: str) -> None:
    """Cancel a run."""
    answer = ask(url, _TERMINATE, id=run_id)["terminateRun"]
    assert answer["__typename"] == "TerminateRunSuccess", answer


def status(url: str, run_id: str) -> str:
    """How a run stands."""
    return str(ask(url, _STATUS, id=run_id)["runOrError"]["status"])


def pools(url: str) -> dict[str, int]:
    """The limits that the page shows."""
    return {pool["concurrencyKey"]: pool["limit"] for pool in ask(url, _POOLS)["instance"]["concurrencyLimits"]}
