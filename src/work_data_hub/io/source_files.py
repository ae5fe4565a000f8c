"""Which workbook belongs to a domain and month: one answer with its reason, or an error with the candidates."""

import hashlib
import os
import stat
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from work_data_hub.domain.period import Period
from work_data_hub.domain.source import FileSelection, Source
from work_data_hub.errors import AmbiguousWorkbook, UnreadableWorkbook, UnsafePath, UsageError, WorkbookNotFound
from work_data_hub.io.version_folders import Rejected, choose_version

LOCK_PREFIX = "~$"
SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class FoundFile:
    """One workbook to read: where it is, how it is named in reports, and its version (`V2`, `base`, `file`)."""

    path: Path
    label: str
    version: str

    @cached_property
    def sha256(self) -> str:
        """The content's SHA-256 in hex, read once when first asked for."""
        return _sha256(self.path, label=self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The workbooks chosen, why these in one sentence, and every candidate not taken with its reason."""

    source: Source
    files: tuple[FoundFile, ...]
    reason: str
    rejected: tuple[Rejected, ...] = ()


def find_workbooks(
    source: Source,
    *,
    data_root: Path,
    period: Period,
    version: str | None = None,
    selection: str | None = None,
    max_files: int = 1,
) -> Found:
    """Return the domain's workbooks of the month: version folder first, then the file in it.

    `version` and `selection` outrank the configuration. Raises WorkbookNotFound with what is
    there, AmbiguousWorkbook with the candidates and how to choose, UnsafePath for a path that
    leaves the data root, UnreadableWorkbook for a file that cannot be opened.
    """
    root = _existing_root(data_root, source)
    folder = _inside(root, root / month_path(source, period), source)
    if not folder.is_dir():
        raise _no_folder(source, folder, root)
    chosen = choose_version(folder, source, version=version)
    files = _safe_files(chosen.files, source=source, root=root)
    if not files:
        raise _no_file(source, chosen.folder, root)
    taken, why, left = _select(files, source=source, root=root, selection=selection, max_files=max_files)
    for path in taken:
        _refuse_unopenable(path, label=_label(path, root))
    return Found(
        source=source,
        files=tuple(FoundFile(path=p, label=_label(p, root), version=chosen.version) for p in taken),
        reason=f"{chosen.reason}; {why}",
        rejected=(*chosen.rejected, *left),
    )


def refuse_copies(found: Found) -> None:
    """Raise AmbiguousWorkbook where two of the files have the same content: their rows would count twice."""
    seen: dict[str, FoundFile] = {}
    for file in found.files if len(found.files) > 1 else ():
        if file.sha256 in seen:
            raise AmbiguousWorkbook(
                f"a copy of {seen[file.sha256].label}: the same content under two names",
                file=file.label,
                domain=found.source.domain,
                hint="remove one of the two",
            )
        seen[file.sha256] = file


def direct_file(path: Path, *, source: Source) -> Found:
    """Return the file the user names; it may lie anywhere, but must be a regular file that can be opened."""
    label = str(path)
    if path.name.startswith(LOCK_PREFIX):
        raise UnsafePath("this is Excel's lock file, not a workbook", file=label, hint="give the file without ~$")
    if not path.exists():
        raise WorkbookNotFound("there is no such file", file=label, domain=source.domain, hint="check --file")
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnsafePath("not a regular file", file=label, domain=source.domain, hint="give the path of a workbook")
    _refuse_unopenable(path, label=label)
    found = FoundFile(path=path.resolve(), label=label, version="file")
    return Found(source=source, files=(found,), reason="the file was named on the command line")


def month_path(source: Source, period: Period) -> str:
    """Return the domain's folder for the month, relative to the data root."""
    filled = {"{YYYYMM}": period.yyyymm, "{YYYY}": f"{period.year:04d}", "{MM}": f"{period.month:02d}"}
    path = source.base_path
    for placeholder, text in filled.items():
        path = path.replace(placeholder, text)
    return path


def _existing_root(data_root: Path, source: Source) -> Path:
    if not data_root.is_dir():
        raise WorkbookNotFound(
            "the data root is not a folder",
            file=str(data_root),
            domain=source.domain,
            hint="set WDH_DATA_ROOT to the folder that holds the months",
        )
    return data_root.resolve()


def _inside(root: Path, path: Path, source: Source) -> Path:
    resolved = path.resolve()
    if not resolved.is_relative_to(root):
        raise UnsafePath(
            "the path leads out of the data root",
            file=_label(path, root),
            domain=source.domain,
            input_data=str(resolved),
            hint="put the file itself there instead of a link",
        )
    return resolved


def _safe_files(paths: list[Path], *, source: Source, root: Path) -> list[Path]:
    """The paths that are regular files inside the root, each once; anything else that matches is refused."""
    by_target: dict[Path, Path] = {}
    by_folded: dict[str, Path] = {}
    for path in paths:
        target = _inside(root, path, source)
        if not target.exists():
            raise UnsafePath("a link that leads nowhere", file=_label(path, root), hint="remove the link")
        if not stat.S_ISREG(target.stat().st_mode):
            raise UnsafePath("not a regular file", file=_label(path, root), hint="remove the device, pipe or folder")
        folded = unicodedata.normalize("NFC", _label(path, root)).casefold()
        other = by_folded.setdefault(folded, path)
        if other != path:
            raise AmbiguousWorkbook(
                f"differs only in case from {_label(other, root)}",
                file=_label(path, root),
                hint="remove one of the two",
            )
        by_target.setdefault(target, path)
    return list(by_target.values())


def _select(
    files: list[Path], *, source: Source, root: Path, selection: str | None, max_files: int
) -> tuple[list[Path], str, list[Rejected]]:
    by_name = sorted(files, key=lambda path: _label(path, root))
    rule = _selection(selection) if selection else source.file_selection
    if len(files) <= max_files:
        return by_name, "the only matching file" if len(files) == 1 else f"all {len(files)} matching files", []
    ordered = _ordered(by_name, rule, count=max_files)
    if ordered is None:
        raise _ambiguous_files(source, by_name, root, rule=rule, max_files=max_files)
    taken, left = ordered[:max_files], ordered[max_files:]
    why = f"{rule} of {len(files)} matching files"
    return taken, why, [Rejected(name=_label(path, root), why=f"not the {rule}") for path in left]


def _selection(name: str) -> FileSelection:
    if name not in list(FileSelection):
        raise UsageError(
            "not a way to choose a file",
            field="--file-selection",
            input_data=name,
            hint=f"give one of {', '.join(FileSelection)}",
        )
    return FileSelection(name)


def _ordered(files: list[Path], rule: FileSelection, *, count: int) -> list[Path] | None:
    """The files in the order of the rule; None where the rule does not tell the last taken from the first left."""
    if rule is FileSelection.ERROR:
        return None
    if rule is FileSelection.FIRST:
        return files
    ordered = sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=rule is FileSelection.NEWEST)
    tied = ordered[count - 1].stat().st_mtime_ns == ordered[count].stat().st_mtime_ns
    return None if tied else ordered


