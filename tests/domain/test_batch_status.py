"""The moves of a pipeline's status, and what requests come to."""

import pytest

from work_data_hub.domain.batch.status import AT_REST, MOVES, Answer, Status, pause_requested, run_requested

pytestmark = pytest.mark.unit

IDLE, RUN_REQUESTED, RUNNING, PAUSE_REQUESTED, PAUSED, FAILED = Status


def test_every_status_has_moves_and_can_be_reached() -> None:
    assert set(MOVES) == set(Status)
    assert frozenset().union(*MOVES.values()) == set(Status)


def test_no_status_is_a_dead_end_or_moves_to_itself() -> None:
    assert all(MOVES[status] for status in Status)
    assert [status for status in Status if status in MOVES[status]] == []


def test_only_a_runner_ends_what_runs() -> None:
    assert [status for status in Status if FAILED in MOVES[status]] == [RUNNING, PAUSE_REQUESTED]
    assert [status for status in Status if RUNNING in MOVES[status]] == [RUN_REQUESTED, PAUSE_REQUESTED]


def test_a_definition_may_be_changed_where_nothing_runs_or_waits_to() -> None:
    assert {IDLE, PAUSED, FAILED} == AT_REST


@pytest.mark.parametrize(
    ("status", "is_alive", "after"),
    [
        (IDLE, False, RUN_REQUESTED),
        (RUN_REQUESTED, False, RUN_REQUESTED),
        (RUNNING, True, RUNNING),
        (RUNNING, False, RUNNING),
        (PAUSE_REQUESTED, True, RUNNING),
        (PAUSE_REQUESTED, False, RUN_REQUESTED),
        (PAUSED, False, RUN_REQUESTED),
        (FAILED, False, RUN_REQUESTED),
    ],
)
def test_a_request_to_run_does_what_the_table_says(status: Status, is_alive: bool, after: Status) -> None:
    assert run_requested(status, enabled=True, is_alive=is_alive) == Answer(status=after)


@pytest.mark.parametrize("status", Status)
def test_a_disabled_pipeline_is_not_run_and_says_why(status: Status) -> None:
    answer = run_requested(status, enabled=False, is_alive=False)

    assert (answer.status, answer.refusal) == (status, "the pipeline is disabled; enable it first")


@pytest.mark.parametrize(
    ("status", "after"),
    [
        (IDLE, PAUSED),
        (RUN_REQUESTED, PAUSED),
        (RUNNING, PAUSE_REQUESTED),
        (PAUSE_REQUESTED, PAUSE_REQUESTED),
        (PAUSED, PAUSED),
        (FAILED, FAILED),
    ],
)
def test_a_request_to_pause_does_what_the_table_says(status: Status, after: Status) -> None:
    assert pause_requested(status) == Answer(status=after)


@pytest.mark.parametrize("status", Status)
def test_requests_only_ask_for_moves_that_there_are(status: Status) -> None:
    answers = [run_requested(status, enabled=True, is_alive=is_alive) for is_alive in (True, False)]

    asked = {answer.status for answer in (*answers, pause_requested(status))}

    assert asked - {status} <= MOVES[status]
