"""What a domain is: columns, steps and a load rule, checked when imported."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from work_data_hub.domain.columns import (
    NUMBER_KINDS,
    Column,
    Kind,
    code,
    count,
    day,
    flag,
    money,
    month,
    rate,
    text,
)
from work_data_hub.domain.identity.identified import IdentityColumns
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.errors import ConfigError

__all__ = [
    "NUMBER_KINDS",
    "Column",
    "Domain",
    "Kind",
    "ReplaceMonth",
    "Step",
    "code",
    "count",
    "day",
    "flag",
    "money",
    "month",
    "rate",
    "text",
]
"""Everything a declaration is written with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named change of a frame: the columns it reads, the columns it writes, and the function.

    `says` is a plain sentence about what it does; `needs_open_plans` that it looks plans up in the
    open contracts of the run; `identity` that it finds each row's company, and by which columns.
    """

    name: str
    says: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    apply: Callable[[pd.DataFrame, PipelineContext], pd.DataFrame]
    needs_open_plans: bool = False
    identity: IdentityColumns | None = None

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        return self.apply(df, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceMonth:
    """The file is the whole month: rows of that month are replaced, whatever else they hold."""

    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One file domain, whole: from its headings to its table.

    Where several domains are loaded in one call, a smaller `load_order` comes first, then the name decides.
    Raises ConfigError when a step or the load rule names a column that does not exist, or when a name or
    heading stands twice.
    """

    name: str
    title: str
    table: str
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    load: ReplaceMonth
    indexes: tuple[tuple[str, ...], ...] = ()
    unique_key: tuple[str, ...] = ()
    ignored_headings: tuple[str, ...] = ()
    load_order: int = 100
    by_name: dict[str, Column] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        self._refuse_repeats("column", [column.name for column in self.columns])
        self._refuse_repeats("heading", [heading for column in self.columns for heading in column.headings])
        for step in self.steps:
            self._refuse_unknown(f"step {step.name!r}", (*step.reads, *step.writes))
        self._refuse_unknown("the load rule", (self.load.column,))
        for index in (*self.indexes, self.unique_key):
            self._refuse_unknown("an index", index)

    def _refuse_repeats(self, what: str, names: list[str]) -> None:
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(f"{what} declared twice: {', '.join(repeated)}", domain=self.name)

    def _refuse_unknown(self, who: str, names: tuple[str, ...]) -> None:
        unknown = [name for name in names if name not in self.by_name]
        if unknown:
            raise ConfigError(
                f"{who} names unknown columns {unknown}",
                domain=self.name,
                hint=f"declare them in the columns of {self.name} or mend the spelling",
            )

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns of the warehouse table, in order, without the load's own."""
        return tuple(column for column in self.columns if column.stored)

    @property
    def read(self) -> tuple[Column, ...]:
        """The columns that come from the workbook."""
        return tuple(column for column in self.columns if column.headings)

    @property
    def identity(self) -> IdentityColumns | None:
        """The columns that a row's company is found by; None for a domain whose rows name none."""
        return next((step.identity for step in self.steps if step.identity), None)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the declaration: columns, steps, load rule, key."""
        steps = [(step.name, step.reads, step.writes) for step in self.steps]
        text = repr((self.table, self.columns, steps, self.load, self.unique_key))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def schema_and_table(self) -> tuple[str, str]:
        """`business.规模明细` → ("business", "规模明细")."""
        schema, _, table = self.table.partition(".")
        return schema, table