def _ambiguous_files(
    source: Source, files: list[Path], root: Path, *, rule: FileSelection, max_files: int
) -> AmbiguousWorkbook:
    names = ", ".join(_label(path, root) for path in files[:SHOWN])
    tied = "" if rule is FileSelection.ERROR else f", and {rule} does not tell them apart"
    return AmbiguousWorkbook(
        f"{len(files)} files match where {max_files} may be read{tied}: {names}",
        domain=source.domain,
        hint="choose with --file-selection newest|oldest|first or --file PATH, or read several with --max-files N",
    )


def _no_folder(source: Source, folder: Path, root: Path) -> WorkbookNotFound:
    parent = next(parent for parent in folder.parents if parent.is_dir())
    return WorkbookNotFound(
        f"there is no such folder; {_label(parent, root)} holds {_contents(parent)}",
        file=_label(folder, root),
        domain=source.domain,
        hint="check --period and WDH_DATA_ROOT",
    )


def _no_file(source: Source, folder: Path, root: Path) -> WorkbookNotFound:
    return WorkbookNotFound(
        f"no file matches; the folder holds {_contents(folder)}",
        file=_label(folder, root),
        domain=source.domain,
        rule=f"named {' or '.join(source.file_patterns)}, not {' or '.join(source.exclude_patterns) or '…'}",
        hint="put the workbook there, or correct file_patterns in config/data_sources.yml, or give --file PATH",
    )


def _contents(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "nothing"


def _label(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _refuse_unopenable(path: Path, *, label: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
    except OSError as error:
        raise _unopenable(label, error) from error


def _sha256(path: Path, *, label: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unopenable(label, error) from error


def _unopenable(label: str, error: OSError) -> UnreadableWorkbook:
    return UnreadableWorkbook(
        f"cannot be opened: {error.strerror or error}",
        file=label,
        hint="close it in Excel, check its permissions, then try again",
    )
