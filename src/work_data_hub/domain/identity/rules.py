"""How sure a match must be: what the registry's kinds of match are worth, and what loads may teach the index."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Band(StrEnum):
    """What is done with a registry's best candidate."""

    ACCEPT = "accepted"
    REVIEW = "review"
    UNCERTAIN = "uncertain"


MATCH_CONFIDENCE: Mapping[str, float] = MappingProxyType({"全称精确匹配": 1.00, "模糊匹配": 0.80, "拼音": 0.60})
LESSON_CONFIDENCE: Mapping[str, float] = MappingProxyType(
    {"plan_code": 0.95, "customer_name": 0.85, "plan_customer": 0.90}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """The thresholds of `config/identity.yml`; the defaults are the ones it ships with.

    Confidence runs from 0 to 1. `review_from` to below `accept_from` is taken and marked for review; below
    it a name keeps its temporary id. A row teaches the index only when it is surer than `surest_doubt`, and
    a load only when at least `least_rows` rows do. `registry_days` is how long an index entry from the
    registry counts, None: for ever; `searched_days` how long a search without a sure answer is not repeated.
    """

    match_confidence: Mapping[str, float] = field(default_factory=lambda: MATCH_CONFIDENCE)
    other_match_confidence: float = 0.70
    former_name_factor: float = 0.90
    accept_from: float = 0.90
    review_from: float = 0.60
    lesson_confidence: Mapping[str, float] = field(default_factory=lambda: LESSON_CONFIDENCE)
    learning_domains: tuple[str, ...] = ("annuity_performance", "annuity_income")
    least_rows: int = 10
    surest_doubt: float = 0.80
    registry_days: int | None = None
    searched_days: int = 30

    def confidence_of(self, match_type: str | None) -> float:
        """What a match of the registry's kind is worth."""
        return self.match_confidence.get(match_type or "", self.other_match_confidence)

    def band(self, confidence: float) -> Band:
        """What is done with a candidate of this confidence."""
        if confidence >= self.accept_from:
            return Band.ACCEPT
        return Band.REVIEW if confidence >= self.review_from else Band.UNCERTAIN


SHIPPED_RULES = IdentityRules()
"""The rules of a run that configures none."""
