"""Rejected rows as their owner knows them: the original cells, and beside them what is wrong with which."""

from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import PROVENANCE, SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.rules import RULES

REASONS, PLACE = "原因 · reasons", ("文件 · file", "工作表 · sheet", "行 · row")


def rejected_rows(bronze: Bronze, rejects: pd.DataFrame) -> pd.DataFrame:
    """One row per rejected source row, in sheet order: file, sheet, row, reasons, then its cells as delivered."""
    positions = rejects["position"].unique().astype("int64")
    cells = bronze.frame.drop(columns=list(PROVENANCE)).iloc[positions].astype(object)
    for extra, value in ((bronze.texts, "text"), (bronze.broken, "found")):
        here = extra[extra["position"].isin(positions)]
        for position, column, found in zip(here["position"], here["column"], here[value], strict=True):
            if column in cells.columns:
                cells.loc[position, column] = found
    place = bronze.frame.iloc[positions][[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].set_axis(list(PLACE), axis=1)
    reasons = rejects.assign(line=_lines(rejects)).groupby("position")["line"].agg("; ".join).rename(REASONS)
    return pd.concat([place, reasons.loc[positions].set_axis(place.index), cells], axis=1).reset_index(drop=True)


def rejected_cells(rejects: pd.DataFrame) -> dict[tuple[int, str], str]:
    """Which cell of which row in `rejected_rows` is wrong: (row there, column) → its reason."""
    order = {position: at for at, position in enumerate(rejects["position"].unique())}
    return {
        (order[position], column): line
        for position, column, line in zip(rejects["position"], rejects["column"], _lines(rejects), strict=True)
    }


def describe(reject: pd.Series) -> str:
    """One rejected cell on one line: code and title, place, value, rule, hint."""
    rule = RULES[reject["rule"]]
    return (
        f"{rule.code} {rule.title} | {reject[SOURCE_FILE]} › {reject[SOURCE_SHEET]}!{reject['cell']} | "
        f"值 {reject['value']!r} | 规则 {rule.requirement} | hint: {rule.hint}"
    )


def first_reject_facts(rejects: pd.DataFrame, *, more: str = "") -> dict[str, Any]:
    """The first rejected cell as the facts of an error."""
    first = rejects.iloc[0]
    rule = RULES[first["rule"]]
    return {
        "file": first[SOURCE_FILE],
        "sheet": first[SOURCE_SHEET],
        "cell": first["cell"],
        "row_number": int(first[SOURCE_ROW]),
        "field": first["column"],
        "input_data": str(first["value"]),
        "rule": f"{rule.code} {rule.title}: {rule.requirement}",
        "hint": f"{rule.hint}{more}",
    }


def _lines(rejects: pd.DataFrame) -> list[str]:
    return [
        f"{column}: {RULES[rule].title} ({rule})"
        for column, rule in zip(rejects["column"], rejects["rule"], strict=True)
    ]
