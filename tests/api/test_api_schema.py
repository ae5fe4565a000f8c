"""The OpenAPI document is true: generated requests get what it says, and never a fault of the program."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.pipeline_api import created, served_api

from work_data_hub.orchestration.batch_place import BatchPlace

pytestmark = pytest.mark.integration

EXAMPLES = int(os.environ.get("WDH_API_EXAMPLES", "5"))
TOKEN = "token-for-generated-requests"
# Whether a definition can be created is a matter of rules that no schema can tell.
_OF_RULES = [positive_data_acceptance]


@pytest.fixture
def api(warehouse_url: str) -> Iterator[httpx.Client]:
    with served_api(BatchPlace(database_url=warehouse_url), token=TOKEN) as client:
        yield client


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_generated_requests_are_answered_as_the_document_says(api: httpx.Client, mode: GenerationMode) -> None:
    known = created(api)["id"]
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            _name(case, known)
            case.call_and_validate(
                base_url=str(api.base_url),
                headers={"Authorization": f"Bearer {TOKEN}"},
                excluded_checks=_OF_RULES,
            )

        # What takes nothing cannot be asked wrongly.
        with suppress(Unsatisfiable):
            ask()

    assert asked >= 15 * EXAMPLES / 2


def _name(case: Any, known: str) -> None:
    """Ask about a pipeline that is there, where the request names any by a proper id."""
    given = case.path_parameters or {}
    if _is_id(given.get("pipeline_id")):
        given["pipeline_id"] = known


def _is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
