"""Rows that stand in the place of others: told by their cells, which another row held, even when corrected since."""

import numpy as np
import pandas as pd

from work_data_hub.domain.corrections import ROW

_MOST, _AT_ONCE, _FEWEST, _NONE = 200, 16, 2, -1


def moved_rows(after: pd.DataFrame, before: pd.DataFrame, *, names: list[str], is_edited: np.ndarray) -> np.ndarray:
    """The lines of `after` that hold another row, in order; none where fewer than two do.

    Both frames have the columns `names` as texts and `ROW`, each row once, those of `after` among those of
    `before`. A line counts when, in the columns in which its own row and the other differ, it holds more
    cells of the other; and when the other's line has moved as well, or is gone. Only lines that are edited,
    and of them the first 200, are looked at.
    """
    lines = np.flatnonzero(is_edited)[:_MOST]
    if len(lines) < _FEWEST:
        return lines[:0]
    now, then = _codes(after[names], before[names])
    places = pd.MultiIndex.from_frame(before[ROW])
    own = places.get_indexer(pd.MultiIndex.from_frame(after[ROW]))
    line_of = np.full(len(before), _NONE)
    line_of[own] = np.arange(len(after))
    others = _others(now[lines], then, own[lines])
    lines, others = lines[others != _NONE], others[others != _NONE]
    there = line_of[others]
    back = there != _NONE
    moved = ~back
    moved[back] = _others(now[there[back]], then, own[there[back]]) != _NONE
    return np.asarray(lines[moved] if moved.sum() >= _FEWEST else lines[:0])


def _codes(after: pd.DataFrame, before: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The cells as numbers, equal where their texts are; 0 for blank."""
    both = pd.concat([after, before], ignore_index=True)
    codes = np.column_stack([_numbered(both[name]) for name in both.columns])
    return codes[: len(after)], codes[len(after) :]


def _numbered(texts: pd.Series) -> np.ndarray:
    numbers = pd.factorize(texts)[0] + 1
    return np.asarray(np.where(texts == "", 0, numbers))


def _others(now: np.ndarray, then: np.ndarray, own: np.ndarray) -> np.ndarray:
    """For each line the row that it holds more cells of than of its own, -1 where there is none."""
    found = np.full(len(now), _NONE)
    for start in range(0, len(now), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        line, mine = now[part, None, :], then[own[part], None, :]
        differs = (mine != then[None]) & (line != 0)
        nearer = ((line == then[None]) & differs).sum(axis=2) - ((line == mine) & differs).sum(axis=2)
        best = nearer.argmax(axis=1)
        found[part] = np.where(nearer.max(axis=1) > 0, best, _NONE)
    return found
