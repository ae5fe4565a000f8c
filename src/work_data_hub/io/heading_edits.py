"""Changes of config/headings.yml: a heading accepted, ignored, or taken back; one at a time, comments stay."""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.text import fold, visible
from work_data_hub.errors import ConfigError
from work_data_hub.io.accepted_headings import (
    HEADINGS_FILE,
    HeadingsFile,
    load_headings,
    read_headings,
    refuse_heading,
    refuse_ignoring,
)
from work_data_hub.io.file_lock import file_lock
from work_data_hub.io.headings import known_headings
from work_data_hub.io.whole_files import replace_file
from work_data_hub.io.yaml_edits import with_item, without_item


def accept_heading(config_dir: Path, *, domain: Domain, column: str, heading: str, note: str = "") -> bool:
    """Record that the heading means the column; False where it does so already.

    The file's comments stay, `note` becomes one more. It is there whole, as read back, or as before;
    whoever changes it at the same time waits. Raises ConfigError for a column that is not read from
    workbooks, and for a heading that is invisible, ignored, in another unit, or means another column.
    """
    meant, tidy = _readable_column(domain, column), visible(heading)
    with _changing(config_dir) as before:
        columns = before.accepted.get(domain.name, {})
        known = known_headings(domain, accepted=columns)
        refuse_heading(domain, meant, tidy or heading, known=known, place="heading")
        _refuse_ignored(before, domain, tidy)
        if _among(tidy, known):
            return False
        accepted = {**before.accepted, domain.name: {**columns, column: (*columns.get(column, ()), tidy)}}
        expected = replace(before, accepted=accepted)
        _add(config_dir, ("accepted", domain.name, column), item=tidy, note=note, expected=expected)
    return True


def remove_heading(config_dir: Path, *, domain: Domain, column: str, heading: str) -> bool:
    """Take an accepted heading back; False where it is not accepted for the column.

    Raises ConfigError for a column that is not read from workbooks and for a declared heading.
    """
    meant = _readable_column(domain, column)
    if _among(heading, meant.headings):
        raise _declared(domain, heading, "accepted", f"change the headings of {column}")
    with _changing(config_dir) as before:
        columns = before.accepted.get(domain.name, {})
        found = _among(heading, columns.get(column, ()))
        if found is None:
            return False
        left = {**columns, column: _without(columns[column], found)}
        expected = replace(before, accepted={**before.accepted, domain.name: left})
        _take(config_dir, ("accepted", domain.name, column), item=found, expected=expected)
    return True


def ignore_heading(config_dir: Path, *, domain: Domain, heading: str, note: str = "") -> bool:
    """Record that the heading is left out on purpose; False where it is so already.

    The file is changed with the care of `accept_heading`. Raises ConfigError for a heading that is
    invisible or means a column.
    """
    tidy = visible(heading)
    with _changing(config_dir) as before:
        known = known_headings(domain, accepted=before.accepted.get(domain.name, {}))
        refuse_ignoring(domain, tidy or heading, known=known, place="heading")
        ignored = before.ignored.get(domain.name, ())
        if _among(tidy, (*domain.ignored_headings, *ignored)):
            return False
        expected = replace(before, ignored={**before.ignored, domain.name: (*ignored, tidy)})
        _add(config_dir, ("ignored", domain.name), item=tidy, note=note, expected=expected)
    return True


def heed_heading(config_dir: Path, *, domain: Domain, heading: str) -> bool:
    """Ignore the heading no longer; False where it is not ignored. Raises ConfigError where the declaration does it."""
    if _among(heading, domain.ignored_headings):
        raise _declared(domain, heading, "ignored here", "change ignored_headings")
    with _changing(config_dir) as before:
        ignored = before.ignored.get(domain.name, ())
        found = _among(heading, ignored)
        if found is None:
            return False
        expected = replace(before, ignored={**before.ignored, domain.name: _without(ignored, found)})
        _take(config_dir, ("ignored", domain.name), item=found, expected=expected)
    return True


