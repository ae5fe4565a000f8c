"""The cascade with an index, decisions and a registry: which matcher answers, and that a load repeats itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.identity.cascade import identify, trace
from work_data_hub.domain.identity.identified import COMPANY_ID, CONFIDENCE, SOURCE, Identified, IdentityColumns
from work_data_hub.domain.identity.knowledge import (
    DECISION_COLUMNS,
    IdentityBook,
    Knowledge,
    LookUp,
    no_decisions,
    no_entries,
)
from work_data_hub.domain.identity.learning import conflict_texts, lessons
from work_data_hub.domain.identity.record import record_of
from work_data_hub.domain.identity.rules import SHIPPED_RULES
from work_data_hub.domain.identity.temporary import is_temporary

pytestmark = pytest.mark.unit

COLUMNS = IdentityColumns(
    target="company_id",
    plan="plan",
    plan_type="type",
    customer="name",
    existing="id",
    written="written",
)
SINGLE, COLLECTIVE = "单一计划", "集合计划"


def rows(*cells: tuple[str | None, str | None, str | None, str | None]) -> pd.DataFrame:
    """One row a tuple (plan, plan type, name, existing id)."""
    frame = pd.DataFrame(list(cells), columns=["plan", "type", "name", "id"], dtype="string")
    return frame.assign(written=frame["name"])


def index(*entries: tuple[str, str, str, float]) -> pd.DataFrame:
    """One entry a tuple (kind, key, company, confidence); ids from 1."""
    frame = pd.DataFrame(list(entries), columns=["kind", "key", "company_id", "confidence"])
    frame = frame.assign(source="manual", entry_id=np.arange(1, len(entries) + 1))
    return pd.concat([no_entries(), frame.astype({"entry_id": "Int64"})], ignore_index=True)


def decisions(*made: tuple[str, str | None, str | None, str | None, str | None]) -> pd.DataFrame:
    """One decision a tuple (kind, name, plan, from, to)."""
    frame = pd.DataFrame([(n, *one) for n, one in enumerate(made, start=1)], columns=list(DECISION_COLUMNS))
    return frame.astype(no_decisions().dtypes.to_dict())


def book(
    known: Knowledge | None = None,
    *,
    plans: dict[str, str] | None = None,
    names: dict[str, str] | None = None,
    ask: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    look_up: LookUp | None = None,
) -> IdentityBook:
    given_book = IdentityBook.from_entries(
        plans=plans or {},
        names=names or {},
        salt="salt",
        no_plans=frozenset({"AN002"}),
        look_up=look_up or (lambda _: known or Knowledge()),
    )
    return given_book if ask is None else replace(given_book, ask=ask)


def answered(found: Identified) -> list[tuple[str | None, str]]:
    frame = found.frame
    ids = [None if pd.isna(one) else one for one in frame[COMPANY_ID]]
    return list(zip(ids, frame[SOURCE], strict=True))


def known(**ids: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A registry that knows 甲 … by the confidence given, as company `R` and the name."""

    def ask(names: pd.DataFrame) -> pd.DataFrame:
        here = [name for name in names["name"] if name in ids]
        return pd.DataFrame(
            {
                "company_id": pd.array([f"R{ord(name)}" for name in here], dtype="string"),
                "confidence": [ids[name] for name in here],
            },
            index=here,
        )

    return ask


def test_the_index_is_asked_by_plan_then_name_then_both_then_former_name() -> None:
    entries = index(
        ("plan_code", "S1", "1", 0.95),
        ("customer_name", "甲", "2", 0.85),
        ("plan_customer", "P1|乙", "3", 0.9),
        ("former_name", "丙", "4", 0.72),
    )
    found = identify(
        rows(
            ("S1", SINGLE, "甲", "9"),
            ("S2", SINGLE, "甲", "9"),
            ("P1", COLLECTIVE, "乙", "9"),
            ("P1", COLLECTIVE, "丙", "9"),
            ("P1", COLLECTIVE, "丁", "9"),
        ),
        book=book(Knowledge(entries=entries)),
        columns=COLUMNS,
    )

    assert answered(found) == [
        ("1", "index_plan_code"),
        ("2", "index_customer_name"),
        ("3", "index_plan_customer"),
        ("4", "index_former_name"),
        ("9", "existing_id"),
    ]
    assert found.frame[CONFIDENCE].tolist() == [0.95, 0.85, 0.9, 0.72, 1.0]
    assert found.entries_used()["entry_id"].tolist() == [1, 2, 3, 4]


