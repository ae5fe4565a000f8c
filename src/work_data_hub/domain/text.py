"""Width and blanks: what every reader of text agrees on."""

import difflib
import re
from collections.abc import Iterable
from unicodedata import normalize

# Width only: the wider NFKC folding would also read 10² as 102 and ① as 1.
WIDTH: dict[int, str | None] = {
    **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0x3000, 0x00A0, 0x2007, 0x2009, 0x202F), " "),
    **dict.fromkeys((0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF)),
    0xFFE1: "£",
    0xFFE5: "¥",
}
"""Full-width form → ASCII, wide and fixed spaces → space, invisible characters → nothing."""

PLACEHOLDERS = frozenset(
    {"", "-", "--", "—", "——", "/", "n/a", "na", "null", "none", "nan", "无", "暂无", "空白", "(空白)"}
)
"""What people write where a cell has no value; compared narrow, stripped and in lower case."""


_BLANKS = re.compile(r"\s+")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)


def narrow(text: str) -> str:
    """Return the text with ASCII instead of full-width forms and without invisible characters."""
    return text.translate(WIDTH)


def fold(text: str) -> str:
    """Return the form in which headings and sheet names are compared: one width, one case, nothing blank or unseen."""
    return _BLANKS.sub("", normalize("NFKC", visible(text))).casefold()


def visible(text: str) -> str:
    """Return the text on one line, without characters that nobody sees: zero width, direction, control, fillers."""
    return " ".join(_UNSEEN.sub("", text).split())


def is_blank(text: str | None) -> bool:
    """Say whether the text stands for no value: nothing, white space or a placeholder."""
    return text is None or narrow(text).strip().lower() in PLACEHOLDERS


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The hint that proposes the one of `known` that looks most like the word; None where none does."""
    near = difflib.get_close_matches(word, [str(name) for name in known], n=1)
    return f"did you mean {near[0]!r}?" if near else None
