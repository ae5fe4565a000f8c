"""What of a customer's tags follows from facts."""

import re
from dataclasses import replace

import pytest

from work_data_hub.domain.reference_rules import Aggregate, Describer, Given, Reference, ReferenceColumn
from work_data_hub.domain.references import tag_pattern

pytestmark = pytest.mark.unit

NEW = ReferenceColumn(
    target="tags", source="月度", how=Aggregate.TAG, date_format="yyMM", suffix="新建", given=Given.FIRST_MONTH
)


@pytest.mark.parametrize(
    ("form", "tag", "is_one"),
    [
        ("yyMM", "2410新建", True),
        ("yyMM", "202410新建", False),
        ("yyyyMM", "202410新建", True),
        ("yyyy", "2024新建", True),
        ("yyMM", "2410新建了", False),
        ("yyMM", "x2410新建", False),
        ("yyMM", "2410中标", False),
        ("yyMM", "新建", False),
    ],
)
def test_tags_of_all_days_are_known_by_their_form(form: str, tag: str, is_one: bool) -> None:
    assert bool(re.search(tag_pattern(replace(NEW, date_format=form)), tag)) == is_one


def test_a_suffix_is_no_pattern() -> None:
    pattern = tag_pattern(replace(NEW, suffix="(新.)"))

    assert re.search(pattern, "2410(新.)")
    assert not re.search(pattern, "2410(新建)")


def test_two_domains_give_one_tag_though_their_months_are_named_differently() -> None:
    rule = Reference(domain="d", name="r", table="a.b", key="k", source="k")
    describer = Describer(domain="d", month="上报月份", rule=rule, tags=(replace(NEW, source="上报月份"),))

    assert describer.gives(NEW)
    assert not describer.gives(replace(NEW, suffix="中标"))
