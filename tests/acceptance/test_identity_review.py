"""Names in doubt reviewed: listed by money, decided by command, applied next month, taken back."""

import pytest
from tests.customer_months import (
    WHY,
    A,
    B,
    C,
    Customer,
    companies,
    company_is,
    decided,
    identity,
    index_knows,
    listed,
    load_customers,
    load_doubts,
)
from tests.hub import Hub

from work_data_hub.domain.identity.temporary import is_temporary

pytestmark = pytest.mark.integration


@pytest.fixture
def doubts(hub: Hub) -> Hub:
    """A month with two names that the registry is unsure of, and one with two companies."""
    load_doubts(hub)
    return hub


# -- the list


def test_doubts_are_listed_by_money_with_their_evidence(doubts: Hub) -> None:
    before = doubts.contents()

    first, second, third = identity(doubts, "review").report["names"]

    assert [one["name"] for one in (first, second, third)] == [
        "远大石油有限公司",
        "恒泰电力有限公司",
        "鼎盛纺织有限公司",
    ]
    assert (first["money"], second["money"], second["rows"]) == ("9000.0000", "500.2625", 2)
    assert (second["plans"], second["months"], second["doubts"]) == (["P0001", "P0002"], "2024-10", ["unsure"])
    assert (second["proposal"]["company_id"], second["proposal"]["name"], second["proposal"]["unite_code"]) == (
        A,
        "恒泰电力集团有限公司",
        f"91{A}",
    )
    assert [(one["company_id"], one["score"]) for one in second["candidates"]] == [(C, 8.5)]
    assert (third["doubts"], third["companies"]) == (["several"], [A, B])
    assert doubts.contents() == before


def test_the_list_is_cut_by_money_and_number(doubts: Hub) -> None:
    assert listed(doubts, "--min-money", "500.2625") == ["远大石油有限公司", "恒泰电力有限公司"]
    assert listed(doubts, "--limit", "1") == ["远大石油有限公司"]
    assert identity(doubts, "review", "--limit", "1").report["total"] == 3


def test_people_read_the_list_as_text(doubts: Hub) -> None:
    text = doubts.wdh("identity", "review").stdout

    assert "1. 远大石油有限公司" in text
    assert "2. 恒泰电力有限公司(已转出) → 恒泰电力有限公司" in text or "2. 恒泰电力有限公司\n" in text
    assert f"{A} 恒泰电力集团有限公司 模糊匹配 0.80 score 8.5 91{A}" in text


def test_a_former_name_of_several_companies_is_in_doubt(hub: Hub) -> None:
    load_customers(hub, Customer(name="新纪元通信有限公司"))
    index_knows(hub, "former_name", "新纪元通信有限公司", A, is_ambiguous=True)
    for company, name in ((A, "甲通信"), (B, "乙通信")):
        company_is(hub, company, name, former="旧名；新纪元通信有限公司")

    (only,) = identity(hub, "review").report["names"]

    assert (only["doubts"], only["proposal"]) == (["former"], None)
    assert [(one["company_id"], one["name"]) for one in only["candidates"]] == [(A, "甲通信"), (B, "乙通信")]


# -- decisions by command


def test_what_is_decided_is_in_doubt_no_more(doubts: Hub) -> None:
    accepted = identity(doubts, "accept", "恒泰电力有限公司(已转出)", *WHY).report
    identity(doubts, "reject", "远大石油有限公司", C, *WHY)
    identity(doubts, "merge", B, A, *WHY)

    assert (accepted["status"], accepted["decision"]["to_company"], accepted["next"]) == (
        "decided",
        A,
        "wdh identity apply",
    )
    assert listed(doubts) == []
    assert sorted(listed(doubts, "--all")) == ["恒泰电力有限公司", "远大石油有限公司", "鼎盛纺织有限公司"]


def test_several_companies_may_be_right_plan_by_plan(doubts: Hub) -> None:
    assert "鼎盛纺织有限公司" in listed(doubts)

    identity(doubts, "choose", "鼎盛纺织有限公司", B, "--plan", "P0002", *WHY)

    assert "鼎盛纺织有限公司" not in listed(doubts)


def test_a_decision_keeps_what_was_known_and_who_made_it(doubts: Hub) -> None:
    identity(doubts, "accept", "恒泰电力有限公司", "--by", "王芳", *WHY)

    ((actor, reason, evidence),) = doubts.query("select actor, reason, evidence from enterprise.identity_decisions")

    assert (actor, reason, evidence["rows"], evidence["search"]["outcome"]) == ("王芳", "营业执照", 2, "review")
    assert evidence["proposals"][0]["company_id"] == A


