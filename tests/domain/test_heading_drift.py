"""Which heading may be which column: right proposals on top, none where nothing speaks for one, never two for one."""

from typing import Any

import pytest

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.heading_drift import Drift, Moved, compare
from work_data_hub.domain.heading_signals import HeadingWords, Sheet, SheetColumn, bare, other_unit, unit_in

pytestmark = pytest.mark.unit

DOMAIN = DOMAINS["annuity_performance"]
MEANINGS = {heading: column.name for column in DOMAIN.read for heading in column.headings}
SYNONYMS = {"编码": "代码", "号码": "代码", "月末": "期末", "规模": "资产规模", "月份": "月度"}

CODES = tuple(f"P{number:04d}" for number in range(40))
NAMES = tuple(f"第{number}号企业年金计划" for number in range(40))
CUSTOMERS = tuple(f"第{number}机械制造有限公司" for number in range(40))
OPENING = tuple(f"{number * 1000}.25" for number in range(1, 41))
CLOSING = tuple(f"{number * 3}000000.5" for number in range(1, 41))
CELLS = {
    "月度": ("202410",) * 40,
    "业务类型": ("企年受托", "企年投资") * 20,
    "计划类型": ("单一计划", "集合计划") * 20,
    "计划代码": CODES,
    "计划名称": NAMES,
    "客户名称": CUSTOMERS,
    "期初资产规模": OPENING,
    "期末资产规模": CLOSING,
    "投资收益": ("-12.5", "80.25") * 20,
}


def sheet(*renamed: tuple[str, str], order: tuple[str, ...] = tuple(CELLS), **cells: tuple[str, ...]) -> Sheet:
    """The usual sheet, some columns under other headings, others given other cells."""
    names = dict(renamed)
    return tuple(
        SheetColumn(
            heading=names.get(column, column),
            place=place,
            meaning=MEANINGS.get(names.get(column, column)),
            values=cells.get(column, CELLS.get(column, ())),
        )
        for place, column in enumerate(order)
    )


def drift(now: Sheet, *, last: Sheet | None = None, vocabularies: dict[str, frozenset[str]] | None = None) -> Drift:
    names = {column.name: column.headings for column in DOMAIN.read}
    words = HeadingWords(names=names, synonyms=SYNONYMS, vocabularies=vocabularies or {})
    return compare(now, last=last, domain=DOMAIN, words=words)


def proposed(found: Drift) -> dict[str, str]:
    return {proposal.column.name: proposal.found.heading for proposal in found.proposals}


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("计划代码", "计划号码"),
        ("计划代码", "计划编码"),
        ("期末资产规模", "期末规模"),
        ("期末资产规模", "月末资产规模（元）"),
        ("客户名称", "客户 全称"),
        ("月度", "月份"),
    ],
)
def test_a_renamed_column_is_proposed_for_what_it_was(column: str, heading: str) -> None:
    found = drift(sheet((column, heading)), last=sheet())

    assert found.proposals[0].column.name == column
    assert found.proposals[0].found.heading == heading
    assert found.proposals[0].confidence >= 0.8


def test_a_proposal_says_its_reasons() -> None:
    (proposal,) = drift(sheet(("计划代码", "计划号码")), last=sheet()).proposals

    assert proposal.reasons == (
        "name 0.95 by synonyms",
        "same letter · same neighbours",
        "100 % readable as code",
        "100 % of last month's values",
    )


def test_without_last_month_the_name_and_the_declared_neighbours_tell() -> None:
    (proposal,) = drift(sheet(("计划代码", "计划号码"))).proposals

    assert proposal.reasons[1] == "beside 计划类型 and 计划名称 as declared"
    assert proposal.confidence >= 0.8


def test_a_name_alone_does_not_bring_cells_of_another_kind() -> None:
    assert proposed(drift(sheet(("期末资产规模", "期末规模"), 期末资产规模=NAMES), last=sheet())) == {}


@pytest.mark.parametrize("last", [sheet(), None], ids=["last month", "no last month"])
def test_amounts_and_texts_find_their_own_columns(last: Sheet | None) -> None:
    found = drift(sheet(("计划名称", "计划A"), ("期末资产规模", "期末B")), last=last)

    assert proposed(found) == {"计划名称": "计划A", "期末资产规模": "期末B"}


def test_two_renamed_columns_that_changed_places_are_told_apart_by_what_they_hold() -> None:
    order = tuple({"计划代码": "计划名称", "计划名称": "计划代码"}.get(name, name) for name in CELLS)

    found = drift(sheet(("计划代码", "计划甲"), ("计划名称", "计划乙"), order=order), last=sheet())

    assert proposed(found) == {"计划代码": "计划甲", "计划名称": "计划乙"}


