"""Finding the rows that a target does not take among those that it does, by halving."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from work_data_hub.domain.batch.run import Counts
from work_data_hub.errors import TooManyDeadLetters

Row = TypeVar("Row")


class Poison(Exception):
    """At least one of the rows that were to be written together is not taken, and none of them was written."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.message, self.sqlstate = message, sqlstate


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Generic[Row]):
    """A row that is not taken even alone, and why."""

    row: Row
    poison: Poison


class Halving(Generic[Row]):
    """Writes rows so that only those that are not taken even alone are left out; these are `refused`, in order.

    `write` takes some rows and returns their counts, or raises Poison and leaves everything as it was before.
    More than `most` refused rows end the search with TooManyDeadLetters.
    """

    def __init__(self, write: Callable[[Sequence[Row]], Counts], *, most: int | None = None) -> None:
        self._write, self._most = write, most
        self.refused: list[Refused[Row]] = []

    def write(self, rows: Sequence[Row]) -> Counts:
        """Write all that is taken, in the order of the rows; returns the counts of what was written."""
        if not rows:
            return Counts()
        try:
            return self._write(rows)
        except Poison as poison:
            return self._halves(rows, poison)

    def _halves(self, rows: Sequence[Row], poison: Poison) -> Counts:
        if len(rows) == 1:
            self._refuse(rows[0], poison)
            return Counts()
        middle, known = len(rows) // 2, len(self.refused)
        before = self.write(rows[:middle])
        # Where the first half was taken whole, the fault is in the second, which need not be tried as a whole.
        is_faulty = len(self.refused) == known and len(rows) - middle > 1
        return before + (self._halves(rows[middle:], poison) if is_faulty else self.write(rows[middle:]))

    def _refuse(self, row: Row, poison: Poison) -> None:
        self.refused.append(Refused(row=row, poison=poison))
        if self._most is not None and len(self.refused) > self._most:
            raise TooManyDeadLetters(
                f"more than {self._most:,} rows of one batch are not taken; the last one: {poison.message}",
                rule=f"at most {self._most:,} rows of a run are set aside",
                hint="correct the source or the query, or raise dlq_max_rows of the pipeline",
            )
