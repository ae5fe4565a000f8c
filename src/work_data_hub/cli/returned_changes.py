"""What the owner of rejected rows changed, as people and machines read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.cli.text_table import short_text, table_lines
from work_data_hub.domain.returned import Returned
from work_data_hub.domain.settled import count_of, places_of, shown

SHOWN = 20


def change_lines(returned: Returned) -> list[str]:
    """What the owner changed, for people: each cell with its old and new value, then rows given up and left open."""
    facts, changes, several = returned.facts, returned.changes, len(returned.facts.files) > 1
    files = ", ".join(file.label for file in facts.files)
    lines = [f"{Path(returned.path).name}: rejected rows of {facts.domain} {facts.period}, from {files}"]
    if len(changes):
        cells = changes["row"].groupby([changes["file_sha256"], changes["sheet"]]).nunique().sum()
        lines.append(f"  changed  {count_of(len(changes), 'cell')} in {count_of(int(cells), 'row')}")
        lines += ["  " + line for line in _table(changes.head(SHOWN), by_file=several)]
        lines += [f"    … and {len(changes) - SHOWN:,} more (--report json shows all)"] if len(changes) > SHOWN else []
    for word, rows in (("waived  ", returned.waived), ("reopened", returned.reopened)):
        if len(rows):
            places = places_of(rows, most=SHOWN, by_file=several)
            lines.append(f"  {word} {count_of(len(rows), 'row')}: {places}")
    lines += [f"  note     {remark}" for remark in returned.remarks]
    lines.append(f"  open     {count_of(len(returned.untouched), 'row')} left as they are")
    return lines


def changes_json(returned: Returned, *, parent_load_id: int | None) -> dict[str, Any]:
    """What the owner changed, for machines: every cell, every row given up, opened again or left open."""
    facts = returned.facts
    return {
        "file": returned.path,
        "domain": facts.domain,
        "period": facts.period.yyyymm,
        "parent_load_id": parent_load_id,
        "changes": list(_records(returned.changes, {"found": "from", "value": "to"})),
        "waived": list(_records(returned.waived, {})),
        "reopened": list(_records(returned.reopened, {})),
        "open": list(_records(returned.untouched, {})),
        "remarks": list(returned.remarks),
    }


def _records(frame: pd.DataFrame, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    shown = frame.drop(columns=["file_sha256", "knowing"], errors="ignore").rename(columns=names)
    for values in shown.astype(object).where(shown.notna(), None).itertuples(index=False):
        yield dict(zip(shown.columns, values, strict=True))


def _table(changes: pd.DataFrame, *, by_file: bool) -> list[str]:
    """One line a cell: its place, column, old → new; a cell that was not marked is said to be so."""
    rows = [
        (
            f"{f'{file} › ' if by_file else ''}{sheet}!{cell}",
            column,
            f"{_cut(found)} → {_cut(value)}{'' if marked else '  (was not marked)'}",
        )
        for file, sheet, cell, column, found, value, marked in changes[
            ["file", "sheet", "cell", "column", "found", "value", "was_marked"]
        ].itertuples(index=False)
    ]
    return table_lines(rows)


def _cut(value: Any) -> str:
    return short_text(shown(value))
