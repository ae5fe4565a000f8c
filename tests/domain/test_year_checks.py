from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import VERSIONS, month_number
from work_data_hub.domain.customers.year_checks import (
    Finding,
    YearCheck,
    YearVerdict,
    comparable,
    found_nothing,
    rebuild_check,
    share_checks,
    structure_checks,
    sums_check,
    synced_check,
)

pytestmark = pytest.mark.unit

OPEN = "9999-12-31"
JANUARY, FEBRUARY = month_number(date(2024, 1, 1)), month_number(date(2024, 2, 1))


def versions(*rows: dict[str, Any]) -> pd.DataFrame:
    """Versions of which each row shows the cells that matter."""
    usual = {
        "company_id": "600000001",
        "plan_code": "P0001",
        "product_line_code": "PL202",
        "valid_from": "2024-01-31",
        "valid_to": OPEN,
        "contract_status": "正常",
        "is_existing": True,
        "is_strategic": False,
        "status_year": 2024,
    }
    frame = pd.DataFrame([usual | row for row in rows], columns=list(VERSIONS))
    days = {name: frame[name].astype("datetime64[s]") for name in ("valid_from", "valid_to")}
    return frame.assign(**days)


def companies(count: int, *, strategic: int = 0, existing: int = 0, **cells: Any) -> pd.DataFrame:
    return versions(
        *(
            {"company_id": str(at), "is_strategic": at < strategic, "is_existing": at < existing} | cells
            for at in range(count)
        )
    )


def failed(frame: pd.DataFrame) -> list[str]:
    return [check.name for check in structure_checks(frame) if not check.passed]


def shares(frame: pd.DataFrame) -> tuple[YearCheck, YearCheck]:
    return share_checks(frame, year=2024, day=date(2024, 6, 30), rules=CustomerRules())


@pytest.mark.parametrize(("strategic", "passed"), [(4, False), (5, True), (10, True), (11, False)])
def test_strategic_contracts_are_within_both_shares(strategic: int, passed: bool) -> None:
    check, _ = shares(companies(100, strategic=strategic, existing=100))

    assert check.passed is passed
    assert check.seen == f"{strategic} of 100 ({strategic}.00 %)"


@pytest.mark.parametrize(("existing", "passed"), [(69, False), (70, True), (100, True)])
def test_existing_contracts_reach_their_share(existing: int, passed: bool) -> None:
    _, check = shares(companies(100, strategic=5, existing=existing))

    assert check.passed is passed


def test_only_contracts_of_the_year_in_force_on_the_day_count() -> None:
    others = [
        companies(50, strategic=50, valid_to="2024-06-30"),  # ended that very day
        companies(50, strategic=50, valid_from="2024-07-31"),
        companies(50, strategic=50, valid_from="2023-12-31", status_year=2023),
    ]

    strategic, existing = shares(pd.concat([companies(20, strategic=1, existing=20), *others], ignore_index=True))

    assert (strategic.seen, existing.seen) == ("1 of 20 (5.00 %)", "20 of 20 (100.00 %)")


def test_a_year_without_contracts_is_not_sound() -> None:
    checks = shares(versions())

    assert [(check.passed, check.seen) for check in checks] == [(False, "no contract in force")] * 2


def test_what_is_expected_follows_the_rules() -> None:
    rules = CustomerRules(least_strategic_share=Decimal("0.5"), most_strategic_share=Decimal(1))

    check, _ = share_checks(companies(2, strategic=1), year=2024, day=date(2024, 6, 30), rules=rules)

    assert check.passed
    assert check.expected == "50.00 % to 100.00 % of the contracts in force on 2024-06-30 are strategic"


def test_versions_one_after_another_are_sound() -> None:
    history = versions(
        {"valid_from": "2023-11-30", "valid_to": "2024-01-01", "status_year": 2023},
        {"valid_from": "2024-01-01", "valid_to": "2024-03-31"},
        {"valid_from": "2024-05-31"},
        {"plan_code": "P0002", "valid_from": "2024-02-29"},
        {"company_id": "600000002", "product_line_code": "PL201"},
    )

    assert failed(history.sample(frac=1, random_state=1)) == []
    assert comparable(history).equals(history)


@pytest.mark.parametrize(
    ("rows", "fails"),
    [
        ([{"valid_to": "2024-06-30"}, {"valid_from": "2024-05-31", "valid_to": "2024-09-30"}], "no_overlaps"),
        ([{"valid_to": "2024-06-30"}, {"valid_from": "2024-05-31"}], "no_overlaps"),
        ([{}, {"valid_from": "2024-05-31", "valid_to": "2024-09-30"}], "no_overlaps"),  # behind an open one
        ([{"valid_to": "2024-09-30"}, {"valid_to": "2024-09-30"}], "no_overlaps"),  # twice the same
        ([{"valid_to": "2024-01-31"}], "no_overlaps"),  # an empty one
        ([{}, {"valid_from": "2024-05-31"}], "one_open_version"),
        ([{}, {}], "one_open_version"),
        ([{"status_year": 2023}], "status_year"),
        ([{"valid_from": "2024-01-01", "status_year": 2023}], "status_year"),
    ],
)
def test_one_fault_fails_one_check(rows: list[dict[str, Any]], fails: str) -> None:
    assert failed(versions(*rows)) == [fails]


