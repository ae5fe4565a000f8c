"""Numbers of more digits than a double holds: where a sheet writes them as text, and as what type."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from work_data_hub.io.cell_address import column_index, column_letter
from work_data_hub.io.preflight import Workbook
from work_data_hub.io.workbook_parts import SHARED_TEXTS_PART, decoded, prefix_of, shared_texts, text_in

LONG_CODE = "^[0-9]{16,300}$"
"""Codes that a number cell may hold otherwise than Excel shows them: up to 15 digits every double is exact."""

_LONG = rb"\s*[-+]?[0-9.]{16}"
_OVERLAP_BYTES = 256


@dataclass(frozen=True, slots=True)
class TextCell:
    """A cell that holds text; `row` is Excel's number, `column` counts from 0, a shared text is its number."""

    row: int
    column: int
    kind: str
    content: str


class LongTextSearch:
    """Says of pieces of XML whether a text in them may write a number of 16 digits or more."""

    def __init__(self, prefix: bytes) -> None:
        p = re.escape(prefix)
        self._run = b"<" + prefix + b"r>"
        self._text = re.compile(rb"<%bt\b[^>]*>" % p + _LONG)
        self._formula = re.compile(
            rb't="str"[^>]*>\s*(?:<%bf\b[^>]*?(?:/>|>[^<]*</%bf>))?\s*<%bv\b[^>]*>' % (p, p, p) + _LONG
        )

    def in_shared(self, block: bytes) -> bool:
        """Runs of rich text may each hold a few of the digits, so any run counts."""
        return self._run in block or self._text.search(block) is not None

    def in_rows(self, block: bytes) -> bool:
        """Inline texts and the text results of formulas."""
        if b'"inlineStr"' in block and self.in_shared(block):
            return True
        return b't="str"' in block and self._formula.search(block) is not None


def shared_long_texts(workbook: Workbook) -> bool:
    """Say whether any shared text may write a number of 16 digits or more."""
    search, rest = None, b""
    for chunk in workbook.chunks(SHARED_TEXTS_PART) if SHARED_TEXTS_PART in workbook.parts else ():
        search = search or LongTextSearch(prefix_of(chunk))
        if search.in_shared(rest + chunk):
            return True
        rest = chunk[-_OVERLAP_BYTES:]
    return False


def text_cells(workbook: Workbook, part: str, *, prefix: bytes, columns: Collection[int]) -> list[TextCell]:
    """Return the cells of these columns whose type in the XML is text, shared texts looked up."""
    cells = [cell for block in _blocks(workbook, part, prefix) for cell in _texts_in(block, prefix, columns)]
    shared = shared_texts(workbook, {number for cell in cells if (number := _shared_number(cell)) is not None})
    return [_looked_up(cell, shared) for cell in cells]


def excel_digits(code: str) -> str:
    """Return the digits Excel shows of a number cell read as `code`: 15 or so, then zeros.

    A code that no double holds exactly cannot come from a number cell and stays.
    """
    number = float(code)
    return f"{int(Decimal(repr(number)))}" if int(number) == int(code) else code


def _blocks(workbook: Workbook, part: str, prefix: bytes) -> Iterator[bytes]:
    carry, row = b"", b"<" + prefix + b"row"
    for chunk in workbook.chunks(part):
        block = carry + chunk
        cut = max(block.rfind(row), 0)
        carry = block[cut:]
        yield block[:cut]
    yield carry


def _texts_in(block: bytes, prefix: bytes, columns: Collection[int]) -> Iterator[TextCell]:
    for letters, row, kind, content in _pattern(prefix, columns).findall(block):
        text = text_in(content) if kind == b"inlineStr" else _value(content, prefix)
        yield TextCell(int(row), column_index(letters.decode()), kind.decode(), text)


def _pattern(prefix: bytes, columns: Collection[int]) -> re.Pattern[bytes]:
    p = re.escape(prefix)
    letters = b"|".join(column_letter(column).encode() for column in sorted(columns))
    # Atomic, so that the cells of all other columns are passed over without a second look.
    return re.compile(
        rb'<%bc(?=(?>[^>]*?\sr=")(%b)([0-9]{1,7})")(?=[^>]*?\st="(s|str|inlineStr)")[^>]*(?<!/)>(.*?)</%bc>'
        % (p, letters, p),
        re.DOTALL,
    )


def _value(content: bytes, prefix: bytes) -> str:
    found = re.search(rb"<%bv\b[^>]*>([^<]*)<" % re.escape(prefix), content)
    return decoded(found[1]) if found else ""


def _shared_number(cell: TextCell) -> int | None:
    return int(cell.content) if cell.kind == "s" and re.fullmatch("[0-9]{1,9}", cell.content) else None


def _looked_up(cell: TextCell, shared: dict[int, str]) -> TextCell:
    if cell.kind != "s":
        return cell
    number = _shared_number(cell)
    return TextCell(cell.row, cell.column, cell.kind, "" if number is None else shared.get(number, ""))