def test_two_new_columns_share_no_meaning() -> None:
    now = sheet(("计划代码", "计划号码"), order=(*CELLS, "计划编码", "说明"), 计划编码=CODES, 说明=("无误",) * 40)

    found = drift(now, last=sheet())

    assert proposed(found) == {"计划代码": "计划号码"}
    assert [column.heading for column in found.new] == ["计划号码", "计划编码", "说明"]


def test_a_heading_without_any_likeness_is_proposed_by_its_place_and_values() -> None:
    (proposal,) = drift(sheet(("计划代码", "PLAN")), last=sheet()).proposals

    assert proposal.column.name == "计划代码"
    assert 0.5 <= proposal.confidence < 0.7


def test_a_vocabulary_stands_in_for_last_month() -> None:
    now = sheet(("业务类型", "条线"))

    assert proposed(drift(now, vocabularies={"业务类型": frozenset({"企年受托", "企年投资"})})) == {"业务类型": "条线"}
    assert proposed(drift(now, vocabularies={"业务类型": frozenset({"团养"})})) == {}


@pytest.mark.parametrize("last", [sheet(), None], ids=["last month", "no last month"])
def test_nothing_is_proposed_for_a_foreign_sheet(last: Sheet | None) -> None:
    cells: dict[str, Any] = {
        "部门": ("财务部", "人事部") * 20,
        "反馈": ("无", "已阅") * 20,
        "分数": ("1", "2") * 20,
        "得分率": ("0.25", "0.5") * 20,
        "日期": ("2024-10-01",) * 40,
    }

    found = drift(sheet(order=tuple(cells), **cells), last=last)

    assert found.proposals == ()
    assert len(found.unknown) == 5


def test_amounts_in_another_unit_are_named_and_held_back() -> None:
    (proposal,) = drift(sheet(("期末资产规模", "期末资产规模（万元）")), last=sheet()).proposals

    assert proposal.obstacle == "it is in 万元, the column in 元"


def test_moved_columns_are_named_with_both_places() -> None:
    order = tuple({"计划代码": "计划名称", "计划名称": "计划代码"}.get(name, name) for name in CELLS)

    moved = drift(sheet(order=order), last=sheet()).moved

    assert moved == (Moved(column="计划名称", was=4, now=3), Moved(column="计划代码", was=3, now=4))


def test_blank_columns_are_judged_by_name_and_place() -> None:
    found = drift(sheet(("计划代码", "计划号码"), 计划代码=()), last=sheet())

    assert proposed(found) == {"计划代码": "计划号码"}


def test_names_that_never_repeat_are_not_held_against_a_column() -> None:
    others = tuple(f"第{number}号纺织有限公司" for number in range(40))

    (proposal,) = drift(sheet(("客户名称", "客户全名"), 客户名称=others), last=sheet()).proposals

    assert proposal.reasons[-1] == "0 % of last month's values"
    assert proposal.confidence >= 0.75


def test_values_that_repeat_and_are_new_speak_against_a_column() -> None:
    now = sheet(("业务类型", "业务类别"), 业务类型=("外包", "咨询") * 20)

    assert drift(now, last=sheet()).proposals[0].confidence < 0.75


def test_the_same_sheets_give_the_same_answer() -> None:
    now = sheet(("计划代码", "计划甲"), ("计划名称", "计划乙"))

    assert drift(now, last=sheet()) == drift(now, last=sheet())


@pytest.mark.parametrize(
    ("written", "read"),
    [("期末资产规模（元）", "期末资产规模"), ("流失（含待遇支付）", "流失含待遇支付"), ("Ｐlan\n No.", "planno")],
)
def test_names_are_compared_bare(written: str, read: str) -> None:
    assert bare(written) == read


@pytest.mark.parametrize(
    ("heading", "unit"),
    [
        ("规模（亿元）", "亿元"),
        ("规模(单位：万元)", "万元"),
        ("规模[万]", "万元"),
        ("流失(含待遇支付)", None),
        ("比例(%)", None),
    ],
)
def test_units_are_read_from_brackets(heading: str, unit: str | None) -> None:
    assert unit_in(heading) == unit


def test_only_amounts_have_units_to_mistake() -> None:
    assert other_unit("计划代码(万元)", DOMAIN.by_name["计划代码"]) is None
    assert other_unit("供款(元)", DOMAIN.by_name["供款"]) is None
    assert other_unit("供款(亿元)", DOMAIN.by_name["供款"]) == "亿元"