def test_one_version_that_spans_two_others_is_seen() -> None:
    long = {"valid_from": "2024-01-31", "valid_to": "2024-12-31"}
    rows = [long, *({"valid_from": f"2024-0{m}-28", "valid_to": f"2024-0{m + 1}-28"} for m in (2, 4))]

    check = structure_checks(versions(*rows))[0]

    assert check.seen == "2 exceptions"
    assert check.examples[0] == "600000001 P0001 PL202, 2024-02-28 to 2024-03-28"


def test_what_structure_tells_of_is_not_compared_again() -> None:
    history = versions(
        {"valid_to": "2024-06-30", "status_year": 1999},
        {"valid_from": "2024-05-31", "valid_to": "2024-06-30"},
        {"valid_from": "2024-07-31"},
        {"valid_from": "2024-08-31"},
    )

    compared = comparable(history)

    assert [f"{day:%m-%d}" for day in compared["valid_from"]] == ["01-31", "07-31"]
    assert compared["status_year"].tolist() == [2024, 2024]


def test_a_difference_from_the_facts_is_named_by_its_kind() -> None:
    check = rebuild_check({"missing": versions(), "not from facts": versions({"valid_to": "2024-06-30"})})

    assert not check.passed
    assert check.examples == ("not from facts: 600000001 P0001 PL202, 2024-01-31 to 2024-06-30",)


def test_no_difference_from_the_facts_passes() -> None:
    assert rebuild_check({"missing": versions(), "not from facts": versions()}).passed


def test_many_exceptions_are_counted_and_five_are_shown() -> None:
    check = structure_checks(companies(1_200, status_year=2023))[2]

    assert (check.seen, len(check.examples)) == ("1,200 exceptions", 5)


def test_rows_of_a_finding_are_counted() -> None:
    check = found_nothing("no_orphans", expected="", findings=[Finding(text="a", rows=7), Finding(text="b", rows=2)])

    assert (check.passed, check.seen, check.examples) == (False, "9 exceptions", ("a", "b"))


@pytest.mark.parametrize(
    ("lines", "plans", "examples"),
    [
        ({JANUARY: 10_000}, {JANUARY: 10_000}, ()),
        ({JANUARY: 10_000}, {JANUARY: 9_999}, ("2024-01: 0.9999 in plans, 1.0000 in facts",)),
        ({}, {JANUARY: 10_000}, ("2024-01: 0.0000 in lines, 1.0000 in facts",)),
        (
            {JANUARY: 10_000, FEBRUARY: 12_345_678},
            {JANUARY: 10_000},
            ("2024-02: 1,234.5678 in lines, 0.0000 in facts",),
        ),
    ],
)
def test_sums_of_snapshots_are_those_of_the_facts(
    lines: dict[int, int], plans: dict[int, int], examples: tuple[str, ...]
) -> None:
    check = sums_check({JANUARY: 10_000}, {"lines": lines, "plans": plans})

    assert check.examples == examples
    assert check.passed == (not examples)


@pytest.mark.parametrize(
    ("facts", "synced", "examples"),
    [
        ({JANUARY: 1}, {JANUARY: 1}, ()),
        ({JANUARY: None}, {JANUARY: None}, ()),
        ({JANUARY: 1, FEBRUARY + 1: 9}, {JANUARY: 1}, ()),  # newer than what was ever synced
        ({JANUARY: 3}, {JANUARY: 1}, ("2024-01: load 3 is not synced",)),
        ({JANUARY: 1, FEBRUARY: 2}, {FEBRUARY: 2}, ("2024-01: loaded and not synced",)),
        ({}, {JANUARY: 1}, ("2024-01: its facts are gone",)),
    ],
)
def test_every_load_is_followed(
    facts: dict[int, int | None], synced: dict[int, int | None], examples: tuple[str, ...]
) -> None:
    check = synced_check(facts, synced, through=FEBRUARY)

    assert check.examples == examples
    assert check.passed == (not examples)


def test_a_verdict_tells_which_checks_failed() -> None:
    checks = tuple(YearCheck(name=name, passed=name == "b", expected="", seen="") for name in "abc")
    verdict = YearVerdict(year=2024, day=date(2024, 6, 30), checks=checks)

    assert not verdict.passed
    assert verdict.error == "2 of 3 checks of 2024 failed: a, c"
    document = verdict.as_json()
    assert (document["command"], document["period"], document["status"]) == (
        "customer-mdm validate",
        "2024",
        "failed",
    )
    assert [check["passed"] for check in document["checks"]] == [False, True, False]
