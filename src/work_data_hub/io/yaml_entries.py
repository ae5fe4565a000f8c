"""A block of a YAML file with its place in it: every getter names file and key when a value is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import ConfigError
from work_data_hub.io.yaml_files import read_yaml

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A block of keys and values; `place` is where it stands, such as `domains.x.foreign_keys[0]`."""

    path: Path
    place: str
    values: Mapping[str, Any]

    def refuse_unknown(self, known: Iterable[str], *, what: str = "key") -> None:
        """Raise ConfigError for a key that is not among `known`; `what` says what the keys are."""
        for key in self.values:
            if key not in known:
                raise ConfigError(
                    f"unknown {what}",
                    file=str(self.path),
                    field=self._at(key),
                    rule=f"known {what}s are {', '.join(known)}",
                    hint=did_you_mean(key, known) or "correct or remove it",
                )

    def require(self, key: str, *values: str | int) -> None:
        """Raise ConfigError unless the key has one of these values."""
        if self.values.get(key) not in values:
            texts = any(isinstance(value, str) for value in values)
            listed = " or ".join(f'"{value}"' if texts else str(value) for value in values)
            raise self.wrong(key, f"{listed}, in quotes" if texts else listed)

    def text(self, key: str, default: str | None = None) -> str:
        """The text of a key; one without a default must be there."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or (not value and value != default):
            raise self.wrong(key, "text; put what is made of digits in quotes")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def choice(self, key: str, default: Choice) -> Choice:
        """One of the words of `default`'s class."""
        value, choices = self.values.get(key, default.value), type(default)
        if value not in [choice.value for choice in choices]:
            raise self.wrong(key, f"one of {', '.join(choices)}", known=choices)
        return choices(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts that are not blank; empty where the key is missing or holds nothing."""
        value = self.values.get(key)
        texts = [] if value is None else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
            raise self.wrong(key, "a list of texts; put what looks like a number or date in quotes")
        return tuple(texts)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts, each once; empty where the key is missing."""
        names = self.texts(key)
        if len(set(names)) < len(names) or self.values.get(key, names) is None:
            raise self.wrong(key, "a list of names, each once")
        return names

    def block(self, key: str, *, optional: bool = False) -> "Entry":
        """The block under a key; an optional one that is missing, or holds nothing, is empty."""
        value = self.values.get(key)
        return self._inner(self._at(key), {} if optional and value is None else value)

    def blocks(self, key: str) -> Iterator["Entry"]:
        """The blocks of the list under a key, of which there is at least one."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "a list of at least one block")
        for at, item in enumerate(value):
            yield self._inner(f"{self._at(key)}[{at}]", item)

    def wrong(
        self, key: str, rule: str, *, found: object = None, known: Iterable[str] = (), message: str | None = None
    ) -> ConfigError:
        """The error of a key's value, or of `found` in it; one that looks like one of `known` is proposed."""
        value, place = self.values.get(key) if found is None else found, self._at(key)
        return ConfigError(
            "missing" if value is None else message or "not a value this key can have",
            file=str(self.path),
            field=place or None,
            input_data=None if value is None else str(value),
            rule=rule,
            hint=did_you_mean(str(value), known) or f"correct {place or 'it'} in {self.path.name}",
        )

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place and key else self.place or key

    def _inner(self, place: str, value: object) -> "Entry":
        block = value if isinstance(value, dict) else {}
        inner, digits = replace(self, place=place, values=block), [key for key in block if not isinstance(key, str)]
        if digits or not isinstance(value, dict):
            found = digits[0] if digits else value
            raise inner.wrong("", "a block of keys and values; keys made of digits in quotes", found=found)
        return inner


def read_entry(path: Path) -> Entry:
    """Return the file's top block; raise ConfigError naming file and line."""
    return Entry(path=path, place="", values={"": read_yaml(path)}).block("")


def read_required(path: Path, *, says: str) -> Entry:
    """The same of a file that must be there; `says` tells in its absence what it is for."""
    if not path.exists():
        raise ConfigError(
            f"missing: it says {says}, and no default stands in for it",
            file=str(path),
            hint=f"restore {path.name}, or set WDH_CONFIG_DIR to the folder that holds it",
        )
    return read_entry(path)
