"""A month is due from a day on; what nobody can have expected is never missing."""

from datetime import date

import pytest

from work_data_hub.domain.freshness import expected_month, judge_month
from work_data_hub.domain.period import Period

pytestmark = pytest.mark.unit

MONTHS = [Period(2024, month) for month in range(8, 12)]


@pytest.mark.parametrize(
    ("today", "month"),
    [
        (date(2024, 12, 9), "2024-10"),
        (date(2024, 12, 10), "2024-11"),
        (date(2024, 12, 31), "2024-11"),
        (date(2025, 1, 9), "2024-11"),  # over the turn of the year
        (date(2025, 1, 10), "2024-12"),
    ],
)
def test_a_month_is_expected_from_its_due_day_on(today: date, month: str) -> None:
    assert str(expected_month(today, due_day=10)) == month


def test_a_month_that_is_in_passes_and_says_which() -> None:
    standing = judge_month(MONTHS, today=date(2024, 12, 10), due_day=10)

    assert (standing.passed, standing.text, standing.missing) == (True, "2024-11 is in", ())


def test_a_month_that_is_late_says_since_when_and_what_else_is_missing() -> None:
    loaded = [Period(2024, 1), Period(2024, 3), Period(2024, 7)]

    standing = judge_month(loaded, today=date(2024, 10, 15), due_day=10)

    assert not standing.passed
    assert standing.text == (
        "2024-09 was due on 2024-10-10 and is not in; the newest month is 2024-07; "
        "missing before it: 2024-02, 2024-04 to 2024-06, 2024-08"
    )


def test_the_day_before_it_is_due_nothing_is_late() -> None:
    assert judge_month(MONTHS, today=date(2025, 1, 9), due_day=10).passed
    assert not judge_month(MONTHS, today=date(2025, 1, 10), due_day=10).passed


@pytest.mark.parametrize(
    ("loaded", "due_day", "text"),
    [
        ([], 10, "no month has been loaded yet"),
        (MONTHS[:1], 0, "no month is ever due"),
        ([Period(2025, 5)], 10, "2025-05 is the first month"),
    ],
)
def test_what_was_never_expected_is_not_late(loaded: list[Period], due_day: int, text: str) -> None:
    standing = judge_month(loaded, today=date(2025, 5, 20), due_day=due_day)

    assert standing.passed
    assert text in standing.text