def test_a_plan_code_stands_for_a_company_in_single_plans_only() -> None:
    entries = index(("plan_code", "P1", "1", 0.95), ("plan_code", "AN002", "2", 0.95))
    found = identify(
        rows(("P1", COLLECTIVE, None, None), ("P1", None, None, None), ("AN002", SINGLE, None, None)),
        book=book(Knowledge(entries=entries)),
        columns=COLUMNS,
    )

    assert answered(found) == [(None, "unresolved")] * 3


def test_one_look_up_asks_for_every_key_once() -> None:
    asked: list[pd.DataFrame] = []

    def look_up(keys: pd.DataFrame) -> Knowledge:
        asked.append(keys)
        return Knowledge()

    identify(
        rows(*[("S1", SINGLE, "甲", None), ("P1", COLLECTIVE, "甲-已转出", None)] * 5),
        book=book(look_up=look_up),
        columns=COLUMNS,
    )

    assert len(asked) == 1
    assert sorted(map(tuple, asked[0].to_numpy().tolist())) == [
        ("customer_name", "甲"),
        ("former_name", "甲"),
        ("plan_code", "S1"),
        ("plan_customer", "P1|甲"),
        ("plan_customer", "S1|甲"),
    ]


def test_the_registry_is_asked_once_a_name_the_frequent_ones_first_and_not_for_what_it_did_not_know_lately() -> None:
    asked: list[list[str]] = []

    def ask(names: pd.DataFrame) -> pd.DataFrame:
        asked.append(names["name"].tolist())
        return known(甲=1.0)(names)

    found = identify(
        rows(*[(None, None, name, None) for name in "乙丙甲乙丁"]),
        book=book(Knowledge(searched=frozenset("丁")), ask=ask),
        columns=COLUMNS,
    )

    assert asked[0] == ["乙", "丙", "甲"]
    assert [source for _, source in answered(found)][2] == "registry"


def test_a_row_takes_the_id_that_another_row_of_its_name_brings() -> None:
    found = identify(
        rows(
            ("P1", COLLECTIVE, "甲", "11"),
            ("P2", COLLECTIVE, "甲", None),
            ("S1", SINGLE, "甲", None),
            ("S1", SINGLE, None, None),
            ("S1", SINGLE, "乙", None),
            ("P9", COLLECTIVE, "乙", None),
        ),
        book=book(),
        columns=COLUMNS,
    )

    assert answered(found)[:5] == [("11", "existing_id"), *[("11", "same_load")] * 4]
    assert found.frame[CONFIDENCE].tolist()[1] == 0.85
    # 乙 is known by its plan only: in another plan it may be anybody.
    assert is_temporary(answered(found)[5][0] or "")


def test_a_row_known_by_its_plan_teaches_nothing_about_its_name() -> None:
    entries = index(("plan_code", "S1", "1", 0.95))
    found = identify(rows(("S1", SINGLE, "乙", None)), book=book(Knowledge(entries=entries)), columns=COLUMNS)
    taught = lessons(found.found(), SHIPPED_RULES)

    assert sorted(taught.entries["kind"]) == ["plan_code", "plan_customer"]


@pytest.mark.parametrize(
    ("source", "confidence", "company"),
    [
        ("backflow", 0.95, "9"),
        ("domain_learning", 0.95, "9"),
        ("eqc_api", 0.8, "9"),
        ("eqc_api", 1.0, "1"),
        ("manual", 0.5, "1"),
        ("legacy_migration", 0.9, "1"),
    ],
)
def test_what_loads_taught_and_unsure_matches_do_not_overrule_the_id_in_the_row(
    source: str, confidence: float, company: str
) -> None:
    entries = index(("customer_name", "甲", "1", confidence)).assign(source=source)
    found = identify(
        rows(("P1", COLLECTIVE, "甲", "9"), ("P1", COLLECTIVE, "甲", "1")),
        book=book(Knowledge(entries=entries.astype({"source": "string"}))),
        columns=COLUMNS,
    )

    assert [company_id for company_id, _ in answered(found)] == [company, "1"]


def test_a_taught_entry_that_another_load_contradicts_is_shown() -> None:
    entries = index(("customer_name", "甲", "1", 0.85)).assign(source="backflow").astype({"source": "string"})
    found = identify(rows(("P1", COLLECTIVE, "甲", "9")), book=book(Knowledge(entries=entries)), columns=COLUMNS)

    assert record_of(found, domain="annuity_performance", rules=SHIPPED_RULES).conflicts == ("customer_name 甲: 1, 9",)


