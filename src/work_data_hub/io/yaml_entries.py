"""A block of a YAML file with its place in it: every getter names file and key when a value is wrong."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from work_data_hub.errors import ConfigError

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A block of keys and values; `place` is where it stands, such as `domains.x.foreign_keys[0]`."""

    path: Path
    place: str
    values: Mapping[str, Any]

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise ConfigError for a key that is not among `known`."""
        for key in self.values:
            if key not in known:
                raise self.wrong(key, f"known keys are {', '.join(known)}", known=known, message="unknown key")

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

    def names(self, key: str) -> tuple[str, ...]:
        """A list of different texts, empty where the key is missing."""
        value = self.values.get(key, [])
        is_list = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
        if not is_list or len(set(value)) < len(value):
            raise self.wrong(key, "a list of names, each once")
        return tuple(value)

    def block(self, key: str) -> "Entry":
        """The block under a key."""
        return self._inner(f"{self.place}.{key}".lstrip("."), self.values.get(key))

    def blocks(self, key: str) -> Iterator["Entry"]:
        """The blocks of the list under a key, of which there is at least one."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "a list of at least one block")
        for at, item in enumerate(value):
            yield self._inner(f"{self.place}.{key}[{at}]", item)

    def _inner(self, place: str, value: object) -> "Entry":
        inner = Entry(path=self.path, place=place, values=value if isinstance(value, dict) else {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise inner.wrong("", "a block of keys and values; keys made of digits in quotes", found=value)
        return inner

    def wrong(
        self,
        key: str,
        rule: str,
        *,
        found: object = None,
        known: Iterable[str] = (),
        message: str = "not a value this key can have",
    ) -> ConfigError:
        """The error of a key's value; a value that looks like one of `known` is proposed."""
        value = self.values.get(key) if found is None else found
        place = f"{self.place}.{key}".strip(".")
        close = difflib.get_close_matches(
            key if message == "unknown key" else str(value), [str(name) for name in known], n=1
        )
        return ConfigError(
            "missing" if value is None and key not in self.values else message,
            file=str(self.path),
            field=place,
            input_data=None if value is None else str(value),
            rule=rule,
            hint=f"did you mean {close[0]!r}?" if close else f"correct {place} in {self.path.name}",
        )
