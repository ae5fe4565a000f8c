"""config/headings.yml: headings accepted for a column, and the words that help to propose them."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.heading_signals import HeadingWords, other_unit
from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.text import fold
from work_data_hub.errors import ConfigError
from work_data_hub.io.config_files import load_mapping
from work_data_hub.io.headings import known_headings
from work_data_hub.io.whole_files import replace_file
from work_data_hub.io.yaml_edits import with_item, without_item
from work_data_hub.io.yaml_entries import Entry, read_entry

HEADINGS_FILE = "headings.yml"
_KEYS = ("version", "accepted", "synonyms", "vocabularies")

Accepted = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingsFile:
    """What the file says: accepted headings by domain and column, synonyms (other word → business word),
    and the value maps whose keys a column holds."""

    accepted: Mapping[str, Accepted]
    synonyms: Mapping[str, str]
    vocabularies: Mapping[str, tuple[str, ...]]


def accepted_headings(config_dir: Path, domain: Domain) -> Accepted:
    """Return the headings accepted for each column of the domain; nothing where there is no file.

    Raises ConfigError naming file and key for whatever the file may not say.
    """
    return dict(load_headings(config_dir).accepted.get(domain.name, {}))


def heading_words(config_dir: Path, domain: Domain) -> HeadingWords:
    """Return what is known of the domain's headings, for comparing a sheet with it."""
    file = load_headings(config_dir)
    accepted = file.accepted.get(domain.name, {})
    return HeadingWords(
        names={column.name: (*column.headings, *accepted.get(column.name, ())) for column in domain.read},
        synonyms=file.synonyms,
        vocabularies={
            column: frozenset(value for name in names for value in load_mapping(config_dir, name))
            for column, names in file.vocabularies.items()
            if column in domain.by_name
        },
    )


def load_headings(config_dir: Path) -> HeadingsFile:
    """Return the file's content, checked against the declared domains; an absent file says nothing."""
    path = config_dir / HEADINGS_FILE
    if not path.exists():
        return HeadingsFile(accepted={}, synonyms={}, vocabularies={})
    return read_headings(path)


def read_headings(path: Path) -> HeadingsFile:
    """Return the content of one such file; raise ConfigError naming file and key."""
    root = read_entry(path)
    root.refuse_unknown(_KEYS)
    root.require("version", 1)
    accepted = root.block("accepted", optional=True)
    accepted.refuse_unknown(DOMAINS, what="domain")
    return HeadingsFile(
        accepted={name: _accepted(accepted.block(name, optional=True), DOMAINS[name]) for name in accepted.values},
        synonyms=_synonyms(root.block("synonyms", optional=True)),
        vocabularies=_vocabularies(root.block("vocabularies", optional=True)),
    )


def accept_heading(config_dir: Path, *, domain: Domain, column: str, heading: str, note: str = "") -> bool:
    """Record that the heading means the column; False where it does so already.

    The file's comments stay, `note` becomes one more. It is there whole, as read back, or as before.
    Raises ConfigError for a column that is not read from workbooks, and for a heading that is blank,
    ignored, in another unit, or means another column.
    """
    meant, tidy = readable_column(domain, column), " ".join(heading.split())
    before = load_headings(config_dir)
    known = known_headings(domain, accepted=before.accepted.get(domain.name, {}))
    refuse_heading(domain, meant, tidy, known=known, place="heading")
    if fold(tidy) in {fold(text) for text in known}:
        return False
    columns = before.accepted.get(domain.name, {})
    accepted = {**before.accepted, domain.name: {**columns, column: (*columns.get(column, ()), tidy)}}
    text = _text(config_dir / HEADINGS_FILE)
    text = with_item(text, keys=("accepted", domain.name, column), item=tidy, note=note)
    _write(config_dir / HEADINGS_FILE, text, expected=replace(before, accepted=accepted))
    return True


def remove_heading(config_dir: Path, *, domain: Domain, column: str, heading: str) -> bool:
    """Take an accepted heading back; False where it is not accepted for the column.

    Raises ConfigError for a column that is not read from workbooks and for a declared heading.
    """
    meant, before = readable_column(domain, column), load_headings(config_dir)
    if fold(heading) in {fold(text) for text in meant.headings}:
        raise ConfigError(
            "the heading is declared, not accepted",
            domain=domain.name,
            field="heading",
            input_data=heading,
            hint=f"change the headings of {column} in domain/catalog/{domain.name}.py",
        )
    columns = before.accepted.get(domain.name, {})
    found = next((text for text in columns.get(column, ()) if fold(text) == fold(heading)), None)
    if found is None:
        return False
    left = {**columns, column: tuple(text for text in columns[column] if text != found)}
    text = without_item(_text(config_dir / HEADINGS_FILE), keys=("accepted", domain.name, column), item=found)
    expected = replace(before, accepted={**before.accepted, domain.name: left})
    _write(config_dir / HEADINGS_FILE, text, expected=expected)
    return True


