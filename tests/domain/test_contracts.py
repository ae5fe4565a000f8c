"""The state of a contract: each rule once, and all of them against a slow telling of the rules."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from tests.customer_histories import Fact, Months, expected_states, month, monthly_facts, some_rules, whole_histories

from work_data_hub.domain.customers.contracts import Timeline, key_codes, states
from work_data_hub.domain.customers.rules import SHIPPED_RULES, CustomerRules
from work_data_hub.domain.customers.shapes import ATTRIBUTES, CONTRACT_KEY, NORMAL, STATES, STOPPED
from work_data_hub.errors import DataError

pytestmark = pytest.mark.unit

RULES = CustomerRules(strategic_threshold=Decimal(10), whitelist_top_n=0)
TOP = CustomerRules(strategic_threshold=Decimal(10**9), whitelist_top_n=2)
OTHER, THIRD = "600000002", "600000003"


def seen(months: Months, *, rules: CustomerRules = RULES) -> dict[tuple[str, str], dict[str, str | bool | int]]:
    """The attributes by step and company."""
    found = states(monthly_facts(months), Timeline(months=tuple(sorted(months))), rules=rules)
    rows = found.assign(step=found["step"].dt.strftime("%Y-%m-%d")).to_dict("records")
    return {(row["step"], row["company_id"]): {name: row[name] for name in ATTRIBUTES} for row in rows}


def last(name: str, months: dict[str, list[Fact]], *, rules: CustomerRules = RULES) -> str | bool | int:
    """One attribute of the first company at the newest step."""
    found = seen({month(text): facts for text, facts in months.items()}, rules=rules)
    return {company: attributes for (_, company), attributes in found.items()}["600000001"][name]


@pytest.mark.parametrize(
    ("months", "status"),
    [
        ({"2024-06": [Fact(aum=1, paid=1)]}, NORMAL),
        ({"2024-06": [Fact(aum=1, paid=0)]}, STOPPED),  # nothing paid
        ({"2024-06": [Fact(aum=0, paid=1)]}, STOPPED),  # nothing there
        ({"2024-06": [Fact(aum=-1, paid=1)]}, STOPPED),
        ({"2024-06": [Fact(aum=1, paid=-1)]}, STOPPED),
        ({"2023-07": [Fact(aum=1, paid=1)], "2024-06": [Fact(aum=1)]}, NORMAL),  # paid 11 months ago: inside
        ({"2023-06": [Fact(aum=1, paid=1)], "2024-06": [Fact(aum=1)]}, STOPPED),  # 12 months ago: outside
        ({"2024-05": [Fact(aum=1, paid=1)], "2024-06": [Fact(aum=1, paid=-1)]}, STOPPED),  # the sum counts
        ({"2024-06": [Fact(aum=5, paid=1), Fact(aum=-5, branch="G02")]}, STOPPED),  # branches are added up
        ({"2024-06": [Fact(aum=5), Fact(aum=-1, paid=1, branch=None)]}, NORMAL),
        ({"2024-05": [Fact(aum=1, paid=1, line="PL201")], "2024-06": [Fact(aum=1)]}, STOPPED),  # another contract's
    ],
)
def test_status(months: dict[str, list[Fact]], status: str) -> None:
    assert last("contract_status", months) == status


def test_a_contribution_of_a_later_month_does_not_count() -> None:
    found = seen({month("2024-05"): [Fact(aum=1)], month("2024-06"): [Fact(aum=1, paid=1)]})

    assert [attributes["contract_status"] for attributes in found.values()] == [STOPPED, NORMAL]


def test_the_window_of_contributions_is_as_long_as_the_rules_say() -> None:
    months = {"2024-03": [Fact(aum=1, paid=1)], "2024-06": [Fact(aum=1)]}

    assert last("contract_status", months, rules=CustomerRules(contribution_months=4)) == NORMAL
    assert last("contract_status", months, rules=CustomerRules(contribution_months=3)) == STOPPED


@pytest.mark.parametrize(
    ("december", "is_existing"),
    [
        ([Fact(aum=1)], True),
        ([Fact(aum=0, paid=1)], False),
        ([Fact(aum=-1)], False),
        ([Fact(aum=5), Fact(aum=-5, branch="G02")], False),
        ([Fact(aum=1, line="PL201")], False),  # another contract's
        ([], False),
    ],
)
def test_existing_is_what_had_money_last_december(december: list[Fact], is_existing: bool) -> None:
    assert last("is_existing", {"2023-12": december, "2024-06": [Fact(aum=1)]}) is is_existing


def test_without_a_december_nothing_is_existing_and_the_december_is_named() -> None:
    timeline = Timeline(months=(month("2023-11"), month("2024-01")))

    assert last("is_existing", {"2023-11": [Fact(aum=1)], "2024-01": [Fact(aum=1)]}) is False
    assert timeline.missing_decembers() == (month("2022-12"), month("2023-12"))
    assert timeline.missing_decembers(since=month("2024-01")) == (month("2023-12"),)


@pytest.mark.parametrize(
    ("months", "is_strategic"),
    [
        ({"2024-06": [Fact(aum=10)]}, True),  # the threshold itself
        ({"2024-06": [Fact(aum=9)]}, False),
        ({"2024-06": [Fact(aum=6), Fact(aum=6, branch="G02")]}, False),  # each branch is judged by itself
        ({"2024-06": [Fact(aum=10), Fact(aum=-9, branch="G02")]}, True),  # one part is enough
        ({"2024-05": [Fact(aum=10)], "2024-06": [Fact(aum=1)]}, True),  # never downgraded inside a year
        ({"2024-02": [Fact(aum=10)], "2024-04": [], "2024-06": [Fact(aum=1)]}, True),  # not even by a gap
        ({"2023-11": [Fact(aum=10)], "2024-06": [Fact(aum=1)]}, False),  # the year before counts by its December
        ({"2023-11": [Fact(aum=10)], "2023-12": [Fact(aum=1)], "2024-01": [Fact(aum=1)]}, False),
        ({"2023-12": [Fact(aum=10)], "2024-06": [Fact(aum=1)]}, True),  # locked for the year
        ({"2022-12": [Fact(aum=10)], "2023-12": [Fact(aum=1)], "2024-06": [Fact(aum=1)]}, False),
    ],
)
def test_strategic_by_threshold(months: dict[str, list[Fact]], is_strategic: bool) -> None:
    assert last("is_strategic", months) is is_strategic


@pytest.mark.parametrize(
    ("others", "is_strategic"),
    [
        ([Fact(aum=9, company=OTHER)], True),  # second of two
        ([Fact(aum=9, company=OTHER), Fact(aum=8, company=THIRD)], False),  # third
        ([Fact(aum=9, company=OTHER), Fact(aum=5, company=THIRD)], True),  # a tie at the edge is in
        ([Fact(aum=9, company=OTHER), Fact(aum=9, company=THIRD)], False),  # a tie takes two places
        ([Fact(aum=9, company=OTHER), Fact(aum=8, company=THIRD, line="PL201")], True),  # another line
        ([Fact(aum=9, company=OTHER), Fact(aum=8, company=THIRD, branch=None)], True),  # no branch: its own group
        ([Fact(aum=9, company=OTHER), Fact(aum=8, company=OTHER, plan="P0002")], False),  # plans compete
    ],
)
def test_strategic_by_rank_in_branch_and_line(others: list[Fact], is_strategic: bool) -> None:
    assert last("is_strategic", {"2024-06": [Fact(aum=5), *others]}, rules=TOP) is is_strategic


def test_contracts_without_branch_are_ranked_among_each_other() -> None:
    months = {
        "2024-06": [Fact(aum=aum, company=one, branch=None) for aum, one in ((5, "600000001"), (9, OTHER), (8, THIRD))]
    }

    assert last("is_strategic", months, rules=TOP) is False


@pytest.mark.parametrize("aum", [0, -1])
def test_no_rank_makes_a_contract_without_money_strategic(aum: int) -> None:
    assert last("is_strategic", {"2024-06": [Fact(aum=aum)]}, rules=TOP) is False


def test_a_threshold_finer_than_amounts_is_kept_exactly() -> None:
    months = {"2024-06": [Fact(aum=10)]}

    assert (
        last("is_strategic", months, rules=CustomerRules(strategic_threshold=Decimal("10.00001"), whitelist_top_n=0))
        is False
    )


def test_the_turn_of_a_year_keeps_the_status_and_judges_the_rest_by_december() -> None:
    found = seen({month("2023-11"): [Fact(aum=10, paid=1)], month("2023-12"): [Fact(aum=1)], month("2024-02"): []})

    assert found["2024-01-01", "600000001"] == {
        "contract_status": NORMAL,
        "is_existing": True,
        "is_strategic": False,
        "status_year": 2024,
    }


def test_a_year_opens_only_for_contracts_of_the_step_before() -> None:
    found = seen({month("2023-11"): [Fact(aum=1)], month("2023-12"): [], month("2024-01"): [Fact(aum=1)]})

    assert [step for step, _ in found] == ["2023-11-30", "2024-01-31"]


def test_steps_of_a_gap_over_years_and_of_a_year_cut_over() -> None:
    timeline = Timeline(months=(month("2022-11"), month("2025-12")), turns=frozenset({2024, 2026, 2027}))

    assert [step.day for step in timeline.steps()] == [
        date(2022, 11, 30),
        *(date(year, 1, 1) for year in (2023, 2024, 2025)),
        date(2025, 12, 31),
        date(2026, 1, 1),
    ]
    assert timeline.first_step(month("2025-12")) == date(2022, 12, 1)
    assert timeline.first_step(month("2022-11")) == date.min


@pytest.mark.parametrize(
    ("months", "since", "first_needed"),
    [
        (("2024-05", "2024-06"), "2024-06", "2023-06"),
        (("2023-12", "2024-01"), "2024-01", "2023-01"),
        (("2024-01", "2024-12"), "2024-12", "2023-02"),
        (("2021-12", "2024-06"), "2024-06", "2021-01"),  # the turns of the gap look at December 2021
        (("2022-05", "2023-01"), "2022-06", "2021-06"),  # 2022-06 went: the turn of 2023 now looks at May
    ],
)
def test_how_far_back_facts_are_needed(months: tuple[str, str], since: str, first_needed: str) -> None:
    timeline = Timeline(months=tuple(map(month, months)))

    assert timeline.facts_from(month(since), rules=SHIPPED_RULES) == month(first_needed)


def test_what_if_another_year_is_judged() -> None:
    months = {"2022-12": [Fact(aum=10)], "2024-06": [Fact(aum=1)]}
    rules = CustomerRules(strategic_threshold=Decimal(10), whitelist_top_n=0, status_year=2023)

    assert [last(name, months, rules=rules) for name in ("is_existing", "is_strategic", "status_year")] == [
        True,
        True,
        2023,
    ]


def test_facts_of_months_that_do_not_count_are_left_out() -> None:
    facts = monthly_facts({month("2024-05"): [Fact(aum=1, paid=1)], month("2024-06"): [Fact(aum=1)]})

    found = states(facts, Timeline(months=(month("2024-06"),)), rules=RULES)

    assert found["contract_status"].tolist() == [STOPPED]


def test_without_facts_there_is_no_state() -> None:
    found = states(monthly_facts({}), Timeline(months=()), rules=RULES)

    assert list(found.columns) == list(STATES)
    assert found.empty


@pytest.mark.parametrize(
    ("facts", "field", "value"),
    [
        ([Fact(aum=3 * 10**14)], "期末资产规模", "300,000,000,000,000"),
        (
            [Fact(aum=0, paid=-(10**14)), Fact(aum=0, paid=-2 * 10**14, branch="G02")],
            "供款",
            "-200,000,000,000,000",
        ),
    ],
)
def test_amounts_that_could_not_be_added_exactly_are_refused(facts: list[Fact], field: str, value: str) -> None:
    with pytest.raises(DataError, match="cannot be added exactly") as refused:
        seen({month("2024-05"): [Fact(aum=1, company=OTHER)], month("2024-06"): [Fact(aum=1, company=OTHER), *facts]})

    assert refused.value.message.startswith(
        "business.规模明细 2024-06, company 600000001, plan P0001, product line PL202: "
    )
    assert (refused.value.field, refused.value.input_data) == (field, value)
    assert "230,584,300,921,369 元" in str(refused.value.rule)


def test_a_key_with_a_missing_part_is_refused() -> None:
    facts = monthly_facts({month("2024-06"): [Fact(aum=1)]})

    with pytest.raises(ValueError, match="plan_code of a contract is missing"):
        key_codes(facts.assign(plan_code=None))


def test_months_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        Timeline(months=(month("2024-06"), month("2024-05")))


@settings(max_examples=150, deadline=None)
@given(some_rules(), whole_histories())
def test_states_are_what_the_rules_say_fact_by_fact(rules: CustomerRules, months: dict[int, list[Fact]]) -> None:
    found = states(monthly_facts(months), Timeline(months=tuple(sorted(months))), rules=rules)

    rows = found.assign(step=found["step"].dt.date).itertuples(index=False, name=None)
    told = [
        (day, *key, *attributes)
        for day, there in expected_states(months, rules)
        for key, attributes in sorted(there.items())
    ]
    assert list(rows) == told
    assert list(found.columns) == ["step", *CONTRACT_KEY, *ATTRIBUTES]
