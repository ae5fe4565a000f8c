"""The Python transforms that pipelines may name: a registry, so that no name can load other code."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Transform: TypeAlias = Callable[[list[Row]], list[Row]]

PREFIXES = ("work_data_hub.transforms.", "src.pipelines.python_tasks.")
"""What may stand before a registered name: our own spelling, and the one that older definitions use."""


def normalize_title(rows: list[Row]) -> list[Row]:
    """Trim `title`, join runs of blanks, and begin each word with a capital."""
    return [{**row, "title": _titled(row["title"])} if isinstance(row.get("title"), str) else row for row in rows]


TRANSFORMS: Mapping[str, Transform] = {"normalize_title": normalize_title}


def is_transform(name: str) -> bool:
    """Whether a definition may name it."""
    return _registered_name(name) in TRANSFORMS


def transform_of(name: str) -> Transform:
    """The function registered under the name; raises KeyError for others."""
    return TRANSFORMS[_registered_name(name)]


def _registered_name(name: str) -> str:
    text = name.strip()
    for prefix in PREFIXES:
        text = text.removeprefix(prefix)
    return text.removesuffix(".transform")


def _titled(title: str) -> str:
    # str.title would write a capital after an apostrophe.
    return " ".join(word[:1].upper() + word[1:] for word in title.split())
