"""Names in doubt decided in a workbook: planned, taken whole or not at all, never over somebody else's decision."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from tests.customer_months import WHY, A, B, C, decided, identity, load_doubts
from tests.hub import Hub

from work_data_hub.io.review_form import HEADINGS, SHEET

pytestmark = pytest.mark.integration
COLUMN = {name: at for at, name in enumerate(HEADINGS, start=1)}


@pytest.fixture
def doubts(hub: Hub) -> Hub:
    """A month with two names that the registry is unsure of, and one with two companies."""
    load_doubts(hub)
    return hub


def workbook(hub: Hub, answers: Mapping[str, Mapping[str, Any]], *, name: str = "review.xlsx") -> Path:
    """Export the list and answer by name."""
    path = hub.home / name
    assert hub.wdh("identity", "review", "--xlsx", str(path)).code == 0
    return answered(path, answers)


def answered(path: Path, answers: Mapping[str, Mapping[str, Any]]) -> Path:
    book = load_workbook(path)
    page = book[SHEET]
    for line in range(2, page.max_row + 1):
        for column, value in answers.get(str(page.cell(line, COLUMN["name"]).value), {}).items():
            page.cell(line, COLUMN[column]).value = value
    book.save(path)
    return path


ALL: Mapping[str, Mapping[str, Any]] = {
    "恒泰电力有限公司": {"decision": "接受 · accept", "why": "营业执照"},
    "远大石油有限公司": {"decision": "否决 · reject", "why": "另一家"},
    "鼎盛纺织有限公司": {"decision": "改选 · choose", "company": 600000001, "plan": "P0001", "why": "合同"},
}


def test_a_workbook_is_planned_and_then_taken_once(doubts: Hub) -> None:
    path = workbook(doubts, ALL)

    planned = identity(doubts, "review", "--take", str(path))
    nothing = decided(doubts)
    taken = identity(doubts, "review", "--take", str(path), "--execute", "--by", "王芳")
    stored = doubts.contents()
    again = identity(doubts, "review", "--take", str(path), "--execute")

    assert (planned.code, planned.report["status"], nothing) == (0, "planned", [])
    assert (taken.code, taken.report["status"]) == (0, "decided"), taken.stderr
    assert decided(doubts) == [
        ("reject", "远大石油有限公司", None, C, None),
        ("accept", "恒泰电力有限公司", None, None, A),
        ("choose", "鼎盛纺织有限公司", "P0001", None, A),
    ]
    assert (again.code, again.report["status"]) == (0, "unchanged")
    assert doubts.contents() == stored


@pytest.mark.parametrize(
    ("answers", "column", "message"),
    [
        ({"decision": "同意", "why": "x"}, "C", "not a decision"),
        ({"decision": "接受 · accept"}, "F", "who made it and why"),
        ({"decision": "接受 · accept", "company": C, "why": "x"}, "D", "another company is written"),
        ({"decision": "改选 · choose", "why": "x"}, "D", "the company is missing"),
        ({"decision": "改选 · choose", "company": "待查", "why": "x"}, "D", "not a company id"),
        ({"decision": "改选 · choose", "company": "699999999", "why": "x"}, "D", "knows company 699999999"),
        ({"decision": "拆出 · split", "why": "x"}, "D", "the company is missing"),
        ({"company": A}, "C", "but no decision"),
    ],
)
def test_one_bad_answer_keeps_all_from_being_taken(
    doubts: Hub, answers: Mapping[str, Any], column: str, message: str
) -> None:
    path = workbook(doubts, {**ALL, "恒泰电力有限公司": answers})

    refused = identity(doubts, "review", "--take", str(path), "--execute")

    assert refused.code == 4
    (only,) = refused.report["refused"]
    assert (only["cell"], message in only["message"]) == (f"{column}3", True), only
    assert f"{SHEET}!{column}3" in refused.report["error"]["message"]
    assert decided(doubts) == []


def decide_otherwise(hub: Hub) -> None:
    identity(hub, "choose", "恒泰电力有限公司", C, "--by", "李强", *WHY)


def rule_out(hub: Hub) -> None:
    identity(hub, "reject", "恒泰电力有限公司", B, "--by", "李强", *WHY)


def decide_the_same(hub: Hub) -> None:
    identity(hub, "choose", "恒泰电力有限公司", A, "--by", "李强", *WHY)


@pytest.mark.parametrize(
    ("meanwhile", "code"), [(decide_otherwise, 4), (rule_out, 4), (decide_the_same, 0)], ids=["other", "reject", "same"]
)
def test_what_others_decided_meanwhile_is_not_overwritten(
    doubts: Hub, meanwhile: Callable[[Hub], None], code: int
) -> None:
    path = workbook(doubts, {"恒泰电力有限公司": ALL["恒泰电力有限公司"]})
    meanwhile(doubts)
    stood = decided(doubts)

    taken = identity(doubts, "review", "--take", str(path), "--execute")

    assert (taken.code, decided(doubts)) == (code, stood)
    assert ("李强" in taken.stdout) is True


def test_what_was_undone_is_not_done_again_by_the_same_workbook(doubts: Hub) -> None:
    path = workbook(doubts, {"恒泰电力有限公司": ALL["恒泰电力有限公司"]})
    identity(doubts, "review", "--take", str(path), "--execute")
    identity(doubts, "undo", "1", "--by", "李强", "--why", "看错了")

    again = identity(doubts, "review", "--take", str(path), "--execute")

    assert again.code == 4
    assert "李强 took this decision back" in again.report["refused"][0]["message"]
    assert decided(doubts) == []


def test_a_workbook_may_be_taken_bit_by_bit(doubts: Hub) -> None:
    path = workbook(doubts, {"鼎盛纺织有限公司": ALL["鼎盛纺织有限公司"]})
    identity(doubts, "review", "--take", str(path), "--execute")
    answered(path, {"恒泰电力有限公司": ALL["恒泰电力有限公司"]})

    second = identity(doubts, "review", "--take", str(path), "--execute").report

    assert [(row["kind"], row["is_new"]) for row in second["decisions"]] == [("accept", True), ("choose", False)]


def test_nothing_in_doubt_writes_no_workbook(hub: Hub) -> None:
    answer = hub.wdh("identity", "review", "--xlsx", "review.xlsx")

    assert (answer.code, "no name in doubt" in answer.stdout) == (0, True)
    assert not (hub.home / "review.xlsx").exists()


def test_a_workbook_of_another_database_is_refused(doubts: Hub) -> None:
    path = workbook(doubts, ALL)
    book = load_workbook(path)
    facts = book["wdh.facts"]
    facts["B2"].value = re.sub(r'"wdh_test\w*"', '"elsewhere"', str(facts["B2"].value))
    book.save(path)

    refused = identity(doubts, "review", "--take", str(path), "--execute")

    assert (refused.code, "database elsewhere" in refused.stderr, decided(doubts)) == (3, True, [])


def test_a_workbook_never_replaces_a_file(doubts: Hub) -> None:
    path = workbook(doubts, ALL)
    before = path.read_bytes()

    refused = identity(doubts, "review", "--xlsx", str(path))

    assert (refused.code, path.read_bytes()) == (2, before)


@pytest.mark.parametrize(
    "arguments", [("--execute",), ("--by", "x"), ("--take", "a.xlsx", "--xlsx", "b.xlsx"), ("--min-money", "viel")]
)
def test_options_that_do_not_go_together_are_refused(doubts: Hub, arguments: tuple[str, ...]) -> None:
    assert identity(doubts, "review", *arguments).code == 2
