"""How a request goes on after an answer or a failure."""

from typing import Any

import pytest

from work_data_hub.domain.identity.queue_rules import (
    FAILURE_STEPS,
    NO_SUCH_COMPANY,
    NOT_SURE_ENOUGH,
    RequestStatus,
    Settlement,
    answered,
    lease_seconds_for,
    tried_in_vain,
)
from work_data_hub.domain.identity.registry_answers import Payload, parse_search
from work_data_hub.domain.identity.rules import IdentityRules

pytestmark = pytest.mark.unit


def settlement(*items: Payload) -> Settlement:
    return answered(
        parse_search({"list": list(items)}, name="甲公司", searched_name="甲公司", rules=IdentityRules(review_from=0.7))
    )


def found(match_type: str, *, name: str = "甲乙公司") -> dict[str, Any]:
    return {"companyId": "600000001", "companyFullName": name, "type": match_type}


def test_a_request_rests_one_and_five_minutes_and_is_given_up_at_the_third_failure() -> None:
    assert [(step.attempts, step.status, step.wait_seconds) for step in FAILURE_STEPS] == [
        (1, RequestStatus.PENDING, 60),
        (2, RequestStatus.PENDING, 300),
        (3, RequestStatus.FAILED, None),
    ]


@pytest.mark.parametrize(("attempts", "wait_seconds"), [(0, 60), (1, 300)])
def test_an_ask_in_vain_is_repeated_later(attempts: int, wait_seconds: int) -> None:
    later = tried_in_vain("HTTP 503", attempts=attempts)

    assert (later.status, later.wait_seconds, later.attempts_added) == (RequestStatus.PENDING, wait_seconds, 1)
    assert later.reason == "HTTP 503"


def test_the_third_ask_in_vain_is_the_last() -> None:
    assert tried_in_vain("HTTP 503", attempts=2).status is RequestStatus.FAILED


def test_an_endless_reason_is_cut() -> None:
    assert len(tried_in_vain("x" * 9_000, attempts=0).reason or "") == 500


@pytest.mark.parametrize("item", [found("全称精确匹配"), found("模糊匹配")])
def test_a_company_that_is_taken_closes_the_request_as_done(item: Payload) -> None:
    done = settlement(item)

    assert (done.status, done.company_id, done.attempts_added) == (RequestStatus.DONE, "600000001", 0)


def test_a_match_that_is_not_sure_enough_ends_the_asking_and_waits_for_review() -> None:
    ended = settlement(found("拼音"))

    assert (ended.status, ended.reason, ended.attempts_added) == (RequestStatus.FAILED, NOT_SURE_ENOUGH, 0)


def test_a_name_the_registry_does_not_know_is_not_asked_for_again() -> None:
    assert settlement().reason == NO_SUCH_COMPANY


@pytest.mark.parametrize(
    "facts",
    [
        {"status": RequestStatus.DONE},
        {"status": RequestStatus.FAILED, "company_id": "600000001"},
        {"status": RequestStatus.PENDING},
        {"status": RequestStatus.DONE, "company_id": "600000001", "wait_seconds": 60},
    ],
)
def test_a_settlement_that_says_two_things_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a request"):
        Settlement(**facts)


def test_a_lease_outlasts_requests_that_wait_and_hang_at_every_attempt() -> None:
    longest_request = 4 * (30 + 60)

    assert lease_seconds_for(timeout_seconds=30, wait_seconds=60, retries=3) > 4 * longest_request
