"""The four files of a domain in a checkout: where they go, and writing them all or none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from work_data_hub.errors import ConfigError, UsageError
from work_data_hub.io.config_files import SOURCES_FILE, load_sources
from work_data_hub.io.schema_head import expected_head, schema_folder
from work_data_hub.io.whole_files import make_file, replace_file

_NUMBERED = re.compile(r"(\d{4})_\w+\.py")
_DOMAINS = re.compile(r"\ufeff?domains:\s*(#.*)?$")
_TOP_KEY = re.compile(r"[^\s#]")
_CHILD = re.compile(r"( +)[^\s#]")
_LEADING = re.compile(r"#|\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFiles:
    """Where a new domain's files go: three that are made, and the configuration that gains a block."""

    declaration: Path
    migration: Path
    test: Path
    sources: Path
    revision: str
    down_revision: str


def places_for(name: str, *, config_dir: Path) -> DomainFiles:
    """Return where the domain's files go.

    Raises UsageError outside a checkout, and where one of the files or the block is there already.
    """
    root = Path(__file__).resolve().parents[3]
    versions = schema_folder() / "migrations" / "versions"
    if not versions.is_relative_to(root / "io") or not (root / "tests" / "domain").is_dir():
        raise UsageError("this is no checkout: a domain is added to the source", hint="clone the repository")
    numbers = [int(found[1]) for file in versions.glob("*.py") if (found := _NUMBERED.fullmatch(file.name))]
    revision = f"{max(numbers, default=0) + 1:04d}"
    places = DomainFiles(
        declaration=root / "src" / "work_data_hub" / "domain" / "catalog" / f"{name}.py",
        migration=versions / f"{revision}_{name}.py",
        test=root / "tests" / "domain" / f"test_{name}.py",
        sources=config_dir / SOURCES_FILE,
        revision=revision,
        down_revision=expected_head(),
    )
    for path in (places.declaration, places.test):
        if path.exists():
            raise UsageError("the file is there already", file=str(path), hint="choose another name, or edit it")
    if name in load_sources(config_dir):
        raise UsageError(
            f"the domain {name!r} is configured already", file=str(places.sources), hint="choose another name"
        )
    return places


def sources_text(files: DomainFiles, *, name: str, lines: Sequence[str]) -> str:
    """The configuration with the block `name` of these lines, read as a load reads it and found to change no other.

    Raises ConfigError naming the key that cannot be as it is.
    """
    before = files.sources.read_bytes().decode()
    text = with_block(before, name=name, lines=lines, file=str(files.sources))
    with TemporaryDirectory() as folder:
        (Path(folder) / SOURCES_FILE).write_bytes(text.encode())
        try:
            meant = load_sources(Path(folder))
        except ConfigError as error:
            facts: dict[str, Any] = {
                "field": error.field,
                "input_data": error.input_data,
                "rule": error.rule,
                "hint": error.hint,
            }
            raise ConfigError(error.message, file=str(files.sources), **facts) from error
    if [*load_sources(files.sources.parent).items()] != [*meant.items()][:-1] or name not in meant:
        raise ConfigError("the new block would change others", file=str(files.sources), hint="add it by hand")
    return text


def with_block(text: str, *, name: str, lines: Sequence[str], file: str = SOURCES_FILE) -> str:
    """The text with the block `name` of these lines behind the other domains; every other line is kept.

    Raises ConfigError where the blocks of `domains` do not stand each on lines of their own.
    """
    old = text.splitlines(keepends=True)
    start = next((at for at, line in enumerate(old) if _DOMAINS.match(line)), len(old))
    end = next((at for at in range(start + 1, len(old)) if _TOP_KEY.match(old[at])), len(old))
    indents = [found[1] for line in old[start + 1 : end] if (found := _CHILD.match(line))]
    if not indents:
        raise ConfigError("its domains are not blocks of lines", file=file, field="domains", hint="add a block by hand")
    # Comments in front of the next key belong to it.
    while _LEADING.match(old[end - 1]):
        end -= 1
    newline = "\r\n" if old[end - 1].endswith("\r\n") else "\n"
    block = ["", f"{indents[0]}{name}:", *(f"{indents[0] * 2}{line}" for line in lines)]
    kept = old[end - 1].rstrip("\r\n") + newline
    return "".join([*old[: end - 1], kept, *(line + newline for line in block), *old[end:]])


def write_all(files: DomainFiles, texts: Mapping[Path, str]) -> None:
    """Write all files or none; the declaration comes last, because from then on the domain is there.

    Raises UsageError where a file came into being meanwhile, ConfigError where one cannot be written.
    """
    before = files.sources.read_bytes()
    made: list[Path] = []
    try:
        for path in (files.migration, files.test):
            _make(path, texts[path])
            made.append(path)
        _replace(files.sources, texts[files.sources].encode())
        _make(files.declaration, texts[files.declaration])
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        if files.sources.read_bytes() != before:
            _replace(files.sources, before)
        raise


def _make(path: Path, text: str) -> None:
    """Write a file that must not be there, whole."""
    try:
        make_file(path, text.encode())
    except FileExistsError:
        raise UsageError("the file is there already", file=str(path), hint="choose another name, or edit it") from None
    except OSError as error:
        raise _unwritable(path, error) from error


def _replace(path: Path, content: bytes) -> None:
    try:
        with replace_file(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot be written: {error.strerror}", file=str(path), hint="check the permissions")
