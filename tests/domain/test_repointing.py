"""Which rows move to another company: what was undone goes back, what is known moves on, nothing else does."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from work_data_hub.domain.identity.asked_again import AskedAgain
from work_data_hub.domain.identity.knowledge import DECISION_COLUMNS, ENTRY_COLUMNS, IdentityBook, Knowledge
from work_data_hub.domain.identity.repointing import (
    Answer,
    Group,
    Holding,
    Move,
    Moves,
    PastChange,
    Repointed,
    Rulings,
    repointed_facts,
    repointed_values,
)
from work_data_hub.domain.identity.repointing_report import company_changes
from work_data_hub.domain.identity.temporary import temporary_id

pytestmark = pytest.mark.unit

A, B, C = "600000001", "600000002", "600000003"
T = temporary_id("甲公司", salt="x")
T2 = temporary_id("乙公司", salt="x")
MONTH = date(2024, 10, 1)


def held(company: str | None, source: str | None = "index_customer_name", confidence: float | None = 0.85) -> Holding:
    return Holding(company_id=company, source=source, confidence=confidence)


TEMPORARY = held(T, "temporary_id", 0.0)
DECIDED = held(A, "decision", 1.0)


def group(at: Holding = TEMPORARY, **facts: Any) -> Group:
    given: dict[str, Any] = {"table": "business.规模明细", "month": MONTH, "row_ids": (1, 2)}
    return Group(held=at, **(given | {"name": "甲公司", "plan": "P1"} | facts))


def decisions(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Each row: decision_id, kind, name, plan, from_company, to_company."""
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS), dtype=object)


def moved(
    group: Group,
    said: Holding,
    in_force: pd.DataFrame | None = None,
    undone: pd.DataFrame | None = None,
    name: str | None = "甲公司",
) -> Repointed | None:
    rulings = Rulings.of(decisions() if in_force is None else in_force, undone=undone)
    found = repointed_facts([group], [Answer(holding=said, name=name, plan=group.plan)], decisions=rulings)
    return found[0] if found else None


def path(found: Repointed | None) -> list[str | None]:
    """The companies on the way, the first one included."""
    return [found.steps[0].before.company_id, *(step.after.company_id for step in found.steps)] if found else []


CHOSEN = (1, "choose", "甲公司", None, None, A)
MERGED = (2, "merge", None, None, A, B)
MERGED_ON = (3, "merge", None, None, B, C)
RULED_OUT = (4, "reject", "甲公司", None, A, None)
SPLIT = (5, "split", "甲公司", None, A, None)
SPLIT_OFF = (6, "split", "甲公司", None, A, B)


@pytest.mark.parametrize(
    ("at", "said", "in_force", "ends"),
    [
        (TEMPORARY, held(A), [], A),
        (TEMPORARY, held(T, "temporary_id", 0.0), [], None),
        (TEMPORARY, held(T2, "temporary_id", 0.0), [], None),  # another salt makes no company
        (TEMPORARY, held(None, "excluded", 1.0), [], None),
        (held(None, "unresolved", None), held(A, "index_plan_code", 0.95), [], A),
        (held(None, "unresolved", None), held(None, "unresolved", None), [], None),
        (held(A), held(B), [], None),  # knowledge alone takes no row from a real company
        (held(A), held(T, "temporary_id", 0.0), [], None),
        (held(B), DECIDED, [CHOSEN], A),
        (DECIDED, DECIDED, [CHOSEN], None),
        (held(A), held(A), [MERGED], B),
        (held(A), held(A), [MERGED, MERGED_ON], C),
        (TEMPORARY, held(A), [MERGED, MERGED_ON], C),
        (held(C, "decision"), held(A), [MERGED, MERGED_ON], None),
        (held(A), held(T, "temporary_id", 0.0), [RULED_OUT], T),
        (held(A), held(C), [RULED_OUT], C),
        (held(A), held(T, "temporary_id", 0.0), [SPLIT], T),
        (held(B), held(T, "temporary_id", 0.0), [SPLIT], None),  # it was split from another company
        (held(A), held(B, "decision", 1.0), [SPLIT_OFF], B),
        (held(A), held(A), [(7, "choose", "别的公司", None, None, B)], None),
    ],
)
def test_where_rows_end(at: Holding, said: Holding, in_force: list[tuple[Any, ...]], ends: str | None) -> None:
    found = moved(group(at), said, decisions(*in_force))

    assert (found.after.company_id if found else None) == ends


def test_a_merge_of_merges_is_followed_step_by_step() -> None:
    found = moved(group(), held(A), decisions(MERGED, MERGED_ON))

    assert path(found) == [T, A, B, C]
    assert found
    assert [step.decision_id for step in found.steps] == [None, 2, 3]
    assert found.after == held(C, "decision")


def test_merges_in_a_circle_come_to_an_end() -> None:
    found = moved(group(held(A)), held(A), decisions(MERGED, (3, "merge", None, None, B, A)))

    assert path(found) == [A, B]


def test_a_decision_within_a_plan_beats_the_one_for_the_name() -> None:
    in_plan = (9, "choose", "甲公司", "P1", None, B)

    found = moved(group(), held(B, "decision", 1.0), decisions(CHOSEN, in_plan))

    assert found
    assert found.steps[0].decision_id == 9


