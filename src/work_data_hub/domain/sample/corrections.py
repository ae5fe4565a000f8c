"""What a corrected version changes: about ten cells, three rows gone, two new."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from random import Random

from work_data_hub.domain.sample.cells import Row, plain
from work_data_hub.domain.sample.layouts import Layout

ROWS_CHANGED, ROWS_REMOVED, ROWS_ADDED = 10, 3, 2
_KEPT_WHEN_SHRUNKEN = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Row positions of the first version, counted from 0.

    `changed` gives which amount of the row grows, and by how many counts of 0.01.
    """

    removed: frozenset[int]
    changed: dict[int, tuple[int, int]]

    @classmethod
    def drawn(cls, layout: Layout, *, rows: int, seed: str) -> "Corrections":
        """Draw which rows a version corrects, one amount in each changed row."""
        rng = Random(f"{seed}:{layout.sheet}:corrections")
        places = rng.sample(range(rows), ROWS_CHANGED + ROWS_REMOVED)
        return cls(
            removed=frozenset(places[:ROWS_REMOVED]),
            changed={
                place: (rng.randrange(len(layout.amounts)), rng.randrange(100, 10**6))
                for place in places[ROWS_REMOVED:]
            },
        )

    def applied(self, rows: Iterable[Row], layout: Layout, *, added: Iterable[Row]) -> Iterator[Row]:
        """Yield the corrected rows in sheet order, the added ones last."""
        for place, row in enumerate(rows):
            if place in self.removed:
                continue
            yield _with_amount(row, layout, *self.changed[place]) if place in self.changed else row
        yield from islice(added, ROWS_ADDED)


def corrected_count(rows: int) -> int:
    """Return how many rows a corrected version of `rows` rows has."""
    return rows - ROWS_REMOVED + ROWS_ADDED


def shrunken_count(rows: int) -> int:
    """Return how many rows are left when two fifths are lost."""
    return int(rows * _KEPT_WHEN_SHRUNKEN)


def _with_amount(row: Row, layout: Layout, amount: int, more: int) -> Row:
    cell, exact = plain(row.amounts[amount] // 100 + more)
    place = layout.position(layout.amounts[amount])
    cells = list(chain(row.cells[:place], [cell], row.cells[place + 1 :]))
    return Row(cells, (*row.amounts[:amount], exact, *row.amounts[amount + 1 :]))