def test_a_rejected_row_tells_nothing_about_others_and_nobody_is_asked_for_it() -> None:
    asked: list[str] = []

    def ask(names: pd.DataFrame) -> pd.DataFrame:
        asked.extend(names["name"])
        return known()(names)

    found = identify(
        rows(("S1", SINGLE, "甲", "11"), ("S1", SINGLE, "甲", None), ("P1", COLLECTIVE, "乙", None)),
        book=book(ask=ask),
        columns=COLUMNS,
        rejected=np.array([True, False, True]),
    )

    assert answered(found)[0] == ("11", "existing_id")
    assert is_temporary(answered(found)[1][0] or "")
    assert asked == ["甲"]


def test_a_name_known_as_another_company_than_its_plan_s_is_noticed() -> None:
    entries = index(
        ("plan_code", "S1", "1", 0.95), ("customer_name", "乙", "2", 0.95), ("customer_name", "甲", "1", 1.0)
    )
    found = identify(
        rows(("S1", SINGLE, "甲", None), ("S1", SINGLE, "乙", None)),
        book=book(Knowledge(entries=entries)),
        columns=COLUMNS,
    )

    assert found.against_plan.tolist() == [False, True]


def test_a_key_of_two_companies_teaches_nothing_and_is_shown() -> None:
    found = identify(
        rows(("P1", COLLECTIVE, "甲", "11"), ("P2", COLLECTIVE, "甲", "22"), ("P3", COLLECTIVE, "甲", None)),
        book=book(),
        columns=COLUMNS,
    )
    taught = lessons(found.found(), SHIPPED_RULES)

    assert is_temporary(answered(found)[2][0] or "")
    assert conflict_texts(taught.conflicts) == ("customer_name 甲: 11, 22",)
    assert taught.entries["key"].tolist() == ["P1|甲", "P2|甲"]


def test_unsure_temporary_and_hand_made_answers_teach_nothing() -> None:
    found = identify(
        rows(("S1", SINGLE, "甲", None), ("S2", SINGLE, "乙", None), ("S3", SINGLE, "丙", None)),
        book=book(plans={"S3": "33"}, ask=known(甲=0.8)),
        columns=COLUMNS,
    )
    taught = lessons(found.found(), SHIPPED_RULES)

    assert [source for _, source in answered(found)] == ["registry", "temporary_id", "plan_override"]
    assert taught.entries.empty


def test_a_lesson_is_no_surer_than_the_row_it_comes_from() -> None:
    known_by_name = Knowledge(entries=index(("customer_name", "甲", "1", 0.85)))
    found = identify(rows(("S1", SINGLE, "甲", None)), book=book(known_by_name), columns=COLUMNS)
    taught = lessons(found.found(), SHIPPED_RULES)

    assert dict(zip(taught.entries["kind"], taught.entries["confidence"], strict=True)) == {
        "customer_name": 0.85,
        "plan_code": 0.85,
        "plan_customer": 0.85,
    }


def test_a_decision_beats_the_index_and_the_one_within_the_plan_beats_the_one_for_the_name() -> None:
    made = decisions(("choose", "甲", None, None, "7"), ("choose", "甲", "P2", None, "8"))
    found = identify(
        rows(("P1", COLLECTIVE, "甲", "9"), ("P2", COLLECTIVE, "甲", "9")),
        book=book(Knowledge(entries=index(("customer_name", "甲", "1", 1.0)), decisions=made)),
        columns=COLUMNS,
    )

    assert answered(found) == [("7", "decision"), ("8", "decision")]


def test_a_rejected_company_is_nobody_s_answer_for_that_name() -> None:
    made = decisions(("reject", "甲", None, "1", None), ("split", "乙", "P2", "2", None))
    entries = index(
        ("customer_name", "甲", "1", 1.0), ("plan_customer", "P1|甲", "5", 0.9), ("customer_name", "乙", "2", 1)
    )
    found = identify(
        rows(
            ("P1", COLLECTIVE, "甲", "1"),
            ("P2", COLLECTIVE, "甲", "1"),
            ("P1", COLLECTIVE, "乙", None),
            ("P2", COLLECTIVE, "乙", "2"),
        ),
        book=book(Knowledge(entries=entries, decisions=made)),
        columns=COLUMNS,
    )

    (first, second, third, fourth) = answered(found)
    assert first == ("5", "index_plan_customer")
    assert second[0] != "1"
    assert third == ("2", "index_customer_name")
    assert is_temporary(fourth[0] or "")


