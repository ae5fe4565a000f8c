"""Which column of a sheet is which declared column, told by the headings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from work_data_hub.domain.spec import Domain
from work_data_hub.domain.text import fold, visible
from work_data_hub.errors import HeadingsDuplicated, HeadingsMissing
from work_data_hub.io.cell_address import address, column_letter


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingRow:
    """The headings of one row: Excel's row number, and heading by column (counting from 0)."""

    number: int
    texts: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the declared columns stand: declared name → column; and the headings no declaration knows.

    `titled` are all columns that have a heading, known or not.
    """

    heading_row: int
    columns: Mapping[str, int]
    unknown: tuple[str, ...]
    titled: frozenset[int]

    @property
    def letters(self) -> dict[str, str]:
        """Declared name → the sheet's column letter."""
        return {name: column_letter(column) for name, column in self.columns.items()}


def known_headings(domain: Domain, *, accepted: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return the declared column of every heading a workbook may use: the declared and the accepted ones."""
    declared = {heading: column.name for column in domain.read for heading in column.headings}
    return declared | {heading: name for name, headings in accepted.items() for heading in headings}


def row_of_headings(
    rows: Sequence[HeadingRow], *, headings: Mapping[str, str], required: Collection[str]
) -> int | None:
    """Return the number of the first row that holds every required heading; None where there is no such row."""
    known = {fold(heading): column for heading, column in headings.items()}
    return next((row.number for row in rows if set(required) <= set(_columns(row, known))), None)


def lay_out(
    rows: Sequence[HeadingRow], *, headings: Mapping[str, str], required: Collection[str], file: str, sheet: str
) -> Layout:
    """Return where the declared columns stand, by the first of `rows`.

    `headings` gives the declared column of every heading a workbook may use. Raises
    HeadingsDuplicated and HeadingsMissing; later rows only serve to say where the headings are.
    """
    known = {fold(heading): column for heading, column in headings.items()}
    first = rows[0]
    _refuse_duplicates(first, known, file=file, sheet=sheet)
    columns = _columns(first, known)
    missing = [column for column in required if column not in columns]
    if missing:
        raise _missing(missing, rows, headings, required=required, file=file, sheet=sheet)
    unknown = tuple(visible(text) for text in first.texts.values() if fold(text) and fold(text) not in known)
    return Layout(heading_row=first.number, columns=columns, unknown=unknown, titled=frozenset(first.texts))


def _columns(row: HeadingRow, known: Mapping[str, str]) -> dict[str, int]:
    return {known[fold(text)]: column for column, text in row.texts.items() if fold(text) in known}


def _refuse_duplicates(row: HeadingRow, known: Mapping[str, str], *, file: str, sheet: str) -> None:
    seen: dict[str, int] = {}
    for column, text in row.texts.items():
        folded = fold(text)
        meaning = known.get(folded, f"={folded}")
        if folded and meaning in seen:
            here, there = address(row.number, column), address(row.number, seen[meaning])
            raise HeadingsDuplicated(
                f"{text.strip()!r} in {here} and {row.texts[seen[meaning]].strip()!r} in {there} are the same heading",
                file=file,
                sheet=sheet,
                cell=here,
                input_data=text,
                hint="delete or rename one of the two columns",
            )
        seen[meaning] = column


def _missing(
    missing: list[str],
    rows: Sequence[HeadingRow],
    headings: Mapping[str, str],
    *,
    required: Collection[str],
    file: str,
    sheet: str,
) -> HeadingsMissing:
    later = row_of_headings(rows[1:], headings=headings, required=required)
    present = ", ".join(text.strip() for text in rows[0].texts.values()) or "none"
    asked = [" or ".join(heading for heading, column in headings.items() if column == name) for name in missing]
    if later is not None:
        hint = f"the headings stand in row {later}; delete the rows above them"
    else:
        hint = "check the headings, or that this is the right sheet (sheet_names in config/data_sources.yml)"
    return HeadingsMissing(
        f"lacks {', '.join(asked)}; row {rows[0].number} has: {present}",
        file=file,
        sheet=sheet,
        row_number=rows[0].number,
        field=missing[0],
        hint=hint,
    )
