"""What a file is before any parser sees it: magic bytes, zip directory, sizes, ratios, no document type."""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from work_data_hub.errors import UnreadableWorkbook

MIB = 1024 * 1024
MAX_FILE_BYTES = 100 * MIB
MAX_PARTS = 2_000
MAX_PART_BYTES = 512 * MIB
MAX_TOTAL_BYTES = 1024 * MIB
MAX_RATIO = 200
SMALL_PART_BYTES = MIB
PROLOG_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
COMPRESSED_BYTES = 64 * 1024

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")
_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT = re.compile(rb"<[A-Za-z_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbook:
    """A workbook's parts by name, checked by `inspect`; nothing is held open."""

    path: Path
    label: str
    parts: dict[str, zipfile.ZipInfo]

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a part's bytes in pieces; stop with UnreadableWorkbook where it is not what the directory says.

        Inflating ends at the declared size whatever the data go on to hold, and the checksum is verified.
        """
        part = self.parts[name]
        read = crc = 0
        with _unreadable(self.label), self.path.open("rb") as file:
            for chunk in _inflated(file, part):
                read += len(chunk)
                crc = zlib.crc32(chunk, crc)
                if read > part.file_size:
                    break
                yield chunk
        if (read, crc) != (part.file_size, part.CRC):
            raise _refused(self.label, f"part {name} is not what the archive says it is", hint="get the file again")

    def content(self, name: str, *, at_most: int = MAX_PART_BYTES) -> bytes:
        """A part's bytes: all of them, or the first `at_most`."""
        content = bytearray()
        for chunk in self.chunks(name):
            content += chunk
            if len(content) >= at_most:
                break
        return bytes(content[:at_most])


def inspect(path: Path, *, label: str) -> Workbook:
    """Return the workbook's parts, all of them checked by their directory entries and their first bytes.

    Raises UnreadableWorkbook with a message of its own for each: too large, empty, encrypted,
    .xls, CSV, HTML or text under the name of a workbook, truncated, damaged, a zip bomb, a nested
    archive, a part outside the workbook, a document type.
    """
    with _unreadable(label):
        _check_bytes(path, label)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    _check_directory(entries, label)
    workbook = Workbook(path=path, label=label, parts={part.filename: part for part in entries if not part.is_dir()})
    for part in workbook.parts.values():
        _check_start(workbook, part)
    return workbook


def _inflated(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The part's bytes as its deflate stream gives them, even beyond the declared size."""
    file.seek(part.header_offset)
    header = file.read(30)
    if not header.startswith(b"PK\x03\x04") or len(header) < 30:
        raise zipfile.BadZipFile(f"no entry for {part.filename}")
    file.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
    left = part.compress_size
    if part.compress_type == zipfile.ZIP_STORED:
        while left > 0 and (data := file.read(min(left, CHUNK_BYTES))):
            left -= len(data)
            yield data
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise NotImplementedError(f"compression method {part.compress_type}")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    data = b""
    while not inflate.eof:
        if not data:
            data = file.read(min(left, COMPRESSED_BYTES))
            left -= len(data)
        chunk = inflate.decompress(data, CHUNK_BYTES)
        if not chunk and not data and not inflate.eof:
            raise EOFError(f"{part.filename} ends early")
        data = inflate.unconsumed_tail
        if chunk:
            yield chunk


@contextmanager
def _unreadable(label: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError) as error:
        raise _refused(label, f"the workbook is damaged ({error})", hint="get the file again") from error
    except NotImplementedError as error:
        raise _refused(label, f"the archive is of an unusual kind ({error})", hint="save it again in Excel") from error
    except OSError as error:
        raise _refused(
            label, f"cannot be read: {error.strerror or error}", hint="close it in Excel, check its permissions"
        ) from error


def _refused(label: str, message: str, *, hint: str, rule: str | None = None) -> UnreadableWorkbook:
    return UnreadableWorkbook(message, file=label, hint=hint, rule=rule)


def _check_bytes(path: Path, label: str) -> None:
    size = path.stat().st_size
    if size == 0:
        raise _refused(label, "the file is empty (0 bytes)", hint="get the file again")
    if size > MAX_FILE_BYTES:
        raise _refused(
            label, f"the file is too large ({size // MIB} MiB)", rule="at most 100 MiB", hint="split the workbook"
        )
    with path.open("rb") as file:
        start = file.read(8 * 1024)
        if start.startswith(_OLE):
            raise _ole(file.read(), start, label)
    if not start.startswith(b"PK\x03\x04"):
        raise _no_zip(start, label)
    with path.open("rb") as file:
        file.seek(max(0, size - 66_000))
        if b"PK\x05\x06" not in file.read():
            raise _refused(label, "the file is cut off: its end is missing", hint="copy or download it again")


def _ole(rest: bytes, start: bytes, label: str) -> UnreadableWorkbook:
    if _ENCRYPTED_STREAM in start or _ENCRYPTED_STREAM in rest:
        return _refused(label, "the workbook is encrypted", hint="save it without a password")
    return _refused(label, "this is an old .xls workbook", hint="open it in Excel and save it as .xlsx")


def _no_zip(start: bytes, label: str) -> UnreadableWorkbook:
    save = "open it in Excel and save it as .xlsx"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<meta")):
        return _refused(label, "this is an HTML page under the name of a workbook", hint=save)
    if text.startswith(b"<"):
        return _refused(label, "this is an XML document under the name of a workbook", hint=save)
    if not _is_text(start):
        return _refused(label, "this is not a workbook", hint="get the file again, as .xlsx")
    first_line = start.splitlines()[0] if start.splitlines() else b""
    if any(mark in first_line for mark in (b",", b"\t", b";")):
        return _refused(label, "this is a CSV file under the name of a workbook", hint=save)
    return _refused(label, "this is a text file under the name of a workbook", hint=save)


def _is_text(start: bytes) -> bool:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(byte < 9 or 13 < byte < 27 for byte in start)


def _check_directory(parts: list[zipfile.ZipInfo], label: str) -> None:
    if len(parts) > MAX_PARTS:
        raise _refused(label, f"{len(parts)} parts in the archive", rule="at most 2000", hint="this is no workbook")
    if sum(part.file_size for part in parts) > MAX_TOTAL_BYTES:
        raise _refused(label, "it would inflate to more than 1 GiB", rule="at most 1 GiB", hint="split the workbook")
    seen: set[str] = set()
    for part in parts:
        _check_part(part, label)
        if part.filename.casefold() in seen:
            raise _refused(label, f"{part.filename} stands twice in the archive", hint="save it again in Excel")
        seen.add(part.filename.casefold())
    if "[content_types].xml" not in seen or not any(name.startswith("xl/") for name in seen):
        raise _refused(label, "this is a zip archive, but not a workbook", hint="give the .xlsx itself")
    if "xl/workbook.bin" in seen:
        raise _refused(label, "this is an .xlsb workbook", hint="open it in Excel and save it as .xlsx")


def _check_part(part: zipfile.ZipInfo, label: str) -> None:
    name = part.filename
    if name.startswith("/") or "\\" in part.orig_filename or ":" in name or ".." in name.split("/"):
        raise _refused(label, f"part {name!r} lies outside the workbook", hint="do not open this file")
    if part.flag_bits & 0x1:
        raise _refused(label, f"part {name} is encrypted", hint="save it without a password")
    if part.file_size > MAX_PART_BYTES:
        raise _refused(label, f"{name} would inflate to more than 512 MiB", hint="split the workbook")
    ratio_counts = part.file_size > SMALL_PART_BYTES
    if ratio_counts and part.file_size > MAX_RATIO * max(part.compress_size, 1):
        raise _refused(
            label,
            f"{name} would inflate {part.file_size // max(part.compress_size, 1)} times (a zip bomb)",
            rule=f"at most {MAX_RATIO} times",
            hint="do not open this file",
        )


def _check_start(workbook: Workbook, part: zipfile.ZipInfo) -> None:
    """Look at a part's prolog, the only place a document type can stand; small XML parts are read whole."""
    is_xml = part.filename.lower().endswith((".xml", ".rels", ".vml"))
    is_small = part.file_size <= SMALL_PART_BYTES
    # One byte more than a small part has, so that the stream is followed to its end and the checksum compared.
    start = workbook.content(
        part.filename, at_most=(SMALL_PART_BYTES + 1 if is_small else PROLOG_BYTES) if is_xml else 8
    )
    if start.startswith(_ARCHIVES):
        raise _refused(
            workbook.label, f"part {part.filename} is an archive in the archive", hint="remove what is embedded"
        )
    if is_xml:
        _check_xml(start, part, workbook.label)


def _check_xml(start: bytes, part: zipfile.ZipInfo, label: str) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:4]:
        raise _refused(label, f"{part.filename} is not UTF-8", hint="open it in Excel and save it again")
    if _DOCTYPE.search(start):
        raise _refused(label, f"{part.filename} declares a document type", rule="no DTD", hint="do not open this file")
    if start and not _ROOT.search(start):
        raise _refused(label, f"{part.filename} does not begin like XML", hint="open it in Excel and save it again")
