"""Names in doubt go out as a workbook and come back with decisions, however it was sorted, copied or shortened."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from work_data_hub.domain.identity.evidence import FactGroup, Proposal
from work_data_hub.domain.identity.review import Doubt, UncertainName
from work_data_hub.errors import SourceError, UnreadableWorkbook
from work_data_hub.io.returned_review import Answer, read_review
from work_data_hub.io.review_form import HEADINGS, SHEET, ReviewFacts
from work_data_hub.io.review_workbook import review_items, write_review

pytestmark = pytest.mark.unit
COLUMN = {name: at for at, name in enumerate(HEADINGS, start=1)}
A, B = "600000001", "600000002"


def uncertain(name: str, *, written: str = "", money: str = "0", company: str = A) -> UncertainName:
    group = FactGroup(
        domain="annuity_performance",
        name=name,
        written=written or name,
        plan="P0001",
        plan_type="集合计划",
        company_id="IN" + "A" * 16,
        source="temporary_id",
        rows=3,
        first_month=date(2024, 9, 1),
        last_month=date(2024, 10, 1),
        money={"期末资产规模": Decimal(money)},
    )
    return UncertainName(
        name=name,
        doubts=(Doubt.UNSURE,),
        proposal=Proposal(company_id=company, name=f"{name}（集团）", match_type="模糊匹配", confidence=0.8),
        candidates=(Proposal(company_id=B, name="乙公司", score=7.5),),
        groups=(group,),
        decisions=(),
    )


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    names = [uncertain("甲公司", written="(原)甲公司", money="1234567.8901"), uncertain("=丙公司", company="7")]
    facts = ReviewFacts(
        workbook="w1", written_at="2024-11-01", database="hub", newest_decision=4, items=review_items(names)
    )
    return write_review(tmp_path / "review.xlsx", names, facts=facts)


def edited(workbook: Path, change: Callable[[Worksheet], object]) -> Path:
    book = load_workbook(workbook)
    change(book[SHEET])
    book.save(workbook)
    return workbook


def answer(page: Worksheet, row: int, **answers: Any) -> None:
    for name, value in answers.items():
        page.cell(row, COLUMN[name]).value = value


def said(one: Answer) -> tuple[str, str, str, str, str]:
    return one.item.name, one.decision, one.company, one.plan, one.why


def test_every_name_is_a_row_with_its_evidence_and_blank_answers(workbook: Path) -> None:
    page = load_workbook(workbook)[SHEET]
    shown = {name: page.cell(2, at).value for name, at in COLUMN.items()}

    assert [cell.value for cell in page[1]] == list(HEADINGS.values())
    assert (shown["written"], shown["name"], shown["proposed"], shown["official"]) == (
        "(原)甲公司",
        "甲公司",
        A,
        "甲公司（集团）",
    )
    assert (shown["confidence"], shown["rows"], shown["money"]) == (0.8, 3, 1234567.8901)
    assert (shown["months"], shown["plans"], shown["candidates"]) == (
        "2024-09 – 2024-10",
        "P0001",
        f"{B} 乙公司 score 7.5",
    )
    assert [shown[name] for name in ("decision", "company", "plan", "why")] == [None] * 4
    assert page.cell(3, COLUMN["name"]).data_type == "s"
    assert page.column_dimensions["S"].hidden


def test_the_decision_is_chosen_from_a_list(workbook: Path) -> None:
    (choice,) = load_workbook(workbook)[SHEET].data_validations.dataValidation

    assert "接受 · accept" in choice.formula1
    assert str(choice.sqref) == "C2:C3"


def test_an_untouched_workbook_decides_nothing(workbook: Path) -> None:
    returned = read_review(workbook)

    assert (returned.answers, returned.left_open, returned.facts.newest_decision) == ((), 2, 4)


def test_answers_come_back_with_their_cells_and_numbers_as_ids(workbook: Path) -> None:
    def decide(page: Worksheet) -> None:
        answer(page, 2, decision="接受 · accept", why=" 营业执照 ")
        answer(page, 3, decision="choose", company=600000002, plan="P0001", why="合同")

    first, second = read_review(edited(workbook, decide)).answers

    assert said(first) == ("甲公司", "accept", "", "", "营业执照")
    assert said(second) == ("=丙公司", "choose", B, "P0001", "合同")
    assert (first.cells["decision"], second.cells["company"]) == ("C2", "D3")


def test_rows_may_be_swapped_deleted_and_copied(workbook: Path) -> None:
    def rearrange(page: Worksheet) -> None:
        page.append([cell.value for cell in page[2]])
        answer(page, 2, decision="choose", company="1", plan="P1", why="a")
        answer(page, 4, decision="choose", company="2", plan="P2", why="b")
        page.delete_rows(3)

    first, second = read_review(edited(workbook, rearrange)).answers

    assert said(first) == ("甲公司", "choose", "1", "P1", "a")
    assert said(second) == ("甲公司", "choose", "2", "P2", "b")


def test_a_word_that_is_no_decision_comes_back_as_it_stands(workbook: Path) -> None:
    (only,) = read_review(edited(workbook, lambda page: answer(page, 2, decision="同意"))).answers

    assert (only.decision, only.is_known) == ("同意", False)


def test_a_cell_that_holds_an_error_is_told(workbook: Path) -> None:
    (only,) = read_review(edited(workbook, lambda page: answer(page, 2, decision="choose", company="=1/0"))).answers

    assert only.broken == ("company",)


def _sorted_apart(page: Worksheet) -> None:
    for row, item in ((2, 2), (3, 1)):
        page.cell(row, COLUMN["item"]).value = item


@pytest.mark.parametrize(
    ("change", "cell"),
    [
        (_sorted_apart, "B2"),
        (lambda page: answer(page, 2, name="乙公司"), "B2"),
        (lambda page: answer(page, 2, item=9), "S2"),
        (lambda page: answer(page, 2, item=None), "S2"),
    ],
)
def test_a_row_that_is_not_the_one_sent_out_is_refused(
    workbook: Path, change: Callable[[Worksheet], object], cell: str
) -> None:
    with pytest.raises(UnreadableWorkbook) as refused:
        read_review(edited(workbook, change))

    assert refused.value.cell == cell


def test_a_workbook_of_others_is_refused(tmp_path: Path, workbook: Path) -> None:
    book = load_workbook(workbook)
    del book["wdh.facts"]
    book.save(tmp_path / "other.xlsx")

    with pytest.raises(UnreadableWorkbook, match="not a review workbook"):
        read_review(tmp_path / "other.xlsx")


def test_damaged_facts_and_changed_headings_are_refused(workbook: Path, tmp_path: Path) -> None:
    book = load_workbook(workbook)
    book["wdh.facts"]["B2"].value = '{"format": 99}'
    book.save(tmp_path / "damaged.xlsx")

    with pytest.raises(UnreadableWorkbook, match="hidden facts are damaged"):
        read_review(tmp_path / "damaged.xlsx")
    with pytest.raises(SourceError, match="理由"):
        read_review(edited(workbook, lambda page: answer(page, 1, why="原因")))
