"""A declaration is checked when it is imported."""

from dataclasses import replace

import pytest

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.spec import ReplaceMonth, text
from work_data_hub.domain.steps import copy, translate
from work_data_hub.errors import ConfigError

pytestmark = pytest.mark.unit


def test_a_typo_in_a_step_fails_at_import() -> None:
    with pytest.raises(ConfigError, match="unknown columns \\['机构名秤'\\]"):
        replace(ANNUITY_PERFORMANCE, steps=(translate("机构代码", source="机构名秤", using="branches"),))


def test_a_typo_in_the_load_rule_fails_at_import() -> None:
    with pytest.raises(ConfigError, match="load rule"):
        replace(ANNUITY_PERFORMANCE, load=ReplaceMonth(column="月渡"))


def test_a_column_or_heading_declared_twice_fails_at_import() -> None:
    with pytest.raises(ConfigError, match="column declared twice"):
        replace(ANNUITY_PERFORMANCE, columns=(*ANNUITY_PERFORMANCE.columns, text("月度")))
    with pytest.raises(ConfigError, match="heading declared twice"):
        replace(ANNUITY_PERFORMANCE, columns=(*ANNUITY_PERFORMANCE.columns, text("x", headings=("机构",))))


def test_performance_reads_the_23_columns_of_the_sheet_but_the_branch_code() -> None:
    # 23 delivered headings; 机构代码 is recomputed, 公司代码 is an optional extra.
    delivered = [column.headings[0] for column in ANNUITY_PERFORMANCE.read if column.name != "公司代码"]

    assert len(delivered) == 22
    assert "机构代码" in ANNUITY_PERFORMANCE.ignored_headings


def test_the_fingerprint_follows_the_declaration() -> None:
    changed = replace(ANNUITY_PERFORMANCE, steps=(*ANNUITY_PERFORMANCE.steps, copy("年金账户名", source="客户名称")))

    assert changed.fingerprint != ANNUITY_PERFORMANCE.fingerprint
    assert replace(ANNUITY_PERFORMANCE).fingerprint == ANNUITY_PERFORMANCE.fingerprint


def test_every_domain_is_listed_under_its_name() -> None:
    assert {name: domain.name for name, domain in DOMAINS.items()} == {name: name for name in DOMAINS}
