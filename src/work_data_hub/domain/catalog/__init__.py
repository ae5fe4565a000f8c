"""The domains, an explicit list."""

from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.spec import Domain

DOMAINS: dict[str, Domain] = {domain.name: domain for domain in (ANNUITY_PERFORMANCE,)}
