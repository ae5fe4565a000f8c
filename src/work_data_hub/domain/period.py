"""The month a run is for."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from work_data_hub.errors import ConfigError

FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One calendar month; periods compare and sort by time. `str()` gives `2024-10`."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (FIRST_YEAR <= self.year <= LAST_YEAR and 1 <= self.month <= 12):
            raise _refused(f"{self.year:04d}{self.month:02d}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the month written as `YYYYMM`; raise ConfigError for any other form."""
        if not re.fullmatch(r"[0-9]{6}", text):
            raise _refused(text)
        return cls(int(text[:4]), int(text[4:]))

    @classmethod
    def of(cls, day: date) -> Self:
        """Return the month that holds the day."""
        return cls(day.year, day.month)

    @property
    def yyyymm(self) -> str:
        """The month as folders are named: `202410`."""
        return f"{self.year:04d}{self.month:02d}"

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    @property
    def previous(self) -> Self:
        """The month before; raises ConfigError before the first year."""
        return self.of(self.first_day - timedelta(days=1))

    @property
    def following(self) -> Self:
        """The month after; raises ConfigError after the last year."""
        return self.of(self.last_day + timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def _refused(text: str) -> ConfigError:
    return ConfigError(
        "not a period",
        field="period",
        input_data=text,
        rule=f"YYYYMM, years {FIRST_YEAR} to {LAST_YEAR}, months 01 to 12",
        hint="write year and month as six digits, for example 202410",
    )
