"""What a workbook is made of: its sheets by name, and the texts its cells share."""

import html
import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io.preflight import Workbook

WORKBOOK_PART = "xl/workbook.xml"
SHARED_TEXTS_PART = "xl/sharedStrings.xml"
STYLES_PART = "xl/styles.xml"
LONGEST_BYTES = 16 * 1024 * 1024

_PHONETIC = re.compile(rb"<(?:\w+:)?rPh\b.*?</(?:\w+:)?rPh>", re.DOTALL)
_TEXT = re.compile(rb"<(?:\w+:)?t(?:\s[^>]*)?(?<!/)>([^<]*)</")
_PREFIX = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)([A-Za-z]+)[\s/>]")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPart:
    """A worksheet's name and the part that holds it."""

    name: str
    part: str


def sheet_parts(workbook: Workbook) -> tuple[SheetPart, ...]:
    """Return the worksheets in the order of their tabs, hidden ones too."""
    targets = _targets(workbook)
    sheets = [element for element in _parse(workbook, WORKBOOK_PART).iter() if _local(element.tag) == "sheet"]
    named = ((sheet.get("name", ""), targets.get(_relation(sheet))) for sheet in sheets)
    return tuple(SheetPart(name=name, part=part) for name, part in named if part is not None)


def shared_texts(workbook: Workbook, wanted: Collection[int]) -> dict[int, str]:
    """Return the shared texts with these numbers; the whole part is followed to its end and verified."""
    texts: dict[int, str] = {}
    count, carry = 0, b""
    if SHARED_TEXTS_PART not in workbook.parts:
        return texts
    opening = b"<si"
    for chunk in workbook.chunks(SHARED_TEXTS_PART):
        if not count and not carry:
            opening = b"<" + prefix_of(chunk) + b"si"
        block = carry + chunk
        cut = block.rfind(opening)
        carry = block[max(cut, 0) :]
        if len(carry) > LONGEST_BYTES:
            raise UnreadableWorkbook(
                f"{SHARED_TEXTS_PART} holds a text without end", file=workbook.label, hint="save it again in Excel"
            )
        if cut > 0:
            count += _take_texts(block[:cut], opening, wanted, first=count, into=texts)
    _take_texts(carry, opening, wanted, first=count, into=texts)
    return texts


def _take_texts(block: bytes, opening: bytes, wanted: Collection[int], *, first: int, into: dict[int, str]) -> int:
    count = block.count(opening)
    here = [number for number in wanted if first <= number < first + count]
    if here:
        items = block.split(opening)
        into.update({number: text_in(items[number - first + 1]) for number in here})
    return count


def verify_styles(workbook: Workbook) -> None:
    """Follow the styles to their end: the fast reader reads them whole, and trusts their sizes."""
    if STYLES_PART in workbook.parts:
        for _ in workbook.chunks(STYLES_PART):
            pass


def text_in(xml: bytes) -> str:
    """Return the text of a shared or inline string, its rich-text runs joined, phonetic marks left out."""
    pieces = _TEXT.findall(_PHONETIC.sub(b"", xml) if b"rPh" in xml else xml)
    return decoded(b"".join(pieces))


def decoded(raw: bytes) -> str:
    """Return XML character data as text; `_x000D_` is how Excel writes characters XML cannot hold."""
    text = html.unescape(raw.decode("utf-8", errors="replace"))
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def prefix_of(start: bytes) -> bytes:
    """Return the namespace prefix of the root element with its colon: `x:`, or nothing."""
    found = _PREFIX.search(start)
    return found[1] if found else b""


def _targets(workbook: Workbook) -> dict[str, str]:
    """Relation id → part, for worksheets."""
    folder, name = posixpath.split(WORKBOOK_PART)
    by_folded = {part.casefold(): part for part in workbook.parts}
    targets = {}
    for relation in _parse(workbook, f"{folder}/_rels/{name}.rels"):
        if relation.get("Type", "").endswith("/worksheet"):
            path = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            targets[relation.get("Id", "")] = _known(workbook, by_folded.get(path.casefold()), path)
    return targets


def _known(workbook: Workbook, part: str | None, path: str) -> str:
    if part is None:
        raise UnreadableWorkbook(
            f"part {path} is missing", file=workbook.label, hint="save the workbook again in Excel"
        )
    return part


def _parse(workbook: Workbook, part: str) -> Element:
    content = workbook.content(_known(workbook, part if part in workbook.parts else None, part))
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as error:
        raise UnreadableWorkbook(
            f"part {part} is damaged ({error})", file=workbook.label, hint="get the file again"
        ) from error
    return root


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _relation(sheet: Element) -> str:
    return next((value for key, value in sheet.attrib.items() if _local(key) == "id"), "")
