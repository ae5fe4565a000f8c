from decimal import Decimal
from pathlib import Path

import pytest

from work_data_hub.domain.customers.rules import SHIPPED_RULES, CustomerRules
from work_data_hub.errors import ConfigError
from work_data_hub.io.config_files import config_version
from work_data_hub.io.customer_config import CUSTOMER_FILE, load_aum_tiers, load_customer_rules

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / "config"


def rules(folder: Path, was: str = "", becomes: str = "") -> CustomerRules:
    """The rules of the shipped file in which one text was replaced."""
    text = (SHIPPED / CUSTOMER_FILE).read_text(encoding="utf-8")
    assert was in text
    (folder / CUSTOMER_FILE).write_text(text.replace(was, becomes, 1), encoding="utf-8")
    return load_customer_rules(folder)


def test_the_shipped_file_holds_the_shipped_rules() -> None:
    assert load_customer_rules(SHIPPED) == SHIPPED_RULES


def test_the_shipped_tiers_are_in_order() -> None:
    assert [(tier.name, int(tier.least)) for tier in load_aum_tiers(SHIPPED)] == [
        ("5000万以下", 0),
        ("5000万至1亿", 50_000_000),
        ("1亿至5亿", 100_000_000),
        ("5亿至10亿", 500_000_000),
        ("10亿以上", 1_000_000_000),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "field", "value"),
    [
        ("threshold: 500000000", 'threshold: "600000000.0001"', "strategic_threshold", Decimal("600000000.0001")),
        ("top_n: 10", "top_n: 0", "whitelist_top_n", 0),
        ("months: 12", "months: 6", "contribution_months", 6),
        ("status_year: null", "status_year: 2026", "status_year", 2026),
        ("most_strategic_share: 0.10", "most_strategic_share: 0.125", "most_strategic_share", Decimal("0.125")),
        ("least_strategic_share: 0.05", "least_strategic_share: 0", "least_strategic_share", Decimal(0)),
        ("existing_share: 0.70", "existing_share: 1", "least_existing_share", Decimal(1)),
    ],
)
def test_every_key_is_read(tmp_path: Path, was: str, becomes: str, field: str, value: object) -> None:
    found = rules(tmp_path, was, becomes)

    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("threshold: 500000000", "threshold: 500000000.5", "strategic_threshold"),  # a binary fraction
        ("threshold: 500000000", "threshold: 5e8", "strategic_threshold"),
        ("threshold: 500000000", "threshold: 0", "strategic_threshold"),
        ("threshold: 500000000", "threshold: -1", "strategic_threshold"),
        ("threshold: 500000000", "threshold: true", "strategic_threshold"),
        ("threshold: 500000000", 'threshold: "1.00001"', "strategic_threshold"),
        ("top_n: 10", "top_n: 2.5", "whitelist_top_n"),
        ("top_n: 10", "top_n: -1", "whitelist_top_n"),
        ("months: 12", "months: 0", "contribution_months"),
        ("status_year: null", "status_year: 1999", "status_year"),
        ("status_year: null", "status_year: '2026'", "status_year"),
        ("existing_share: 0.70", "existing_share: 70", "validation.least_existing_share"),
        ("existing_share: 0.70", "existing_share: .nan", "validation.least_existing_share"),
        ("existing_share: 0.70", "existing_share: 0.70001", "validation.least_existing_share"),
        ("least_strategic_share: 0.05", "least_strategic_share: 0.2", "not above most_strategic_share"),
        ("from: 50000000}", "from: 600000000}", "aum_tiers"),  # not in order
        ("name: 1亿至5亿", "name: 10亿以上", "aum_tiers"),  # twice the same name
        ("from: 50000000}", "from: 0.5}", "aum_tiers[1].from"),
        ("from: 50000000}", "from: false}", "aum_tiers[1].from"),
        ('schema_version: "1.0"', 'schema_version: "2.0"', "schema_version"),
    ],
)
def test_a_wrong_value_names_file_and_key(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        rules(tmp_path, was, becomes)

    assert told in str(raised.value)
    assert CUSTOMER_FILE in str(raised.value)


@pytest.mark.parametrize(
    ("was", "becomes", "place", "proposed"),
    [
        ("whitelist_top_n: 10", "whitelist_top: 10", "customer_mdm.whitelist_top", "whitelist_top_n"),
        ("least_existing_share", "least_existing_shares", "validation.least_existing_shares", "least_existing_share"),
        ("{name: 1亿至5亿, from:", "{name: 1亿至5亿, form:", "aum_tiers[2].form", "from"),
        ("customer_mdm:\n", "customer_mdn:\n", "customer_mdn", "customer_mdm"),
    ],
)
def test_an_unknown_key_is_refused_with_a_proposal(
    tmp_path: Path, was: str, becomes: str, place: str, proposed: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        rules(tmp_path, was, becomes)

    assert raised.value.field is not None
    assert raised.value.field.endswith(place)
    assert raised.value.hint == f"did you mean '{proposed}'?"


@pytest.mark.parametrize(
    "line",
    [
        "  strategic_threshold: 500000000\n",
        "  whitelist_top_n: 10\n",
        "  contribution_months: 12\n",
        "  status_year: null\n",
        "    least_existing_share: 0.70\n",
    ],
)
def test_a_missing_key_has_no_silent_default(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match="missing"):
        rules(tmp_path, line)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"customer_mdm\.yaml"):
        load_customer_rules(tmp_path)


def test_a_change_of_the_file_is_another_configuration(tmp_path: Path) -> None:
    rules(tmp_path)
    before = config_version(tmp_path)

    rules(tmp_path, "top_n: 10", "top_n: 11")

    assert config_version(tmp_path) != before
