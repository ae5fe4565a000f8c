"""What came back, held against what stands: changes that stand already fall away, those of an old workbook are told."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from work_data_hub.domain.corrections import CELL, ROW, Corrections, rows_in
from work_data_hub.domain.quarantine import BLANK
from work_data_hub.domain.returned import Returned
from work_data_hub.errors import DataError

REOPENED_STATUS = "重开 · reopened"
_CELL_HINT = (
    f"look at what stands now; to replace it all the same, set the row's status to {REOPENED_STATUS}, "
    "or correct the source file"
)
_WAIVED_HINT = f"to load the row after all, set its status to {REOPENED_STATUS}"
_RULE = "a workbook changes only what it showed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settled:
    """What is left of a returned workbook.

    `returned` has only what differs from what stands, every `found` being what stands now. `outdated` has one
    row per change that its sender cannot have meant: the columns of `changes`, then stands, load_id and is_waived.
    """

    returned: Returned
    outdated: pd.DataFrame


def settled(returned: Returned, stored: Corrections) -> Settled:
    """Hold a workbook that came back against the corrections and waivers that are kept of its files."""
    changes = _standing(returned, stored)
    known = _known_rows(returned, stored)
    told = changes["is_known"] & ~changes["was_shown"] & ~changes["knowing"]
    unseen = rows_in(changes, stored.waived) & ~rows_in(changes, known)
    outdated = changes[told | unseen].assign(is_waived=unseen[told | unseen])
    reopened = known[rows_in(known, stored.waived)]
    given_up = stored.waived[rows_in(stored.waived, returned.untouched) & ~rows_in(stored.waived, reopened)]
    left = returned.untouched[~(rows_in(returned.untouched, given_up) | rows_in(returned.untouched, reopened))]
    return Settled(
        returned=replace(
            returned,
            changes=changes[list(returned.changes.columns)],
            waived=returned.waived[~rows_in(returned.waived, stored.waived)].reset_index(drop=True),
            untouched=left.reset_index(drop=True),
            reopened=reopened[[*ROW, "file"]].reset_index(drop=True),
            remarks=(*returned.remarks, *_as_before(returned, changes, stored), *_given_up_since(given_up)),
        ),
        outdated=outdated,
    )


def refuse_outdated(now: Settled) -> None:
    """Raise DataError when a change belongs to a cell or row that was settled after its workbook was written."""
    if now.outdated.empty:
        return
    first = now.outdated.iloc[0]
    more = len(now.outdated) - 1
    also = f", and {more} more like it" if more else ""
    if first["is_waived"]:
        message = f"the row was given up by load {first['load_id']}, which this workbook does not show{also}"
    else:
        message = (
            f"{shown(first['found'])} stands there now, by load {first['load_id']}, "
            f"and this workbook does not show it{also}"
        )
    raise DataError(
        message,
        domain=now.returned.facts.domain,
        operation="requeue",
        file=now.returned.path,
        sheet=first["sheet"],
        cell=first["cell"],
        row_number=int(first["row"]),
        field=first["column"],
        input_data=shown(first["value"]),
        rule=_RULE,
        hint=_WAIVED_HINT if first["is_waived"] else _CELL_HINT,
    )


def refuse_loaded(now: Settled, *, left_open: pd.DataFrame, load_id: int) -> None:
    """Raise DataError when a row is given up that the load, newer than the workbook, did not reject."""
    waived = now.returned.waived
    gone = waived[~rows_in(waived, left_open)]
    if gone.empty:
        return
    first, more = gone.iloc[0], len(gone) - 1
    raise DataError(
        f"the row is given up, but it was mended and loaded since: it stands in load {load_id}"
        + (f", and {more} more like it" if more else ""),
        domain=now.returned.facts.domain,
        operation="requeue",
        file=now.returned.path,
        sheet=first["sheet"],
        cell=f"A{first['row']}",
        row_number=int(first["row"]),
        rule=_RULE,
        hint="leave its status as it was; if the row shall go, take it out of the source file",
    )


def not_applied(others: Corrections, *, load_by_file: dict[str, int]) -> tuple[str, ...]:
    """One sentence per file that is to be replaced and had corrections, which do not go into the new file."""
    kept = pd.concat([others.cells.assign(kind="cells"), others.waived.assign(kind="rows")], ignore_index=True)
    lines = []
    for sha256, here in kept.groupby("file_sha256", sort=False):
        counts = here["kind"].value_counts()
        words = [
            count_of(int(counts[kind]), word)
            for kind, word in (("cells", "corrected cell"), ("rows", "waived row"))
            if kind in counts
        ]
        one = len(here) == 1
        lines.append(
            f"{' and '.join(words)} of load {load_by_file[str(sha256)]} (file {shown(here['file'].iloc[0])}) "
            f"{'does' if one else 'do'} not apply to this file: check that it holds {'it' if one else 'them'}"
        )
    return tuple(lines)


def shown(value: Any) -> str:
    """A cell's text; a word for blank."""
    return BLANK if value is None or value is pd.NA or value != value or value == "" else str(value)


