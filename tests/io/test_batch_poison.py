"""Halving: exactly the rows that are refused alone are left out, in few tries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_data_hub.domain.batch.run import Counts
from work_data_hub.errors import TooManyDeadLetters
from work_data_hub.io.batch_poison import Halving, Poison

pytestmark = pytest.mark.unit


@dataclass(kw_only=True)
class Target:
    """Takes rows that are not bad, all or none of a try; knows what it was tried with."""

    bad: set[int]
    taken: list[int] = field(default_factory=list)
    tries: list[list[int]] = field(default_factory=list)

    def write(self, rows: Sequence[int]) -> Counts:
        self.tries.append(list(rows))
        if found := self.bad & set(rows):
            raise Poison(f"not {min(found)}", sqlstate="22000")
        self.taken += rows
        return Counts(written=len(rows))


@given(st.integers(0, 300), st.sets(st.integers(0, 299)))
def test_only_bad_rows_are_refused_and_the_order_is_kept(count: int, bad: set[int]) -> None:
    target = Target(bad=bad)
    halving = Halving(target.write)
    counts = halving.write(range(count))

    assert target.taken == [row for row in range(count) if row not in bad]
    assert [(one.row, one.poison.message) for one in halving.refused] == [
        (row, f"not {row}") for row in range(count) if row in bad
    ]
    assert counts == Counts(written=len(target.taken))


@given(st.integers(0, 1023))
def test_one_bad_row_of_a_thousand_costs_few_tries(bad: int) -> None:
    target = Target(bad={bad})
    Halving(target.write).write(range(1024))

    # One try for each good half, the same for each faulty one unless it is known to be faulty.
    assert len(target.tries) <= 2 * math.log2(1024) + 1
    assert sum(len(rows) == 1 for rows in target.tries) == 2


def test_a_half_that_must_hold_the_fault_is_not_tried_as_a_whole() -> None:
    target = Target(bad={7})
    Halving(target.write).write(range(8))

    assert target.tries == [list(range(8)), [0, 1, 2, 3], [4, 5], [6], [7]]


def test_more_refused_rows_than_tolerated_end_the_search() -> None:
    target = Target(bad=set(range(1000)))
    with pytest.raises(TooManyDeadLetters, match="the last one: not 3"):
        Halving(target.write, most=3).write(range(1000))

    assert len(target.tries) < 20


def test_what_is_no_poison_is_not_halved() -> None:
    def write(rows: Sequence[int]) -> Counts:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Halving(write).write(range(8))
