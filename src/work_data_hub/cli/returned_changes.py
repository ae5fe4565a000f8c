"""What the owner of rejected rows changed, as people and machines read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.cli.text_table import short_text, table_lines
from work_data_hub.domain.returned import Returned

SHOWN = 20


def change_lines(returned: Returned) -> list[str]:
    """What the owner changed, for people: each cell with its old and new value, then rows given up and left open."""
    facts, changes = returned.facts, returned.changes
    files = ", ".join(file.label for file in facts.files)
    lines = [f"{Path(returned.path).name}: rejected rows of {facts.domain} {facts.period}, from {files}"]
    if len(changes):
        cells = changes["row"].groupby([changes["file_sha256"], changes["sheet"]]).nunique().sum()
        lines.append(f"  changed  {_count(len(changes), 'cell')} in {_count(int(cells), 'row')}")
        lines += ["  " + line for line in _table(changes.head(SHOWN))]
        lines += [f"    … and {len(changes) - SHOWN:,} more (--report json shows all)"] if len(changes) > SHOWN else []
    if len(returned.waived):
        places = returned.waived["sheet"] + "!" + returned.waived["row"].astype("string")
        more = f" … and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
        lines.append(f"  waived   {_count(len(places), 'row')}: {', '.join(places.head(SHOWN))}{more}")
    lines.append(f"  open     {_count(len(returned.untouched), 'row')} left as they are")
    return lines


def changes_json(returned: Returned, *, parent_load_id: int | None) -> dict[str, Any]:
    """What the owner changed, for machines: every cell, every row given up, every row left open."""
    facts = returned.facts
    return {
        "file": returned.path,
        "domain": facts.domain,
        "period": facts.period.yyyymm,
        "parent_load_id": parent_load_id,
        "changes": list(_records(returned.changes, {"found": "from", "value": "to"})),
        "waived": list(_records(returned.waived, {})),
        "open": list(_records(returned.untouched, {})),
    }


def _records(frame: pd.DataFrame, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    shown = frame.drop(columns="file_sha256").rename(columns=names)
    for values in shown.astype(object).where(shown.notna(), None).itertuples(index=False):
        yield dict(zip(shown.columns, values, strict=True))


def _table(changes: pd.DataFrame) -> list[str]:
    """One line a cell: its place, column, old → new; a cell that was not marked is said to be so."""
    rows = [
        (f"{sheet}!{cell}", column, f"{_shown(found)} → {_shown(value)}{'' if marked else '  (was not marked)'}")
        for sheet, cell, column, found, value, marked in changes[
            ["sheet", "cell", "column", "found", "value", "was_marked"]
        ].itertuples(index=False)
    ]
    return table_lines(rows)


def _shown(value: Any) -> str:
    return short_text(None if value is None or value is pd.NA else str(value))


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
