"""How many requests begin in any window of time."""

import pytest

from work_data_hub.io.rate_limit import MARGIN_SECONDS, SlidingWindow

pytestmark = pytest.mark.unit


class Clock:
    """A clock that only moves by sleeping or by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def window(clock: Clock, *, limit: int = 3, window_seconds: float = 60) -> SlidingWindow:
    return SlidingWindow(limit, window_seconds=window_seconds, clock=clock, sleep=clock.sleep)


def test_as_many_requests_as_allowed_begin_at_once(clock: Clock) -> None:
    limiter = window(clock)

    assert [limiter.wait() for _ in range(3)] == [True, True, True]
    assert clock.slept == []


def test_one_more_waits_until_the_oldest_has_left(clock: Clock) -> None:
    limiter = window(clock)
    for _ in range(3):
        limiter.wait()
        clock.now += 10
    limiter.wait()

    assert clock.now == pytest.approx(1000 + 60 + MARGIN_SECONDS)


def test_requests_that_have_left_the_window_do_not_count(clock: Clock) -> None:
    limiter = window(clock)
    for _ in range(3):
        limiter.wait()
    clock.now += 61

    assert [limiter.wait() for _ in range(3)] == [True, True, True]
    assert clock.slept == []


def test_no_window_ever_holds_more_than_allowed(clock: Clock) -> None:
    limiter, begun = window(clock, limit=10), []
    for step in range(200):
        limiter.wait()
        begun.append(clock.now)
        clock.now += (step * 7919 % 13) / 3

    assert max(sum(start <= other < start + 60 for other in begun) for start in begun) == 10


def test_who_would_have_to_wait_too_long_is_told_at_once(clock: Clock) -> None:
    limiter = window(clock, limit=1)
    limiter.wait()

    assert limiter.wait(until=1059) is False
    assert clock.slept == []


def test_who_was_refused_has_used_nothing_up(clock: Clock) -> None:
    limiter = window(clock, limit=1)
    limiter.wait()
    limiter.wait(until=1001)
    clock.now += 61

    assert limiter.wait(until=clock.now) is True
    assert clock.slept == []
