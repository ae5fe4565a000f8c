"""What decides the state of a contract, as `config/customer_mdm.yaml` gives it."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRules:
    """The thresholds of contracts, and the shares that a sound year keeps to.

    `strategic_threshold` is in 元. `whitelist_top_n` is how many of the largest contracts of each branch and
    product line are strategic whatever they hold. `contribution_months` is the window in which a contract must
    have been paid into. `status_year` is for what-if runs only: the year that every month is judged as.
    """

    strategic_threshold: Decimal = Decimal(500_000_000)
    whitelist_top_n: int = 10
    contribution_months: int = 12
    status_year: int | None = None
    least_strategic_share: Decimal = Decimal("0.05")
    most_strategic_share: Decimal = Decimal("0.10")
    least_existing_share: Decimal = Decimal("0.70")


SHIPPED_RULES = CustomerRules()
