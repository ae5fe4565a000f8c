"""What a sheet's XML tells that the fast reader does not: errors, formulas never calculated, TRUE, merges, extents.

The part is inflated once, in pieces; a piece is searched with plain byte searches and only looked
at cell by cell where it holds something special.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.cell_address import LAST_ROW, CellRange, address, column_index, parse_range
from work_data_hub.io.long_numbers import LongTextSearch
from work_data_hub.io.preflight import Workbook
from work_data_hub.io.workbook_parts import LONGEST_BYTES, decoded, prefix_of, text_in

HEAD_ROWS = 20
MAX_COLUMNS = 1_024
MAX_CELLS = 28_000_000
MAX_SPECIAL_CELLS = 500_000

_ROW_NUMBER = re.compile(rb'[^>]*?\sr="([0-9]+)"')
_ADDRESS = re.compile(rb'\sr="([A-Z]+)([0-9]+)"')
_TYPE = re.compile(rb'\st="(\w+)"')
_WIDE = re.compile(rb'r="([A-Z]{2,})[0-9]')
_SINGLE_QUOTED = re.compile(rb"<[\w.:-]+\s[^<>]*=\s*'")


@dataclass(frozen=True, slots=True)
class FoundCell:
    """A cell and its text; `row` is Excel's number, `column` counts from 0."""

    row: int
    column: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRow:
    """One of the first rows that hold values: its number and the XML of its cells."""

    number: int
    cells: bytes


@dataclass(slots=True, kw_only=True)
class SheetScan:
    """The facts of one sheet. Rows are None where the sheet holds no value.

    `errors` are cells such as #N/A, `uncached` formulas without a stored result (their text with
    a leading =), `booleans` cells that hold TRUE or FALSE, `merged` the merged ranges.
    `columns` is an upper bound of the columns used; `long_texts` says that a text standing in the
    sheet itself may write a number of 16 digits or more.
    """

    prefix: bytes = b""
    first_row: int | None = None
    last_row: int | None = None
    columns: int = 26
    long_texts: bool = False
    head: list[HeadRow] = field(default_factory=list)
    errors: list[FoundCell] = field(default_factory=list)
    uncached: list[FoundCell] = field(default_factory=list)
    booleans: list[FoundCell] = field(default_factory=list)
    merged: list[CellRange] = field(default_factory=list)


def scan_sheet(workbook: Workbook, part: str, *, sheet: str, max_gap_rows: int = 1000) -> SheetScan:
    """Return the facts of the sheet held in `part`.

    Raises UnreadableWorkbook for data after a gap of more than `max_gap_rows` blank rows, cells so
    far away that they make the sheet absurdly large, and XML that does not say where its cells are.
    """
    scanner = _Scanner(label=workbook.label, sheet=sheet, max_gap_rows=max_gap_rows)
    for chunk in workbook.chunks(part):
        scanner.feed(chunk)
    return scanner.finish()


