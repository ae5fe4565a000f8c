"""The versions of contracts: whatever happened in whatever order, they are what a rebuild from scratch gives."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from tests.customer_histories import (
    MONTHS,
    Deed,
    Fact,
    Store,
    applied,
    deeds,
    expected_days,
    expected_states,
    expected_versions,
    facts_of_a_month,
    month,
    monthly_facts,
    played,
    some_rules,
    versions_frame,
    whole_histories,
)

from work_data_hub.domain.customers.contracts import Timeline, states
from work_data_hub.domain.customers.history import HistoryChanges, compare, explain, thread
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import ATTRIBUTES, CONTRACT_KEY, NORMAL, OPEN_END, STOPPED

pytestmark = pytest.mark.unit

Facts = dict[int, list[Fact]]

RULES = CustomerRules(strategic_threshold=Decimal(10), whitelist_top_n=0)
KEY = Fact(aum=0).key
PAID = Fact(aum=5, paid=1)
LARGE = Fact(aum=10, paid=1)
SILENT = Fact(aum=0)
years = st.sets(st.sampled_from((2022, 2023)))
thorough = settings(max_examples=30, deadline=None)


def told(store: Store) -> list[tuple[str, str, str, bool, bool, int]]:
    """The versions without their key: from, to (or open), status, existing, strategic, year."""
    frame = store.versions.drop(columns=list(CONTRACT_KEY))
    return [
        (str(begun.date()), "open" if ended.date() == OPEN_END else str(ended.date()), *attributes)
        for begun, ended, *attributes in frame.itertuples(index=False, name=None)
    ]


def synced(*months: tuple[str, list[Fact]], rules: CustomerRules = RULES) -> Store:
    """A store into which months were loaded and synced in that order."""
    store = Store(rules=rules)
    for text, facts in months:
        store.put(month(text), facts)
        store.sync(month(text))
    return store


def threaded(months: Facts, *, rules: CustomerRules, turns: Iterable[int] = ()) -> pd.DataFrame:
    """The versions of these months, made at once."""
    timeline = Timeline(months=tuple(sorted(months)), turns=frozenset(turns))
    found = states(monthly_facts(months), timeline, rules=rules)
    return thread(versions_frame([]), found, timeline=timeline, since=None)


def assert_as_from_scratch(store: Store) -> None:
    """The threaded history is the rebuilt one, and the one said slowly."""
    threaded = store.versions.copy()
    store.thread(None)
    assert_frame_equal(threaded, store.versions)
    assert_frame_equal(threaded, expected_versions(store.considered, store.rules, store.turns))


def nothing(changes: HistoryChanges) -> bool:
    return not any(map(len, (changes.inserted, changes.closed, changes.updated, changes.deleted)))


@thorough
@given(some_rules(), deeds(), years)
def test_months_in_any_order_with_corrections_come_to_what_a_rebuild_gives(
    rules: CustomerRules, done: list[Deed], cut_over: set[int]
) -> None:
    assert_as_from_scratch(played(rules, done, cut_over))


@thorough
@given(st.lists(st.tuples(some_rules(), deeds()), min_size=2, max_size=3))
def test_whatever_rules_change_between_syncs_nothing_is_downgraded_inside_a_year(
    stages: list[tuple[CustomerRules, list[Deed]]],
) -> None:
    store = Store(rules=stages[0][0])
    for store.rules, done in stages:
        for number, facts, is_synced in done:
            store.put(number, facts)
            if is_synced:
                store.sync(number)
                assert downgrades(store.versions).empty

    store.sync(max(MONTHS))
    store.thread(None)

    assert_frame_equal(store.versions, expected_versions(store.considered, store.rules, store.turns))


@thorough
@given(some_rules(), deeds(), years, st.data())
def test_the_same_again_changes_nothing(
    rules: CustomerRules, done: list[Deed], cut_over: set[int], data: st.DataObject
) -> None:
    store = played(rules, done, cut_over)
    again = data.draw(st.sampled_from(sorted({number for number, _, _ in done})))

    changes = store.thread(again)

    assert nothing(changes)
    assert changes.skipped == len(store.versions)


@thorough
@given(some_rules(), whole_histories(), years)
def test_versions_tile_exactly_the_steps_at_which_a_contract_is_there(
    rules: CustomerRules, months: Facts, turns: set[int]
) -> None:
    made = threaded(months, rules=rules, turns=turns)

    assert (made["valid_from"] < made["valid_to"]).all()
    assert set(made["valid_from"].dt.date) | set(made["valid_to"].dt.date) <= {
        OPEN_END,
        *(day for day, _ in expected_days(months, turns)),
    }
    for day, there in expected_states(months, rules, turns):
        assert in_force(made, day) == sorted((*key, *attributes) for key, attributes in there.items())


@thorough
@given(some_rules(), whole_histories(), years)
def test_versions_of_a_contract_never_overlap_and_one_at_most_is_open(
    rules: CustomerRules, months: Facts, turns: set[int]
) -> None:
    made = threaded(months, rules=rules, turns=turns)
    of_contract = made.groupby(list(CONTRACT_KEY))

    following = of_contract["valid_from"].shift(-1).dropna()
    assert (made["valid_to"][following.index] <= following).all()
    assert (made[made["valid_to"] == pd.Timestamp(OPEN_END)].groupby(list(CONTRACT_KEY)).size() <= 1).all()


@thorough
@given(some_rules(), whole_histories(), whole_histories())
def test_the_changes_applied_to_what_is_stored_give_what_is_wanted(
    rules: CustomerRules, before: Facts, after: Facts
) -> None:
    stored, wanted = (threaded(months, rules=rules) for months in (before, after))

    changes = compare(stored, wanted)

    assert_frame_equal(applied(stored, changes), wanted)
    counted = sum(map(len, (changes.inserted, changes.closed, changes.updated))) + changes.skipped
    assert (counted, len(changes.deleted)) == (len(wanted), len(stored) - counted + len(changes.inserted))


@thorough
@given(some_rules(), facts_of_a_month())
def test_the_order_of_facts_and_columns_does_not_matter(rules: CustomerRules, facts: list[Fact]) -> None:
    timeline = Timeline(months=(month("2024-01"),))
    frame = monthly_facts({month("2024-01"): facts})

    turned = states(frame.iloc[::-1, ::-1], timeline, rules=rules)

    assert_frame_equal(turned, states(frame, timeline, rules=rules))


def downgrades(versions: pd.DataFrame) -> pd.DataFrame:
    """The versions that are not strategic although one before them of the same contract and year is."""
    upgraded = versions.groupby([*CONTRACT_KEY, "status_year"])["is_strategic"].cummax()
    return versions[upgraded & ~versions["is_strategic"]]


def in_force(versions: pd.DataFrame, day: date) -> list[tuple[str | bool | int, ...]]:
    """Key and attributes of the versions that hold on a day."""
    moment = pd.Timestamp(day)
    held = versions[(versions["valid_from"] <= moment) & (versions["valid_to"] > moment)]
    return sorted(held[[*CONTRACT_KEY, *ATTRIBUTES]].itertuples(index=False, name=None))


def test_equal_months_are_one_version_and_a_year_opens_another() -> None:
    store = synced(("2023-11", [PAID]), ("2023-12", [PAID]), ("2024-01", [PAID]), ("2024-02", [PAID]))

    assert told(store) == [
        ("2023-11-30", "2024-01-01", NORMAL, False, False, 2023),
        ("2024-01-01", "open", NORMAL, True, False, 2024),
    ]


def test_a_contract_that_vanishes_ends_and_one_that_comes_back_begins_anew() -> None:
    store = synced(("2024-01", [PAID]), ("2024-02", []), ("2024-03", [PAID]))

    assert told(store) == [
        ("2024-01-31", "2024-02-29", NORMAL, False, False, 2024),
        ("2024-03-31", "open", NORMAL, False, False, 2024),
    ]


def test_a_month_that_is_not_loaded_ends_nothing() -> None:
    store = synced(("2024-01", [PAID]), ("2024-03", [PAID]))

    assert told(store) == [("2024-01-31", "open", NORMAL, False, False, 2024)]


def test_the_ratchet_holds_when_another_column_closes_the_version() -> None:
    store = synced(("2024-05", [LARGE]), ("2024-06", [SILENT]), ("2024-07", [PAID]))

    assert told(store) == [
        ("2024-05-31", "2024-06-30", NORMAL, False, True, 2024),
        ("2024-06-30", "2024-07-31", STOPPED, False, True, 2024),
        ("2024-07-31", "open", NORMAL, False, True, 2024),
    ]


def test_a_threshold_that_rises_downgrades_nothing_before_the_year_turns() -> None:
    store = synced(("2024-02", [LARGE]))
    store.rules = CustomerRules(strategic_threshold=Decimal(11), whitelist_top_n=0)
    for text, facts in (("2024-03", [LARGE]), ("2024-04", []), ("2024-05", [SILENT]), ("2024-12", [LARGE])):
        store.put(month(text), facts)
        store.sync(month(text))
    store.cut_over(2025)

    assert told(store) == [
        ("2024-02-29", "2024-04-30", NORMAL, False, True, 2024),
        ("2024-05-31", "2024-12-31", STOPPED, False, True, 2024),
        ("2024-12-31", "2025-01-01", NORMAL, False, True, 2024),
        ("2025-01-01", "open", NORMAL, True, False, 2025),
    ]
    store.thread(None)
    assert not store.versions["is_strategic"].any()


def test_what_is_made_anew_is_judged_by_the_rules_as_they_are_now() -> None:
    store = synced(("2024-01", [PAID]), ("2024-02", [LARGE]))
    store.rules = CustomerRules(strategic_threshold=Decimal(11), whitelist_top_n=0)

    store.sync(month("2024-02"))

    assert told(store) == [("2024-01-31", "open", NORMAL, False, False, 2024)]


def test_the_same_month_synced_twice_with_other_facts_keeps_one_open_version() -> None:
    store = synced(("2024-01", [PAID]), ("2024-01", [SILENT]), ("2024-01", [SILENT]))

    assert told(store) == [("2024-01-31", "open", STOPPED, False, False, 2024)]


def test_a_december_that_comes_late_makes_its_contracts_existing_and_strategic() -> None:
    store = synced(("2023-11", [PAID]), ("2024-01", [PAID]))
    assert told(store)[-1] == ("2024-01-01", "open", NORMAL, False, False, 2024)

    store.put(month("2023-12"), [LARGE])
    store.sync(month("2023-12"))

    assert told(store) == [
        ("2023-11-30", "2023-12-31", NORMAL, False, False, 2023),
        ("2023-12-31", "2024-01-01", NORMAL, False, True, 2023),
        ("2024-01-01", "open", NORMAL, True, True, 2024),
    ]


def test_every_year_of_a_gap_opens_and_the_first_looks_far_back() -> None:
    store = synced(("2021-12", [LARGE]), ("2024-03", [PAID]))

    assert told(store) == [
        ("2021-12-31", "2022-01-01", NORMAL, False, True, 2021),
        ("2022-01-01", "2023-01-01", NORMAL, True, True, 2022),
        ("2023-01-01", "2024-01-01", NORMAL, False, False, 2023),
        ("2024-01-01", "open", NORMAL, False, False, 2024),
    ]


def test_a_gap_keeps_what_stood_before_it_open_until_the_month_that_ends_it() -> None:
    store = synced(("2021-12", [PAID]), ("2024-03", []))

    assert [row[:2] for row in told(store)] == [
        ("2021-12-31", "2022-01-01"),
        ("2022-01-01", "2023-01-01"),
        ("2023-01-01", "2024-01-01"),
        ("2024-01-01", "2024-03-31"),
    ]


def test_a_year_cut_over_before_its_first_month_is_the_turn_that_its_months_bring() -> None:
    store = synced(("2023-12", [LARGE]))

    changes = store.cut_over(2024)

    assert (len(changes.inserted), len(changes.closed), changes.skipped) == (1, 1, 0)
    assert told(store)[-1] == ("2024-01-01", "open", NORMAL, True, True, 2024)
    assert nothing(store.cut_over(2024))
    store.put(month("2024-01"), [PAID])
    assert nothing(store.sync(month("2024-01")))


def test_a_year_cut_over_turns_only_behind_the_last_month() -> None:
    assert [step.day for step in Timeline(months=(month("2023-12"),), turns=frozenset({2025})).steps()] == [
        date(2023, 12, 31)
    ]


def test_facts_that_were_taken_away_take_their_turns_and_versions_along() -> None:
    store = synced(("2022-11", [PAID]), ("2022-12", [LARGE]), ("2023-02", [PAID]))

    for text in ("2023-02", "2022-12"):
        store.put(month(text), None)
        store.sync(month(text))

    assert told(store) == [("2022-11-30", "open", NORMAL, False, False, 2022)]


def test_the_last_facts_gone_leave_no_version() -> None:
    store = synced(("2024-01", [PAID]))
    store.put(month("2024-01"), None)

    changes = store.sync(month("2024-01"))

    assert len(changes.deleted) == 1
    assert store.versions.empty


def test_a_month_loaded_without_sync_is_threaded_by_the_next() -> None:
    store = synced(("2024-01", [PAID]), ("2024-03", [PAID]))
    store.put(month("2024-02"), [])

    store.sync(month("2024-03"))

    assert [row[:2] for row in told(store)] == [("2024-01-31", "2024-02-29"), ("2024-03-31", "open")]


def test_a_month_loaded_ahead_waits_until_it_is_synced() -> None:
    store = synced(("2024-01", [PAID]))
    store.put(month("2024-02"), [])

    assert nothing(store.sync(month("2024-01")))
    assert [row[1] for row in told(store)] == ["open"]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([PAID], ("", 0)),  # the same
        ([], ("closed", 1)),  # gone
        ([SILENT], ("closed inserted", 1)),  # stopped
        ([PAID, PAID._replace(company="600000002")], ("inserted", 1)),  # another came
    ],
)
def test_what_a_second_month_writes(second: list[Fact], expected: tuple[str, int]) -> None:
    store = synced(("2024-01", [PAID]))
    store.put(month("2024-02"), second)

    changes = store.sync(month("2024-02"))

    written = {name: getattr(changes, name) for name in ("closed", "inserted", "updated", "deleted")}
    assert " ".join(name for name, frame in written.items() if len(frame)) == expected[0]
    assert max(map(len, written.values())) == expected[1]


def test_only_an_open_version_that_gets_its_end_is_closed() -> None:
    stored = versions_frame([(KEY, date(2024, 1, 31), date(2024, 2, 29), (NORMAL, False, False, 2024))])
    reopened = stored.assign(valid_to=pd.Series([OPEN_END]).astype("datetime64[s]"))

    assert [len(compare(*pair).closed) for pair in ((reopened, stored), (stored, reopened))] == [1, 0]
    assert len(compare(stored, reopened).updated) == 1
    assert len(compare(reopened, stored.assign(is_strategic=True)).updated) == 1


def test_why_each_version_is_there() -> None:
    store = synced(
        ("2023-11", [PAID]),
        ("2023-12", [LARGE]),
        ("2024-02", [Fact(aum=0, paid=1)]),
        ("2024-03", []),
        ("2024-05", [PAID, SILENT._replace(line="PL201")]),
        ("2024-06", [PAID]),
    )

    explained = explain(store.versions)

    assert [(one.key[2], str(one.valid_from), one.reasons, one.ending) for one in explained] == [
        ("PL201", "2024-05-31", ("first facts",), "gone from the facts"),
        ("PL202", "2023-11-30", ("first facts",), "replaced by the next version"),
        ("PL202", "2023-12-31", ("is_strategic no → yes",), "replaced by the next version"),
        ("PL202", "2024-01-01", ("year 2024 opens", "is_existing no → yes"), "replaced by the next version"),
        ("PL202", "2024-02-29", ("contract_status 正常 → 停缴",), "gone from the facts"),
        ("PL202", "2024-05-31", ("came back after a gap", "contract_status 停缴 → 正常"), "continues"),
    ]
    assert explained[0].attributes == dict(zip(ATTRIBUTES, (STOPPED, False, False, 2024), strict=True))
    assert explained[-1].valid_to == OPEN_END


def test_of_no_version_nothing_is_explained() -> None:
    assert explain(versions_frame([])) == ()
