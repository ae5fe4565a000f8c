import random
import struct
import zipfile
from pathlib import Path

import pytest
from tests.sheets import CONTENT_TYPES, write_parts, write_rows

from work_data_hub.errors import UnreadableWorkbook
from work_data_hub.io import preflight
from work_data_hub.io.preflight import inspect

pytestmark = pytest.mark.unit

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SHEET = "xl/worksheets/sheet1.xml"


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableWorkbook) as caught:
        inspect(path, label="a.xlsx")
    message = str(caught.value)
    assert "\n" not in message
    assert "hint:" in message
    return message


def good(path: Path) -> Path:
    return write_rows(path / "a.xlsx", [["月度"], *[[f"行{n}"] for n in range(2000)]])


def lying(path: Path, name: str, *, size: int) -> Path:
    """The same archive, its directory giving another inflated size for one part."""
    with zipfile.ZipFile(path) as archive:
        part = archive.getinfo(name)
    content = path.read_bytes()
    truth, lie = struct.pack("<II", part.compress_size, part.file_size), struct.pack("<II", part.compress_size, size)
    path.write_bytes(content.replace(truth, lie))
    return path


def test_a_workbook_passes(tmp_path: Path) -> None:
    assert SHEET in inspect(good(tmp_path), label="a.xlsx").parts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty (0 bytes)"),
        (OLE + bytes(600), "old .xls workbook"),
        (OLE + bytes(9000) + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("月度,金额\n202410,1\n".encode(), "CSV file"),
        ("月度\t金额\n".encode("gb18030"), "CSV file"),
        (b"\xef\xbb\xbf<html><table></table></html>", "HTML page"),
        (b"  <!DOCTYPE html><html>", "HTML page"),
        (b"<?xml version='1.0'?><Workbook/>", "XML document"),
        (b"hello", "text file"),
        (bytes(range(256)), "not a workbook"),
        (b"%PDF-1.7\n\x00\x01", "not a workbook"),
    ],
)
def test_what_is_no_workbook_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)

    assert words in refusal(path)


def test_a_cut_off_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    path = good(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])

    assert "cut off" in refusal(path)


def test_damaged_bytes_are_found_by_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write_parts(path, {})
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(SHEET).header_offset + 30 + len(SHEET) + 8
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)

    assert "damaged" in (message := refusal(path)) or "not what the archive says" in message


def test_a_zip_bomb_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "a.xlsx", {SHEET: b"<a/>" + bytes(40 * 1024 * 1024)})

    assert "zip bomb" in refusal(path)


def test_a_part_that_inflates_beyond_its_declared_size_is_stopped(tmp_path: Path) -> None:
    path = lying(write_parts(tmp_path / "a.xlsx", {SHEET: b"<a/>" + bytes(9_000_000)}), SHEET, size=1_100_000)
    workbook = inspect(path, label="a.xlsx")

    with pytest.raises(UnreadableWorkbook, match="not what the archive says"):
        sum(len(chunk) for chunk in workbook.chunks(SHEET))


def test_a_part_shorter_than_declared_is_refused(tmp_path: Path) -> None:
    path = lying(good(tmp_path), SHEET, size=900_000)

    assert "not what the archive says" in refusal(path)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("MAX_FILE_BYTES", "too large"),
        ("MAX_PARTS", "parts in the archive"),
        ("MAX_TOTAL_BYTES", "inflate to more than 1 GiB"),
        ("MAX_PART_BYTES", "inflate to more than 512 MiB"),
    ],
)
def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str) -> None:
    monkeypatch.setattr(preflight, limit, 3)

    assert words in refusal(good(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("xl/embeddings/inner.bin", b"PK\x03\x04rest", "archive in the archive"),
        ("xl/../../evil.xml", b"<a/>", "outside the workbook"),
        ("/etc/evil.xml", b"<a/>", "outside the workbook"),
        ("xl/a.xml", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "document type"),
        (SHEET, b"<!--" + b" " * 5000 + b"--><!DOCTYPE a><a/>", "document type"),
        ("xl/a.xml", "<a/>".encode("utf-16"), "not UTF-8"),
        ("xl/a.xml", b"garbage", "does not begin like XML"),
        ("XL/WORKBOOK.xml", b"<a/>", "stands twice"),
        ("xl/workbook.bin", b"\x83", ".xlsb"),
    ],
)
def test_a_suspicious_part_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    assert words in refusal(write_parts(tmp_path / "a.xlsx", {name: content}))


def test_a_document_type_behind_a_long_comment_is_not_reached(tmp_path: Path) -> None:
    comment = random.Random(1).randbytes(700_000).hex().encode()

    path = write_parts(tmp_path / "a.xlsx", {SHEET: b"<!--" + comment + b"--><!DOCTYPE a><a/>"})

    assert "does not begin like XML" in refusal(path)


def test_a_zip_archive_is_not_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", CONTENT_TYPES)

    assert "not a workbook" in refusal(path)
