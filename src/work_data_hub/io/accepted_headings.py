"""config/headings.yml: headings accepted for a column or ignored, and the words that help to propose them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.heading_signals import HeadingWords, other_unit
from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.text import fold
from work_data_hub.errors import ConfigError
from work_data_hub.io.config_files import load_mapping
from work_data_hub.io.headings import known_headings
from work_data_hub.io.yaml_entries import Entry, read_entry

HEADINGS_FILE = "headings.yml"
_KEYS = ("version", "accepted", "ignored", "synonyms", "vocabularies")

Accepted = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingsFile:
    """What the file says: accepted headings by domain and column, ignored ones by domain, synonyms
    (other word → business word), and the value maps whose keys a column holds."""

    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    ignored: Accepted = field(default_factory=dict)
    synonyms: Mapping[str, str] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def accepted_headings(config_dir: Path, domain: Domain) -> Accepted:
    """Return the headings accepted for each column of the domain; nothing where there is no file.

    Raises ConfigError naming file and key for whatever the file may not say.
    """
    return dict(load_headings(config_dir).accepted.get(domain.name, {}))


def ignored_headings(config_dir: Path, domain: Domain) -> tuple[str, ...]:
    """Return the headings that are left out on purpose, by the domain's declaration and by the file."""
    return (*domain.ignored_headings, *load_headings(config_dir).ignored.get(domain.name, ()))


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
        return HeadingsFile()
    return read_headings(path)


def read_headings(path: Path) -> HeadingsFile:
    """Return the content of one such file; raise ConfigError naming file and key."""
    root = read_entry(path)
    root.refuse_unknown(_KEYS)
    root.require("version", 1)
    accepted = root.block("accepted", optional=True)
    accepted.refuse_unknown(DOMAINS, what="domain")
    by_domain = {name: _accepted(accepted.block(name, optional=True), DOMAINS[name]) for name in accepted.values}
    return HeadingsFile(
        accepted=by_domain,
        ignored=_ignored(root.block("ignored", optional=True), by_domain),
        synonyms=_synonyms(root.block("synonyms", optional=True)),
        vocabularies=_vocabularies(root.block("vocabularies", optional=True)),
    )


def refuse_heading(domain: Domain, column: Column, heading: str, *, known: Mapping[str, str], place: str) -> None:
    """Raise ConfigError where the heading cannot mean the column; `place` is what the error points to.

    `known` gives the column of every heading that has a meaning in the domain already.
    """
    _raise_first(_reasons(domain, column, heading, known), domain, heading, place=place)


def refuse_ignoring(domain: Domain, heading: str, *, known: Mapping[str, str], place: str) -> None:
    """Raise ConfigError where the heading cannot be ignored; `known` and `place` as in `refuse_heading`."""
    _raise_first(_reasons_to_read(domain, heading, known), domain, heading, place=place)


def _raise_first(reasons: Iterable[tuple[str, str]], domain: Domain, heading: str, *, place: str) -> None:
    for message, hint in reasons:
        raise ConfigError(message, domain=domain.name, field=place, input_data=heading, hint=hint)


def _reasons(domain: Domain, column: Column, heading: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Why the heading cannot mean the column, with what to do next."""
    yield from _invisible(heading)
    meant = {fold(text): name for text, name in known.items()}.get(fold(heading), column.name)
    if meant != column.name:
        yield f"the heading means {meant} already", "choose another heading, or take this one back there with --remove"
    if fold(heading) in {fold(text) for text in domain.ignored_headings}:
        hint = f"change ignored_headings in domain/catalog/{domain.name}.py if it is to be read from now on"
        yield f"the declaration of {domain.name} ignores this heading", hint
    if unit := other_unit(heading, column):
        hint = f"have the amounts delivered in {column.unit}"
        yield f"the heading is in {unit}, the column {column.name} in {column.unit}", hint


def _reasons_to_read(domain: Domain, heading: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Why the heading cannot be ignored, with what to do next."""
    yield from _invisible(heading)
    meant = {fold(text): name for text, name in known.items()}.get(fold(heading))
    if meant and fold(heading) in {fold(text) for text in domain.by_name[meant].headings}:
        yield f"the declaration of {domain.name} reads this heading as {meant}", "choose another heading"
    if meant:
        hint = f"take it back first: wdh domain accept-heading {domain.name} {meant} HEADING --remove"
        yield f"the heading is accepted for {meant}", hint


def _invisible(heading: str) -> Iterator[tuple[str, str]]:
    if not fold(heading):
        found = " ".join(f"U+{ord(sign):04X}" for sign in heading) or "nothing"
        yield f"a heading cannot be blank or invisible ({found})", "give the heading as the workbook has it"


def _ignored(block: Entry, accepted: Mapping[str, Accepted]) -> Accepted:
    block.refuse_unknown(DOMAINS, what="domain")
    found = {name: block.texts(name) for name in block.values}
    for name, headings in found.items():
        known = known_headings(DOMAINS[name], accepted=accepted.get(name, {}))
        for heading in headings:
            with _in_file(block.path):
                refuse_ignoring(DOMAINS[name], heading, known=known, place=f"{block.place}.{name}")
    return found


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Name the file in a ConfigError of the block."""
    try:
        yield
    except ConfigError as error:
        error.file = str(path)
        raise


def _accepted(block: Entry, domain: Domain) -> Accepted:
    columns = {column.name: column for column in domain.read}
    block.refuse_unknown(columns, what="column")
    found: Accepted = {}
    for name in block.values:
        found[name] = block.texts(name)
        for heading in found[name]:
            known = known_headings(domain, accepted={**found, name: ()})
            with _in_file(block.path):
                refuse_heading(domain, columns[name], heading, known=known, place=f"{block.place}.{name}")
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
