"""A workbook's sheets as bronze frames: every cell kept, every row with its file, sheet and number."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from work_data_hub.domain.bronze import Bronze, joined
from work_data_hub.domain.source import SheetChoice
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.spreading import SERIAL, Mapper, Serial
from work_data_hub.domain.text import fold
from work_data_hub.errors import AmbiguousWorkbook, NoDataRows, SheetMissing, UnreadableWorkbook
from work_data_hub.io.headings import HeadingRow, known_headings, lay_out
from work_data_hub.io.preflight import Workbook, inspect
from work_data_hub.io.sheet_cells import SheetPlace, read_cells
from work_data_hub.io.sheet_scan import HeadRow, cell_texts, scan_sheet
from work_data_hub.io.source_files import Found, FoundFile
from work_data_hub.io.workbook_parts import SheetPart, shared_texts, sheet_parts, verify_styles


def read_workbooks(
    found: Found,
    *,
    domain: Domain,
    sheet: str | None = None,
    accepted: Mapping[str, Collection[str]] | None = None,
    mapper: Mapper = SERIAL,
) -> Bronze:
    """Return the domain's sheets of all found workbooks as one bronze, in order.

    `sheet` names one sheet to read instead of the configured ones; a number counts from 0.
    `accepted` gives headings that mean a column beside the declared ones. Of a file's sheets some may
    have headings only, as long as one has rows. `mapper` says where each sheet is read; workers find
    the workbooks under the same path.
    """
    choices = found.source.sheets if sheet is None else (SheetChoice(names=_asked_names(sheet)),)
    asked = Asked(
        headings=known_headings(domain, accepted=accepted or {}),
        required=tuple(column.name for column in domain.read if column.required),
        numbers=frozenset(column.name for column in domain.read if column.is_number),
        max_gap_rows=found.source.max_gap_rows,
    )
    pieces = [
        SheetPiece(file=file, sha256=file.sha256, sheet=choice, asked=asked)
        for file in found.files
        for choice in choices
    ]
    read = mapper(read_piece if isinstance(mapper, Serial) else read_same_piece, pieces, what="read")
    parts: list[Bronze] = []
    empty: list[NoDataRows] = []
    for _ in found.files:
        of_file = list(islice(read, len(choices)))
        empty += [sheet for sheet in of_file if isinstance(sheet, NoDataRows)]
        with_rows = [sheet for sheet in of_file if isinstance(sheet, Bronze)]
        if not with_rows:
            raise empty[-1]
        parts += with_rows
    return replace(joined(parts), empty_sheets=tuple(error.place for error in empty))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for in every sheet of a run."""

    headings: Mapping[str, str]
    required: tuple[str, ...]
    numbers: frozenset[str]
    max_gap_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPiece:
    """One sheet of one workbook to read, and the workbook's content; all that a worker needs to know."""

    file: FoundFile
    sha256: str
    sheet: SheetChoice
    asked: Asked


def read_piece(piece: SheetPiece) -> Bronze | NoDataRows:
    """The sheet's rows; the error itself where it has headings only, since another sheet may have rows."""
    file, asked = piece.file, piece.asked
    try:
        return read_sheet(
            file.path,
            sheet=piece.sheet,
            headings=asked.headings,
            required=asked.required,
            numbers=asked.numbers,
            file_label=file.label,
            max_gap_rows=asked.max_gap_rows,
        )
    except NoDataRows as error:
        if not error.has_headings:
            raise
        return error


def read_same_piece(piece: SheetPiece) -> Bronze | NoDataRows:
    """The same on another machine; raises UnreadableWorkbook where another file stands under that path there."""
    if replace(piece.file).sha256 != piece.sha256:
        raise UnreadableWorkbook(
            "a worker sees another file under this path",
            file=piece.file.label,
            hint="give every worker the folder of WDH_DATA_ROOT under the same path",
        )
    return read_piece(piece)


