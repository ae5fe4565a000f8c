"""JSON of a server that is not ours: read only where it is an object of sane depth, and made fit to be stored."""

import html
import json
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from work_data_hub.domain.identity.company_values import storable_text
from work_data_hub.log import REDACTED

DEEPEST = 40
UNSTORABLE = "\ufffd"
"""Stands where a text held what cannot be stored: left out, it would make another text, perhaps another's id."""

_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_MOST_LAYERS = 3  # of spellings around each other, such as a URL in a URL
_SHORTEST_PART = 8  # less of a base64 text is found in ordinary ones


def read_json(body: bytes, *, secret: str = "") -> Mapping[str, Any] | None:
    """The object the text holds; None where it is no JSON, no object, or nested deeper than `DEEPEST`.

    A text or key that holds the secret, as it is or as URLs, base64, HTML or JSON within JSON spell it, is
    `[REDACTED]` as a whole, and so is a number. What PostgreSQL's jsonb refuses is replaced: NUL and half
    surrogates in texts by U+FFFD, NaN and infinite numbers by null.
    """
    try:
        value = _storable(json.loads(body), DEEPEST, _finder(secret))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


def _storable(value: Any, depth: int, tells: Callable[[str], bool]) -> Any:
    if depth < 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_text(key, tells): _storable(inner, depth - 1, tells) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner, depth - 1, tells) for inner in value]
    if isinstance(value, str):
        return _text(value, tells)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return REDACTED if tells(str(value)) else value


def _text(text: str, tells: Callable[[str], bool]) -> str:
    return REDACTED if tells(text) else _NOT_STORABLE.sub(UNSTORABLE, text)


def _finder(secret: str) -> Callable[[str], bool]:
    """What says whether a text holds the secret, in any spelling and case."""
    if not secret:
        return lambda _text: False
    spellings = {secret.lower(), *_base64_parts(secret)}
    shortest = min(map(len, spellings))

    def tells(text: str) -> bool:
        # No spelling is shorter than what it says.
        is_long = len(text) >= shortest
        return is_long and any(spelling in reading for reading in _readings(text) for spelling in spellings)

    return tells


def _base64_parts(secret: str) -> Iterator[str]:
    """What base64 makes of the secret wherever it stands in a longer text, in both alphabets."""
    for before in range(3):
        length = len(secret) + before
        part = b64encode(bytes(before) + secret.encode()).decode()[(0, 2, 3)[before] : length * 8 // 6].lower()
        if len(part) >= _SHORTEST_PART:
            yield from (part, part.translate({ord("+"): "-", ord("/"): "_"}))


def _readings(text: str) -> Iterator[str]:
    """The text in small letters, and what it says once it is taken out of other spellings, layer by layer."""
    plain = storable_text(text)
    yield plain.lower()
    for _ in range(_MOST_LAYERS):
        before = plain
        for decode in (unquote, html.unescape, _unescaped):
            if (decoded := decode(plain)) != plain:
                plain = decoded
                yield plain.lower()
        if plain == before:
            return


def _unescaped(text: str) -> str:
    """The text that JSON within JSON spells."""
    return _ESCAPE.sub(lambda found: found[2] or chr(int(found[1], 16)), text)
