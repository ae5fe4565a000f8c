"""Small changes to YAML texts that people keep: a list gains or loses an item, all else stays, comments too.

Whoever calls reads the result back: a text laid out in an unexpected way may come out wrong.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

_PLAIN_KEY = re.compile(r"[^\W\d]\w*")
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_Entry = tuple[Any, Any]


def with_item(text: str, *, keys: Sequence[str], item: str, note: str = "") -> str:
    """Return the text with `item` at the end of the list under `keys`; keys that are missing are added.

    `note` becomes a comment behind the item.
    """
    path = _path(text, keys)
    (key, node), rest = path[-1], keys[len(path) - 1 :]
    start, end = node.start_mark.index, node.end_mark.index
    if not node.value:
        bare = text[:start].rstrip(" ") + text[end:]
        return _inserted(bare, len(text[:start].rstrip(" ")), _lines(rest, item, note, key.start_mark.column + 2))
    if node.flow_style:
        return f"{text[: end - 1]}, {_flow(rest, item)}{text[end - 1 :]}"
    return _inserted(text, _last(node), _lines(rest, item, note, node.start_mark.column))


def without_item(text: str, *, keys: Sequence[str], item: str) -> str:
    """Return the text without the item of the list under `keys`.

    Keys that are left with nothing go too, but the first one. Raises ValueError where it is not there.
    """
    path = _path(text, keys)
    node = path[-1][1]
    found = next((one for one in node.value if one.value == item), None) if len(path) > len(keys) else None
    if found is None:
        raise ValueError(f"{item!r} is not in the list")
    if len(node.value) > 1 and node.flow_style:
        kept = ", ".join(_quoted(one.value) for one in node.value if one is not found)
        return f"{text[: node.start_mark.index]}[{kept}]{text[node.end_mark.index :]}"
    if len(node.value) > 1:
        return _without_lines(text, found.start_mark.index, found.end_mark.index)
    level = len(keys)
    while level > 2 and len(path[level - 1][1].value) == 1:
        level -= 1
    shorter = _without_lines(text, path[level][0].start_mark.index, _last(path[level][1]))
    if len(path[level - 1][1].value) > 1:
        return shorter
    colon = path[level - 1][0].end_mark.index + 1
    return f"{shorter[:colon]} {{}}{shorter[colon:]}"


def _path(text: str, keys: Sequence[str]) -> list[_Entry]:
    """The entries (key, value) from the root on, as far as the keys are there."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    path: list[_Entry] = [(root, root)]
    for key in keys:
        node = path[-1][1]
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        entry = next((entry for entry in entries if entry[0].value == key), None)
        if entry is None:
            break
        path.append(entry)
    return path


def _last(node: Any) -> int:
    """Where the last thing inside a node ends; a block's own end lies behind the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _inserted(text: str, index: int, lines: Sequence[str]) -> str:
    """The text with lines behind the line that holds `index`."""
    newline = "\r\n" if "\r\n" in text else "\n"
    end = text.find("\n", index)
    before, after = (text[: end + 1], text[end + 1 :]) if end >= 0 else (text + newline, "")
    return before + "".join(line + newline for line in lines) + after


def _without_lines(text: str, start: int, end: int) -> str:
    """The text without the lines from that of `start` to that of `end`."""
    first = text.rfind("\n", 0, start) + 1
    after = text.find("\n", end)
    return text[:first] + (text[after + 1 :] if after >= 0 else "")


def _lines(keys: Sequence[str], item: str, note: str, indent: int) -> list[str]:
    lines = [f"{' ' * (indent + 2 * depth)}{_key(key)}:" for depth, key in enumerate(keys)]
    remark = f"  # {' '.join(note.split())}" if note else ""
    return [*lines, f"{' ' * (indent + 2 * len(keys))}- {_quoted(item)}{remark}"]


def _flow(keys: Sequence[str], item: str) -> str:
    if not keys:
        return _quoted(item)
    inner = f"[{_quoted(item)}]"
    for key in reversed(keys[1:]):
        inner = f"{{{_key(key)}: {inner}}}"
    return f"{_key(keys[0])}: {inner}"


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _NOT_PLAIN else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