def test_the_same_again_stands_and_another_is_refused_with_its_number(doubts: Hub) -> None:
    identity(doubts, "choose", "恒泰电力有限公司", A, *WHY)

    again = doubts.wdh("identity", "choose", "恒泰电力有限公司", A, *WHY)
    other = identity(doubts, "choose", "恒泰电力有限公司", C, *WHY)

    assert again.code == 0
    assert "stands already: decision 1" in again.stdout
    assert other.code == 2
    assert "decision 1" in other.stderr
    assert "wdh identity undo 1" in other.stderr
    assert len(decided(doubts)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("choose", "恒泰电力有限公司", "699999999", *WHY), "knows company 699999999"),
        (("choose", "恒泰电力有限公司", A, "--why", " "), "who made it and why"),
        (("accept", "无人知晓有限公司", *WHY), "proposes a company"),
        (("merge", A, A, *WHY), "cannot become itself"),
        (("undo", "9", *WHY), "there is no decision 9"),
        (("choose", "恒泰电力有限公司", "IN" + "A" * 16, *WHY), "a temporary id stands for a name"),
    ],
)
def test_what_cannot_be_decided_is_refused(doubts: Hub, arguments: tuple[str, ...], message: str) -> None:
    refused = identity(doubts, *arguments)

    assert refused.code == 2
    assert message in refused.stderr
    assert decided(doubts) == []


def test_a_new_company_goes_through_when_it_is_meant(doubts: Hub) -> None:
    identity(doubts, "choose", "恒泰电力有限公司", "699999999", "--unknown-company", *WHY)

    assert decided(doubts) == [("choose", "恒泰电力有限公司", None, None, "699999999")]


def test_accepting_needs_one_proposal(doubts: Hub) -> None:
    index_knows(doubts, "customer_name", "恒泰电力有限公司", B)

    refused = identity(doubts, "accept", "恒泰电力有限公司", *WHY)

    assert refused.code == 2
    assert "2 companies are proposed" in refused.stderr


def test_a_merged_company_is_proposed_as_the_one_that_stands(doubts: Hub) -> None:
    identity(doubts, "merge", A, C, *WHY)

    identity(doubts, "accept", "恒泰电力有限公司", *WHY)

    assert decided(doubts)[-1] == ("accept", "恒泰电力有限公司", None, None, C)


def test_an_override_that_comes_first_is_told(doubts: Hub) -> None:
    made = identity(doubts, "choose", "宣城城建城市运营管理有限公司", A, *WHY).report

    assert "1918884945" in made["notes"][0]


def test_decisions_are_listed_with_who_when_and_why(doubts: Hub) -> None:
    identity(doubts, "choose", "恒泰电力有限公司", A, "--by", "王芳", *WHY)
    identity(doubts, "undo", "1", "--by", "李强", "--why", "看错了")
    identity(doubts, "split", "恒泰电力有限公司", "--from", A, "--to", C, "--plan", "p-0002", *WHY)

    shown, everything = doubts.wdh("identity", "decisions").stdout, doubts.wdh("identity", "decisions", "--all").stdout

    assert f"split: 恒泰电力有限公司 in plan P0002 is no longer {A} but {C}" in shown
    assert "王芳" not in shown
    assert "[undone by 李强: 看错了]" in everything


# -- next month


def test_a_decision_holds_for_next_months_load_until_it_is_undone(doubts: Hub) -> None:
    identity(doubts, "accept", "恒泰电力有限公司", *WHY)
    load_customers(doubts, Customer(name="恒泰电力有限公司"), period="202411")
    followed = companies(doubts, period="2024-11-01")
    identity(doubts, "undo", "1", *WHY)
    load_customers(doubts, Customer(name="恒泰电力有限公司"), period="202412")

    assert followed == {"恒泰电力有限公司": A}
    assert is_temporary(companies(doubts, period="2024-12-01")["恒泰电力有限公司"])
    sources = doubts.query("select distinct _identity_source from business.规模明细 where 月度 = '2024-11-01'")
    assert sources == [("decision",)]


def test_a_plans_decision_and_a_merge_hold_next_month(doubts: Hub) -> None:
    identity(doubts, "choose", "恒泰电力有限公司", C, "--plan", "P0002", *WHY)
    identity(doubts, "merge", C, A, *WHY)
    identity(doubts, "split", "鼎盛纺织有限公司", "--from", B, *WHY)

    load_customers(
        doubts,
        Customer(name="恒泰电力有限公司", plan="P0002"),
        Customer(name="鼎盛纺织有限公司", delivered=B),
        Customer(name="远大石油有限公司", delivered=C),
        period="202411",
    )

    next_month = companies(doubts, period="2024-11-01")
    assert (next_month["恒泰电力有限公司"], next_month["远大石油有限公司"]) == (A, A)
    assert is_temporary(next_month["鼎盛纺织有限公司"])
