"""Files that only look like workbooks, made from good ones."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from work_data_hub.domain.sample.faults import Fault
from work_data_hub.io.sample_workbook import MAIN

_FIRST_SHEET = "xl/worksheets/sheet1.xml"
_LOCAL_HEADER = 30
_BOMB_CHUNK, _BOMB_CHUNKS = b" " * 2**20, 256

_SECTOR, _STREAM_SECTORS = 512, 8
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def damage(workbook: Path, fault: Fault) -> tuple[Path, ...]:
    """Apply a file fault to a good workbook; return the files that are there afterwards."""
    if fault is Fault.NO_FILE:
        workbook.unlink()
        return ()
    if fault is Fault.TWO_CANDIDATES:
        fork = workbook.with_stem(f"{workbook.stem}_fork")
        shutil.copyfile(workbook, fork)
        return workbook, fork
    _DAMAGES[fault](workbook)
    return (workbook,)


def _corrupt(workbook: Path) -> None:
    with ZipFile(workbook) as archive:
        sheet = archive.getinfo(_FIRST_SHEET)
    content = bytearray(workbook.read_bytes())
    middle = sheet.header_offset + _LOCAL_HEADER + len(_FIRST_SHEET) + sheet.compress_size // 2
    content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    workbook.write_bytes(content)


def _truncate(workbook: Path) -> None:
    content = workbook.read_bytes()
    workbook.write_bytes(content[: len(content) * 6 // 10])


def _encrypt(workbook: Path) -> None:
    workbook.write_bytes(_compound_file(("EncryptionInfo", "EncryptedPackage")))


def _as_xls(workbook: Path) -> None:
    workbook.write_bytes(_compound_file(("Workbook",)))


def _as_csv(workbook: Path) -> None:
    workbook.write_text("月度,计划代码,期末资产规模\n202410,S0001,100.00\n", encoding="utf-8-sig")


def _as_html(workbook: Path) -> None:
    table = "<table><tr><th>月度</th><th>计划代码</th></tr><tr><td>202410</td><td>S0001</td></tr></table>"
    workbook.write_text(f"<!DOCTYPE html>\n<html><body>{table}</body></html>\n", encoding="utf-8")


def _as_bomb(workbook: Path) -> None:
    """Replace the first sheet by one of the same name that inflates a thousandfold."""
    good = workbook.rename(workbook.with_suffix(".good"))
    with ZipFile(good) as source, ZipFile(workbook, "w", ZIP_DEFLATED) as bomb:
        for name in source.namelist():
            if name != _FIRST_SHEET:
                bomb.writestr(source.getinfo(name), source.read(name))
        with bomb.open(_FIRST_SHEET, "w") as sheet:
            sheet.write(f'<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            for _ in range(_BOMB_CHUNKS):
                sheet.write(_BOMB_CHUNK)
            sheet.write(b"</sheetData></worksheet>")
    good.unlink()


_DAMAGES: dict[Fault, Callable[[Path], None]] = {
    Fault.CORRUPT: _corrupt,
    Fault.TRUNCATED: _truncate,
    Fault.ENCRYPTED: _encrypt,
    Fault.XLS_RENAMED: _as_xls,
    Fault.CSV_RENAMED: _as_csv,
    Fault.HTML_RENAMED: _as_html,
    Fault.ZIP_BOMB: _as_bomb,
}


def _compound_file(streams: tuple[str, ...]) -> bytes:
    """Return an OLE container with empty streams of these names, the frame of .xls and of encrypted files."""
    header = struct.pack("<8s16xHHHHH6x", bytes.fromhex("d0cf11e0a1b11ae1"), 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<10I", 0, 1, 1, 0, 4096, _END, 0, _END, 0, 0)
    allocation = [_FAT, _END]
    for number in range(len(streams)):
        start = 2 + number * _STREAM_SECTORS
        allocation += [*range(start + 1, start + _STREAM_SECTORS), _END]
    table = struct.pack(f"<{len(allocation)}I", *allocation)
    entries = [_entry("Root Entry", kind=5, child=1, start=_END, size=0)]
    for number, name in enumerate(streams, start=1):
        after = number + 1 if number < len(streams) else _FREE
        start = 2 + (number - 1) * _STREAM_SECTORS
        entries.append(_entry(name, kind=2, right=after, start=start, size=_SECTOR * _STREAM_SECTORS))
    parts = header, table, b"".join(entries)
    padded = [part.ljust(_SECTOR, filler) for part, filler in zip(parts, (b"\xff", b"\xff", b"\0"), strict=True)]
    return b"".join(padded) + bytes(_SECTOR * _STREAM_SECTORS * len(streams))


def _entry(name: str, *, kind: int, start: int, size: int, right: int = _FREE, child: int = _FREE) -> bytes:
    """Return one directory entry of 128 bytes."""
    title = f"{name}\0".encode("utf-16-le")
    return struct.pack("<64sHBBIII36xIQ", title, len(title), kind, 1, _FREE, right, child, start, size)
