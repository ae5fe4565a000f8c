"""A sample workbook read to draft a domain from: by the readers of a load, with all their refusals."""

from pathlib import Path

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.draft_columns import Sample, SampleColumn, data_rows
from work_data_hub.domain.source import SheetChoice
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.text import visible
from work_data_hub.domain.total_rows import set_totals_aside
from work_data_hub.errors import HeadingsMissing, UsageError, WorkbookNotFound
from work_data_hub.io.heading_samples import SheetSample, sample_sheet
from work_data_hub.io.headings import known_headings
from work_data_hub.io.preflight import inspect
from work_data_hub.io.readers import read_sheet
from work_data_hub.io.workbook_parts import sheet_parts

_HEAD = 20


def read_sample(path: Path, *, sheet: str = "") -> Sample:
    """Return every column of the sheet that has a heading, all its cells as text.

    A number counts sheets from 0; without `sheet` the workbook must have one only. Raises what a load
    raises for a file it cannot use, and UsageError where the sheet is not named.
    """
    if not path.is_file():
        raise WorkbookNotFound("there is no such file", file=str(path), hint="check --from")
    choice = _choice(path, sheet)
    top = sample_sheet(path, sheet=choice, label=str(path), rows=_HEAD)
    _refuse_title_rows(top, file=str(path))
    headings = [visible(text) for text in top.headings.texts.values()]
    bronze = read_sheet(
        path,
        sheet=SheetChoice(names=(top.sheet,)),
        headings={heading: heading for heading in headings},
        required=(),
        numbers=(),
        file_label=str(path),
    )
    cells = data_rows(bronze.frame[headings])
    columns = [
        SampleColumn(heading=heading, letter=bronze.letters[heading], cells=cells[heading]) for heading in headings
    ]
    return Sample(file=str(path), sheet=top.sheet, columns=tuple(columns))


def read_as(domain: Domain, path: Path, *, sheet: str) -> Bronze:
    """Return the sheet as a load of the domain reads it, its totals set aside."""
    bronze = read_sheet(
        path,
        sheet=SheetChoice(names=(sheet,)),
        headings=known_headings(domain, accepted={}),
        required=[column.name for column in domain.read if column.required],
        numbers={column.name for column in domain.read if column.is_number},
        file_label=str(path),
    )
    return set_totals_aside(domain, bronze)[0]


def _choice(path: Path, sheet: str) -> SheetChoice:
    if sheet:
        return SheetChoice(names=(sheet, int(sheet)) if sheet.isdecimal() else (sheet,))
    names = [part.name for part in sheet_parts(inspect(path, label=str(path)))]
    if len(names) > 1:
        raise UsageError(
            f"the workbook has {len(names)} sheets: {', '.join(names)}", file=str(path), hint="choose one with --sheet"
        )
    return SheetChoice(names=(0,))


def _refuse_title_rows(top: SheetSample, *, file: str) -> None:
    """Headings stand in the first row that holds anything; a title above them would be taken for one."""
    wider = next((row for row in top.rows[:5] if len(row.texts) > 2 * len(top.headings.texts)), None)
    if wider is not None:
        raise HeadingsMissing(
            f"row {top.headings.number} holds {len(top.headings.texts)} cells, row {wider.number} {len(wider.texts)}",
            file=file,
            sheet=top.sheet,
            row_number=top.headings.number,
            rule="the first row that holds anything is the row of headings",
            hint=f"delete the rows above the headings; they seem to stand in row {wider.number}",
        )
