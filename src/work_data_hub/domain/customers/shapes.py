"""The columns that the parts of customer master data hand each other."""

from datetime import date

OPEN_END = date(9999, 12, 31)
"""`valid_to` of a version that is in force: intervals are half-open, `[valid_from, valid_to)`."""

CONTRACT_KEY = ("company_id", "plan_code", "product_line_code")
"""One plan can give a company two contracts: trustee and investment."""

LINE_KEY = ("company_id", "product_line_code")

AMOUNT_SCALE = 10_000
"""Amounts in frames are exact: whole ten-thousandths of a 元, int64."""

MONTHLY_FACTS = (*CONTRACT_KEY, "branch_code", "month", "aum", "contributions")
"""One row a contract, branch and month. Keys are text and never blank; `branch_code` may be null; `month` is a
month number; `aum` is Σ 期末资产规模 over portfolios and `contributions` Σ 供款, both in AMOUNT_SCALE."""

ATTRIBUTES = ("contract_status", "is_existing", "is_strategic", "status_year")
"""What a change of which makes a new version."""

STATES = ("step", *CONTRACT_KEY, *ATTRIBUTES)
"""One row a contract and step at which it is there; `step` is the day from which the state holds."""

VERSIONS = (*CONTRACT_KEY, "valid_from", "valid_to", *ATTRIBUTES)
"""One row a version; both days are datetime64[s] (OPEN_END lies beyond what nanoseconds reach)."""

NORMAL, STOPPED = "正常", "停缴"


def month_number(day: date) -> int:
    """The months since year 0: consecutive months differ by one."""
    return day.year * 12 + day.month - 1


def month_of(number: int) -> date:
    """The first day of the month with that number."""
    return date(number // 12, number % 12 + 1, 1)
