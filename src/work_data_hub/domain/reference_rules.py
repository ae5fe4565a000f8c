"""How facts imply reference rows: one rule a table, and how each column's value follows."""

from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter

COMPANY_ID = "company_id"
DATE_FORMATS = {"yyMM": "%y%m", "yyyyMM": "%Y%m", "yyyy": "%Y"}
"""How a tag may write its month, and the same for Python."""


class Mode(StrEnum):
    """What a rule does to its table."""

    INSERT_MISSING = "insert_missing"
    FILL_NULL_ONLY = "fill_null_only"
    RECOMPUTE = "recompute"


class Aggregate(StrEnum):
    """How the value of a reference row follows from the fact rows of one key."""

    FIRST = "first"
    MAX_BY = "max_by"
    CONCAT_DISTINCT = "concat_distinct"
    COUNT_DISTINCT = "count_distinct"
    TEMPLATE = "template"
    TAG = "tag"


class Given(StrEnum):
    """Which months give a key a tag: each in which it has facts, or only the first in any domain that gives the tag."""

    FIRST_MONTH = "first_month"
    EACH_MONTH = "each_month"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceColumn:
    """A column of a reference row and how facts give it.

    `by` is the number that `max_by` compares. `excluding` names a target whose value
    `concat_distinct` leaves out. `template` holds `{column}` places. A tag is the date of `source`
    in `date_format`, then `suffix`. An `optional` source may be missing from the rows: null then.
    `skip_values` of the source count as null.
    """

    target: str
    source: str = ""
    how: Aggregate = Aggregate.FIRST
    optional: bool = False
    by: str = ""
    separator: str = "+"
    is_sorted: bool = True
    excluding: str = ""
    template: str = ""
    date_format: str = ""
    suffix: str = ""
    given: Given = Given.EACH_MONTH
    skip_values: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fact columns that the template names."""
        return tuple(field for _, field, _, _ in Formatter().parse(self.template) if field is not None)

    @property
    def reads(self) -> tuple[str, ...]:
        """The fact columns this column follows from."""
        named = self.fields if self.how is Aggregate.TEMPLATE else (self.source, self.by)
        return tuple(name for name in named if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Reference rows that the facts of `domain` imply: one row per distinct `source`.

    `facts` is the table of the domain's rows. `skip_values` are keys that never make a row.
    `described_by` is for rows that are recomputed: every domain whose facts can describe them, the
    strongest first. Each column is described by the strongest that fills it and has facts of the key.
    """

    domain: str
    name: str
    table: str
    key: str
    source: str
    columns: tuple[ReferenceColumn, ...] = ()
    mode: Mode = Mode.INSERT_MISSING
    depends_on: tuple[str, ...] = ()
    skip_blank_values: bool = False
    skip_values: tuple[str, ...] = ()
    facts: str = ""
    described_by: tuple["Describer", ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The fact columns this reference reads, the key first."""
        return tuple(dict.fromkeys((self.source, *(name for column in self.columns for name in column.reads))))

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of the reference table that the rule fills, beside the key."""
        return tuple(column.target for column in self.columns)

    @property
    def orders(self) -> tuple[str, ...]:
        """The fact columns that are only compared."""
        shown = {name for column in self.columns for name in (column.source, *column.fields)}
        return tuple(dict.fromkeys(c.by for c in self.columns if c.by and c.by not in shown))

    @property
    def holds_company_ids(self) -> bool:
        """Whether the keys are company ids, of which temporary ones are no customers."""
        return COMPANY_ID in (self.key, self.source)

    @property
    def tags(self) -> tuple[ReferenceColumn, ...]:
        """The columns that are lists of tags."""
        return tuple(column for column in self.columns if column.how is Aggregate.TAG)

    @property
    def without_tags(self) -> "Reference":
        """The same rule for what the facts of all months say."""
        return replace(self, columns=tuple(c for c in self.columns if c.how is not Aggregate.TAG), described_by=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Describer:
    """A domain whose facts can describe reference rows: its month column, its rule without tags, and its tags."""

    domain: str
    month: str
    rule: Reference
    tags: tuple[ReferenceColumn, ...] = ()

    @property
    def table(self) -> str:
        """The table of the facts."""
        return self.rule.facts

    def gives(self, tag: ReferenceColumn) -> bool:
        """Whether the domain's facts give the same tag."""
        return tag in (replace(mine, source=tag.source) for mine in self.tags)
