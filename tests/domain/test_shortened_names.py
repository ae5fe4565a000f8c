import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.findings import Counted

pytestmark = pytest.mark.unit


def told(*names: str | None) -> list[Counted]:
    """What a load of these customers tells of their names."""
    domain = DOMAINS["annuity_performance"]
    outcome = refined(domain, rows(domain, 客户名称=list(names)))
    return [count for count in outcome.counts if count.name == "shortened 客户名称"]


def test_names_that_lose_words_are_one_count_by_rule() -> None:
    (count,) = told("甲公司-A1", "甲公司-A1(集团)", "乙公司", "空白")

    assert count.rows == 3
    assert count.values == {"placeholder": 1, "account suffix": 2, "trailing bracket": 1}


def test_names_that_are_only_typed_otherwise_are_not_told() -> None:
    assert told(" 甲 公司", "ａｂｃ", "「甲公司」。", None) == []
