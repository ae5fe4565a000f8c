"""Sheets of workbooks that WorkDataHub wrote itself and people send back."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.source import SheetChoice
from work_data_hub.errors import HeadingsMissing
from work_data_hub.io.readers import read_sheet


def read_form_sheet(
    path: Path,
    sheet: str,
    headings: Mapping[str, str],
    *,
    again: str,
    numbers: Collection[str] = (),
    others: Mapping[str, str] | None = None,
) -> Bronze:
    """The sheet with these headings (heading → name), all of them required, and with those of `others` that it has.

    `again` tells how to begin again. Raises SheetMissing, NoDataRows, and HeadingsMissing with that hint.
    """
    try:
        return read_sheet(
            path,
            sheet=SheetChoice(names=(sheet,)),
            headings={**headings, **(others or {})},
            required=list(headings.values()),
            numbers=numbers,
            file_label=path.name,
        )
    except HeadingsMissing as error:
        raise HeadingsMissing(
            error.message,
            file=path.name,
            sheet=sheet,
            field=error.field,
            hint=f"undo the change of headings, or {again}",
        ) from error


def facts_lines(path: Path, sheet: str, *, again: str) -> Sequence[tuple[str, str]]:
    """The (name, value) lines of a hidden sheet; raises as `read_form_sheet` does."""
    lines = read_form_sheet(path, sheet, {"name": "name", "value": "value"}, again=again).frame
    return list(zip(lines["name"], lines["value"], strict=True))
