"""Which decisions can be made, which stand already and which contradict one in force."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from work_data_hub.domain.identity.decisions import Decision, DecisionKind, Why, followed, same_claim, stands_already
from work_data_hub.domain.identity.temporary import temporary_id
from work_data_hub.errors import UsageError

pytestmark = pytest.mark.unit
WHY = Why(reason="营业执照", actor="王芳")
WHEN = datetime(2024, 11, 1, tzinfo=UTC)
A, B, C = "600000001", "600000002", "600000003"


def choose(name: str, company: str, *, plan: str | None = None) -> Decision:
    return Decision.choose(name, company, plan=plan, why=WHY)


def reject(name: str, company: str, *, plan: str | None = None) -> Decision:
    return Decision.reject(name, company, plan=plan, why=WHY)


def split(name: str, company: str, *, into: str | None = None, plan: str | None = None) -> Decision:
    return Decision.split(name, company, into=into, plan=plan, why=WHY)


def merge(company: str, into: str) -> Decision:
    return Decision.merge(company, into, why=WHY)


def numbered(*decisions: Decision) -> list[Decision]:
    return [replace(made, decision_id=number) for number, made in enumerate(decisions, start=1)]


def test_a_decision_knows_the_name_and_the_ids_in_their_stored_form() -> None:
    made = choose("(原)恒泰电力有限公司 ", " ６００００ 0001", plan="p-01_2")

    assert (made.name, made.to_company, made.plan) == ("恒泰电力有限公司", A, "P012")
    assert made.says == f"恒泰电力有限公司 in plan P012 is {A}"


@pytest.mark.parametrize("name", ["", "　", "0", "空白", "(已转出)"])
def test_a_name_that_names_nobody_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a customer"):
        choose(name, A)


@pytest.mark.parametrize(
    ("company", "message"),
    [
        (temporary_id("甲公司", salt="s"), "a temporary id stands for a name"),
        ("待查", "not a company id"),
        ("6000 0000;1", "not a company id"),
        ("9" * 101, "not a company id"),
    ],
)
def test_what_is_no_company_is_refused_everywhere(company: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose("甲公司", company)
    with pytest.raises(UsageError, match=message):
        merge(A, company)
    with pytest.raises(UsageError, match=message):
        merge(company, A)


@pytest.mark.parametrize(("reason", "actor"), [("", "王芳"), (" 　", "王芳"), ("照", " "), ("​", "王芳")])
def test_a_decision_without_reason_or_person_is_refused(reason: str, actor: str) -> None:
    with pytest.raises(UsageError, match="who made it and why"):
        Why(reason=reason, actor=actor)


def test_a_company_cannot_become_itself() -> None:
    with pytest.raises(UsageError, match="cannot become itself"):
        merge(A, A)
    with pytest.raises(UsageError, match="cannot become itself"):
        split("甲公司", A, into=A)


@pytest.mark.parametrize(
    ("wanted", "standing"),
    [
        (choose("甲公司", A), choose("甲公司", A)),
        (Decision.choose("甲公司", A, plan=None, why=WHY, kind=DecisionKind.ACCEPT), choose("甲公司", A)),
        (choose("甲公司", B), split("甲公司", A, into=B)),
        (reject("甲公司", A), reject("甲公司", A)),
        (reject("甲公司", A, plan="P1"), reject("甲公司", A)),
        (reject("甲公司", A), split("甲公司", A)),
        (merge(A, B), merge(A, B)),
    ],
)
def test_the_same_said_again_stands_already(wanted: Decision, standing: Decision) -> None:
    assert stands_already(wanted, numbered(standing)) == numbered(standing)[0]


@pytest.mark.parametrize(
    ("wanted", "standing"),
    [
        (choose("甲公司", B), choose("甲公司", A)),
        (choose("甲公司", A), reject("甲公司", A)),
        (choose("甲公司", A, plan="P1"), reject("甲公司", A)),
        (choose("甲公司", A), split("甲公司", A)),
        (choose("甲公司", A), merge(A, B)),
        (reject("甲公司", A), choose("甲公司", A)),
        (reject("甲公司", A), choose("甲公司", A, plan="P1")),
        (split("甲公司", A), choose("甲公司", A)),
        (split("甲公司", A, into=B), reject("甲公司", B)),
        (merge(A, B), merge(A, C)),
        (merge(A, B), merge(B, A)),
    ],
)
def test_a_contradiction_is_refused_naming_what_stands(wanted: Decision, standing: Decision) -> None:
    with pytest.raises(UsageError, match="decision 1 of 王芳"):
        stands_already(wanted, numbered(standing))


@pytest.mark.parametrize(
    ("wanted", "standing"),
    [
        (choose("甲公司", B, plan="P1"), choose("甲公司", A)),
        (choose("甲公司", A, plan="P1"), reject("甲公司", A, plan="P2")),
        (reject("甲公司", A, plan="P1"), choose("甲公司", A)),
        (choose("乙公司", B), choose("甲公司", A)),
        (reject("甲公司", B), reject("甲公司", A)),
        (choose("甲公司", B), reject("甲公司", A)),
        (merge(B, C), merge(A, B)),
        (merge(A, B), merge(B, C)),
    ],
)
def test_what_can_be_true_together_is_news(wanted: Decision, standing: Decision) -> None:
    assert stands_already(wanted, numbered(standing)) is None


def test_merges_never_go_round_in_a_circle() -> None:
    with pytest.raises(UsageError, match="merged in a circle"):
        stands_already(merge(C, A), numbered(merge(A, B), merge(B, C)))


def test_what_was_undone_stands_no_more() -> None:
    undone = replace(numbered(choose("甲公司", A))[0], undone_at=WHEN, undone_by="李强")

    assert stands_already(choose("甲公司", B), [undone]) is None


def test_merges_are_followed_to_the_company_that_stands() -> None:
    standing = numbered(merge(A, B), merge(B, C))

    assert [followed(company, standing) for company in (A, B, C, "7")] == [C, C, C, "7"]


def test_accepting_and_choosing_say_the_same() -> None:
    accepted = Decision.choose("甲公司", A, plan=None, why=WHY, kind=DecisionKind.ACCEPT)

    assert same_claim(accepted, choose("甲公司", A))
    assert not same_claim(accepted, choose("甲公司", A, plan="P1"))
    assert not same_claim(reject("甲公司", A), reject("甲公司", B))
