"""Python written as the formatter wants it: values and calls on one line where they fit, else one part a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from unicodedata import east_asian_width

LINE_WIDTH = 120
_WIDE = ("W", "F")
_LONGEST_PIECE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that can be made and can be written: the function's name, its arguments in order, those by name."""

    function: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def made(self, functions: Mapping[str, Callable[..., Any]]) -> Any:
        """What the function of that name returns."""
        return functions[self.function](*self.args, **self.options)


def width(text: str) -> int:
    """How many columns the text takes: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in _WIDE else 1 for character in text)


def literal(text: str) -> str:
    """The text in quotes, in those that need fewer escapes."""
    plain = "".join(_escaped(character) for character in text)
    if plain.count('"') > plain.count("'"):
        return "'" + plain.replace("'", "\\'") + "'"
    return '"' + plain.replace('"', '\\"') + '"'


def written(value: Any, *, indent: int = 0, before: int = 0, behind: int = 0) -> str:
    """The value as source text: text, number, date, list, tuple, dict or Call.

    The first line begins at column `indent` + `before`; `behind` columns must stay free after the last.
    """
    line = _on_one_line(value)
    opening, parts, closing = _parts(value)
    if indent + before + width(line) + behind <= LINE_WIDTH or not parts:
        return line
    inner = indent + 4
    lines = [f"{' ' * inner}{lead}{_part(part, inner, lead)}," for lead, part in parts]
    return "\n".join([opening, *lines, " " * indent + closing])


def comment(text: str, *, indent: int = 0) -> str:
    """The text as comment lines that fit the page, each ended."""
    room = LINE_WIDTH - indent - 2
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], joined] if width(joined) <= room else [*lines, word]
    return "".join(f"{' ' * indent}# {line}\n" for line in lines if line)


def _part(value: Any, indent: int, lead: str) -> str:
    if isinstance(value, str) and indent + width(lead) + width(literal(value)) + 1 > LINE_WIDTH:
        return _pieces(value, indent)
    return written(value, indent=indent, before=width(lead), behind=1)


def _pieces(text: str, indent: int) -> str:
    """A text too long for a line, in pieces that Python joins."""
    cut = [text[at : at + _LONGEST_PIECE] for at in range(0, len(text), _LONGEST_PIECE)]
    lines = [f"{' ' * (indent + 4)}{literal(piece)}" for piece in cut]
    return "\n".join(["(", *lines, f"{' ' * indent})"])


def _on_one_line(value: Any) -> str:
    opening, parts, closing = _parts(value)
    if not opening:
        return _scalar(value)
    inside = ", ".join(f"{lead}{_on_one_line(part)}" for lead, part in parts)
    lone = "," if isinstance(value, tuple) and len(parts) == 1 else ""
    return f"{opening}{inside}{lone}{closing}"


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """What opens the value, its parts with what stands before each, and what closes it."""
    if isinstance(value, Call):
        named = [(f"{name}=", option) for name, option in value.options.items()]
        return f"{value.function}(", [*(("", part) for part in value.args), *named], ")"
    if isinstance(value, dict):
        return "{", [(f"{literal(name)}: ", part) for name, part in value.items()], "}"
    if isinstance(value, tuple):
        return "(", [("", part) for part in value], ")"
    if isinstance(value, list):
        return "[", [("", part) for part in value], "]"
    return "", [], ""


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Decimal):
        return f'Decimal("{value}")'
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    return repr(value)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return repr(character)[1:-1]
