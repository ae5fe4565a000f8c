"""What a domain is: columns, steps, a load rule and the references its facts imply, checked when imported."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import pandas as pd

from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.errors import ConfigError


class Kind(StrEnum):
    """How a cell is read and stored."""

    TEXT = "text"
    CODE = "code"
    MONTH = "month"
    DATE = "date"
    MONEY = "money"
    RATE = "rate"
    COUNT = "count"


NUMBER_KINDS = frozenset({Kind.MONEY, Kind.RATE, Kind.COUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a domain.

    `headings` are the headings a workbook may use, the first being the usual one; empty for a
    computed column. `required` means that the heading must be there, `nullable` that a value
    need not be. `stored` is false for columns that are read but not kept.
    `scale` is the number of decimals, `length` the longest text in characters.
    """

    name: str
    kind: Kind
    headings: tuple[str, ...] = ()
    required: bool = False
    nullable: bool = True
    stored: bool = True
    length: int = 255
    scale: int = 0
    lowest: Decimal | None = None
    highest: Decimal | None = None
    unit: str = ""
    note: str = ""

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBER_KINDS

    @property
    def postgres_type(self) -> str:
        """The column's type in PostgreSQL, in the words of `format_type`."""
        match self.kind:
            case Kind.TEXT | Kind.CODE:
                return f"character varying({self.length})"
            case Kind.MONTH | Kind.DATE:
                return "date"
            case Kind.COUNT:
                return "integer"
            case Kind.RATE:
                return f"numeric(10,{self.scale})"
            case Kind.MONEY:
                return f"numeric(18,{self.scale})"


def _headings(name: str, headings: tuple[str, ...] | None, computed: bool) -> tuple[str, ...]:
    return () if computed else (headings or (name,))


def text(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    stored: bool = True,
    length: int = 255,
    note: str = "",
) -> Column:
    """A text column: trimmed at both ends, blank is null."""
    return Column(
        name=name,
        kind=Kind.TEXT,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        stored=stored,
        length=length,
        note=note,
    )


def code(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    length: int = 255,
    note: str = "",
) -> Column:
    """A code column: half-width, upper case, without blanks, hyphens and underscores; leading zeros stay."""
    return Column(
        name=name,
        kind=Kind.CODE,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        length=length,
        note=note,
    )


def month(name: str, *, headings: tuple[str, ...] | None = None) -> Column:
    """The month a row belongs to, stored as its first day; never blank."""
    return Column(name=name, kind=Kind.MONTH, headings=headings or (name,), required=True, nullable=False)


def money(name: str, *, headings: tuple[str, ...] | None = None, required: bool = False, unit: str = "元") -> Column:
    """An amount with four decimals, rounded half up from the shortest decimal text of the cell."""
    return Column(name=name, kind=Kind.MONEY, headings=headings or (name,), required=required, scale=4, unit=unit)


def rate(name: str, *, headings: tuple[str, ...] | None = None, computed: bool = False, note: str = "") -> Column:
    """A rate as a fraction with six decimals, between -1 and 10."""
    return Column(
        name=name,
        kind=Kind.RATE,
        headings=_headings(name, headings, computed),
        scale=6,
        lowest=Decimal(-1),
        highest=Decimal(10),
        unit="fraction",
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named change of a frame: the columns it reads, the columns it writes, and the function."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    apply: Callable[[pd.DataFrame, PipelineContext], pd.DataFrame]

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        return self.apply(df, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceMonth:
    """The file is the whole month: rows of that month are replaced, whatever else they hold."""

    column: str


class Aggregate(StrEnum):
    """How the value of a reference row follows from the fact rows of one key."""

    FIRST = "first"
    MAX_BY = "max_by"
    CONCAT_DISTINCT = "concat_distinct"
    COUNT_DISTINCT = "count_distinct"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceColumn:
    """A column of a reference row and how facts give it."""

    target: str
    source: str
    how: Aggregate = Aggregate.FIRST
    by: str = ""
    separator: str = ""
    constant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Reference rows that facts imply: one row per distinct `source`, added when its key is missing."""

    name: str
    table: str
    key: str
    source: str
    columns: tuple[ReferenceColumn, ...] = ()
    skip_temporary_ids: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The fact columns this reference reads."""
        read = (self.source, *(c.source for c in self.columns), *(c.by for c in self.columns))
        return tuple(dict.fromkeys(name for name in read if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One file domain, whole: from its headings to its table.

    Raises ConfigError when a step, the load rule or a reference names a column that does not exist,
    or when a name or heading stands twice.
    """

    name: str
    title: str
    table: str
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    load: ReplaceMonth
    references: tuple[Reference, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    unique_key: tuple[str, ...] = ()
    ignored_headings: tuple[str, ...] = ()
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
        for reference in self.references:
            self._refuse_unknown(f"reference {reference.name!r}", reference.reads)

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
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the declaration: columns, steps, load rule, references."""
        steps = [(step.name, step.reads, step.writes) for step in self.steps]
        text = repr((self.table, self.columns, steps, self.load, self.references))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def schema_and_table(self) -> tuple[str, str]:
        """`business.规模明细` → ("business", "规模明细")."""
        schema, _, table = self.table.partition(".")
        return schema, table
