"""What a load is about to do, as values: printable before it happens, and the same for plan and execute."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

import pandas as pd

from work_data_hub.domain.control_totals import ControlTotal
from work_data_hub.domain.reference_rules import Describer, Mode, Reference
from work_data_hub.domain.references import candidates, compacted
from work_data_hub.domain.spec import Domain


class LoadMode(StrEnum):
    """How gold rows meet the rows that are there."""

    DELETE_INSERT = "delete_insert"
    APPEND = "append"
    UPSERT = "upsert"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePlan:
    """What a month's facts say about one reference table.

    `rows` has one row a key, or, where rows are recomputed, the month's facts, compacted. Columns in
    `kept` come from elsewhere: an authoritative row keeps its own.
    """

    reference: Reference
    rows: pd.DataFrame
    kept: frozenset[str] = frozenset()
    include_temporary: bool = False

    @classmethod
    def of(
        cls,
        reference: Reference,
        gold: pd.DataFrame,
        *,
        kept: frozenset[str] = frozenset(),
        include_temporary: bool = False,
    ) -> "ReferencePlan":
        """The plan of a month whose accepted rows are `gold`."""
        if reference.mode is Mode.RECOMPUTE:
            describer = own_describer(reference)
            rows = compacted(describer.rule, gold, month=describer.month)
        else:
            rows = candidates(reference, gold, include_temporary=include_temporary)
        return cls(reference=reference, rows=rows, kept=kept, include_temporary=include_temporary)


def own_describer(reference: Reference) -> Describer:
    """How the rule's own domain describes the rows."""
    return next(describer for describer in reference.described_by if describer.domain == reference.domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One domain's month on its way into the warehouse.

    Without `scope` the whole month is replaced; with it, only the combinations of these columns
    that stand in `gold`. `controls` are the stated totals, to be compared with what is loaded;
    `anomaly_share` is the change against the month before above which a figure is a warning.
    """

    domain: Domain
    period: date
    gold: pd.DataFrame
    references: tuple[ReferencePlan, ...]
    mode: LoadMode = LoadMode.DELETE_INSERT
    scope: tuple[str, ...] = ()
    skip_facts: bool = False
    allow_shrink: bool = False
    controls: tuple[ControlTotal, ...] = ()
    anomaly_share: Decimal = Decimal("0.5")

    @property
    def is_whole_month(self) -> bool:
        """Whether `gold` is all that the month will hold."""
        return self.mode is LoadMode.DELETE_INSERT and not self.scope and not self.skip_facts

    @property
    def business_columns(self) -> list[str]:
        """The columns whose content counts as the row."""
        return [column.name for column in self.domain.stored]
