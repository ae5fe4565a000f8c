"""The catalog finds every declaration in its folder, in load order."""

from dataclasses import replace

import pytest

from work_data_hub.domain.catalog import DOMAINS, by_name
from work_data_hub.errors import ConfigError

pytestmark = pytest.mark.unit


def test_domains_stand_in_load_order() -> None:
    assert list(DOMAINS)[:4] == ["annual_award", "annual_loss", "annuity_performance", "annuity_income"]


def test_without_an_order_the_name_decides() -> None:
    last, first, early = (
        replace(DOMAINS["annual_award"], name=name, load_order=order) for name, order in (("b", 9), ("a", 9), ("z", 1))
    )

    assert list(by_name(iter([last, first, early]))) == ["z", "a", "b"]


def test_one_declaration_imported_by_another_module_counts_once() -> None:
    award = DOMAINS["annual_award"]

    assert by_name(iter([award, award])) == {"annual_award": award}


def test_a_name_declared_twice_is_refused() -> None:
    award = DOMAINS["annual_award"]

    with pytest.raises(ConfigError, match="two declarations have this name"):
        by_name(iter([award, replace(award, title="other")]))
