"""A month beside the month before: what is worth a warning, and which numbers are kept."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.anomalies import MonthFigures, MonthReview, month_before, month_figures, review_month
from work_data_hub.domain.catalog import DOMAINS

pytestmark = pytest.mark.unit

PERFORMANCE = DOMAINS["annuity_performance"]
BEFORE = MonthFigures(
    rows=100,
    sums={
        "期末资产规模": Decimal("1200000000.0000"),
        "供款": Decimal("50.5"),
        "投资收益": Decimal(-10),
        "流失": Decimal(0),
    },
    distinct={"计划代码": 40, "company_id": 30},
    filled={"期末资产规模": 100, "供款": 90, "投资收益": 100, "流失": 100, "计划代码": 100, "company_id": 100},
)


def reviewed(share: str = "0.5", before: MonthFigures | None = BEFORE, **changed: Any) -> MonthReview:
    now = replace(BEFORE, **{name: _changed(getattr(BEFORE, name), value) for name, value in changed.items()})
    return review_month(PERFORMANCE, now, before=before, month=date(2024, 10, 1), share=Decimal(share))


def _changed(figures: Any, value: Any) -> Any:
    return value if isinstance(value, int) else {**figures, **value}


def test_the_same_month_again_is_no_warning() -> None:
    assert reviewed().warnings == ()
    assert reviewed().changes["rows"] == 0


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"rows": 38}, "rows −62 % against 2024-09: 100 → 38"),
        ({"rows": 1200}, "rows +1,100 % against 2024-09: 100 → 1,200"),
        (
            {"sums": {"期末资产规模": Decimal("456000000.5")}},
            "sum 期末资产规模 −62 % against 2024-09: 1,200,000,000.00 → 456,000,000.50 元",
        ),
        ({"sums": {"投资收益": Decimal(-30)}}, "sum 投资收益 −200 % against 2024-09: -10.00 → -30.00 元"),
        ({"distinct": {"计划代码": 10}}, "distinct 计划代码 −75 % against 2024-09: 40 → 10"),
        (
            {"filled": {"company_id": 0}, "distinct": {"company_id": 0}},
            "company_id is empty; in 2024-09 it was filled in 100 rows",
        ),
        ({"filled": {"供款": 0}, "sums": {"供款": Decimal(0)}}, "供款 is empty; in 2024-09 it was filled in 90 rows"),
        ({"sums": {"供款": Decimal(0)}}, "sum 供款 −100 % against 2024-09: 50.50 → 0.00 元"),
    ],
    ids=str,
)
def test_one_change_is_one_warning(changed: dict[str, Any], warning: str) -> None:
    assert reviewed(**changed).warnings == (warning,)


def test_a_change_up_to_the_share_is_none() -> None:
    assert reviewed(rows=50).warnings == ()
    assert reviewed(share="0.49", rows=50).warnings != ()


@pytest.mark.parametrize("changed", [{"sums": {"供款": Decimal(0)}}, {"filled": {"company_id": 0}}], ids=str)
def test_what_is_gone_is_a_warning_whatever_the_share(changed: dict[str, Any]) -> None:
    assert len(reviewed(share="100", **changed).warnings) == 1


def test_a_figure_that_was_zero_has_no_change() -> None:
    review = reviewed(sums={"流失": Decimal(5)})

    assert review.warnings == ()
    assert "sum 流失" not in review.changes


@pytest.mark.parametrize("before", [None, replace(BEFORE, rows=0)])
def test_without_a_month_before_nothing_is_said(before: MonthFigures | None) -> None:
    review = reviewed(before=before, rows=1)

    assert not review.warnings
    assert not review.changes
    assert review.metrics["rows"] == 1


def test_the_metrics_are_figures_and_changes_by_name() -> None:
    metrics = reviewed(rows=38).metrics

    assert {name: metrics[name] for name in ("rows", "sum 期末资产规模", "distinct 计划代码", "change rows")} == {
        "rows": Decimal(38),
        "sum 期末资产规模": Decimal(1_200_000_000),
        "distinct 计划代码": Decimal(40),
        "change rows": Decimal("-0.62"),
    }


def test_the_figures_of_a_month_are_those_of_its_rows() -> None:
    gold = refined(PERFORMANCE, rows(PERFORMANCE, 计划代码=["S0001", "S0001", "P0290"], 供款=[0.1, "0.2", None])).gold

    figures = month_figures(PERFORMANCE, gold)

    assert (figures.rows, figures.sums["供款"], figures.distinct["计划代码"]) == (3, Decimal("0.3"), 2)
    assert (figures.filled["供款"], figures.filled["子企业号"]) == (2, 0)
    assert set(figures.distinct) == {"计划代码", "company_id", "组合代码"}


@pytest.mark.parametrize(
    ("month", "before"), [(date(2024, 10, 1), date(2024, 9, 1)), (date(2025, 1, 1), date(2024, 12, 1))]
)
def test_the_month_before(month: date, before: date) -> None:
    assert month_before(month) == before