def count_of(number: int, word: str) -> str:
    """`1 cell`, `1,200 cells`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def places_of(rows: pd.DataFrame, *, most: int, by_file: bool = False) -> str:
    """`sheet!row` of the rows, the first few named; with the file where there are several."""
    places = rows["sheet"].astype("string") + "!" + rows["row"].astype("string")
    if by_file:
        places = rows["file"].astype("string") + " › " + places
    more = f" … and {len(places) - most:,} more" if len(places) > most else ""
    return ", ".join(places.head(most)) + more


def _standing(returned: Returned, stored: Corrections) -> pd.DataFrame:
    """The changes that differ from what stands, `found` being that; with what is known of it."""
    kept = stored.cells[[*CELL, "value", "load_id"]].rename(columns={"value": "stands"})
    changes = returned.changes.astype({name: kept.dtypes[name] for name in CELL})
    changes = changes.merge(kept, how="left", on=CELL, indicator="is_known")
    changes = changes.assign(is_known=(changes["is_known"] == "both").to_numpy())
    changes = changes[~(changes["is_known"] & _same(changes["value"], changes["stands"]))]
    was_shown = _same(changes["found"], changes["stands"])
    found = changes["found"].mask(changes["is_known"], changes["stands"])
    waived_by = changes[ROW].merge(stored.waived[[*ROW, "load_id"]], how="left", on=ROW)["load_id"]
    load_id = changes["load_id"].reset_index(drop=True).fillna(waived_by)
    return changes.reset_index(drop=True).assign(
        was_shown=np.asarray(was_shown, dtype=bool), found=found.to_numpy(), load_id=load_id
    )


def _known_rows(returned: Returned, stored: Corrections) -> pd.DataFrame:
    """The rows that came back open, by somebody who knows that they were given up: it was this workbook, or says so."""
    ours = stored.waived[stored.waived["workbook"] == returned.path]
    kept = returned.kept_open
    known: pd.DataFrame = kept[rows_in(kept, ours) | kept["knowing"].to_numpy(dtype=bool)]
    return known


def _same(these: pd.Series, those: pd.Series) -> pd.Series:
    left, right = these.astype("string").fillna(""), those.astype("string").fillna("")
    return left == right


def _as_before(returned: Returned, changes: pd.DataFrame, stored: Corrections) -> Collection[str]:
    """How much of what came back stands already."""
    cells, rows = len(returned.changes) - len(changes), int(rows_in(returned.waived, stored.waived).sum())
    found = ((cells, "corrected cell"), (rows, "waived row"))
    words = [count_of(number, word) for number, word in found if number]
    return (f"taken over before: {' and '.join(words)}",) if words else ()


def _given_up_since(rows: pd.DataFrame) -> Collection[str]:
    if rows.empty:
        return ()
    return (f"{count_of(len(rows), 'row')} given up already: {places_of(rows, most=20)}; {_WAIVED_HINT}",)
