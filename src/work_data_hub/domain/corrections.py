"""Cells that owners corrected and rows they gave up: kept by file and place, applied whenever the file is read."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.findings import Counted, counted

ROW = ["file_sha256", "sheet", "row"]
CELL = [*ROW, "column"]
_CELL_TYPES = {"file_sha256": "string", "sheet": "string", "row": "int64", "column": "string"}
_ROW_TYPES = {"file_sha256": "string", "sheet": "string", "row": "int64"}
_KEPT_TYPES = {"load_id": "Int64", "file": "string"}
CELL_TYPES = _CELL_TYPES | {"value": "string", "found": "string"} | _KEPT_TYPES
WAIVED_TYPES = _ROW_TYPES | {"reason": "string", "workbook": "string"} | _KEPT_TYPES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrections:
    """What owners sent back of a domain's files.

    `cells` has one row per cell: file_sha256, sheet, row (Excel's number), column (as declared),
    value (its text now, null for blank) and found (its text before). `waived` has one row per
    row that shall not be loaded: file_sha256, sheet, row, reason and the workbook that said so.
    Both have load_id and file, the load that took them and the file's name there, once they are kept.
    `reopened` (file_sha256, sheet, row) are rows that shall be loaded after all.
    """

    cells: pd.DataFrame
    waived: pd.DataFrame
    reopened: pd.DataFrame

    @property
    def is_empty(self) -> bool:
        return self.cells.empty and self.waived.empty

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change with any value or waived row; empty where there is nothing."""
        if self.is_empty:
            return ""
        cells = self.cells[[*CELL, "value"]].sort_values(CELL)
        lines = [*_lines(cells), "waived", *_lines(self.waived[ROW].sort_values(ROW))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def then(self, later: "Corrections") -> "Corrections":
        """Both, the later one winning; a row corrected or opened again later is no longer waived."""
        cells = pd.concat([later.cells, self.cells], ignore_index=True).drop_duplicates(CELL, ignore_index=True)
        still = self.waived[~(rows_in(self.waived, later.cells) | rows_in(self.waived, later.reopened))]
        waived = pd.concat([later.waived, still], ignore_index=True).drop_duplicates(ROW, ignore_index=True)
        return Corrections(cells=cells, waived=waived, reopened=later.reopened)

    def of_files(self, hashes: Collection[str], *, others: bool = False) -> "Corrections":
        """Those of the files with these hashes, or of all other files."""
        parts = (part[part["file_sha256"].isin(list(hashes)) ^ others] for part in (self.cells, self.waived))
        cells, waived = (part.reset_index(drop=True) for part in parts)
        return Corrections(cells=cells, waived=waived, reopened=self.reopened)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrected:
    """A sheet with its corrections in it; `counts` says how many, and which found no cell."""

    bronze: Bronze
    counts: tuple[Counted, ...] = ()


def corrections(
    *,
    cells: pd.DataFrame | None = None,
    waived: pd.DataFrame | None = None,
    reopened: pd.DataFrame | None = None,
) -> Corrections:
    """Corrections of these frames, their columns typed; nothing by default."""
    return Corrections(
        cells=_typed(cells, CELL_TYPES), waived=_typed(waived, WAIVED_TYPES), reopened=_typed(reopened, _ROW_TYPES)
    )


def rows_in(rows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Which of `rows` stand, by file, sheet and row number, among `others`."""
    known = pd.MultiIndex.from_frame(others[ROW])
    return np.asarray(pd.MultiIndex.from_frame(rows[ROW]).isin(known), dtype=bool)


def apply(bronze: Bronze, given: Corrections, *, sha_by_label: Mapping[str, str]) -> Corrected:
    """Write the corrected cells into the sheet; rows, their order and everything else stay.

    A text stands in its text column; in a column of numbers it stands among `texts`. What was
    broken about the cell is gone. Cells that are not there any more are counted.
    """
    if given.cells.empty:
        return Corrected(bronze=bronze)
    placed = _placed(bronze, given.cells, sha_by_label)
    there = (placed["position"] >= 0) & placed["column"].isin(bronze.frame.columns)
    cells = placed[there]
    frame = bronze.frame.assign(
        **{str(name): _written(bronze.frame[name], group) for name, group in cells.groupby("column")}
    )
    numbers = cells[cells["column"].map(frame.dtypes).eq("float64") & cells["value"].notna()]
    texts = pd.concat(
        [_left(bronze.texts, cells), numbers[["position", "column", "value"]].set_axis(bronze.texts.columns, axis=1)],
        ignore_index=True,
    ).sort_values(["position", "column"], ignore_index=True)
    done = replace(bronze, frame=frame, texts=texts, broken=_left(bronze.broken, cells))
    return Corrected(bronze=done, counts=_counts(cells, lost=placed[~there]))


def positions_of(bronze: Bronze, rows: pd.DataFrame, *, sha_by_label: Mapping[str, str]) -> np.ndarray:
    """The positions of those of the rows (file_sha256, sheet, row) that the sheet has."""
    if rows.empty:
        return np.zeros(0, dtype="int64")
    placed = _placed(bronze, rows, sha_by_label)["position"].to_numpy(dtype="int64")
    return np.unique(placed[placed >= 0])


def keys_of(bronze: Bronze, positions: np.ndarray, *, sha_by_label: Mapping[str, str]) -> pd.DataFrame:
    """File hash, sheet and row number of the rows at these positions, in their order."""
    place = bronze.frame[[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].iloc[positions]
    return pd.DataFrame(
        {
            "file_sha256": place[SOURCE_FILE].map(dict(sha_by_label)).astype("string").to_numpy(),
            "sheet": place[SOURCE_SHEET].astype("string").to_numpy(),
            "row": place[SOURCE_ROW].astype("int64").to_numpy(),
        }
    ).astype({"file_sha256": "string", "sheet": "string"})


def _placed(bronze: Bronze, keys: pd.DataFrame, sha_by_label: Mapping[str, str]) -> pd.DataFrame:
    """The keys with the position of their row, -1 where the sheet has no such row."""
    candidates = np.flatnonzero(bronze.frame[SOURCE_ROW].isin(keys["row"]))
    here = keys_of(bronze, candidates, sha_by_label=sha_by_label).assign(position=candidates)
    placed = keys.merge(here, how="left", on=ROW)
    return placed.assign(position=placed["position"].fillna(-1).astype("int64"))


def _written(series: pd.Series, cells: pd.DataFrame) -> pd.Series:
    written = series.copy()
    written.iloc[cells["position"].to_numpy()] = (
        np.nan if series.dtype == "float64" else cells["value"].astype("string").to_numpy()
    )
    return written


def _left(cells: pd.DataFrame, gone: pd.DataFrame) -> pd.DataFrame:
    """The cells without those that stand at the same position and column in `gone`."""
    if cells.empty:
        return cells
    places = pd.MultiIndex.from_frame(cells[["position", "column"]])
    return cells[~places.isin(pd.MultiIndex.from_frame(gone[["position", "column"]]))].reset_index(drop=True)


def _counts(cells: pd.DataFrame, *, lost: pd.DataFrame) -> tuple[Counted, ...]:
    places = lost["sheet"] + "!" + lost["row"].astype("string") + " " + lost["column"]
    found = (("corrected cells", cells["column"]), ("corrections without their cell", places))
    return tuple(counted(name, values) for name, values in found if len(values))


def _lines(frame: pd.DataFrame) -> list[str]:
    values = frame.astype(object).where(frame.notna(), None)
    return [json.dumps(list(row), ensure_ascii=False, default=int) for row in values.itertuples(index=False)]


def _typed(frame: pd.DataFrame | None, types: Mapping[str, str]) -> pd.DataFrame:
    given = pd.DataFrame(columns=list(types)) if frame is None else frame
    return given.reindex(columns=list(types)).astype(dict(types)).reset_index(drop=True)