def test_merged_companies_are_one_to_the_end_of_the_chain_whoever_answers() -> None:
    made = decisions(("merge", None, None, "1", "2"), ("merge", None, None, "2", "3"))
    found = identify(
        rows(("P1", COLLECTIVE, "甲", "1"), ("P1", COLLECTIVE, "乙", "2"), ("P1", COLLECTIVE, "丙", "3")),
        book=book(Knowledge(decisions=made)),
        columns=COLUMNS,
    )

    assert answered(found) == [("3", "decision"), ("3", "decision"), ("3", "existing_id")]


def test_a_split_holds_for_the_company_that_a_merge_made_of_the_answer() -> None:
    made = decisions(("merge", None, None, "1", "2"), ("split", "甲", None, "2", None))
    known_by_name = Knowledge(entries=index(("customer_name", "甲", "1", 0.85)), decisions=made)
    found = identify(rows(("P1", COLLECTIVE, "甲", None)), book=book(known_by_name), columns=COLUMNS)

    assert is_temporary(answered(found)[0][0] or "")
    assert found.entries_used().empty


def test_a_trace_says_what_each_matcher_knows_and_which_decides() -> None:
    known_by_name = Knowledge(entries=index(("customer_name", "甲", "1", 0.85)))
    told = trace(rows(("P1", COLLECTIVE, "甲-已转出", "9")), book=book(known_by_name), columns=COLUMNS)

    said = {one.matcher: one.company_id for one in told if one.company_id}
    assert {name: said[name] for name in ("index_customer_name", "existing_id")} == {
        "index_customer_name": "1",
        "existing_id": "9",
    }
    assert [one.matcher for one in told if one.decides] == ["index_customer_name"]
    assert len({one.matcher for one in told}) == len(told)


def test_unknown_names_come_with_their_rows_and_a_spelling() -> None:
    frame = rows(
        ("P1", None, "甲-已转出", None), ("P2", None, "甲", None), (None, None, "乙", None), (None, None, None, None)
    )
    found = identify(frame, book=book(), columns=COLUMNS)

    assert found.unknown()[["normalized_name", "raw_name", "rows"]].to_numpy().tolist() == [
        ["甲", "甲-已转出", 2],
        ["乙", "乙", 1],
    ]
    kept = found.of_rows(np.array([False, True, True, False]))
    assert kept.unknown()[["raw_name", "rows"]].to_numpy().tolist() == [["乙", 1], ["甲", 1]]
    assert kept.frame.index.tolist() == [1, 2]


Cells: TypeAlias = tuple[str | None, str | None, str | None, str | None]
CELLS = st.tuples(
    st.sampled_from([None, "S1", "S2", "P1", "P2", "AN002", "FP1"]),
    st.sampled_from([None, SINGLE, SINGLE, COLLECTIVE]),
    st.sampled_from([None, "", "甲", "甲-已转出", "乙", "丙", "丁", "保留账户管理"]),
    st.sampled_from([None, None, None, "11", "22", "N"]),
)


@settings(deadline=None, max_examples=15)
@given(st.lists(CELLS, min_size=1, max_size=14))
def test_a_load_repeated_with_what_it_taught_finds_the_same_companies(cells: list[Cells]) -> None:
    assert_taught_well(cells)


@pytest.mark.chaos
@settings(deadline=None, max_examples=200)
@given(st.lists(CELLS, min_size=1, max_size=14))
def test_many_loads_repeated_with_what_they_taught_find_the_same_companies(cells: list[Cells]) -> None:
    assert_taught_well(cells)


def assert_taught_well(cells: list[Cells]) -> None:
    """Whoever knows what a load has taught finds the same companies in it."""
    plans, names = {"FP1": "77"}, {"保留账户管理": "__EMPTY__"}
    asking = book(plans=plans, names=names, ask=known(丙=1.0, 丁=0.8))
    first = identify(rows(*cells), book=asking, columns=COLUMNS)
    taught = lessons(first.found(), SHIPPED_RULES).entries
    answers = index(("customer_name", "丙", f"R{ord('丙')}", 1.0), ("customer_name", "丁", f"R{ord('丁')}", 0.8))
    answers = answers[answers["key"].isin(first.keys.loc[first.answers[SOURCE].eq("registry"), "name"])]
    entries = pd.concat([taught.assign(entry_id=pd.array([1] * len(taught), dtype="Int64")), answers])
    entries = entries.sort_values("confidence", ascending=False).drop_duplicates(["kind", "key"])

    again = identify(rows(*cells), book=book(Knowledge(entries=entries), plans=plans, names=names), columns=COLUMNS)

    pd.testing.assert_series_equal(first.frame[COMPANY_ID], again.frame[COMPANY_ID])
