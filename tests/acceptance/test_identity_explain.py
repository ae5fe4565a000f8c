"""How a name or a stored row comes to its company, told rule by rule, with and without a warehouse."""

from typing import Any

import pytest
from tests.customer_months import Customer, candidate, index_knows, load_customers, registry_said
from tests.hub import Hub

from work_data_hub.domain.identity.temporary import is_temporary

pytestmark = pytest.mark.integration
A, B, C = "600000001", "600000002", "600000003"
NAME = "恒泰电力有限公司"
WHY = ("--why", "营业执照", "--by", "王芳")
ORDER = [
    *("plan_override", "name_override", "decision", "index_plan_code", "index_customer_name", "index_plan_customer"),
    *("index_former_name", "existing_id", "same_load", "registry", "temporary_id"),
]


def explained(hub: Hub, *arguments: str, **extra: str) -> dict[str, Any]:
    answer = hub.wdh("identity", "explain", *arguments, "--report", "json", **extra)
    assert answer.code == 0, answer.stderr
    (row,) = answer.report["rows"]
    return dict(row)


def detail(row: dict[str, Any], matcher: str) -> str:
    return next(str(step["detail"]) for step in row["steps"] if step["matcher"] == matcher)


def test_a_name_is_explained_without_a_database(hub: Hub) -> None:
    row = explained(hub, "(原)恒泰电力有限公司 -养老", DATABASE_URL="")

    assert (row["name"], row["decided_by"]) == (NAME, "temporary_id")
    assert is_temporary(row["company_id"])
    assert {"leading bracket", "account suffix", "white space"} <= set(row["rules"])
    assert [step["matcher"] for step in row["steps"]] == ORDER
    assert "no database" in row["not_checked"][0]
    assert detail(row, "decision") == "not looked at: no warehouse"


def test_a_database_that_does_not_answer_is_no_obstacle(hub: Hub) -> None:
    row = explained(hub, NAME, DATABASE_URL="postgresql://nobody:s3cret@127.0.0.1:9/none")

    assert row["decided_by"] == "temporary_id"
    assert "cannot connect" in row["not_checked"][0]
    assert "s3cret" not in str(row)


def test_an_override_tells_who_answers_for_it(hub: Hub) -> None:
    by_name = explained(hub, "宣城城建城市运营管理有限公司")
    by_plan = explained(hub, "任何公司", "--plan", "fp0001")
    nobody = explained(hub, "保留账户管理")

    assert (by_name["company_id"], by_name["decided_by"]) == ("1918884945", "name_override")
    assert detail(by_name, "name_override").startswith("1918884945, 数据组 2026-11-21: ")
    assert (by_plan["company_id"], by_plan["decided_by"]) == ("614810477", "plan_override")
    assert (nobody["company_id"], nobody["decided_by"]) == (None, "name_override")


def test_index_entries_tell_why_they_count_or_not(hub: Hub) -> None:
    index_knows(hub, "plan_code", "S0001", A)
    index_knows(hub, "customer_name", NAME, B, confidence=0.8, source="eqc_api", expires_at="2020-01-01")
    index_knows(hub, "former_name", NAME, C, is_ambiguous=True)
    index_knows(hub, "plan_customer", f"S0001|{NAME}", C, version=1)

    collective = explained(hub, NAME, "--plan", "S0001", "--plan-type", "集合计划")
    single = explained(hub, NAME, "--plan", "S0001", "--plan-type", "单一计划")

    assert (single["company_id"], single["decided_by"]) == (A, "index_plan_code")
    assert collective["decided_by"] == "temporary_id"
    assert detail(collective, "index_plan_code").startswith("not a single plan")
    assert "expired 2020-01-01" in detail(collective, "index_customer_name")
    assert "several companies had this name" in detail(collective, "index_former_name")
    assert "its key is of normaliser 1" in detail(collective, "index_plan_customer")
    assert detail(explained(hub, "乙公司"), "index_customer_name") == "no entry for this key"
    assert detail(explained(hub, NAME), "index_plan_customer") == "no plan code"


def test_decisions_tell_who_when_and_why(hub: Hub) -> None:
    index_knows(hub, "customer_name", NAME, A)
    hub.wdh("identity", "reject", NAME, A, *WHY)

    rejected = explained(hub, NAME)
    hub.wdh("identity", "choose", NAME, B, "--unknown-company", *WHY)
    chosen = explained(hub, NAME)

    assert (rejected["decided_by"], "decision 1 of 王芳" in detail(rejected, "index_customer_name")) == (
        "temporary_id",
        True,
    )
    assert (chosen["company_id"], chosen["decided_by"]) == (B, "decision")
    assert f"{NAME} is {B} (营业执照)" in detail(chosen, "decision")


