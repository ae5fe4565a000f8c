"""The registry's JSON becomes columns: units scaled, days read, nothing cut, every field with its status."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from work_data_hub.domain.identity.company_facts import Label, base_facts, business_facts, label_facts

pytestmark = pytest.mark.unit


def business(**fields: Any) -> tuple[Any, ...]:
    """Value and status of the one column that the test is about: the first keyword names it, by its key."""
    column, *_ = fields
    facts = business_facts("600001", detail={"businessInfodto": fields})
    assert facts is not None
    names = {"registerCaptial": "registered_capital", "collegues_num": "colleagues_num", "actualCapi": "actual_capital"}
    name = names.get(column, column)
    return facts.values[name], facts.status[name]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1,000万元", "10000000.00"),
        ("1000万", "10000000.00"),
        ("1.5亿元", "150000000.00"),
        ("2亿", "200000000.00"),
        ("１，０００．５万元", "10005000.00"),
        ("500万美元", "5000000.00"),
        ("500.000000万人民币", "5000000.00"),
        ("人民币 300 万元", "3000000.00"),
        ("120万元（人民币）", "1200000.00"),
        ("￥12,345.678", "12345.68"),
        ("HKD 1,000", "1000.00"),
        (5_000_000, "5000000.00"),
        (1e7, "10000000.00"),
    ],
)
def test_capital_is_scaled_to_yuan(written: Any, amount: str) -> None:
    assert business(registerCaptial=written) == (Decimal(amount), "cleansed")


@pytest.mark.parametrize("written", ["见附件", "-5万元", "12%", "1亿亿元", "9" * 19, "500万美元人民币", {"a": 1}])
def test_a_capital_that_is_none_is_told(written: Any) -> None:
    assert business(registerCaptial=written) == (None, "parse_failed")


def test_the_currency_stays_beside_the_amount() -> None:
    facts = business_facts("600001", detail={"registerCaptial": "500万美元"})

    assert facts is not None
    assert facts.values["registered_capital_currency"] == "美元"


def test_a_stated_currency_is_the_one_that_counts() -> None:
    facts = business_facts("600001", detail={"registerCaptial": "500万元", "registeredCapitalCurrency": "港元"})

    assert facts is not None
    assert facts.values["registered_capital_currency"] == "港元"
    assert facts.status["registered_capital_currency"] == "no_rules"


@pytest.mark.parametrize(
    ("written", "people"),
    [
        ("120人", 120),
        ("1,200 人", 1200),
        ("少于50人", 50),
        ("超过1000人", 1000),
        ("100-499人", 100),
        ("100人－499人", 100),
        ("1万人以上", 10_000),
        (37, 37),
    ],
)
def test_staff_is_a_number_and_a_range_its_lower_end(written: Any, people: int) -> None:
    assert business(collegues_num=written) == (people, "cleansed")


def test_what_the_company_does_not_disclose_is_null() -> None:
    assert business(collegues_num="企业选择不公示") == (None, "null_input")


@pytest.mark.parametrize("written", ["很多", "10-20-30人", "1.5人", "99999999999人"])
def test_staff_that_is_no_number_is_told(written: str) -> None:
    assert business(collegues_num=written) == (None, "parse_failed")


@pytest.mark.parametrize(
    "written", ["2010-05-01", "2010年5月1日", "20100501", "2010/05/01 00:00:00", "２０１０．０５．０１"]
)
def test_days_are_read_in_every_spelling(written: str) -> None:
    assert business(start_date=written) == (date(2010, 5, 1), "cleansed")


def test_a_term_without_an_end_has_no_end_date() -> None:
    assert business(end_date="长期") == (None, "null_input")


@pytest.mark.parametrize(("written", "day"), [("1985年3月1日", date(1985, 3, 1)), ("9999-12-31", date(9999, 12, 31))])
def test_companies_are_older_and_last_longer_than_facts(written: str, day: date) -> None:
    assert business(start_date=written) == (day, "cleansed")


def test_a_number_alone_is_no_day() -> None:
    assert business(start_date="45566") == (None, "parse_failed")


def test_text_is_trimmed_and_has_no_rules() -> None:
    assert business(legal_person_name="  王芳 ") == ("王芳", "no_rules")


@pytest.mark.parametrize("written", [None, "", " ", "-", "无", "null"])
def test_placeholders_are_null(written: str | None) -> None:
    assert business(telephone=written) == (None, "null_input")


def test_text_longer_than_its_column_is_told_and_never_cut() -> None:
    facts = business_facts("600001", detail={"credit_code": "9" * 51})

    assert facts is not None
    assert (facts.values["credit_code"], facts.status["credit_code"]) == (None, "parse_failed")
    assert [(f.company_id, f.column, f.rule) for f in facts.failures] == [
        ("600001", "credit_code", "at most 50 characters")
    ]


def test_what_no_database_can_hold_is_left_out() -> None:
    assert business(legal_person_name="王\x00芳\ud800") == ("王芳", "no_rules")


def test_the_first_key_that_says_something_counts() -> None:
    facts = business_facts("600001", detail={"credit_code": " ", "unite_code": "91310000X", "le_rep": "王芳"})

    assert facts is not None
    assert (facts.values["credit_code"], facts.values["legal_person_name"]) == ("91310000X", "王芳")


@pytest.mark.parametrize(
    "detail", [None, {}, {"businessInfodto": {}}, {"businessInfodto": "cut"}, {"company_id": "600002", "name": "甲"}]
)
def test_an_answer_that_tells_nothing_of_the_company_gives_no_row(detail: Any) -> None:
    assert business_facts("600001", detail=detail) is None


def test_base_columns_come_from_search_and_detail() -> None:
    facts = base_facts(
        "600001",
        search={
            "companyId": 600001,
            "companyFullName": " 甲有限公司 ",
            "uniteCode": "91X",
            "type": "模糊匹配",
            "_score": 12.5,
        },
        detail={
            "businessInfodto": {"legal_person_name": "王芳", "registerCaptial": "1,000万元", "est_date": "2001-02-03"}
        },
    )

    told = {name: value for name, value in facts.items() if value is not None}
    assert told == {
        "company_full_name": "甲有限公司",
        "unite_code": "91X",
        "type": "模糊匹配",
        "_score": 12.5,
        "le_rep": "王芳",
        "reg_cap": Decimal("10000000.00"),
        "est_date": "2001-02-03",
    }


def test_an_answer_without_a_name_tells_no_company() -> None:
    facts = base_facts("600001", search={"companyId": "600001", "uniteCode": "91X"}, detail=None)

    assert set(facts.values()) == {None}


def labels(*items: dict[str, Any], kind: str = "行业") -> dict[str, Any]:
    return {"labels": [{"type": kind, "labels": list(items)}]}


def test_labels_have_their_type_and_levels() -> None:
    facts = label_facts("600001", answer=labels({"companyId": "600001", "lv1Name": "金融", "lv2Name": "保险"}))

    assert facts is not None
    assert facts.labels == (Label("行业", ("金融", "保险", "", "")),)


def test_a_region_loses_its_heading() -> None:
    facts = label_facts("600001", answer=labels({"lv1Name": "地区分类", "lv2Name": "华东", "lv3Name": "上海"}))

    assert facts is not None
    assert facts.labels == (Label("行业", ("华东", "上海", "", "")),)


def test_labels_of_another_company_are_left_out() -> None:
    answer = labels(
        {"companyId": "600002", "lv1Name": "金融"}, {"lv1Name": "科技"}, {"companyId": 600001, "lv1Name": "制造"}
    )

    facts = label_facts("600001", answer=answer)

    assert facts is not None
    assert facts.labels == (Label("行业", ("制造", "", "", "")),)


def test_labels_stand_once_and_blank_ones_not_at_all() -> None:
    facts = label_facts("600001", answer=labels({"lv1Name": "金融"}, {"lv1Name": "金融"}, {"lv1Name": " "}))

    assert facts is not None
    assert len(facts.labels) == 1


def test_a_label_that_is_too_long_is_told() -> None:
    facts = label_facts("600001", answer=labels({"lv1Name": "金融", "lv2Name": "长" * 256}))

    assert facts is not None
    assert facts.labels == (Label("行业", ("金融", "", "", "")),)
    assert [failure.column for failure in facts.failures] == ["lv2_name"]


@pytest.mark.parametrize("answer", [None, {}, {"labels": None}, {"labels": "cut"}, {"error": "TokenExpired"}])
def test_what_is_no_labels_answer_says_nothing_of_labels(answer: Any) -> None:
    assert label_facts("600001", answer=answer) is None


def test_a_company_without_labels_has_none() -> None:
    facts = label_facts("600001", answer={"labels": []})

    assert facts is not None
    assert facts.labels == ()


def test_the_detail_of_another_company_is_not_mixed_in() -> None:
    detail = {"company_id": "600002", "legal_person_name": "王芳"}

    assert base_facts("600001", search={"name": "甲"}, detail=detail)["le_rep"] is None
