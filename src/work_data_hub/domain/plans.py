"""What a load is about to do, as values: printable before it happens, and the same for plan and execute."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import pandas as pd

from work_data_hub.domain.spec import Domain, Reference


class LoadMode(StrEnum):
    """How gold rows meet the rows that are there."""

    DELETE_INSERT = "delete_insert"
    APPEND = "append"
    UPSERT = "upsert"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePlan:
    """Candidate rows of one reference table; those whose key is missing there will be added."""

    reference: Reference
    candidates: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One domain's month on its way into the warehouse.

    Without `scope` the whole month is replaced; with it, only the combinations of these columns
    that stand in `gold`.
    """

    domain: Domain
    period: date
    gold: pd.DataFrame
    references: tuple[ReferencePlan, ...]
    mode: LoadMode = LoadMode.DELETE_INSERT
    scope: tuple[str, ...] = ()
    skip_facts: bool = False
    allow_shrink: bool = False

    @property
    def business_columns(self) -> list[str]:
        """The columns whose content counts as the row."""
        return [column.name for column in self.domain.stored]
