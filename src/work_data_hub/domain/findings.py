"""What cleaning has to tell: rejected cells, counted surprises and remarks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from work_data_hub.domain.rules import RULES

REJECT_COLUMNS = ("position", "column", "value", "rule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Cells that broke a rule: one row per cell (position, column, value, rule)."""

    cells: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A value that was kept or defaulted, and counted: how many rows, and which values how often."""

    name: str
    rows: int
    values: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One plain sentence about the run as a whole, for the report."""

    text: str


def rejected(positions: np.ndarray, *, column: str, values: pd.Series | str, rule: str) -> Rejected:
    """Reject the cells at `positions` of `column` for `rule`; `values` are their original texts."""
    if rule not in RULES:
        raise KeyError(rule)
    shown = values if isinstance(values, str) else values.astype("string").to_numpy()
    return Rejected(cells=pd.DataFrame({"position": positions, "column": column, "value": shown, "rule": rule}))


def counted(name: str, values: pd.Series, *, most: int = 20) -> Counted:
    """Count `values` (one per row concerned; a blank shows as `(空白)`), the most frequent first."""
    frequencies = values.fillna("(空白)").value_counts()
    return Counted(name=name, rows=len(values), values={str(k): int(v) for k, v in frequencies.head(most).items()})


def added_up(counts: Iterable[Counted]) -> tuple[Counted, ...]:
    """One count a name, in order of first sight: two steps may have counted the same thing in different rows."""
    found: dict[str, Counted] = {}
    for count in counts:
        before = found.get(count.name, Counted(name=count.name, rows=0))
        values = Counter(before.values) + Counter(count.values)
        found[count.name] = Counted(name=count.name, rows=before.rows + count.rows, values=dict(values))
    return tuple(found.values())


def reject_table(findings: list[Rejected]) -> pd.DataFrame:
    """All rejected cells in one frame (position, column, value, rule), by position."""
    if not findings:
        return pd.DataFrame(columns=list(REJECT_COLUMNS))
    table = pd.concat([finding.cells for finding in findings], ignore_index=True)
    return table.sort_values("position", kind="stable", ignore_index=True)