class _Scanner:
    """Cuts the stream into blocks of whole rows and collects what they hold."""

    def __init__(self, *, label: str, sheet: str, max_gap_rows: int) -> None:
        self.label, self.sheet, self.max_gap_rows = label, sheet, max_gap_rows
        self.scan = SheetScan()
        self.carry = b""
        self.take = self._before
        self.tags = _Tags(b"")

    def feed(self, chunk: bytes) -> None:
        block = self.carry + chunk if self.carry else chunk
        self.carry = b""
        self.take(block)

    def finish(self) -> SheetScan:
        if self.take == self._before:
            raise self._refused("the sheet is damaged: it holds no table of cells", hint="save the workbook again")
        if self.take == self._rows:
            raise self._refused("the sheet is cut off", hint="get the file again")
        self._merges(self.carry)
        return self.scan

    def _before(self, block: bytes) -> None:
        self.tags = _Tags(prefix_of(block))
        start = self.tags.table.search(block)
        if start is None:
            self._keep(block)
            return
        self.scan.prefix = self.tags.prefix
        self.take = self._after if start[1] else self._rows
        self.take(block[start.end() :])

    def _rows(self, block: bytes) -> None:
        end = block.find(self.tags.table_end)
        if end >= 0:
            self.take = self._after
            self._collect(block[:end])
            self._after(block[end:])
            return
        cut = max(block.rfind(self.tags.row), 0)
        self._keep(block[cut:])
        self._collect(block[:cut])

    def _after(self, block: bytes) -> None:
        """Behind the rows: merged ranges, cut so that the tag at the end stays whole."""
        cut = max(block.rfind(b"<"), 0)
        self._merges(block[:cut])
        self._keep(block[cut:])

    def _keep(self, carry: bytes) -> None:
        if len(carry) > LONGEST_BYTES:
            raise self._refused("a row or head of the sheet is endless", hint="save the workbook again in Excel")
        self.carry = carry

    def _merges(self, block: bytes) -> None:
        for found in self.tags.merge.findall(block):
            merged = parse_range(found.decode())
            if merged is not None:
                self.scan.merged.append(merged)

    def _collect(self, block: bytes) -> None:
        values = self._values(block)
        if values is None:
            return
        self.scan.long_texts = self.scan.long_texts or self.tags.long_texts.in_rows(block)
        self._extents(block, *values)
        self._widths(block)
        # A single rare byte is found ten times as fast as a tag; most blocks do not even hold the byte.
        if (b"!" in block and b"<!" in block) or (b"'" in block and _SINGLE_QUOTED.search(block)):
            raise self._refused("its XML is written in an unusual way", hint="open the workbook in Excel and save it")
        if b"e" in block and b't="e"' in block:
            self._add(self.scan.errors, self._typed(block, b"e"))
        if b"b" in block and b't="b"' in block:
            self._add(self.scan.booleans, self._typed(block, b"b"))
        if b"f" in block and self.tags.formula in block:
            self._add(self.scan.uncached, self._uncached(block))

    def _values(self, block: bytes) -> tuple[int, int] | None:
        """Where in the block the first and the last value stand."""
        tags = self.tags.values if b"i" in block else self.tags.values[:1]
        first = [at for tag in tags if (at := block.find(tag)) >= 0]
        last = [block.rfind(tag) for tag in tags]
        return (min(first), max(last)) if first else None

    def _extents(self, block: bytes, first_at: int, last_at: int) -> None:
        first, last = (self._row_number(block, block.rfind(self.tags.row, 0, at)) for at in (first_at, last_at))
        if first > last or last > LAST_ROW:
            raise self._refused("its rows are not in order", hint="save the workbook again in Excel")
        if self.scan.first_row is None:
            self.scan.first_row = self.scan.last_row = first
        self._refuse_gap([first, last] if last - first <= self.max_gap_rows else [*self._filled(block), last])
        if len(self.scan.head) < HEAD_ROWS:
            rows = ((number, cells) for number, cells in self._split(block) if self._values(cells))
            self.scan.head += [HeadRow(number=n, cells=c) for n, c in rows][: HEAD_ROWS - len(self.scan.head)]

    def _refuse_gap(self, rows: Iterable[int]) -> None:
        for row in rows:
            gap = row - (self.scan.last_row or row) - 1
            if gap > self.max_gap_rows:
                raise self._refused(
                    f"row {row} holds data after {gap} blank rows",
                    cell=f"A{row}",
                    rule=f"at most {self.max_gap_rows} blank rows between data (max_gap_rows)",
                    hint="delete the blank rows, or what stands below them",
                )
            self.scan.last_row = row

    def _split(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        for piece in block.split(self.tags.row)[1:]:
            yield self._row_number(piece, 0), piece

    def _filled(self, block: bytes) -> Iterator[int]:
        return (number for number, cells in self._split(block) if self._values(cells))

    def _row_number(self, block: bytes, at: int) -> int:
        found = _ROW_NUMBER.match(block, at + len(self.tags.row) if block.startswith(self.tags.row, at) else at)
        if at < 0 or found is None:
            raise self._refused("its rows carry no numbers", hint="open the workbook in Excel and save it")
        return int(found[1])

    def _widths(self, block: bytes) -> None:
        wide = max((column_index(letters.decode()) + 1 for letters in set(_WIDE.findall(block))), default=0)
        if wide > self.scan.columns:
            # Only now tell cells with a value from those that merely have a style.
            filled = set(self.tags.filled_wide.findall(block))
            columns = (column_index(letters.decode()) + 1 for letters in filled)
            self.scan.columns = max(self.scan.columns, *columns) if filled else self.scan.columns
        if self.scan.columns > MAX_COLUMNS:
            raise self._refused(
                f"a cell stands far to the right, in column {self.scan.columns}",
                rule=f"at most {MAX_COLUMNS} columns",
                hint="delete what stands there",
            )
        if self.scan.columns * (self.scan.last_row or 0) > MAX_CELLS:
            raise self._refused(
                f"{self.scan.last_row} rows of {self.scan.columns} columns are too many cells",
                rule=f"at most {MAX_CELLS} cells",
                hint="delete what stands far away, or split the workbook",
            )

    def _typed(self, block: bytes, kind: bytes) -> Iterator[FoundCell]:
        for attributes, content in self.tags.cells_of(kind).findall(block):
            value = self.tags.value.search(content)
            text = decoded(value[1]) if value else ""
            yield self._cell(attributes, {"1": "TRUE", "0": "FALSE"}.get(text, text) if kind == b"b" else text)

    def _uncached(self, block: bytes) -> Iterator[FoundCell]:
        for found in self.tags.calculated.finditer(block):
            attributes, text, value, empty = found.groups()
            kind = _TYPE.search(attributes)
            # A formula whose stored result is the empty text is a blank, not an uncalculated cell.
            blank_text = empty is not None and kind is not None and kind[1] == b"str"
            if value is None and not blank_text:
                yield self._cell(attributes, "=" + decoded(text or b""))

    def _cell(self, attributes: bytes, text: str) -> FoundCell:
        found = _ADDRESS.search(attributes)
        if found is None:
            raise self._refused("its cells carry no addresses", hint="open the workbook in Excel and save it")
        return FoundCell(int(found[2]), column_index(found[1].decode()), text)

    def _add(self, cells: list[FoundCell], more: Iterable[FoundCell]) -> None:
        cells.extend(more)
        if len(cells) > MAX_SPECIAL_CELLS:
            raise self._refused(
                f"more than {MAX_SPECIAL_CELLS} errors, logical values or uncalculated formulas",
                cell=address(cells[0].row, cells[0].column),
                hint="open the workbook in Excel, repair it and save it",
            )

    def _refused(
        self, message: str, *, hint: str, cell: str | None = None, rule: str | None = None
    ) -> UnreadableWorkbook:
        return UnreadableWorkbook(message, file=self.label, sheet=self.sheet, cell=cell, rule=rule, hint=hint)


class _Tags:
    """The tags to look for, written with the sheet's namespace prefix."""

    def __init__(self, prefix: bytes) -> None:
        p = re.escape(prefix)
        self.prefix = prefix
        self.row = b"<" + prefix + b"row"
        self.formula = b"<" + prefix + b"f"
        self.long_texts = LongTextSearch(prefix)
        self.values = (b"<" + prefix + b"v", b"<" + prefix + b"is")
        self.table = re.compile(rb"<%bsheetData\b[^>]*?(/?)>" % p)
        self.table_end = b"</" + prefix + b"sheetData"
        self.merge = re.compile(rb'<%bmergeCell\b[^>]*?\sref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"' % p)
        self.filled_wide = re.compile(rb'r="([A-Z]{2,})[0-9]+"[^>]*>\s*<%b(?:v|is|f)\b' % p)
        self.value = re.compile(rb"<%bv[^>]*>([^<]*)<" % p)
        self.any_cell = re.compile(rb"<%bc\b([^>]*?)(?:/>|>(.*?)</%bc>)" % (p, p), re.DOTALL)
        self.calculated = re.compile(
            rb"<%bc\b([^>]*)>\s*<%bf\b(?:[^>]*/>|[^>]*>([^<]*)</%bf>)\s*"
            rb"(?:<%bv\b[^>/]*>([^<]*\S[^<]*)</%bv>|(<%bv\b[^>]*>))?" % (p, p, p, p, p, p)
        )

    def cells_of(self, kind: bytes) -> re.Pattern[bytes]:
        p = re.escape(self.prefix)
        return re.compile(rb'<%bc\b([^>]*?\st="%b"[^>]*?)(?:/>|>(.*?)</%bc>)' % (p, kind, p), re.DOTALL)


def cell_texts(head: HeadRow, *, prefix: bytes) -> dict[int, tuple[str, str]]:
    """Return column → (type, raw text) of a row's cells that hold a value; shared texts are numbers of type `s`."""
    tags = _Tags(prefix)
    texts: dict[int, tuple[str, str]] = {}
    for attributes, content in tags.any_cell.findall(head.cells):
        where, kind = _ADDRESS.search(attributes), _TYPE.search(attributes)
        value = tags.value.search(content)
        if where is None:
            continue
        if kind is not None and kind[1] == b"inlineStr":
            texts[column_index(where[1].decode())] = ("inlineStr", text_in(content))
        elif value is not None:
            texts[column_index(where[1].decode())] = ((kind[1].decode() if kind else "n"), decoded(value[1]))
    return texts
