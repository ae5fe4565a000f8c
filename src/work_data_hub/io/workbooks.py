"""Every file and sheet of a found workbook as one bronze frame."""

from work_data_hub.domain.bronze import Bronze, joined
from work_data_hub.domain.source import SheetChoice
from work_data_hub.domain.spec import Domain
from work_data_hub.io.readers import read_sheet
from work_data_hub.io.source_files import Found


def read_workbooks(found: Found, *, domain: Domain, sheet: str | None = None) -> Bronze:
    """Read the configured sheets, or the one named, of every found file, in order; each row keeps its place."""
    choices = (_named(sheet),) if sheet is not None else found.source.sheets
    return joined(
        [
            read_sheet(
                file.path,
                sheets=choice.names,
                headings={heading: column.name for column in domain.read for heading in column.headings},
                required={column.name for column in domain.read if column.required},
                numbers={column.name for column in domain.read if column.is_number},
                file_label=file.label,
                max_gap_rows=found.source.max_gap_rows,
            )
            for file in found.files
            for choice in choices
        ]
    )


def _named(sheet: str) -> SheetChoice:
    """A sheet by the name typed, or by its number from 0 when no sheet has that name."""
    return SheetChoice(names=(sheet, int(sheet)) if sheet.isdigit() else (sheet,))
