"""V1, V2, …: which delivery of a month counts. A folder counts only if it holds a file the domain could read."""

import fnmatch
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.domain.source import Fallback, Source, VersionStrategy
from work_data_hub.errors import AmbiguousWorkbook, UnsafePath, WorkbookNotFound

BASE = "base"
SAME_TIME_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A candidate that was not taken, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenVersion:
    """The folder chosen, its matching files, why, and the versions not taken. Label `base`: no V<n> folder counts."""

    folder: Path
    version: str
    files: list[Path]
    reason: str
    rejected: tuple[Rejected, ...] = ()


def choose_version(folder: Path, source: Source, *, version: str | None = None) -> ChosenVersion:
    """Return the version folder the strategy chooses, or the folder itself where none holds a matching file.

    `version` names one outright. Raises WorkbookNotFound when that one is not there,
    AmbiguousWorkbook when the strategy does not tell two apart.
    """
    named = {path.name: path for path in folder.iterdir() if re.fullmatch(r"V[0-9]+", path.name) and path.is_dir()}
    _refuse_links_out(folder, named)
    wanted = version or source.version
    if wanted is not None:
        return _wanted({BASE: folder, **named}, source, wanted)
    files = {name: matching_files(path, source) for name, path in named.items()}
    filled = {name: path for name, path in named.items() if files[name]}
    if source.version_strategy is VersionStrategy.MANUAL:
        raise _cannot_choose(source, sorted(named) or [BASE], "version_strategy is manual and no version is given")
    hidden = tuple(Rejected(name=name, why="holds no matching file") for name in sorted(named) if not files[name])
    if not filled:
        return ChosenVersion(
            folder=folder,
            version=BASE,
            files=matching_files(folder, source),
            reason="no version folder holds a matching file" if named else "there are no version folders",
            rejected=hidden,
        )
    name, reason = _best(filled, source)
    others = tuple(
        Rejected(name=other, why=f"{name} was chosen: {reason}") for other in sorted(filled) if other != name
    )
    return ChosenVersion(
        folder=filled[name], version=name, files=files[name], reason=f"{name}: {reason}", rejected=(*others, *hidden)
    )


def matching_files(folder: Path, source: Source) -> list[Path]:
    """Return what matches a file pattern below `folder` and no exclude pattern, each path once, by name."""
    names = {
        path: unicodedata.normalize("NFC", path.relative_to(folder).as_posix()) for path in _entries(folder, source)
    }
    return sorted(path for path, name in names.items() if _is_wanted(name, source))


def _entries(folder: Path, source: Source) -> list[Path]:
    deep = any("/" in pattern for pattern in source.file_patterns)
    return list(folder.rglob("*") if deep else folder.iterdir())


def _is_wanted(name: str, source: Source) -> bool:
    last = name.rpartition("/")[2]
    excluded = any(fnmatch.fnmatchcase(last, _nfc(pattern)) for pattern in ("~$*", *source.exclude_patterns))
    return not excluded and any(_matches(name, _nfc(pattern)) for pattern in source.file_patterns)


def _matches(name: str, pattern: str) -> bool:
    """A glob over a relative path: `*` stays inside a folder, `**/` spans any number of them."""
    pieces = re.split(r"(\*\*/|\*|\?|\[[^\]]+\])", pattern)
    return re.fullmatch("".join(map(_as_regex, pieces)), name) is not None


def _as_regex(piece: str) -> str:
    wild = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    if len(piece) > 2 and piece[0] == "[" and piece[-1] == "]":
        inside = re.sub(r"([\\\[^&~|])", r"\\\1", piece[1:-1])
        return f"[^{inside[1:]}]" if inside[0] == "!" else f"[{inside}]"
    return wild.get(piece) or re.escape(piece)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _refuse_links_out(folder: Path, named: dict[str, Path]) -> None:
    for path in named.values():
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UnsafePath(
                "the version folder is a link to elsewhere", file=str(path), hint="put the folder itself there"
            )


def _wanted(folders: dict[str, Path], source: Source, wanted: str) -> ChosenVersion:
    if wanted not in folders:
        raise WorkbookNotFound(
            f"there is no version {wanted}; there are {', '.join(sorted(folders))}",
            file=str(folders[BASE]),
            domain=source.domain,
            hint="give one of these with --version, or leave it out",
        )
    others = tuple(Rejected(name=name, why=f"{wanted} was asked for") for name in sorted(folders) if name != wanted)
    return ChosenVersion(
        folder=folders[wanted],
        version=wanted,
        files=matching_files(folders[wanted], source),
        reason=f"{wanted}: asked for",
        rejected=others,
    )


def _best(folders: dict[str, Path], source: Source) -> tuple[str, str]:
    if source.version_strategy is VersionStrategy.LATEST_MODIFIED:
        return _latest(folders, source)
    numbers = {name: int(name[1:]) for name in folders}
    highest = [name for name, number in numbers.items() if number == max(numbers.values())]
    if len(highest) == 1:
        return highest[0], f"the highest number of {len(folders)}" if len(folders) > 1 else "the only version"
    if source.fallback is Fallback.USE_LATEST_MODIFIED:
        return _latest({name: folders[name] for name in highest}, source)
    raise _cannot_choose(source, highest, "have the same number")


def _latest(folders: dict[str, Path], source: Source) -> tuple[str, str]:
    changed = sorted(((path.stat().st_mtime, name) for name, path in folders.items()), reverse=True)
    if len(changed) > 1 and changed[0][0] - changed[1][0] <= SAME_TIME_SECONDS:
        raise _cannot_choose(source, [name for _, name in changed[:2]], "were changed at the same time")
    return changed[0][1], f"changed last of {len(folders)}" if len(folders) > 1 else "the only version"


def _cannot_choose(source: Source, names: list[str], why: str) -> AmbiguousWorkbook:
    names = sorted(names)
    return AmbiguousWorkbook(
        f"versions {', '.join(names)}: {why}",
        domain=source.domain,
        hint=f"choose with --version {names[0]}, or give --file PATH",
    )
