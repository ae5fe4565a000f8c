"""What a status can depend on: typed conditions, each telling for every row of a snapshot whether it holds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

import pandas as pd

from work_data_hub.domain.customers.shapes import AMOUNT_SCALE
from work_data_hub.domain.customers.status_fields import (
    CONTRACT_FIELDS,
    MEASURE,
    PLAN_FACTS,
    SOURCES,
    Aggregation,
    Comparison,
    FieldKind,
    Granularity,
    TimeScope,
    Value,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The rows of one granularity that conditions are evaluated for, and all they may look at.

    `rows` has the keys and ROW_FIELDS of the granularity, `contracts` CONTRACT_KEY and CONTRACT_FIELDS.
    `reported` are the award and loss rows of the year up to the month, by source. `facts`, `before` and
    `arrivals` are those of `Seen`. `settled` holds the statuses that are evaluated already.
    """

    month: int
    granularity: Granularity
    rows: pd.DataFrame
    contracts: pd.DataFrame
    reported: Mapping[str, pd.DataFrame]
    facts: pd.DataFrame
    before: pd.DataFrame
    arrivals: pd.DataFrame
    settled: dict[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(ABC):
    """Something that holds for a row of a snapshot or not."""

    @abstractmethod
    def holds(self, scene: Scene) -> pd.Series:
        """Whether it holds, a bool for every row of the scene, with the index of its rows."""

    @abstractmethod
    def words(self) -> str:
        """What it says, for a person who asks why a status is as it is."""

    @property
    def sources(self) -> frozenset[tuple[str, TimeScope]]:
        """The sources that it looks into, and over what time."""
        return frozenset()

    @property
    def references(self) -> frozenset[str]:
        """The rules whose statuses it uses."""
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistsInYear(Condition):
    """A report has a row with the same keys in the year of the month, not later than the month."""

    source: str
    keys: tuple[str, ...]

    def holds(self, scene: Scene) -> pd.Series:
        return is_among(scene.rows, scene.reported[self.source], keys=self.keys)

    def words(self) -> str:
        return f"{SOURCES[self.source].table} has it this year"

    @property
    def sources(self) -> frozenset[tuple[str, TimeScope]]:
        return frozenset({(self.source, TimeScope.YEARLY)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _AboutMonth(Condition):
    """A condition about the plan facts of the month."""

    keys: tuple[str, ...]

    @property
    def sources(self) -> frozenset[tuple[str, TimeScope]]:
        return frozenset({(PLAN_FACTS, TimeScope.MONTHLY)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentOrZero(_AboutMonth):
    """The month has no fact with the same keys, or their Σ AUM is 0."""

    def holds(self, scene: Scene) -> pd.Series:
        sums = scene.facts.groupby(list(self.keys), as_index=False)["aum"].sum()
        return ~is_among(scene.rows, sums[sums["aum"] != 0], keys=self.keys)

    def words(self) -> str:
        return f"no fact in the month, or {MEASURE} 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAppearance(_AboutMonth):
    """The month is the first one ever with a fact of company and product line, or with Σ AUM above 0."""

    is_positive: bool

    def holds(self, scene: Scene) -> pd.Series:
        first = scene.arrivals["first_positive" if self.is_positive else "first_row"]
        is_now = first.eq(scene.month).to_numpy(dtype=bool, na_value=False)
        return is_among(scene.rows, scene.arrivals[is_now], keys=self.keys)

    def words(self) -> str:
        return f"first month with {MEASURE} above 0" if self.is_positive else "first month with a fact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disappeared(_AboutMonth):
    """The month before has a fact with the same keys, and the month has none."""

    def holds(self, scene: Scene) -> pd.Series:
        was_there = is_among(scene.rows, scene.before, keys=self.keys)
        return was_there & ~is_among(scene.rows, scene.facts, keys=self.keys)

    def words(self) -> str:
        return "a fact in the month before, none in the month"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCompares(Condition):
    """A field of the row equals a value, or lies above or below it; an empty field never does."""

    field: str
    comparison: Comparison
    value: Value

    def holds(self, scene: Scene) -> pd.Series:
        return compared(scene.rows[self.field], self.comparison, value=self.value)

    def words(self) -> str:
        return _said(self.field, self.comparison, value=self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReference(Condition):
    """Another rule's status holds."""

    status: str

    def holds(self, scene: Scene) -> pd.Series:
        return scene.settled[self.status]

    def words(self) -> str:
        return self.status

    @property
    def references(self) -> frozenset[str]:
        return frozenset({self.status})


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation(Condition):
    """Another condition does not hold."""

    condition: Condition

    def holds(self, scene: Scene) -> pd.Series:
        return ~self.condition.holds(scene)

    def words(self) -> str:
        return f"not ({self.condition.words()})"

    @property
    def sources(self) -> frozenset[tuple[str, TimeScope]]:
        return self.condition.sources

    @property
    def references(self) -> frozenset[str]:
        return self.condition.references


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatedField(Condition):
    """A field of the row's contracts taken together holds, or compares with a value.

    BOOL_OR and BOOL_AND stand for themselves, the others are compared; the AVG of a flag is the share of contracts
    that have it, and its value a Decimal. A row without contracts has the sum and the count 0, and nothing else
    holds of it.
    """

    field: str
    aggregation: Aggregation
    comparison: Comparison | None = None
    value: Value | None = None

    def holds(self, scene: Scene) -> pd.Series:
        keys = list(scene.granularity.keys)
        verdicts = self._of_groups(scene.contracts, keys)
        known = verdicts.index.to_frame(index=False)
        held = is_among(scene.rows, known[verdicts.to_numpy()], keys=keys)
        return held if not self._holds_of_nothing() else held | ~is_among(scene.rows, known, keys=keys)

    def words(self) -> str:
        name = f"{self.aggregation} of {self.field}"
        if self.comparison is None or self.value is None:
            return name
        return _said(name, self.comparison, value=self.value)

    def _of_groups(self, contracts: pd.DataFrame, keys: list[str]) -> pd.Series:
        """Whether it holds of the contracts with the same keys, which are the index."""
        if self.aggregation is Aggregation.AVG and self.comparison and isinstance(self.value, Decimal):
            above = _above_mean(contracts, self.field, keys=keys, mean=self.value)
            return compared(above, self.comparison, value=0)
        return self._verdicts(_together(contracts, self.field, keys=keys, aggregation=self.aggregation))

    def _verdicts(self, together: pd.Series) -> pd.Series:
        if self.comparison is None or self.value is None:
            return together.astype(bool)
        return compared(together, self.comparison, value=self.value)

    def _holds_of_nothing(self) -> bool:
        if self.aggregation not in (Aggregation.SUM, Aggregation.COUNT):
            return False
        return bool(self._verdicts(pd.Series([0], dtype="int64")).iloc[0])


def is_among(rows: pd.DataFrame, others: pd.DataFrame, *, keys: Sequence[str]) -> pd.Series:
    """Whether each row has the keys of one of the others; others with an empty key are nobody's."""
    distinct = others[list(keys)].dropna().drop_duplicates()
    found = rows[list(keys)].merge(distinct.assign(found=True), how="left", on=list(keys))["found"]
    return pd.Series(found.notna().to_numpy(dtype=bool), index=rows.index)


def compared(values: pd.Series, comparison: Comparison, *, value: Value) -> pd.Series:
    """How each value compares; a Decimal is an amount in 元, while the values are in AMOUNT_SCALE."""
    against = int(value * AMOUNT_SCALE) if isinstance(value, Decimal) else value
    match comparison:
        case Comparison.EQUALS:
            verdicts = values.eq(against)
        case Comparison.GT:
            verdicts = values.gt(against)
        case Comparison.LT:
            verdicts = values.lt(against)
        case _:
            assert_never(comparison)
    return pd.Series(verdicts.to_numpy(dtype=bool, na_value=False), index=values.index)


def _together(contracts: pd.DataFrame, name: str, *, keys: list[str], aggregation: Aggregation) -> pd.Series:
    """A field of the contracts aggregated by keys, which are the index."""
    named = {Aggregation.BOOL_OR: "any", Aggregation.BOOL_AND: "all"}.get(aggregation, aggregation.value.lower())
    together: pd.Series = contracts.groupby(keys)[name].agg(named)
    return together


def _above_mean(contracts: pd.DataFrame, name: str, *, keys: list[str], mean: Decimal) -> pd.Series:
    """By how much the sum of a field by keys exceeds the one that would give the mean: exact, nothing is divided."""
    groups = contracts.groupby(keys)[name]
    # Python's integers: the mean times the count may not fit 64 bits.
    sums, counts = groups.sum().astype("int64").astype(object), groups.count().astype(object)
    scale = 1 if CONTRACT_FIELDS[name] is FieldKind.AMOUNT else AMOUNT_SCALE
    above: pd.Series = sums * scale - counts * int(mean * AMOUNT_SCALE)
    return above


def _said(name: str, comparison: Comparison, *, value: Value) -> str:
    sign = {Comparison.EQUALS: "is", Comparison.GT: "above", Comparison.LT: "below"}[comparison]
    return f"{name} {sign} {str(value).lower() if isinstance(value, bool) else value}"
