from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from work_data_hub.domain.identity.unknown_names import GROUP_COLUMNS, names_of_load, unknown_names

pytestmark = pytest.mark.unit

SEPTEMBER, OCTOBER = date(2024, 9, 1), date(2024, 10, 1)
USUAL = {
    "domain": "annuity_performance",
    "name": "甲公司",
    "written": "甲公司",
    "temporary_id": "INAAAAAAAAAAAAAAAA",
    "month": OCTOBER,
    "rows": 1,
    "closing_assets": None,
}


def groups(*cells: dict[str, Any]) -> pd.DataFrame:
    """Counted facts in which only the cells that matter are named."""
    rows = [USUAL | one for one in cells]
    return pd.DataFrame(rows, columns=list(GROUP_COLUMNS), dtype=object).astype({"rows": "int64"})


def test_a_name_is_told_once_as_it_is_written_most_often() -> None:
    told = unknown_names(groups({"written": "甲公司"}, {"written": "甲 公司-1", "rows": 2}, {"written": "甲公司。"}))

    assert told[["company_name", "normalized_name", "occurrence_count"]].to_numpy().tolist() == [
        ["甲 公司-1", "甲公司", 4]
    ]


def test_the_most_frequent_name_comes_first() -> None:
    told = unknown_names(groups({"name": "丙", "rows": 2}, {"name": "乙", "rows": 2}, {"name": "甲", "rows": 3}))

    assert told["normalized_name"].tolist() == ["甲", "丙", "乙"]


def test_spellings_of_an_older_normaliser_come_to_one_name_with_the_newest_id() -> None:
    told = unknown_names(
        groups(
            {"name": "甲公司-1", "month": SEPTEMBER, "rows": 9, "temporary_id": "INBBBBBBBBBBBBBBBB"},
            {"name": "甲公司", "month": OCTOBER},
        )
    )

    assert told[["normalized_name", "temporary_id", "occurrence_count"]].to_numpy().tolist() == [
        ["甲公司", "INAAAAAAAAAAAAAAAA", 10]
    ]


def test_domains_and_months_of_a_name_are_joined() -> None:
    (told,) = unknown_names(groups({"month": SEPTEMBER}, {"domain": "annual_award"})).to_dict(orient="records")

    assert told["domains"] == "annual_award, annuity_performance"
    assert (told["first_seen"], told["last_seen"], told["occurrence_count"]) == (SEPTEMBER, OCTOBER, 2)


def test_a_month_tells_its_names_but_when_they_were_seen_first_at_all() -> None:
    facts = groups({"month": SEPTEMBER, "rows": 5}, {"rows": 2}, {"name": "乙公司", "month": SEPTEMBER})

    (told,) = unknown_names(facts, month=OCTOBER).to_dict(orient="records")

    assert (told["normalized_name"], told["first_seen"], told["occurrence_count"]) == ("甲公司", SEPTEMBER, 2)


def test_assets_are_the_exact_sum_of_the_newest_month_that_states_any() -> None:
    (told,) = unknown_names(
        groups(
            {"month": SEPTEMBER, "closing_assets": Decimal("5")},
            {"written": "甲", "closing_assets": Decimal("1000000000000000.0001")},
            {"closing_assets": Decimal("0.0002")},
            {"domain": "annual_award", "month": date(2024, 11, 1)},
        )
    ).to_dict(orient="records")

    assert told["closing_assets"] == Decimal("1000000000000000.0003")


def test_a_name_without_assets_has_none() -> None:
    told = unknown_names(groups({"name": "乙"}, {"name": "甲", "closing_assets": Decimal(0)}))

    assert told["closing_assets"].isna().tolist() == [True, False]
    assert told["closing_assets"].dropna().tolist() == [Decimal(0)]


def test_without_facts_there_are_no_names() -> None:
    assert unknown_names(groups()).empty
    assert unknown_names(groups({}), month=SEPTEMBER).empty


def test_a_load_tells_its_names_in_the_same_columns() -> None:
    unknown = pd.DataFrame(
        {
            "normalized_name": ["乙公司", "甲公司"],
            "raw_name": ["乙 公司", "甲公司。"],
            "temp_id": ["INBBBBBBBBBBBBBBBB", "INAAAAAAAAAAAAAAAA"],
            "rows": [1, 3],
        }
    )

    told = names_of_load(unknown, month=OCTOBER)

    assert list(told.columns) == ["company_name", "temporary_id", "first_seen", "occurrence_count", "normalized_name"]
    assert told.iloc[0].tolist() == ["甲公司。", "INAAAAAAAAAAAAAAAA", OCTOBER, 3, "甲公司"]
