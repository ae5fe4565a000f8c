"""A domain in words: what people ask about it stands in its description."""

from dataclasses import replace

import pytest

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.columns import Column, code, count, day, flag, money, month, rate, text
from work_data_hub.domain.describe import Section, Surroundings, describe, kind_words, overview, rules_of
from work_data_hub.domain.source import SheetChoice, Source, VersionStrategy
from work_data_hub.domain.spec import Domain, ReplaceMonth
from work_data_hub.domain.steps import fill_missing, translate

pytestmark = pytest.mark.unit

SOURCE = Source(
    domain="fees",
    base_path="{YYYYMM}/x",
    file_patterns=("*a*.xlsx", "*b*.xlsx"),
    sheets=(SheetChoice(names=("收入", "收入（缺）")), SheetChoice(names=(0,))),
    version_strategy=VersionStrategy.MANUAL,
    version="V2",
    all_domains=False,
)
FEES = Domain(
    name="fees",
    title="费用",
    table="business.费用",
    columns=(
        month("月度"),
        code("编号", headings=("编号", "合同号"), required=True, nullable=False, length=50),
        text("机构", stored=False),
        money("费用", unit="万元", note="without tax"),
        text("机构代码", computed=True),
    ),
    steps=(
        translate("机构代码", source="机构", using="branches"),
        fill_missing("编号", by="机构", using="plan_defaults"),
    ),
    load=ReplaceMonth(column="月度"),
    unique_key=("月度", "编号"),
    ignored_headings=("序号", "备注"),
)


def sections(domain: Domain = FEES, *, source: Source | None = SOURCE) -> dict[str, Section]:
    given = Surroundings(
        source=source,
        mappings={"branches": 46, "plan_defaults": 2, "product_lines": 12},
        accepted={"费用": ("费用额",)},
        references=(),
        ignored=("批次",),
    )
    return {section.title: section for section in describe(domain, given)}


def test_the_workbook_is_told_as_people_look_for_it() -> None:
    facts = {row[0]: row[1] for row in sections()["workbook"].rows}

    assert facts["folder"] == "{YYYYMM}/x"
    assert facts["files"] == "*a*.xlsx or *b*.xlsx"
    assert facts["version"] == "the folder V2"
    assert facts["sheets"] == "收入 or 收入（缺）, then sheet number 1"
    assert facts["called"] == "only when named"


def test_a_domain_nobody_configured_says_so() -> None:
    assert sections(source=None)["workbook"].rows[0][1].startswith("not configured")


def test_columns_say_headings_kind_and_blanks() -> None:
    assert sections()["columns"].rows[1:] == (
        ("月度", "month", "never blank", "must be there", "月度"),
        ("编号", "code, up to 50", "never blank", "must be there", "编号, 合同号"),
        ("机构", "text, up to 255", "may be blank", "may be missing", "机构; read, not stored"),
        (
            "费用",
            "amount in 万元, 4 decimals",
            "may be blank",
            "may be missing",
            "费用, 费用额 (accepted); without tax",
        ),
        ("机构代码", "text, up to 255", "may be blank", "(computed)", ""),
    )


def test_value_maps_are_those_the_steps_use() -> None:
    assert sections()["value maps"].rows == (
        ("branches", "46 entries", "config/mappings/branches.yml"),
        ("plan_defaults", "2 entries", "config/mappings/plan_defaults.yml"),
    )


def test_headings_read_over_are_the_declared_and_the_configured_ones() -> None:
    assert sections()["headings read over"].rows == (("序号, 备注, 批次",),)


def test_steps_are_sentences_in_order() -> None:
    assert [row[0] for row in sections()["steps"].rows] == ["1", "2"]
    assert "机构代码 is looked up by 机构" in sections()["steps"].rows[0][1]


def test_a_key_rejects_its_second_row_at_its_last_column() -> None:
    rules = {code: columns for code, _, columns in sections()["rules that can reject a cell (wdh rule CODE)"].rows}

    assert rules["WDH-V304"] == "编号"
    assert rules["WDH-V101"] == "月度"
    assert rules["WDH-V401"] == "every column of the sheet"


def test_what_is_not_there_has_no_section() -> None:
    bare = replace(FEES, steps=(), unique_key=(), ignored_headings=())

    assert {"steps", "value maps", "references"} & set(sections(bare)) == set()


@pytest.mark.parametrize(
    ("column", "codes"),
    [
        (month("x"), "V101 V102 V401 V402"),
        (month("x", computed=True), "V101 V102"),
        (day("x"), "V101 V401 V402"),
        (day("x", lenient=True), "V401 V402"),
        (money("x"), "V201 V203 V401 V402 V403"),
        (rate("x"), "V201 V202 V203 V401 V402 V403"),
        (count("x"), "V201 V203 V205 V401 V402 V403"),
        (text("x", nullable=False), "V301 V302 V303 V401 V402"),
        (text("x", length=None), "V302 V401 V402"),
        (text("x", computed=True), ""),
        (code("x", computed=True, nullable=False), "V303"),
        (flag("x"), ""),
    ],
)
def test_each_kind_has_its_rules(column: Column, codes: str) -> None:
    assert sorted(rules_of(column)) == [f"WDH-{code}" for code in codes.split()]


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_every_declared_domain_can_be_described(domain: Domain) -> None:
    assert {"load", "columns", "steps"} <= set(sections(domain))
    assert all(kind_words(column) for column in domain.columns)


def test_the_overview_names_both_halves() -> None:
    rows = overview({"fees": FEES}, {"other": SOURCE})

    assert rows[1:] == [
        ("fees", "费用", "business.费用", "declared, not configured"),
        ("other", "", "", "configured, not declared"),
    ]
