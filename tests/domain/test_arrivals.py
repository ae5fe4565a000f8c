"""What counts as an arrival: new content that rests, once."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from work_data_hub.domain.arrivals import Looked, Place, first_look, look
from work_data_hub.domain.period import Period

OCTOBER, NOVEMBER = (Place("annuity_performance", Period(2024, month)) for month in (10, 11))
pytestmark = pytest.mark.unit


Moment = Mapping[Place, tuple[str, str | None]]


def looks(*moments: Moment) -> list[Looked]:
    """Look at each moment, which gives each month's stamp and content."""
    done: list[Looked] = []
    for moment in moments:
        stamps = {at: stamp for at, (stamp, _) in moment.items()}
        contents = {at: content for at, (_, content) in moment.items()}
        if done:
            done.append(look(done[-1].known, stamps, dict, content=contents.get))
        else:
            done.append(first_look(stamps, {}, turn=7, content=contents.get))
    return done


def arrived(*moments: Moment) -> list[tuple[Place, ...]]:
    return [looked.arrived for looked in looks(*moments)]


def test_what_is_there_at_the_first_look_is_known() -> None:
    there = {OCTOBER: ("s1", "A")}
    assert arrived(there, there, there) == [(), (), ()]


def test_a_new_month_arrives_once_it_rests() -> None:
    new = {OCTOBER: ("s1", "A"), NOVEMBER: ("s1", "B")}
    assert arrived({OCTOBER: ("s1", "A")}, new, new, new) == [(), (), (NOVEMBER,), ()]


def test_a_file_that_is_being_copied_waits() -> None:
    growing = [{NOVEMBER: (f"s{size}", "half")} for size in range(3)]
    whole = {NOVEMBER: ("s2", "B")}
    assert arrived({}, *growing[:2], growing[2], whole, whole) == [(), (), (), (), (NOVEMBER,), ()]


def test_a_corrected_workbook_arrives_and_a_touched_one_does_not() -> None:
    first, touched, corrected = {OCTOBER: ("s1", "A")}, {OCTOBER: ("s2", "A")}, {OCTOBER: ("s3", "B")}
    assert arrived(first, touched, touched, corrected, corrected) == [(), (), (), (), (OCTOBER,)]


def test_what_cannot_be_read_is_asked_again() -> None:
    locked, free = {OCTOBER: ("s1", None)}, {OCTOBER: ("s1", "A")}
    assert arrived({}, locked, locked, free, free) == [(), (), (), (OCTOBER,), ()]


def test_what_could_not_be_read_at_the_first_look_is_known_as_well() -> None:
    locked, free = {OCTOBER: ("s1", None)}, {OCTOBER: ("s1", "A")}
    assert arrived(locked, locked, free, free) == [(), (), (), ()]


def test_what_there_was_no_time_for_at_the_first_look_is_not_new_when_it_is_touched() -> None:
    unread, read, touched = {OCTOBER: ("s1", None)}, {OCTOBER: ("s1", "A")}, {OCTOBER: ("s2", "A")}
    corrected = {OCTOBER: ("s3", "B")}
    assert arrived(unread, unread, read, touched, touched) == [()] * 5
    assert arrived(unread, read, corrected, corrected) == [(), (), (), (OCTOBER,)]


def test_what_changes_before_it_was_ever_read_is_new() -> None:
    unread, changed = {OCTOBER: ("s1", None)}, {OCTOBER: ("s2", "B")}
    assert arrived(unread, changed, changed, changed) == [(), (), (OCTOBER,), ()]


def test_a_month_that_went_is_known_when_it_comes_back() -> None:
    there, again = {OCTOBER: ("s1", "A")}, {OCTOBER: ("s2", "A")}
    assert arrived(there, {}, there, there, {}, again, again) == [()] * 7


def test_a_month_that_comes_back_with_another_content_is_new() -> None:
    there, other = {OCTOBER: ("s1", "A")}, {OCTOBER: ("s2", "B")}
    assert arrived(there, {}, {}, other, other, other) == [(), (), (), (), (OCTOBER,), ()]


