"""Width and blanks: what every reader of text agrees on."""

import re
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


_BLANKS = re.compile(r"[\s\u200b\ufeff]+")


def narrow(text: str) -> str:
    """Return the text with ASCII instead of full-width forms and without invisible characters."""
    return text.translate(WIDTH)


def fold(text: str) -> str:
    """Return the form in which headings and sheet names are compared: one width, one case, no white space."""
    return _BLANKS.sub("", normalize("NFKC", text)).casefold()


def is_blank(text: str | None) -> bool:
    """Say whether the text stands for no value: nothing, white space or a placeholder."""
    return text is None or narrow(text).strip().lower() in PLACEHOLDERS
