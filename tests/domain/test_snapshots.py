from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.customer_seen import LINE, PLAN, A, Fact, Report, facts_frame, number, seen

from work_data_hub.domain.customers.conditions import StatusReference
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE
from work_data_hub.domain.customers.snapshots import LINE_COLUMNS, PLAN_COLUMNS, Seen, Snapshot, snapshot, why
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.errors import DataError
from work_data_hub.io.status_rules_config import load_status_rules

pytestmark = pytest.mark.unit

STATUS_RULES = load_status_rules(Path(__file__).parents[2] / "config")
MONTHS = ("202312", "202401", "202402", "202403")
B, UNKNOWN = "600000002", "600000009"


def given(
    *facts: Fact, month: str = "202402", awards: tuple[Report, ...] = (), losses: tuple[Report, ...] = ()
) -> Seen:
    return seen(month, facts_frame(facts), months=MONTHS, awards=awards, losses=losses)


def made(what: Seen, *, month: str = "202402", rules: StatusRules = STATUS_RULES) -> Snapshot:
    return snapshot(number(month), what, rules=rules)


def test_frames_have_the_columns_of_the_tables_in_order_of_their_keys() -> None:
    one = made(given(Fact(month="202402", amount=1, company=B), Fact(month="202402", amount=2)))
    assert tuple(one.lines.columns) == LINE_COLUMNS
    assert tuple(one.plans.columns) == PLAN_COLUMNS
    assert one.lines["company_id"].tolist() == [A, B]
    assert set(one.lines["snapshot_month"]) == {pd.Timestamp("2024-02-29")}


def test_amounts_stay_exact_beside_contracts_that_have_none() -> None:
    what = given(Fact(month="202402", amount=1), Fact(month="202401", amount=1, company=B))
    one = made(replace(what, facts=what.facts.assign(aum=2**53 + 1)))
    assert one.plans["aum_balance"].tolist() == [2**53 + 1, 0]
    assert one.lines["aum_balance"].dtype == "int64"


def test_amounts_of_all_plans_and_branches_are_added() -> None:
    facts = [Fact(month="202402", amount=amount, plan=plan) for plan, amount in (("P1", 1), ("P1", 2), ("P2", 4))]
    one = made(given(*facts))
    assert one.lines["aum_balance"].tolist() == [7 * AMOUNT_SCALE]
    assert one.plans["aum_balance"].tolist() == [3 * AMOUNT_SCALE, 4 * AMOUNT_SCALE]


def test_amounts_too_large_to_be_added_are_refused() -> None:
    what = given(*(Fact(month="202402", amount=1, plan=plan) for plan in ("P1", "P2")))
    huge = what.facts.assign(aum=2**62)
    with pytest.raises(DataError, match="too large to be summed exactly"):
        made(replace(what, facts=huge))


def test_a_past_month_does_not_know_what_came_later() -> None:
    facts = (Fact(month="202401", amount=1), Fact(month="202402", amount=600_000_000))
    later = (Report(month="202402"),)
    row = made(given(*facts, month="202401", awards=later, losses=later), month="202401").lines.iloc[0]
    assert not row[["is_strategic", "is_winning_this_year", "is_loss_reported", "is_churned_this_year"]].any()


def test_last_years_reports_are_over() -> None:
    reports = (Report(month="202312"),)
    one = made(given(Fact(month="202402", amount=1), awards=reports, losses=reports))
    assert not one.lines[["is_winning_this_year", "is_loss_reported"]].to_numpy().any()


@pytest.mark.parametrize("plan", [None, "", "AN001", "AN002"])
def test_an_award_without_a_plan_stands_for_the_line_only(plan: str | None) -> None:
    one = made(given(awards=(Report(month="202401", plan=plan),)))
    assert (one.lines["is_award_only"].tolist(), len(one.plans)) == ([True], 0)


def test_an_award_of_another_plan_stands_beside_the_contract() -> None:
    one = made(given(Fact(month="202402", amount=1), awards=(Report(month="202401", plan="P9"),)))
    assert one.lines["is_award_only"].tolist() == [False]
    assert one.plans[["plan_code", "is_award_only", "is_winning_this_year"]].to_numpy().tolist() == [
        [PLAN, False, False],
        ["P9", True, True],
    ]


def test_awards_that_stand_twice_make_one_row() -> None:
    one = made(given(awards=(Report(month="202401", plan="P9"), Report(month="202402", plan="P9"))))
    assert (len(one.lines), len(one.plans)) == (1, 1)


def test_reports_that_reach_no_row_are_counted_by_reason() -> None:
    odd = (
        Report(month="202401", company=None),
        Report(month="202401", company=" "),
        Report(month="202401", company=UNKNOWN),
        Report(month="202401", line=None),
        Report(month="202401", line="PL201"),
    )
    one = made(given(Fact(month="202402", amount=1), awards=odd[:4], losses=odd))
    counts = {"no company_id": 2, "a company that 客户明细 does not have": 1, "no 产品线代码": 1}
    assert one.notes == {
        **{f"annual_award: {reason}": rows for reason, rows in counts.items()},
        **{f"annual_loss: {reason}": rows for reason, rows in counts.items()},
        "annual_loss: no contract or award of the company and product line": 1,
    }


def test_nothing_at_all_makes_an_empty_snapshot() -> None:
    one = made(given())
    assert (len(one.lines), len(one.plans), one.notes) == (0, 0, {})


def test_what_a_rule_says_is_what_the_flag_becomes() -> None:
    facts = [Fact(month=month, amount=1) for month in MONTHS]
    what = given(*facts, awards=(Report(month="202402"),))
    won = replace(STATUS_RULES.rules["is_new"], conditions=(StatusReference(status="is_winning_this_year"),))
    without_negation = replace(STATUS_RULES, rules={**STATUS_RULES.rules, "is_new": won})
    assert made(what).lines["is_new"].tolist() == [False]
    assert made(what, rules=without_negation).lines["is_new"].tolist() == [True]


def test_why_says_of_every_flag_which_conditions_held() -> None:
    what = given(Fact(month="202401", amount=1), awards=(Report(month="202401"),))
    lines = why(number("202402"), what, rules=STATUS_RULES, company_id=A, product_line_code=LINE)
    assert "is_new: yes (is_winning_this_year: yes AND not (BOOL_OR of is_existing): yes)" in lines
    assert "P1 is_winning_this_year: no (中标客户明细 has it this year: no)" in lines
    assert len(lines) == 8


def test_why_says_that_there_is_no_row() -> None:
    told = why(number("202402"), given(), rules=STATUS_RULES, company_id=A, product_line_code=LINE)
    assert told == ("no row in 2024-02: no contract in force this year, and no award",)