@pytest.mark.parametrize(("plan", "ends"), [("P1", T), ("P2", None)])
def test_what_is_ruled_out_within_a_plan_is_ruled_out_there_only(plan: str, ends: str | None) -> None:
    ruled_out = decisions((4, "reject", "甲公司", "P1", A, None))

    found = moved(group(held(A), plan=plan), held(T, "temporary_id", 0.0), ruled_out)

    assert (found.after.company_id if found else None) == ends


def past(number: int, before: Holding, after: Holding, decision: int | None = 1) -> PastChange:
    return PastChange(change_id=number, before=before, after=after, decision_id=decision)


def test_an_undone_change_goes_back_to_the_very_id_it_came_from() -> None:
    other_salt = held(T2, "temporary_id", 0.0)
    asked = group(DECIDED, undone=(past(7, other_salt, DECIDED),))

    found = moved(asked, TEMPORARY, undone=decisions(CHOSEN))

    assert found
    assert found.after == other_salt
    assert [step.reverses for step in found.steps] == [7]


def test_what_came_on_top_of_an_undone_change_goes_back_with_it() -> None:
    merged = held(B, "decision", 1.0)
    asked = group(merged, undone=(past(8, DECIDED, merged, 2), past(7, TEMPORARY, DECIDED)))

    found = moved(asked, TEMPORARY, decisions(MERGED), undone=decisions(CHOSEN))

    assert path(found) == [B, A, T]


def test_a_merge_on_top_of_another_stays_when_the_later_one_is_undone() -> None:
    first, second = held(B, "decision"), held(C, "decision")
    asked = group(second, undone=(past(8, first, second, 3),))

    found = moved(asked, held(A), decisions(MERGED), undone=decisions(MERGED_ON))

    assert path(found) == [C, B]


def test_a_change_undone_and_decided_again_moves_nothing() -> None:
    asked = group(DECIDED, undone=(past(7, TEMPORARY, DECIDED),))

    assert moved(asked, DECIDED, decisions((9, *CHOSEN[1:])), undone=decisions(CHOSEN)) is None


def test_a_change_whose_rows_moved_on_otherwise_is_not_taken_back() -> None:
    asked = group(held(C), undone=(past(7, TEMPORARY, DECIDED),))

    assert moved(asked, held(C), undone=decisions(CHOSEN)) is None


@pytest.mark.parametrize(
    ("said", "ends"),
    [(held(B), B), (TEMPORARY, T), (held(None, "unresolved", None), None)],
)
def test_rows_loaded_under_an_undone_decision_go_where_they_would_be_without(said: Holding, ends: str | None) -> None:
    found = moved(group(DECIDED), said, undone=decisions(CHOSEN))

    assert (found.after.company_id if found else None) == ends


def test_the_same_company_without_the_decision_gets_its_true_reason() -> None:
    found = moved(group(DECIDED), held(A), undone=decisions(CHOSEN))

    assert found
    assert found.after == held(A)


def test_rows_loaded_under_an_undone_merge_get_the_delivered_id_back() -> None:
    found = moved(group(held(B, "decision", 1.0)), TEMPORARY, undone=decisions(MERGED))

    assert found
    assert found.after == held(A, "existing_id", 1.0)


@pytest.mark.parametrize(
    ("said", "in_force", "undone", "ends"),
    [
        (held(A), [MERGED_ON], [MERGED], A),  # loaded under both, known by name
        (held(B), [MERGED_ON], [MERGED], None),  # may always have been the second one's
        (TEMPORARY, [MERGED_ON], [MERGED], None),
        (held(A), [], [MERGED, MERGED_ON], A),
        (held(B), [], [MERGED, MERGED_ON], B),
    ],
)
def test_rows_loaded_under_a_chain_of_merges_go_where_what_is_known_says(
    said: Holding, in_force: list[tuple[Any, ...]], undone: list[tuple[Any, ...]], ends: str | None
) -> None:
    found = moved(group(held(C, "decision", 1.0)), said, decisions(*in_force), undone=decisions(*undone))

    assert (found.after.company_id if found else None) == ends


def test_a_delivered_id_comes_back_before_what_is_only_known_of_the_name() -> None:
    found = moved(group(held(B, "decision", 1.0)), held(C), undone=decisions(MERGED))

    assert found
    assert found.after == held(A, "existing_id", 1.0)


def test_rows_that_only_a_doubted_plan_named_are_asked_for_again() -> None:
    rulings = Rulings(doubted={("P1", A): 4})
    by_plan, nobody = held(A, "index_plan_code", 0.95), held(None, "unresolved", None)
    asked = [group(by_plan), group(held(A, "same_load", 0.9)), group(held(A)), group(by_plan, plan="P2")]
    answers = [Answer(holding=nobody, name=None, plan=one.plan) for one in asked]

    found = repointed_facts(asked, answers, decisions=rulings)

    assert [one.group.held.source for one in found] == ["index_plan_code", "same_load"]
    assert {(step.after, step.decision_id) for one in found for step in one.steps} == {(nobody, 4)}
    assert repointed_facts(asked, [replace(one, holding=held(A)) for one in answers], decisions=rulings) == ()


