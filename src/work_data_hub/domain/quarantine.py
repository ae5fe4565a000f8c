"""Rejected rows as their owner knows them: the original cells, and beside them what is wrong with which."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import PROVENANCE, SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.rules import RULES

BLANK = "空白 · blank"
REASONS, PLACE = "原因 · reasons", ("文件 · file", "工作表 · sheet", "行 · row")


def rejected_rows(bronze: Bronze, rejects: pd.DataFrame) -> pd.DataFrame:
    """One row per rejected source row, in sheet order: file, sheet, row, reasons, then its cells as delivered."""
    positions = rejects["position"].unique().astype("int64")
    cells = bronze.frame.drop(columns=list(PROVENANCE)).iloc[positions].astype(object)
    for extra, value in ((bronze.texts, "text"), (bronze.broken, "found")):
        here = extra[extra["position"].isin(positions) & extra["column"].isin(cells.columns)]
        for column, found in here.groupby("column"):
            cells.loc[found["position"], str(column)] = found[value].to_numpy(dtype=object)
    place = bronze.frame.iloc[positions][[SOURCE_FILE, SOURCE_SHEET, SOURCE_ROW]].set_axis(list(PLACE), axis=1)
    reasons = rejects.assign(line=_lines(rejects)).groupby("position")["line"].agg("; ".join).rename(REASONS)
    return pd.concat([place, reasons.loc[positions].set_axis(place.index), cells], axis=1).reset_index(drop=True)


def row_reasons(rejects: pd.DataFrame) -> dict[int, str]:
    """By position of a rejected row: everything that is wrong with it, on one line."""
    reasons: dict[int, list[str]] = {}
    for position, line in zip(rejects["position"], _lines(rejects), strict=True):
        reasons.setdefault(int(position), []).append(line)
    return {position: "; ".join(lines) for position, lines in reasons.items()}


def marked_cells(rejects: pd.DataFrame) -> dict[int, dict[str, str]]:
    """By position of a rejected row: its bad columns, each with what is wrong, what is asked and what to do."""
    marked: dict[int, dict[str, str]] = {}
    for position, column, code in zip(rejects["position"], rejects["column"], rejects["rule"], strict=True):
        rule = RULES[code]
        words = f"{rule.code} {rule.title}\n要求 · required: {rule.requirement}\n改法 · what to do: {rule.hint}"
        marked.setdefault(int(position), {})[str(column)] = words
    return marked


def quarantine_rows(rejects: pd.DataFrame, *, waived: pd.DataFrame, sha_by_label: Mapping[str, str]) -> pd.DataFrame:
    """One row per rejected or given-up source row, each place once, as the warehouse keeps it.

    file_sha256, file, sheet, row_number, cells (JSON text: column, cell, value, rule), status.
    """
    words = [
        json.dumps({"column": c, "cell": a, "value": _storable(v), "rule": r}, ensure_ascii=False)
        for c, a, v, r in zip(rejects["column"], rejects["cell"], rejects["value"], rejects["rule"], strict=True)
    ]
    cells = rejects.assign(word=words).groupby("position", sort=False)["word"].agg(", ".join)
    first = rejects.drop_duplicates("position")
    is_open = pd.DataFrame(
        {
            "file_sha256": first[SOURCE_FILE].map(dict(sha_by_label)).to_numpy(),
            "file": first[SOURCE_FILE].to_numpy(),
            "sheet": first[SOURCE_SHEET].to_numpy(),
            "row_number": first[SOURCE_ROW].to_numpy(),
            "cells": [f"[{words}]" for words in cells],
            "status": "open",
        }
    )
    labels = {sha: label for label, sha in sha_by_label.items()}
    given_up = pd.DataFrame(
        {
            "file_sha256": waived["file_sha256"],
            "file": waived["file_sha256"].map(labels),
            "sheet": waived["sheet"],
            "row_number": waived["row"],
            "cells": "[]",
            "status": "waived",
        }
    )
    types = dict.fromkeys(given_up.columns, "string") | {"row_number": "int64"}
    rows = pd.concat([is_open.astype(types), given_up.astype(types)], ignore_index=True)
    return rows.drop_duplicates(["file_sha256", "sheet", "row_number"], ignore_index=True)


def describe(reject: pd.Series) -> str:
    """One rejected cell on one line: code and title, place, value, rule, hint."""
    rule = RULES[reject["rule"]]
    return (
        f"{rule.code} {rule.title} | {reject[SOURCE_FILE]} › {reject[SOURCE_SHEET]}!{reject['cell']} | "
        f"值 {_said(reject['value'])!r} | 规则 {rule.requirement} | hint: {rule.hint}"
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
        "input_data": _said(first["value"]),
        "rule": f"{rule.code} {rule.title}: {rule.requirement}",
        "hint": f"{rule.hint}{more}",
    }


def _lines(rejects: pd.DataFrame) -> list[str]:
    return [
        f"{column}: {RULES[rule].title} ({rule})"
        for column, rule in zip(rejects["column"], rejects["rule"], strict=True)
    ]


def _said(value: object) -> str:
    return BLANK if _is_missing(value) else str(value)


def _storable(value: object) -> str | None:
    """The value as text that PostgreSQL can keep in JSON, which knows no NUL character."""
    return None if _is_missing(value) else str(value).replace("\0", "␀")


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value != value