def test_old_content_that_comes_back_arrives_at_another_turn() -> None:
    a, b, back = {OCTOBER: ("s1", "A")}, {OCTOBER: ("s2", "B")}, {OCTOBER: ("s3", "A")}
    done = looks(a, b, b, back, back, b, b)
    assert [looked.known.turn for looked in done if looked.arrived] == [8, 9, 10]


def test_a_look_that_is_repeated_tells_the_same_at_the_same_turn() -> None:
    both = {OCTOBER: ("s1", "A"), NOVEMBER: ("s1", "B")}
    before = looks({}, both)[-1].known
    once, again = (
        look(before, {at: stamp for at, (stamp, _) in seen.items()}, dict, content=lambda at: both[at][1])
        for seen in ({OCTOBER: both[OCTOBER]}, both)
    )
    assert (once.arrived, again.arrived) == ((OCTOBER,), (OCTOBER, NOVEMBER))
    assert once.known.turn == again.known.turn == before.turn + 1


def test_months_arrive_in_their_order() -> None:
    both = {NOVEMBER: ("s1", "B"), OCTOBER: ("s1", "A")}
    assert arrived({}, both, both)[-1] == (OCTOBER, NOVEMBER)


def refused(*moments: dict[Place, str]) -> list[tuple[Place, ...]]:
    """What each look says of months that cannot be chosen, by the reasons of each."""
    done = [first_look({}, moments[0], turn=7, content=lambda _: None)]
    for reasons in moments[1:]:
        done.append(look(done[-1].known, {}, reasons.copy, content=lambda _: None))
    return [looked.refused for looked in done]


def test_a_month_that_cannot_be_chosen_is_told_once_it_lasts() -> None:
    two = {OCTOBER: "two"}
    assert refused({}, two, two, two) == [(), (), (OCTOBER,), ()]
    assert refused({}, two, {}, two, {}) == [()] * 5


def test_another_reason_and_one_that_comes_back_are_told_again() -> None:
    two, three = {OCTOBER: "two"}, {OCTOBER: "three"}
    assert refused({}, two, two, three, three) == [(), (), (OCTOBER,), (), (OCTOBER,)]
    assert refused({}, two, two, {}, two, two) == [(), (), (OCTOBER,), (), (), (OCTOBER,)]


def test_what_cannot_be_chosen_at_the_first_look_is_known() -> None:
    two, both = {OCTOBER: "two"}, {OCTOBER: "two", NOVEMBER: "two"}
    assert refused(two, two, both, both) == [(), (), (), (NOVEMBER,)]


def test_what_was_refused_before_anybody_remembered_refusals_is_no_news() -> None:
    known = replace(first_look({}, {}, turn=7, content=lambda _: None).known, refusals=None)
    once = look(known, {}, lambda: {OCTOBER: "two"}, content=lambda _: None)
    again = look(once.known, {}, lambda: {OCTOBER: "two"}, content=lambda _: None)
    assert (once.refused, again.refused) == ((), ())


def test_a_month_that_changed_and_cannot_be_read_is_told_once_and_read_before_what_never_was() -> None:
    asked: list[Place] = []

    def content(at: Place) -> None:
        asked.append(at)

    known = first_look({OCTOBER: "s1", NOVEMBER: "s1"}, {}, turn=7, content=lambda _: None).known
    told = []
    reasons: dict[Place, str]
    for reasons in ({}, {NOVEMBER: "locked"}, {NOVEMBER: "locked"}, {}, {NOVEMBER: "locked"}):
        looked = look(known, {OCTOBER: "s1", NOVEMBER: "s2"}, reasons.copy, content=content)
        known = looked.known
        told.append(looked.refused)

    assert told == [(), (), (NOVEMBER,), (), ()]
    assert asked == [OCTOBER, *[NOVEMBER, OCTOBER] * 4]