def test_rows_that_a_merge_in_force_may_have_brought_stay() -> None:
    other = (9, "merge", None, None, C, B)

    assert moved(group(held(B, "decision")), TEMPORARY, decisions(other), undone=decisions(MERGED)) is None
    assert moved(group(held(B, "decision")), TEMPORARY, decisions(other)) is None


def test_values_follow_the_facts_of_their_key_and_then_merges() -> None:
    value = Group(table="mapping.年金计划", held=held(T, None, None), key="P1", row_ids=(5,))
    other = replace(value, key="P2")

    found = repointed_values(
        [value, other], decisions=Rulings.of(decisions(MERGED)), moves={("P1", T): Move(company_id=A, decision_id=1)}
    )

    assert [one.group.key for one in found] == ["P1"]
    assert path(found[0]) == [T, A, B]
    assert found[0].after == Holding(company_id=B)


def test_a_value_of_any_key_follows_an_id_that_is_gone() -> None:
    value = Group(table="mapping.年金计划", held=held(T, None, None), key="P9", row_ids=(5,))

    assert path(repointed_values([value], decisions=Rulings(), moves={(None, T): Move(company_id=A)})[0]) == [T, A]


def test_a_value_with_a_past_does_not_follow_facts_that_only_go_back() -> None:
    value = Group(table="mapping.年金计划", held=held(B, None, None), key="P1", row_ids=(5,))
    back: Moves = {("P1", B): Move(company_id=A, is_back=True)}

    assert repointed_values([replace(value, has_past=True)], decisions=Rulings(), moves=back) == ()
    assert path(repointed_values([value], decisions=Rulings(), moves=back)[0]) == [B, A]


# -- what the cascade says today


def book(*, names: dict[str, str] | None = None, plans: dict[str, str] | None = None) -> IdentityBook:
    given = [("customer_name", key, company) for key, company in (names or {}).items()]
    given += [("plan_code", key, company) for key, company in (plans or {}).items()]
    entries = pd.DataFrame(
        [(kind, key, company, 0.95, "domain_learning", at) for at, (kind, key, company) in enumerate(given)],
        columns=list(ENTRY_COLUMNS),
    ).astype({"confidence": "float64", "entry_id": "Int64"})
    entries = entries.astype({"kind": "string", "key": "string", "company_id": "string"})
    return IdentityBook(plan_overrides={}, name_overrides={}, salt="x", look_up=lambda _: Knowledge(entries=entries))


def said(groups: list[Group], book: IdentityBook, sure: list[tuple[Any, ...]] | None = None) -> list[str | None]:
    surely = pd.DataFrame(sure or [], columns=["name", "plan", "plan_type", "company_id"], dtype="string")
    asked = AskedAgain.of(groups, book=book)
    return [answer.holding.company_id for answer in asked.answers(groups, sure=surely)]


def test_a_name_is_asked_for_by_the_index() -> None:
    assert said([group(), group(name="丙公司")], book(names={"甲公司": A}))[0] == A


def test_rows_of_the_same_month_teach_each_other_as_in_a_load() -> None:
    unnamed = group(held(None, "unresolved", None), name=None, plan_type="单一计划")

    assert said([group(plan_type="单一计划"), unnamed], book(names={"甲公司": A})) == [A, A]


def test_surely_known_rows_of_the_month_keep_a_plan_of_two_companies_from_teaching() -> None:
    unnamed = group(held(None, "unresolved", None), name=None, plan_type="单一计划")
    sure = [("丙公司", "P1", "单一计划", B)]

    assert said([group(plan_type="单一计划"), unnamed], book(names={"甲公司": A}), sure) == [A, None]


def test_nothing_to_ask_is_no_question() -> None:
    assert said([], book()) == []


# -- the report


def test_months_of_the_same_change_are_told_together() -> None:
    second = group(month=date(2024, 11, 1), money={"期末资产规模": None, "供款": Decimal("0.10")})
    first = group(money={"期末资产规模": Decimal("1.2"), "供款": Decimal("0.20")})
    asked = [Answer(holding=held(A), name="甲公司", plan="P1")] * 2

    told = company_changes(repointed_facts([second, first], asked, decisions=Rulings()))

    assert [(one.rows, one.months, dict(one.money)) for one in told] == [
        (4, (MONTH, date(2024, 11, 1)), {"期末资产规模": Decimal("1.2"), "供款": Decimal("0.30")})
    ]


def test_changes_that_a_decision_caused_are_told_first() -> None:
    asked = [group(name="乙公司", row_ids=(1, 2, 3)), group(held(B), row_ids=(4,))]
    answers = [Answer(holding=held(C), name="乙公司", plan="P1"), Answer(holding=DECIDED, name="甲公司", plan="P1")]

    told = company_changes(repointed_facts(asked, answers, decisions=Rulings.of(decisions(CHOSEN))))

    assert [(one.name, one.rows) for one in told] == [("甲公司", 1), ("乙公司", 3)]
