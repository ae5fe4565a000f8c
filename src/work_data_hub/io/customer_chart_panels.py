"""The panels of the chart of customers: what each shows, in which words and colour, and its points."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor, log10

import pandas as pd

from work_data_hub.domain.customers.shapes import month_number, month_of

_YI, _THOUSAND = Decimal(100_000_000), 1_000
_STANDS, _COMES, _GOES, _MONEY = "#0072b2", "#00805f", "#c14e00", "#444444"
# Their halves are round as well; of fewer than ten customers there is no half.
_STEPS, _FEW_STEPS = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10), (2, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One line over the months.

    `points` has a (month number, value) for each month there is, oldest first. The colours can be told apart
    by people who do not see red or green, and nothing depends on them.
    """

    name: str
    english: str
    chinese: str
    colour: str
    points: tuple[tuple[int, Decimal], ...]

    @property
    def top(self) -> float:
        """A round number at or above every value, and above 0."""
        return _round_up(float(max(value for _, value in self.points)), is_money=self.name == "aum")

    @property
    def pieces(self) -> tuple[tuple[tuple[int, Decimal], ...], ...]:
        """The points by runs of months that follow each other: no line leads over a month that is not there."""
        runs: list[list[tuple[int, Decimal]]] = []
        for point in self.points:
            if runs and point[0] == runs[-1][-1][0] + 1:
                runs[-1].append(point)
            else:
                runs.append([point])
        return tuple(tuple(run) for run in runs)

    @property
    def newest(self) -> str:
        """The newest value as people read it."""
        return shown(self.points[-1][1])


_WORDS = (
    ("customers", "Customers", "客户数", _STANDS),
    ("existing", "Existing", "存量客户", _STANDS),
    ("strategic", "Strategic", "战客", _STANDS),
    ("aum", "AUM, 100 million yuan", "期末资产规模，亿元", _MONEY),
    ("winning", "Won this year", "新中标", _COMES),
    ("new", "New: won, not existing", "新客", _COMES),
    ("loss_reported", "Loss reported", "申报流失", _GOES),
    ("churned", "Churned this year", "已流失", _GOES),
)


def panels_of(counts: pd.DataFrame) -> tuple[Panel, ...]:
    """The panels of counts by month (`status_counts`), in the order in which they are read; money in 亿元."""
    months = [month_number(day) for day in counts["month"]]
    return tuple(
        Panel(
            name=name,
            english=english,
            chinese=chinese,
            colour=colour,
            points=tuple(zip(months, _values(counts, name), strict=True)),
        )
        for name, english, chinese, colour in _WORDS
    )


def shown(value: Decimal) -> str:
    """A count with separators; money with as many decimals as its size asks for."""
    if value == value.to_integral_value() or abs(value) >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:,.4f}"


def span_text(panel: Panel, *, joined_by: str) -> str:
    """The first month and the last one; a single month stands alone."""
    first, last = (month_text(panel.points[at][0]) for at in (0, -1))
    return first if first == last else f"{first}{joined_by}{last}"


def month_text(number: int) -> str:
    """`2024-10`."""
    day: date = month_of(number)
    return f"{day:%Y-%m}"


def _values(counts: pd.DataFrame, name: str) -> list[Decimal]:
    values = [Decimal(value) for value in counts[name]]
    return [value / _YI for value in values] if name == "aum" else values


def _round_up(value: float, *, is_money: bool) -> float:
    if value <= 0:
        return 2.0
    unit = 10.0 ** floor(log10(value))
    if not is_money and unit <= 1:
        return float(next(step for step in _FEW_STEPS if step >= value))
    return next(step * unit for step in _STEPS if step * unit >= value)