def refuse_heading(domain: Domain, column: Column, heading: str, *, known: Mapping[str, str], place: str) -> None:
    """Raise ConfigError where the heading cannot mean the column; `place` is what the error points to.

    `known` gives the column of every heading that has a meaning in the domain already.
    """
    for message, hint in _reasons(domain, column, heading, known):
        raise ConfigError(message, domain=domain.name, field=place, input_data=heading, hint=hint)


def _reasons(domain: Domain, column: Column, heading: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Why the heading cannot mean the column, with what to do next."""
    if not fold(heading):
        yield "a heading cannot be blank", "give the heading as the workbook has it"
    meant = {fold(text): name for text, name in known.items()}.get(fold(heading), column.name)
    if meant != column.name:
        yield f"the heading means {meant} already", "choose another heading, or take this one back there with --remove"
    if fold(heading) in {fold(text) for text in domain.ignored_headings}:
        hint = f"change ignored_headings in domain/catalog/{domain.name}.py if it is to be read from now on"
        yield f"the declaration of {domain.name} ignores this heading", hint
    if unit := other_unit(heading, column):
        hint = f"have the amounts delivered in {column.unit}"
        yield f"the heading is in {unit}, the column {column.name} in {column.unit}", hint


def readable_column(domain: Domain, name: str) -> Column:
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


def _text(path: Path) -> str:
    """The file as it stands, line ends too; a file that is missing begins with its version."""
    try:
        return path.read_bytes().decode("utf-8-sig") if path.exists() else "version: 1\n\naccepted: {}\n"
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, text: str, *, expected: HeadingsFile) -> None:
    """Put the text in the file's place, once it reads as expected."""
    target = path.resolve()
    try:
        with replace_file(target) as part:
            part.write_bytes(text.encode())
            _refuse_other(path, part, expected)
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error


def _refuse_other(path: Path, part: Path, expected: HeadingsFile) -> None:
    try:
        said = _said(read_headings(part))
    except ConfigError as error:
        raise _unwritable(path, "it is laid out in an unusual way") from error
    if said != _said(expected):
        raise _unwritable(path, "it is laid out in an unusual way")


def _said(file: HeadingsFile) -> tuple[object, ...]:
    """What two files must have in common to say the same."""
    accepted = {(name, column, text) for name, a in file.accepted.items() for column, t in a.items() for text in t}
    return accepted, file.synonyms, file.vocabularies


def _unwritable(path: Path, why: object) -> ConfigError:
    return ConfigError(
        f"cannot be changed: {why}", file=str(path), hint="add or remove the heading by hand, or mend the file's rights"
    )


def _accepted(block: Entry, domain: Domain) -> Accepted:
    columns = {column.name: column for column in domain.read}
    block.refuse_unknown(columns, what="column")
    found: Accepted = {}
    for name in block.values:
        found[name] = block.texts(name)
        for heading in found[name]:
            known = known_headings(domain, accepted={**found, name: ()})
            try:
                refuse_heading(domain, columns[name], heading, known=known, place=f"{block.place}.{name}")
            except ConfigError as error:
                error.file = str(block.path)
                raise
    return found


def _synonyms(block: Entry) -> dict[str, str]:
    synonyms: dict[str, str] = {}
    for word in block.values:
        for other in block.texts(word):
            if other in synonyms or other in block.values:
                raise block.wrong(word, "a word stands once", found=other)
            synonyms[other] = word
    return synonyms


def _vocabularies(block: Entry) -> dict[str, tuple[str, ...]]:
    known = dict.fromkeys(column.name for domain in DOMAINS.values() for column in domain.columns)
    block.refuse_unknown(known, what="column")
    found = {column: block.texts(column) for column in block.values}
    for column, names in found.items():
        for name in names:
            if not (block.path.parent / "mappings" / f"{name}.yml").is_file():
                raise block.wrong(column, "names of files in config/mappings", found=name)
    return found