@contextmanager
def _changing(config_dir: Path) -> Iterator[HeadingsFile]:
    """What the file says, while nobody else changes it; the lock lies beside the file and stays."""
    path = (config_dir / HEADINGS_FILE).resolve()
    lock = path.with_name(f".{path.name}.lock")
    try:
        if not lock.exists():
            lock.touch()
            lock.chmod(0o660)
        with file_lock(lock):
            yield load_headings(config_dir)
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error


def _refuse_ignored(before: HeadingsFile, domain: Domain, heading: str) -> None:
    if _among(heading, before.ignored.get(domain.name, ())):
        raise ConfigError(
            f"the heading is ignored by config/{HEADINGS_FILE}",
            domain=domain.name,
            field="heading",
            input_data=heading,
            hint=f"take that back first: wdh domain ignore-heading {domain.name} HEADING --remove",
        )


def _among(heading: str, headings: Collection[str]) -> str | None:
    """The one of the headings that is the same as this one, width, case and white space aside."""
    return next((text for text in headings if fold(text) == fold(heading)), None)


def _without(headings: Sequence[str], gone: str) -> tuple[str, ...]:
    return tuple(text for text in headings if text != gone)


def _declared(domain: Domain, heading: str, done: str, change: str) -> ConfigError:
    return ConfigError(
        f"the heading is declared, not {done}",
        domain=domain.name,
        field="heading",
        input_data=heading,
        hint=f"{change} in domain/catalog/{domain.name}.py",
    )


def _readable_column(domain: Domain, name: str) -> Column:
    """Return the column of that name that is read from workbooks; raise ConfigError with the nearest name."""
    columns = {column.name: column for column in domain.read}
    if name in columns:
        return columns[name]
    known = {heading: column.name for column in domain.read for heading in (column.name, *column.headings)}
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigError(
        "the column is computed, not read" if name in domain.by_name else f"{domain.name} has no column {name!r}",
        domain=domain.name,
        field="column",
        input_data=name,
        rule=f"one of {', '.join(columns)}",
        hint=f"did you mean {known[near[0]]!r}?" if near else "choose one of these",
    )


def _add(config_dir: Path, keys: Sequence[str], *, item: str, note: str, expected: HeadingsFile) -> None:
    _edit(config_dir, lambda text: with_item(text, keys=keys, item=item, note=note), expected=expected)


def _take(config_dir: Path, keys: Sequence[str], *, item: str, expected: HeadingsFile) -> None:
    _edit(config_dir, lambda text: without_item(text, keys=keys, item=item), expected=expected)


def _edit(config_dir: Path, change: Callable[[str], str], *, expected: HeadingsFile) -> None:
    """Put the changed text in the file's place, once it reads as expected."""
    path = (config_dir / HEADINGS_FILE).resolve()
    with replace_file(path) as part:
        part.write_bytes(change(_text(path)).encode())
        _refuse_other(path, part, expected)


def _text(path: Path) -> str:
    """The file as it stands, line ends too; a file that is missing begins with its version."""
    return path.read_bytes().decode("utf-8-sig") if path.exists() else "version: 1\n\naccepted: {}\n"


def _refuse_other(path: Path, part: Path, expected: HeadingsFile) -> None:
    try:
        said = _said(read_headings(part))
    except ConfigError as error:
        raise _unwritable(path, "it is laid out in an unusual way") from error
    if said != _said(expected):
        raise _unwritable(path, "it is laid out in an unusual way")


def _said(file: HeadingsFile) -> tuple[object, ...]:
    """What two files must have in common to say the same."""
    accepted = {(name, *pair) for name, columns in file.accepted.items() for pair in _pairs(columns)}
    return accepted, set(_pairs(file.ignored)), file.synonyms, file.vocabularies


def _pairs(headings: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, texts in headings.items() for text in texts)


def _unwritable(path: Path, why: object) -> ConfigError:
    return ConfigError(
        f"cannot be changed: {why}", file=str(path), hint="add or remove the heading by hand, or mend the file's rights"
    )
