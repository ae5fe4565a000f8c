"""What a sample cell may hold, and the many forms in which one value is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random
from typing import NamedTuple, TypeVar

from work_data_hub.domain.period import Period

Form = TypeVar("Form")


@dataclass(frozen=True, slots=True)
class ErrorCell:
    """A cell that shows an Excel error such as `#N/A`."""

    text: str


@dataclass(frozen=True, slots=True)
class FormulaCell:
    """A formula that was never calculated: the cell has no value."""

    text: str


Cell = str | int | float | bool | date | ErrorCell | FormulaCell | None
Amount = tuple[Cell, int]
"""What the cell holds, and the same exactly as a count of 0.0001, 0 when it stands for nothing."""


class Row(NamedTuple):
    """One sheet row, and the exact amounts in it as counts of 0.0001."""

    cells: list[Cell]
    amounts: tuple[int, ...]


_WIDE_BRACKETS: dict[int, str] = {ord("("): "（", ord(")"): "）"}
_WIDE = {ord(narrow): ord(narrow) + 0xFEE0 for narrow in "0123456789,.%-"}


def as_it_is(text: str) -> str:
    """Return the text: the usual way to write it."""
    return text


def wide(text: str) -> str:
    """Return digits, commas, points, minus and percent signs in their full-width forms."""
    return text.translate(_WIDE)


def dealt(rng: Random, *, usual: Form, rare: Sequence[Form], share: float, after: int = 0) -> Iterator[Form]:
    """Yield `usual`, and for a `share` of draws one of `rare`; every rare form comes once early on.

    `after` draws of `usual` come first: readers that guess a column's type look at its beginning.
    """
    for _ in range(after):
        yield usual
    yield from rng.sample(rare, len(rare))
    while True:
        yield usual if rng.random() >= share else rng.choice(rare)


def month_forms(period: Period) -> tuple[Cell, ...]:
    """Return the month in every form that people write, the usual number first."""
    year, month, short = period.year, period.month, period.year % 100
    serial = (period.first_day - date(1899, 12, 30)).days
    return (
        int(period.yyyymm),
        period.yyyymm,
        f"{year}年{month}月",
        f"{year}年{month:02d}月",
        f"{year}年{month}月1日",
        f"{short:02d}年{month}月",
        f"{short:02d}年{month}月1日",
        str(period),
        f"{year}/{month:02d}",
        f"{year}/{month}/1",
        f"{year}.{month:02d}",
        f"{year}-{month:02d}-01",
        f"{year}-{month:02d}-01 00:00:00",
        f"{period.yyyymm}01",
        int(f"{period.yyyymm}01"),
        f"{period.yyyymm}.0",
        period.first_day,
        serial,
        wide(period.yyyymm),
        wide(f"{year}年{month}月"),
        f" {year}年{month}月　",
    )


def plain(fen: int) -> Amount:
    """Return the number of yuan as Excel holds it; `fen` is a count of 0.01."""
    return (fen / 100 if fen % 100 else fen // 100), fen * 100


def _long_tail(fen: int) -> Amount:
    """Calculated cells carry more than two decimals; the fifth decides how the fourth is rounded."""
    millionths = fen * 10_000 + 4_850
    if abs(millionths) >= 10**15:  # a float holds 15 digits exactly
        return plain(fen)
    rounded = (abs(millionths) + 50) // 100
    return millionths / 1_000_000, rounded if millionths >= 0 else -rounded


def _as_text(write: Callable[[int], str]) -> Callable[[int], Amount]:
    return lambda fen: (write(fen), fen * 100)


def _as_nothing(text: str | None) -> Callable[[int], Amount]:
    return lambda _: (text, 0)


def _commas(fen: int) -> str:
    return f"{Decimal(fen).scaleb(-2):,.2f}"


def _bare(fen: int) -> str:
    return f"{Decimal(fen).scaleb(-2):.2f}"


def _in_brackets(fen: int) -> str:
    return f"({_commas(-fen)})" if fen < 0 else _commas(fen)


def _in_unit(fen: int, *, power: int, unit: str) -> str:
    return f"{Decimal(fen).scaleb(-2 - power).normalize():f}{unit}"


AMOUNTS_OF_NOTHING: tuple[str | None, ...] = (None, "-", "—", "--", "无", "N/A", "（空白）", " ")
AMOUNT_FORMS: tuple[Callable[[int], Amount], ...] = (
    _long_tail,
    _as_text(_bare),
    _as_text(_in_brackets),
    _as_text(lambda fen: _in_brackets(fen).translate(_WIDE_BRACKETS)),
    _as_text(lambda fen: _in_brackets(fen).translate(_WIDE_BRACKETS | {ord(","): "，"})),
    _as_text(lambda fen: wide(_bare(fen))),
    _as_text(lambda fen: wide(_commas(fen))),
    _as_text(lambda fen: f" {_bare(fen)}　"),
    _as_text(lambda fen: f"¥{_commas(fen)}" if fen >= 0 else f"-¥{_commas(-fen)}"),
    _as_text(lambda fen: _in_unit(fen, power=4, unit="万")),
    _as_text(lambda fen: _in_unit(fen, power=4, unit="万元")),
    _as_text(lambda fen: _in_unit(fen, power=8, unit="亿")),
    *map(_as_nothing, AMOUNTS_OF_NOTHING),
)
"""Every rare way to write an amount; `plain` is the usual one."""


def rate_forms() -> tuple[Callable[[float], Cell], ...]:
    """Return the rare ways to write a rate; the plain fraction is the usual one."""
    return (
        lambda rate: f"{rate * 100:.2f}%",
        lambda rate: wide(f"{rate * 100:.2f}%"),
        lambda rate: f"{rate:.6f}",
        lambda rate: rate + 1e-12,
        lambda _: None,
        lambda _: "-",
    )
