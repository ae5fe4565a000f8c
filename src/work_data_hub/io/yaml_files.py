"""YAML read with care: safe tags only, no key twice, no aliases."""

from pathlib import Path
from typing import Any

import yaml

from work_data_hub.errors import ConfigError

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the file's top block; raise ConfigError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("the file is missing", file=str(path), hint="restore it, or set WDH_CONFIG_DIR") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path), hint="save it as UTF-8 text") from error
    content = _parse(path, text)
    if not isinstance(content, dict) or not content:
        raise ConfigError("the file holds no keys", file=str(path), hint="restore the file")
    return content


def _parse(path: Path, text: str) -> object:
    try:
        _refuse_aliases(path, text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_duplicates(path, node)
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _at(path, mark, f"not valid YAML: {problem}", hint="check indentation, colons and quotes") from error


def _refuse_aliases(path: Path, text: str) -> None:
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _at(path, event.start_mark, f"alias *{event.anchor}", hint="write the value out")


def _refuse_duplicates(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise _at(
                    path, key.start_mark, "the key stands twice", field=str(key.value), hint="remove one of the two"
                )
            seen.add(key.value)
            _refuse_duplicates(path, value)


def _at(path: Path, mark: Any, message: str, *, hint: str, field: str | None = None) -> ConfigError:
    line = None if mark is None else mark.line + 1
    return ConfigError(message, file=str(path), row_number=line, field=field, hint=hint)