def test_a_merged_company_is_told_with_the_matcher_that_found_it(hub: Hub) -> None:
    index_knows(hub, "customer_name", NAME, A)
    hub.wdh("identity", "merge", A, B, "--unknown-company", *WHY)
    hub.wdh("identity", "merge", C, B, "--unknown-company", *WHY)

    row = explained(hub, NAME)

    assert (row["company_id"], row["decided_by"]) == (B, "index_customer_name")
    assert "merged: decision 1 of 王芳" in detail(row, "index_customer_name")
    assert "decision 2" not in str(row)


def test_the_registrys_last_answer_is_told(hub: Hub) -> None:
    registry_said(hub, NAME, "uncertain", candidate(A, "恒太电力有限公司", match_type="拼音"), confidence=0.5)

    told = detail(explained(hub, NAME), "registry")

    assert "uncertain" in told
    assert f"{A} 恒太电力有限公司 拼音 0.50" in told


def test_a_name_tells_what_its_stored_rows_say(hub: Hub) -> None:
    load_customers(hub, Customer(name=NAME, delivered=A), Customer(name=f"{NAME}(已转出)", plan="P0002"))

    stored = explained(hub, NAME)["stored"]

    assert any(f"in plan P0001: 1 rows, {A} by existing_id  (not the company above)" in line for line in stored)


def test_a_stored_row_is_explained_by_its_place(hub: Hub) -> None:
    load_customers(hub, Customer(name="乙公司"), Customer(name=f"{NAME}-养老", delivered=A))

    row = explained(hub, "--row", "annuity_performance:202410:3")
    named = explained(hub, "--row", "annuity_performance:202410:3:规模明细")

    assert (row["written"], row["name"], row["company_id"]) == (f"{NAME}-养老", NAME, A)
    assert row["place"].endswith("V1.xlsx › 规模明细!3")
    assert (row["stored_company_id"], row["stored_source"], row["since"]) == (A, "existing_id", [])
    assert named["place"] == row["place"]


def test_a_row_that_differs_from_today_tells_what_came_since(hub: Hub) -> None:
    load_customers(hub, Customer(name=NAME))
    hub.wdh("identity", "choose", NAME, A, "--unknown-company", *WHY)

    row = explained(hub, "--row", "annuity_performance:202410:2")

    assert (is_temporary(row["stored_company_id"]), row["company_id"]) == (True, A)
    assert row["since"][0].startswith("decided since: decision 1 of 王芳")
    assert "wdh identity apply" in row["since"][-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--row", "annuity_performance:202410:99"), "no stored row from Excel row 99"),
        (("--row", "annuity_performance:202410:2:别的"), "of sheet 别的"),
        (("--row", "annuity_perfomance:202410:2"), "did you mean 'annuity_performance'"),
        (("--row", "sandbox_trustee_performance:202410:2"), "whose rows name a company"),
        (("--row", "annuity_performance:202410"), "not a row"),
        (("--row", "annuity_performance:2024:2"), "not a period"),
        ((), "nothing to explain"),
    ],
)
def test_what_cannot_be_explained_is_refused(hub: Hub, arguments: tuple[str, ...], message: str) -> None:
    load_customers(hub, Customer(name=NAME))

    refused = hub.wdh("identity", "explain", *arguments)

    assert refused.code == 2
    assert message in refused.stderr


def test_a_stored_row_needs_a_database(hub: Hub) -> None:
    refused = hub.wdh("identity", "explain", "--row", "annuity_performance:202410:2", DATABASE_URL="")

    assert refused.code == 2
    assert "a stored row needs a database" in refused.stderr


def test_people_read_the_explanation_as_text(hub: Hub) -> None:
    text = hub.wdh("identity", "explain", f"{NAME}-养老").stdout

    assert f"{NAME}-养老 → {NAME}" in text
    assert "changed by account suffix" in text
    assert "→  temporary_id" in text


def test_explaining_writes_nothing(hub: Hub) -> None:
    load_customers(hub, Customer(name=NAME))
    index_knows(hub, "customer_name", NAME, A)
    before = hub.contents()

    explained(hub, NAME)
    explained(hub, "--row", "annuity_performance:202410:2")

    assert hub.contents() == before
