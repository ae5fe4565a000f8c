"""What a refining run is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import pandas as pd

from work_data_hub.domain.findings import Counted
from work_data_hub.domain.identity.identified import Identified
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.period import Period
from work_data_hub.domain.spreading import SERIAL, Mapper
from work_data_hub.errors import ConfigError

IDENTITY_SOURCE, IDENTITY_CONFIDENCE = "_identity_source", "_identity_confidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineRun:
    """The values a run depends on beside its rows; the same run and rows give the same outcome.

    `period` is None for a file given directly: then the rows themselves must agree on one month.
    `open_plans` are the contracts there are or were, one row each (company_id, product_line_code,
    plan_code, and the day from which); None where there is no contract table, or no database.
    `mapper` says where blocks of rows are worked on; the outcome is the same.
    """

    run_id: str
    period: Period | None
    today: date
    mappings: Mapping[str, Mapping[str, str]]
    book: IdentityBook
    open_plans: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    mapper: Mapper = field(default=SERIAL, repr=False, compare=False)

    def mapping(self, name: str) -> Mapping[str, str]:
        """The value map `name`; raises ConfigError where there is none."""
        try:
            return self.mappings[name]
        except KeyError:
            raise ConfigError(f"no mapping {name!r}", hint=f"add config/mappings/{name}.yml") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What refining made of a sheet.

    `gold` has one row per accepted row, in sheet order: the domain's stored columns, the identity
    and the provenance columns. `rejects` has one row per offending cell: position, column, value,
    rule, _source_file, _source_sheet, _source_row, cell. Every row read is in `gold` or in `rejects`.
    `identified` is how the accepted rows' companies were found. `remarks` are sentences about the run
    as a whole.
    """

    gold: pd.DataFrame
    rejects: pd.DataFrame
    rows_read: int
    period: Period
    counts: tuple[Counted, ...] = ()
    identity: Mapping[str, int] = field(default_factory=dict)
    unresolved_names: tuple[str, ...] = ()
    identified: Identified | None = None
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    unknown_headings: tuple[str, ...] = ()
    missing_headings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def rows_rejected(self) -> int:
        """Rows, not cells: a row with two bad cells counts once."""
        return self.rows_read - len(self.gold)
