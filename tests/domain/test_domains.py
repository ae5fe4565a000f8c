"""Every file domain, case by case: what its rows end as."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.bronze import joined
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.catalog.annual_award import ANNUAL_AWARD
from work_data_hub.domain.catalog.annual_loss import ANNUAL_LOSS
from work_data_hub.domain.catalog.annuity_income import ANNUITY_INCOME
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.catalog.sandbox_trustee_performance import SANDBOX_TRUSTEE_PERFORMANCE
from work_data_hub.domain.checks import gold_schema
from work_data_hub.domain.plan_steps import digest_of
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import HeadingsMissing, WrongMonth

pytestmark = pytest.mark.unit

DETAILS = (ANNUITY_PERFORMANCE, ANNUITY_INCOME)
REGISTERS = (ANNUAL_AWARD, ANNUAL_LOSS)
NAME = attrgetter("name")
EVERY = (*DETAILS, *REGISTERS, SANDBOX_TRUSTEE_PERFORMANCE)
AMOUNT = {
    "annuity_performance": "供款",
    "annuity_income": "固费",
    "annual_award": "计划规模",
    "annual_loss": "年缴规模",
    "sandbox_trustee_performance": "fund_scale",
}
PLANS = pd.DataFrame(
    [
        ("600000001", "PL202", "S0002", date(2023, 12, 31)),
        ("600000001", "PL202", "S0001", date(2023, 12, 31)),
        ("600000001", "PL202", "P0190", date(2022, 12, 31)),
        ("600000001", "PL202", "Z0009", date(2024, 1, 31)),
        ("600000001", "PL201", "XNP300", date(2023, 12, 31)),
    ],
    columns=["company_id", "product_line_code", "plan_code", "valid_from"],
)


def outcome(domain: Domain, **cells: Any) -> Outcome:
    return refined(domain, rows(domain, **cells))


def gold(domain: Domain, column: str, **cells: Any) -> list[Any]:
    return [None if pd.isna(value) else value for value in outcome(domain, **cells).gold[column]]


def counts(done: Outcome) -> dict[str, int]:
    return {count.name: count.rows for count in done.counts}


def rejects(done: Outcome) -> list[tuple[str, str, str]]:
    return list(done.rejects[["rule", "cell", "value"]].itertuples(index=False, name=None))


# -- every domain


@pytest.mark.parametrize("domain", EVERY, ids=NAME)
def test_a_usual_row_is_accepted_without_a_surprise(domain: Domain) -> None:
    done = outcome(domain, **({"组合代码": "0001"} if domain in DETAILS else {}))

    assert (len(done.gold), counts(done), done.remarks) == (1, {}, ())
    gold_schema(domain).validate(done.gold, lazy=True)


def test_the_domains_load_in_this_order() -> None:
    ours = [name for name in DOMAINS if name in AMOUNT]

    assert ours == [
        "annual_award",
        "annual_loss",
        "annuity_performance",
        "annuity_income",
        "sandbox_trustee_performance",
    ]


@pytest.mark.parametrize("domain", EVERY, ids=NAME)
def test_every_step_says_what_it_does(domain: Domain) -> None:
    assert [step.name for step in domain.steps if not step.says.endswith((".", ")"))] == []


@pytest.mark.parametrize("domain", EVERY, ids=NAME)
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1000.0, "1000"),
        ("1,000", "1000"),
        ("１，０００．５", "1000.5"),
        (0.1, "0.1"),
        ("0", "0"),
        ("-", None),
        ("—", None),
        ("无", None),
        ("N/A", None),
        ("（空白）", None),
        (None, None),
    ],
)
def test_amounts_are_read_exactly_and_placeholders_are_blank(domain: Domain, written: Any, read: str | None) -> None:
    blank = Decimal(0) if domain is ANNUITY_INCOME else None

    assert gold(domain, AMOUNT[domain.name], **{AMOUNT[domain.name]: written}) == [Decimal(read) if read else blank]


@pytest.mark.parametrize(
    ("written", "yuan", "hundred_million_yuan"),
    [
        ("￥1.5万", "15000", "0.0002"),
        ("0.5亿", "50000000", "0.5"),
        ("1.25亿元", "125000000", "1.25"),
        ("3000万", "30000000", "0.3"),
        ("125000000元", "125000000", "1.25"),
        ("1.25", "1.25", "1.25"),
        ("12%", "0.12", "0.12"),
    ],
)
def test_a_written_unit_is_converted_into_that_of_the_column(
    written: str, yuan: str, hundred_million_yuan: str
) -> None:
    for domain in (*DETAILS, *REGISTERS):
        expected = hundred_million_yuan if domain in REGISTERS else yuan
        assert gold(domain, AMOUNT[domain.name], **{AMOUNT[domain.name]: written}) == [Decimal(expected)], domain.name


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
def test_brackets_are_negative(domain: Domain) -> None:
    assert gold(domain, AMOUNT[domain.name], **{AMOUNT[domain.name]: "(100)"}) == [Decimal(-100)]


@pytest.mark.parametrize("domain", EVERY, ids=NAME)
@pytest.mark.parametrize("written", ["abc", "见附件", "1,2", "1.2.3"])
def test_an_amount_that_cannot_be_read_is_rejected_in_its_cell(domain: Domain, written: str) -> None:
    column = AMOUNT[domain.name]
    done = outcome(domain, **{column: [1.0, written], **_another_key(domain)})

    assert rejects(done) == [("WDH-V201", f"{_letter(domain, column)}3", written)]
    assert len(done.gold) == 1


def _letter(domain: Domain, column: str) -> str:
    return rows(domain).letters.get(column) or rows(domain, 供款=1.0).letters[column]


def _another_key(domain: Domain) -> dict[str, Any]:
    return {"plan_code": ["S1", "S2"]} if domain is SANDBOX_TRUSTEE_PERFORMANCE else {}


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize(
    "written",
    [
        "20241015",
        "202410",
        "2024-10-15",
        "2024-10",
        "2024年10月5日",
        "2024年10月5",
        "2024年10月",
        "2024年10月份",
        "24年10月5日",
        "24年10月",
        "２０２４年１０月",
        "2024/10",
        "2024/10/15",
        "2024.10",
        "2024.10.15",
        "2024-10-15 00:00:00",
        "202410.0",
        "45566",
        " 202410 ",
    ],
)
def test_every_form_of_a_month_is_its_first_day(domain: Domain, written: str) -> None:
    assert gold(domain, domain.load.column, **{domain.load.column: written}) == [date(2024, 10, 1)]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize(
    ("written", "rule"),
    [("十月", "WDH-V101"), ("2024", "WDH-V101"), ("202413", "WDH-V101"), (None, "WDH-V102"), ("-", "WDH-V102")],
)
def test_a_row_without_its_month_is_rejected(domain: Domain, written: str | None, rule: str) -> None:
    done = outcome(domain, **{domain.load.column: ["202410", written]})

    assert [found for found, _, _ in rejects(done)] == [rule]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize(("written", "code"), [("北京", "G01"), ("内蒙", "G31"), ("火星", "G00"), ("(空白)", "G00")])
def test_branches_have_codes(domain: Domain, written: str, code: str) -> None:
    delivered: dict[str, Any] = {"机构代码": None} if domain is ANNUITY_INCOME else {}

    assert gold(domain, "机构代码", 机构名称=written, **delivered) == [code]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
def test_an_unknown_business_is_kept_without_a_product_line_and_counted_once(domain: Domain) -> None:
    done = outcome(domain, 业务类型=["企年受托", "火星业务", "职年投资"])

    assert done.gold["业务类型"].tolist() == ["企年受托", "火星业务", "职年投资"]
    assert done.gold["产品线代码"].fillna("").tolist() == ["PL202", "", "PL203"]
    assert [count.rows for count in done.counts if count.name == "unknown 业务类型"] == [1]


def test_defaults_by_two_rules_are_counted_together() -> None:
    done = outcome(ANNUITY_INCOME, 业务类型=["职年受托", "企年受托", "企年受托"], 组合代码=[None, None, "1"])

    assert [(c.name, c.rows, dict(c.values)) for c in done.counts] == [
        ("defaulted 组合代码", 2, {"QTAN003": 1, "QTAN002": 1})
    ]


@pytest.mark.parametrize("domain", DETAILS, ids=NAME)
def test_a_blank_business_is_kept_in_the_details_and_counted(domain: Domain) -> None:
    done = outcome(domain, 业务类型=["企年受托", None])

    assert (len(done.gold), counts(done)["blank 业务类型"]) == (2, 1)


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
@pytest.mark.parametrize("column", ["业务类型", "上报客户名称"])
def test_a_blank_business_or_customer_is_rejected_in_the_registers(domain: Domain, column: str) -> None:
    done = outcome(domain, **{column: ["受托", None]})

    assert [found for found, _, _ in rejects(done)] == ["WDH-V303"]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize(("written", "count"), [("职业年金", "unknown 计划类型"), (None, "blank 计划类型")])
def test_an_unknown_or_blank_plan_type_is_kept_and_counted(domain: Domain, written: str | None, count: str) -> None:
    done = outcome(domain, 计划类型=written)

    assert done.gold["计划类型"].fillna("").tolist() == [written or ""]
    assert counts(done)[count] == 1


@pytest.mark.parametrize("domain", DETAILS, ids=NAME)
@pytest.mark.parametrize(
    ("plan_type", "written", "expected"),
    [
        ("集合计划", None, "AN001"),
        ("单一计划", "", "AN002"),
        ("集合计划", "（空白）", "AN001"),
        ("单一计划", "1P0807", "P0807"),
        ("单一计划", "ｘｎｐ－466", "XNP466"),
    ],
)
def test_plan_codes_of_the_details(domain: Domain, plan_type: str, written: str | None, expected: str) -> None:
    assert gold(domain, "计划代码", 计划类型=plan_type, 计划代码=written) == [expected]


@pytest.mark.parametrize("domain", DETAILS, ids=NAME)
def test_a_missing_plan_code_without_a_default_is_rejected(domain: Domain) -> None:
    done = outcome(domain, 计划类型=["单一计划", "职业年金"], 计划代码=[None, None])

    assert [found for found, _, _ in rejects(done)] == ["WDH-V303"]
    assert done.gold["计划代码"].tolist() == ["AN002"]


@pytest.mark.parametrize("domain", DETAILS, ids=NAME)
@pytest.mark.parametrize(
    ("business", "plan_type", "portfolio", "expected"),
    [
        ("企年受托", "单一计划", "F001", "001"),
        ("企年受托", "单一计划", "12345.0", "12345"),
        ("职年受托", "单一计划", None, "QTAN003"),
        ("企年受托", "集合计划", "-", "QTAN001"),
        ("企年受托", "单一计划", None, "QTAN002"),
        ("企业年金", "职业年金", None, "QTAN003"),
        ("企业年金", "其他计划", None, None),
    ],
)
def test_portfolio_codes(domain: Domain, business: str, plan_type: str, portfolio: str, expected: str) -> None:
    assert gold(domain, "组合代码", 业务类型=business, 计划类型=plan_type, 组合代码=portfolio) == [expected]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize("written", ["无", "（空白）", "0", "-", "保留账户"])
def test_a_word_for_no_customer_is_no_company(domain: Domain, written: str) -> None:
    name = "上报客户名称" if domain in REGISTERS else "客户名称"
    done = outcome(domain, 计划类型="集合计划", **{name: written})

    assert done.gold["company_id"].isna().all()
    assert done.gold["_identity_source"].tolist() == ["unresolved"]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
@pytest.mark.parametrize(
    ("plan", "name", "company"),
    [
        ("XNP596", "平安科技有限公司", "601038164"),
        ("XNP466", "平安科技有限公司", "603968573"),
        ("fp0001", None, "614810477"),
        ("S0001", "内江筑石混泥土有限公司", "606285385"),
        ("S0001", "保留账户管理", None),
    ],
)
def test_companies_settled_by_hand(domain: Domain, plan: str, name: str | None, company: str | None) -> None:
    cells: dict[str, Any] = {"年金计划号": plan, "上报客户名称": name or "某公司"}
    if domain in DETAILS:
        cells = {"计划代码": plan, "客户名称": name, "计划类型": "集合计划"}

    assert gold(domain, "company_id", **cells) == [company]


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
def test_a_delivered_company_id_comes_before_a_temporary_one(domain: Domain) -> None:
    delivered = "delivered_company_id" if domain in REGISTERS else "公司代码"
    customer, plan = ("上报客户名称", "年金计划号") if domain in REGISTERS else ("客户名称", "计划代码")
    others = {customer: ["甲公司", "乙公司", "丙公司"], plan: ["S0001", "S0002", "S0003"]}
    done = outcome(domain, **{delivered: ["612345678", None, "N/A"]}, **others)

    assert done.gold["_identity_source"].tolist() == ["existing_id", "temporary_id", "temporary_id"]
    assert done.gold["company_id"].tolist()[0] == "612345678"
    assert delivered not in done.gold.columns


@pytest.mark.parametrize("domain", [*DETAILS, *REGISTERS], ids=NAME)
def test_a_delivered_company_id_holds_for_every_row_of_the_name(domain: Domain) -> None:
    delivered = "delivered_company_id" if domain in REGISTERS else "公司代码"
    done = outcome(domain, **{delivered: ["612345678", None, "N/A"]})

    assert done.gold["company_id"].tolist() == ["612345678"] * 3
    assert done.gold["_identity_source"].tolist() == ["existing_id", "same_load", "same_load"]


# -- income


@pytest.mark.parametrize(
    ("plan_type", "written", "plan_name", "customer", "account"),
    [
        ("单一计划", None, "甲公司企业年金计划", "甲公司", "甲公司"),
        ("单一计划", "0", " 甲公司 企业年金计划", "甲公司", "甲公司"),
        ("单一计划", "无", "甲公司-已转出企业年金计划", "甲公司", "甲公司-已转出"),
        ("单一计划", None, "企业年金计划", None, None),
        ("单一计划", None, "甲公司职业年金计划", None, None),
        ("单一计划", None, None, None, None),
        ("单一计划", "乙公司", "甲公司企业年金计划", "乙公司", "乙公司"),
        ("集合计划", None, "甲公司企业年金计划", None, None),
        ("集合计划", "0", "甲公司企业年金计划", None, None),
        ("集合计划", "乙公司(团托)", "甲公司企业年金计划", "乙公司", "乙公司(团托)"),
    ],
)
def test_the_sponsor_of_a_single_plan_is_its_customer(
    plan_type: str, written: str | None, plan_name: str | None, customer: str | None, account: str | None
) -> None:
    done = outcome(ANNUITY_INCOME, 计划类型=plan_type, 客户名称=written, 计划名称=plan_name)
    names = done.gold[["客户名称", "年金账户名"]].astype(object)

    assert names.where(names.notna(), None).values.tolist() == [[customer, account]]


def test_filled_customers_and_blank_fees_are_counted() -> None:
    done = outcome(ANNUITY_INCOME, 客户名称=[None, "0", "乙公司"], 浮费=[None, "-", "abc"])

    assert counts(done) == {"客户名称 from 计划名称": 2, "blank 浮费": 2}
    assert done.sums["浮费"] == 0


@pytest.mark.parametrize(
    ("name", "delivered", "code", "count"),
    [
        ("北京", "G02", "G01", None),
        (None, "G02", "G02", "delivered 机构代码"),
        ("(空白)", "g-02", "G02", "delivered 机构代码"),
        ("火星", "G02", "G00", "unknown 机构名称"),
        (None, "G99", "G00", "unknown 机构代码"),
        (None, "null", "G00", "blank 机构名称"),
    ],
)
def test_a_branch_of_income_goes_by_name_then_by_code(
    name: str | None, delivered: str | None, code: str, count: str | None
) -> None:
    done = outcome(ANNUITY_INCOME, 机构名称=name, 机构代码=delivered)

    assert done.gold["机构代码"].tolist() == [code]
    assert counts(done) == ({count: 1} if count else {})


def test_an_unreadable_fee_rejects_its_row_alone() -> None:
    done = outcome(ANNUITY_INCOME, 固费=["1,000", "一千", None])

    assert done.gold["固费"].tolist() == [Decimal(1000), Decimal(0)]
    assert [found for found, _, _ in rejects(done)] == ["WDH-V201"]


# -- registers


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
@pytest.mark.parametrize(
    ("written", "line", "product_line"),
    [
        ("受托", "企年受托", "PL202"),
        ("投资", "企年投资", "PL201"),
        ("投管", "企年投资", "PL201"),
        ("企年受托", "企年受托", "PL202"),
    ],
)
def test_lines_of_business_in_their_standard_form(domain: Domain, written: str, line: str, product_line: str) -> None:
    done = outcome(domain, 业务类型=written)

    assert done.gold[["业务类型", "产品线代码"]].values.tolist() == [[line, product_line]]
    assert counts(done) == {}


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
def test_plan_types_in_their_standard_form(domain: Domain) -> None:
    written = ["集合", "单一", "集合计划", "单一计划"]

    assert gold(domain, "计划类型", 计划类型=written) == ["集合计划", "单一计划", "集合计划", "单一计划"]


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
def test_the_reported_name_stays_and_the_comparable_one_stands_beside_it(domain: Domain) -> None:
    done = outcome(domain, 上报客户名称=" 中国平安-已转出 ")

    assert done.gold[["上报客户名称", "客户名称"]].values.tolist() == [["中国平安-已转出", "中国平安"]]


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-10-10", date(2025, 10, 10)),
        ("2025年10月", date(2025, 10, 1)),
        ("45566", date(2024, 10, 1)),
        (None, None),
        ("待定", None),
    ],
)
def test_the_day_of_a_register_may_be_blank_or_unreadable(domain: Domain, written: Any, read: date | None) -> None:
    column = "中标日期" if domain is ANNUAL_AWARD else "流失日期"
    done = outcome(domain, **{column: written})

    assert [None if pd.isna(value) else value for value in done.gold[column]] == [read]
    assert counts(done).get(f"unreadable {column}", 0) == (written == "待定")


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
@pytest.mark.parametrize(
    ("written", "read"), [(1.0, Decimal(1)), ("0", Decimal(0)), (None, None), ("1.5", "WDH-V205"), (0.5, "WDH-V205")]
)
def test_a_count_is_a_whole_number(domain: Domain, written: Any, read: Any) -> None:
    done = outcome(domain, 考核有效=written)
    found = [None if pd.isna(value) else value for value in done.gold["考核有效"]]

    assert (found or [done.rejects["rule"].item()]) == [read]


@pytest.mark.parametrize("domain", REGISTERS, ids=NAME)
@pytest.mark.parametrize(
    ("business", "plan_type", "written", "plan"),
    [
        ("受托", "单一", None, "S0001"),  # newest of those with S, then the smaller code
        ("受托", "集合", None, "P0190"),
        ("受托", "其他", None, "Z0009"),  # the newest, whatever its letter
        ("投资", "单一", None, "XNP300"),  # none with S: the first there is
        ("受托", "单一", "s-0009", "S0009"),  # a code that is there stays
        ("火星", "单一", None, "AN002"),
        ("火星", "集合", None, "AN001"),
        ("火星", "其他", None, None),
    ],
)
def test_a_blank_plan_comes_from_the_open_contract_or_the_plan_type(
    domain: Domain, business: str, plan_type: str, written: str | None, plan: str | None
) -> None:
    bronze = rows(domain, 业务类型=business, 计划类型=plan_type, 年金计划号=written, delivered_company_id="600000001")
    done = refined(domain, bronze, open_plans=PLANS)

    assert [None if pd.isna(value) else value for value in done.gold["年金计划号"]] == [plan]
    assert done.remarks == ()


def test_completed_plans_are_counted_by_code() -> None:
    bronze = rows(
        ANNUAL_AWARD,
        delivered_company_id=["600000001", "600000001", "7"],
        年金计划号=[None, "P1", None],
        计划类型="单一",
    )
    done = refined(ANNUAL_AWARD, bronze, open_plans=PLANS)

    assert done.gold["年金计划号"].tolist() == ["S0001", "P1", "AN002"]
    assert counts(done) == {"completed 年金计划号": 1, "defaulted 年金计划号": 1}


def test_only_contracts_older_than_the_month_complete_a_plan() -> None:
    began = [date(2024, 9, 30), date(2024, 10, 31), date(2024, 11, 30), date(2025, 1, 1), date(2025, 1, 1)]
    young = PLANS.assign(valid_from=began)
    bronze = rows(
        ANNUAL_AWARD, 业务类型="受托", 计划类型="单一", 年金计划号=[None, "P1"], delivered_company_id="600000001"
    )

    done = refined(ANNUAL_AWARD, bronze, open_plans=young)

    assert done.gold["年金计划号"].tolist() == ["S0002", "P1"]
    assert done.gold["年金计划号来源"].tolist() == ["合同", "上报"]
    assert digest_of(young, before=date(2024, 10, 1)) == digest_of(young[:1], before=date(2024, 10, 1)) != ""
    assert digest_of(young, before=date(2024, 9, 1)) == ""


def test_without_contracts_the_report_says_so() -> None:
    done = outcome(ANNUAL_LOSS, 年金计划号=[None, "S1", None])

    assert len(done.remarks) == 1
    assert "no contract table" in done.remarks[0]
    assert "2 rows" in done.remarks[0]
    assert outcome(ANNUAL_LOSS, 年金计划号="S1").remarks == ()


def test_two_sheets_keep_their_names_and_cells() -> None:
    sheets = ("企年受托中标(空白)", "企年投资中标(空白)")
    both = joined([rows(ANNUAL_AWARD, sheet=sheets[0]), rows(ANNUAL_AWARD, sheet=sheets[1], 计划规模=["2", "abc"])])
    done = refined(ANNUAL_AWARD, both)

    assert done.gold["_source_sheet"].tolist() == list(sheets)
    assert done.rejects[["_source_sheet", "_source_row"]].values.tolist() == [[sheets[1], 3]]


# -- the trustee's figures


@pytest.mark.parametrize(
    ("year", "month", "text"),
    [
        ("2024", "10", None),
        ("2024年", "10月", None),
        ("２０２４", "１０", None),
        ("24", "10月份", None),
        ("2024/", "-10", None),
        ("2024.0", "10.0", None),
        (None, None, "2024年10月"),
        (None, "10", "202410"),
        ("2024", "(空白)", "2024-10-31"),
        ("2024", "10", "nonsense"),
    ],
)
def test_the_month_from_its_parts(year: str | None, month: str | None, text: str | None) -> None:
    done = outcome(SANDBOX_TRUSTEE_PERFORMANCE, 年=year, 月=month, report_period=text)

    assert done.gold["report_date"].tolist() == [date(2024, 10, 1)]


@pytest.mark.parametrize(
    ("year", "month", "text", "rule", "cell"),
    [
        ("2024", "13", None, "WDH-V101", "B3"),
        ("2024", "十", None, "WDH-V101", "B3"),
        ("去年", "10", None, "WDH-V101", "A3"),
        (None, None, "soon", "WDH-V101", "H3"),
        ("2024", "10", "202409", "WDH-V101", "H3"),
        (None, "10", None, "WDH-V102", "A3"),
        ("2024", None, None, "WDH-V102", "B3"),
    ],
)
def test_a_part_that_cannot_be_read_is_rejected_in_its_cell(
    year: str | None, month: str | None, text: str | None, rule: str, cell: str
) -> None:
    done = outcome(
        SANDBOX_TRUSTEE_PERFORMANCE,
        年=["2024", year],
        月=["10", month],
        report_period=[None, text],
        plan_code=["S1", "S2"],
    )

    assert [found[:2] for found in rejects(done)] == [(rule, cell)]


def test_a_wrong_month_of_the_trustee_refuses_the_file_at_its_cell() -> None:
    with pytest.raises(WrongMonth, match=r"受托业绩!A3.*2024-09.*2024-10") as caught:
        outcome(SANDBOX_TRUSTEE_PERFORMANCE, 月=["10", "9"], plan_code=["S1", "S2"])
    assert caught.value.input_data == "2024 9"


def test_a_sheet_without_any_month_is_refused() -> None:
    bronze = rows(SANDBOX_TRUSTEE_PERFORMANCE)
    without = bronze.frame.drop(columns=["月"])

    with pytest.raises(HeadingsMissing, match="年 and 月, or report_period"):
        refined(SANDBOX_TRUSTEE_PERFORMANCE, replace(bronze, frame=without))


def test_zero_is_a_figure_and_blank_is_none() -> None:
    figures: dict[str, Any] = {
        "return_rate": [0.0, None, None],
        "net_asset_value": [0.0, None, "-"],
        "fund_scale": [0.0, 0.0, None],
    }
    done = outcome(SANDBOX_TRUSTEE_PERFORMANCE, plan_code=["S1", "S2", "S3"], **figures)

    assert done.gold["has_performance_data"].tolist() == [True, True, False]
    assert done.gold["fund_scale"].tolist()[:2] == [Decimal(0), Decimal(0)]
    assert done.gold["return_rate"].tolist()[0] == Decimal(0)


def test_odd_figures_are_kept_and_named() -> None:
    done = refined(
        SANDBOX_TRUSTEE_PERFORMANCE,
        rows(
            SANDBOX_TRUSTEE_PERFORMANCE,
            年="2012",
            plan_code=["S1", "S2"],
            return_rate=[-0.6, 0.5],
            net_asset_value=[2.0, 1.0],
            fund_scale=[1.0, None],
        ),
        period="201210",
    )

    assert done.gold["validation_warnings"].tolist() == [
        "report_date is more than 3650 days ago; return_rate is above 0.5 or below -0.5; "
        "fund_scale is below net_asset_value",
        "report_date is more than 3650 days ago",
    ]
    assert sorted(counts(done).values()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"net_asset_value": -0.1}, "WDH-V204"),
        ({"fund_scale": "(1)"}, "WDH-V204"),
        ({"return_rate": 11.0}, "WDH-V202"),
        ({"plan_code": None}, "WDH-V303"),
        ({"company_code": "-"}, "WDH-V303"),
        ({"company_code": "1" * 21}, "WDH-V301"),
    ],
)
def test_what_a_trustee_row_may_not_hold(cells: dict[str, Any], rule: str) -> None:
    assert outcome(SANDBOX_TRUSTEE_PERFORMANCE, **cells).rejects["rule"].tolist() == [rule]


def test_a_key_that_stands_twice_is_rejected_from_the_second_row_on() -> None:
    done = outcome(
        SANDBOX_TRUSTEE_PERFORMANCE,
        plan_code=["S1", "s-1", "S1", "S1", None, None],
        company_code=["7", "7", "8", " 7", "7", "7"],
    )

    assert rejects(done) == [
        ("WDH-V304", "D3", "7"),
        ("WDH-V304", "D5", "7"),
        ("WDH-V303", "C6", ""),
        ("WDH-V303", "C7", ""),
    ]
    assert done.gold["_source_row"].tolist() == [2, 4]


def test_a_domain_that_identifies_no_company_has_its_columns_blank() -> None:
    done = outcome(SANDBOX_TRUSTEE_PERFORMANCE)

    assert done.gold[["_identity_source", "_identity_confidence"]].isna().all(axis=None)
    assert (dict(done.identity), done.unresolved_names) == ({}, ())


def test_a_reject_names_the_cell_of_its_own_sheet_where_the_sheets_order_their_columns_differently() -> None:
    award = DOMAINS["annual_award"]
    first, second = rows(award, sheet="企年受托中标(空白)"), rows(award, sheet="企年投资中标(空白)", 计划规模="待定")
    moved = replace(second, letters=dict.fromkeys(second.letters, "A") | {"计划规模": "Z"})

    rejects = refined(award, joined([first, moved])).rejects

    assert rejects[["_source_sheet", "cell"]].to_numpy().tolist() == [["企年投资中标(空白)", "Z2"]]
