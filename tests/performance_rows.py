"""Bronze rows of annuity_performance in which only the cells that matter are named."""

from datetime import date
from typing import Any

from tests.domain import domain_rows
from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.run import Outcome

USUAL = domain_rows.USUAL["annuity_performance"]


def performance_rows(**cells: Any) -> Bronze:
    """Rows with the usual cells, replaced by those given: one value, or a list of one a row."""
    return domain_rows.rows(ANNUITY_PERFORMANCE, **cells)


def refined(bronze: Bronze, *, period: str | None = "202410", today: date = date(2024, 12, 1)) -> Outcome:
    """The outcome with the shipped mappings."""
    return domain_rows.refined(ANNUITY_PERFORMANCE, bronze, period=period, today=today)