def read_sheet(
    path: Path,
    *,
    sheet: SheetChoice,
    headings: Mapping[str, str],
    required: Collection[str],
    numbers: Collection[str],
    file_label: str,
    max_gap_rows: int = 1000,
) -> Bronze:
    """Return one sheet's rows: the columns whose headings are known, numbers as floats, all else as text.

    `headings` gives the declared column of every heading a workbook may use. Fully blank rows are
    left out; vertically merged cells are filled. Raises UnreadableWorkbook, SheetMissing,
    HeadingsMissing, HeadingsDuplicated, NoDataRows.
    """
    before = _state(path, file_label)
    workbook = inspect(path, label=file_label)
    part = choose_sheet(sheet_parts(workbook), sheet, file=file_label)
    scan = scan_sheet(workbook, part.part, sheet=part.name, max_gap_rows=max_gap_rows)
    verify_styles(workbook)
    rows = filled_rows(workbook, scan.head, prefix=scan.prefix)
    if not rows:
        raise _no_data("the sheet is empty", file_label, part.name)
    layout = lay_out(rows, headings=headings, required=required, file=file_label, sheet=part.name)
    if scan.last_row == layout.heading_row:
        raise _no_data("the sheet has headings only", file_label, part.name, has_headings=True)
    place = SheetPlace(workbook=workbook, part=part.part, sheet=part.name)
    bronze = read_cells(place, layout=layout, scan=scan, numbers=numbers)
    if bronze.frame.empty:
        raise _no_data("every row below the headings is blank", file_label, part.name, has_headings=True)
    if _state(path, file_label) != before:
        raise UnreadableWorkbook("the file changed while it was read", file=file_label, hint="close it and try again")
    return bronze


def _asked_names(sheet: str) -> tuple[str | int, ...]:
    return (sheet, int(sheet)) if sheet.isdecimal() else (sheet,)


def choose_sheet(parts: Sequence[SheetPart], choice: SheetChoice, *, file: str) -> SheetPart:
    """Return the sheet that the choice names.

    Raises SheetMissing naming those there are, AmbiguousWorkbook where two go by its names.
    """
    _refuse_two(parts, choice, file=file)
    for name in choice.names:
        if isinstance(name, int):
            found = list(parts[name : name + 1])
        else:
            found = [part for part in parts if part.name == name] or [p for p in parts if fold(p.name) == fold(name)]
        if len(found) == 1:
            return found[0]
    raise SheetMissing(
        f"there is no sheet {' or '.join(map(repr, choice.names))}; the sheets are: {', '.join(p.name for p in parts)}",
        file=file,
        hint="correct sheet_names in config/data_sources.yml, or give --sheet",
    )


def _refuse_two(parts: Sequence[SheetPart], choice: SheetChoice, *, file: str) -> None:
    """Reading one of them would leave the rows of the other out."""
    names = {fold(name) for name in choice.names if isinstance(name, str)}
    present = [part.name for part in parts if fold(part.name) in names]
    if len({fold(name) for name in present}) > 1:
        raise AmbiguousWorkbook(
            f"there are both {' and '.join(map(repr, present))}, and one of them is meant",
            file=file,
            hint=f"delete the one that does not count, or name the other: --sheet {present[0]!r}",
        )


def filled_rows(workbook: Workbook, head: Sequence[HeadRow], *, prefix: bytes) -> list[HeadingRow]:
    """Return those of a sheet's first rows that hold any text, their shared texts looked up."""
    raw = [(row.number, cell_texts(row, prefix=prefix)) for row in head]
    wanted = {int(text) for _, cells in raw for kind, text in cells.values() if kind == "s" and text.isdecimal()}
    shared = shared_texts(workbook, wanted)
    rows = []
    for number, cells in raw:
        texts = {column: _text(kind, text, shared) for column, (kind, text) in cells.items()}
        filled = {column: text for column, text in texts.items() if fold(text)}
        if filled:
            rows.append(HeadingRow(number=number, texts=filled))
    return rows


def _text(kind: str, text: str, shared: Mapping[int, str]) -> str:
    if kind != "s":
        return text
    return shared.get(int(text), "") if text.isdecimal() else ""


def _state(path: Path, label: str) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableWorkbook(f"cannot be read: {error.strerror}", file=label, hint="check the file") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _no_data(message: str, file: str, sheet: str, *, has_headings: bool = False) -> NoDataRows:
    hint = "check that this is the right sheet and the final file"
    error = NoDataRows(message, file=file, sheet=sheet, hint=hint)
    error.has_headings = has_headings
    return error
