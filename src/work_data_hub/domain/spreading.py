"""Where independent pieces of a run are worked on: one after the other here, or wherever the mapper takes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Calls a function with each of several arguments.

    `block_rows` is how many rows of a sheet are worth a call of their own; None for a sheet that stays whole.
    """

    @property
    def block_rows(self) -> int | None:
        """How many rows of a sheet one call is to take; None: the sheet whole."""

    def __call__(self, function: Callable[[Piece], Result], pieces: Sequence[Piece], *, what: str) -> Iterator[Result]:
        """Yield the results in the order of the pieces; `what` names the work in a word.

        The function belongs to a module, and gives the same wherever it is called. What it raises is raised in
        place of that piece's result.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """Calls one after the other, each when its result is asked for."""

    block_rows: int | None = None

    def __call__(self, function: Callable[[Piece], Result], pieces: Sequence[Piece], *, what: str) -> Iterator[Result]:
        return map(function, pieces)


SERIAL = Serial()
