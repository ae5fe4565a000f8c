"""A month against the month before: rows, sums, distinct keys and filled columns, and what changed too much."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from work_data_hub.domain.exact import exact_sums, written
from work_data_hub.domain.spec import Domain, Kind

_SHARE_SCALE = Decimal("0.000001")
_KEYS = frozenset({"计划代码", "年金计划号", "company_id", "组合代码"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigures:
    """A month of a domain in numbers, by column: exact sums, distinct keys, cells that are not null."""

    rows: int
    sums: Mapping[str, Decimal]
    distinct: Mapping[str, int]
    filled: Mapping[str, int]

    @property
    def metrics(self) -> dict[str, Decimal]:
        """The figures by the names of their metrics: `rows`, `sum 供款`, `distinct 计划代码`."""
        sums = {f"sum {name}": total for name, total in self.sums.items()}
        distinct = {f"distinct {name}": Decimal(keys) for name, keys in self.distinct.items()}
        return {"rows": Decimal(self.rows), **sums, **distinct}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReview:
    """A month's figures, and what they say beside those of the month before; `before` is None where it is not there."""

    now: MonthFigures
    before: MonthFigures | None = None
    warnings: tuple[str, ...] = ()
    changes: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Decimal]:
        """The figures and their changes, by the names of their metrics."""
        return {**self.now.metrics, **{f"change {name}": share for name, share in self.changes.items()}}


def key_columns(domain: Domain) -> list[str]:
    """The stored columns whose distinct values are counted: codes, plans, companies and portfolios."""
    return [column.name for column in domain.stored if column.kind is Kind.CODE or column.name in _KEYS]


def money_columns(domain: Domain) -> list[str]:
    """The stored columns that are added up."""
    return [column.name for column in domain.stored if column.kind is Kind.MONEY]


def month_before(month: date) -> date:
    """The first day of the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def month_figures(domain: Domain, gold: pd.DataFrame) -> MonthFigures:
    """The figures of a month about to be loaded."""
    return MonthFigures(
        rows=len(gold),
        sums=exact_sums(gold, money_columns(domain)),
        distinct={name: int(gold[name].nunique()) for name in key_columns(domain)},
        filled={column.name: int(gold[column.name].notna().sum()) for column in domain.stored},
    )


def review_month(
    domain: Domain, now: MonthFigures, *, before: MonthFigures | None, month: date, share: Decimal
) -> MonthReview:
    """What changed since the month before: every figure's relative change, and a warning where one exceeds `share`.

    A column that was filled and now is empty, or adds up to nothing, is a warning whatever the share.
    Without a month before there is nothing to say.
    """
    if before is None or not before.rows:
        return MonthReview(now=now)
    than = f"{month_before(month):%Y-%m}"
    empty = {name: before.filled[name] for name, cells in now.filled.items() if not cells and before.filled.get(name)}
    changes = [change for change in _changes(domain, now, before) if change.column not in empty]
    warnings = [
        *(f"{name} is empty; in {than} it was filled in {cells:,} rows" for name, cells in empty.items()),
        *(change.words(than) for change in changes if not change.now or abs(change.share) > share),
    ]
    shares = {change.metric: change.share.quantize(_SHARE_SCALE) for change in _changes(domain, now, before)}
    return MonthReview(now=now, before=before, warnings=tuple(warnings), changes=shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One figure beside the same of the month before, which was not zero."""

    metric: str
    column: str
    before: Decimal
    now: Decimal
    unit: str = ""

    @property
    def share(self) -> Decimal:
        return (self.now - self.before) / abs(self.before)

    def words(self, than: str) -> str:
        figures = f"{self._written(self.before)} → {self._written(self.now)} {self.unit}".rstrip()
        percent = f"{self.share * 100:+,.0f}".replace("-", "−")
        return f"{self.metric} {percent} % against {than}: {figures}"

    def _written(self, figure: Decimal) -> str:
        return written(figure) if self.metric.startswith("sum") else f"{figure:,f}"


def _changes(domain: Domain, now: MonthFigures, before: MonthFigures) -> Iterator[_Change]:
    """The figures that were not zero the month before."""
    for metric, figure in now.metrics.items():
        column = domain.by_name.get(metric.partition(" ")[2])
        if before.metrics.get(metric):
            unit = column.unit if column and metric.startswith("sum ") else ""
            name = column.name if column else ""
            yield _Change(metric=metric, column=name, before=before.metrics[metric], now=figure, unit=unit)
