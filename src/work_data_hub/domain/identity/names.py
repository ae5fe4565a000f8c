"""Customer names in the one form that index keys, queue keys and temporary ids share."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import normalize

import numpy as np
import pandas as pd

from work_data_hub.domain.text import WIDTH, is_blank, visible

NORMALISER_VERSION = 2
"""Raised whenever a name may come out differently: ids and keys derived from names depend on it."""

STATUS_MARKERS = (
    "转移终止",
    "已转移终止",
    "保留账户",
    "企业年金计划",
    "已转出",
    "待转出",
    "待转移",
    "已终止",
    "已作废",
    "未使用",
    "终止",
    "转出",
    "转移",
    "保留",
    "暂停",
    "注销",
    "清算",
    "解散",
    "吊销",
    "撤销",
    "停业",
    "歇业",
    "关闭",
    "迁出",
    "迁入",
    "变更",
    "合并",
    "分立",
    "破产",
    "重整",
    "托管",
    "接管",
    "整顿",
    "清盘",
    "退出",
    "终结",
    "结束",
    "完结",
    "作废",
    "存量",
    "原",
    "本部",
    "集合",
)
ENTERPRISE_TYPES = (
    "特殊普通合伙",
    "普通合伙",
    "有限合伙",
    "有限公司",
    "个人独资",
    "全民所有制",
    "集体所有制",
    "股份合作",
    "个体工商户",
)

# Suffix under suffix is peeled until nothing changes; a longer text than a column takes may keep some.
_MOST_PASSES = 300
_DASHES = "-—–―‒"
_MARKER = f"(?>{'|'.join(sorted(STATUS_MARKERS, key=len, reverse=True))})"
_WIDTH: dict[int, str | None] = {
    **WIDTH,
    **dict.fromkeys(map(ord, "(（﹙"), "（"),
    **dict.fromkeys(map(ord, ")）﹚"), "）"),
    **dict.fromkeys(map(ord, "‐‑−﹣"), "-"),
    # Radicals look like the characters they are, and stand in texts copied from a PDF.
    **{radical: normalize("NFKC", chr(radical)) for radical in range(0x2F00, 0x2FD6)},
}

_QUOTES = re.compile(r"[「」『』\"]")
_NOTHING_BUT_MARKERS = re.compile(f"{_MARKER}++")
_LEADING_BRACKET = re.compile(f"（{_MARKER}(?:[{_DASHES}、,/]?{_MARKER})*+）[{_DASHES}]*")
_LEADING_MARKER = re.compile(f"{_MARKER}[{_DASHES}]+")
_TRAILING_MARKER = re.compile(f"(?:[{_DASHES}]{_MARKER}|（[{_DASHES}]?{_MARKER}）?)$")
# Letters alone behind a Latin letter belong to the name: COCA-COLA.
_ACCOUNT_SUFFIX = re.compile(
    r"(?:（团托）|(?<![A-Za-z0-9])-[A-Za-z]+|-[A-Za-z]+[0-9][A-Za-z0-9]*|-[0-9]+|-养老|-福利)$"
)
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the normaliser: what it does in a plain sentence, and whether it may take words away."""

    name: str
    says: str
    apply: Callable[[str], str]
    takes_words: bool = True


def normalise_name(name: str | None) -> str:
    """Return the comparable form of a customer name, "" for a blank or missing one.

    Half-width characters, full-width brackets, capitals, no white space; status markers,
    account suffixes and a closing bracket that names no enterprise type are gone. The form
    of a form is itself. `0` stays: whether it is a customer is the caller's matter.
    """
    return _worked_out(name)[0] if isinstance(name, str) else ""


def normalise_names(names: pd.Series) -> pd.Series:
    """Return `normalise_name` of every value as `string`, index kept; each distinct one is done once."""
    codes, distinct = pd.factorize(names)
    forms = pd.array([*map(normalise_name, distinct), ""], dtype="string")
    return pd.Series(forms.take(codes), index=names.index, name=names.name)


def explain_name(name: str | None) -> tuple[str, ...]:
    """Return the names of the rules that changed the name, in the order they first did."""
    return _worked_out(name)[1] if isinstance(name, str) else ()


def rule_counts(names: pd.Series) -> dict[str, int]:
    """Return for every rule, in order, how many of the rows it changes; each distinct name is done once."""
    codes, distinct = pd.factorize(names)
    rows = np.bincount(codes[codes >= 0], minlength=len(distinct))
    counts = dict.fromkeys((rule.name for rule in RULES), 0)
    for name, times in zip(distinct, rows, strict=True):
        for rule in explain_name(name):
            counts[rule] += int(times)
    return counts


def shortened(names: pd.Series) -> np.ndarray:
    """Return which rows lose words to a rule, not only white space, width, capitals or punctuation."""
    codes, distinct = pd.factorize(names)
    lost = [not TAKES_WORDS.isdisjoint(explain_name(name)) for name in distinct]
    return np.array([*lost, False], dtype=bool)[codes]


@lru_cache(maxsize=200_000)
def _worked_out(name: str) -> tuple[str, tuple[str, ...]]:
    """The name's form, and the rules that changed it."""
    changes = list(_changes(name))
    form = changes[-1][1] if changes else name
    return form, tuple(dict.fromkeys(rule for rule, _ in changes))


def _changes(name: str) -> Iterator[tuple[str, str]]:
    """Yield (rule, the name after it) for each change, until a whole pass changes nothing."""
    for _ in range(_MOST_PASSES):
        start = name
        for rule in RULES:
            changed = rule.apply(name)
            if changed != name:
                name = changed
                yield rule.name, name
        if name == start:
            return


def _fold_width(name: str) -> str:
    return normalize("NFC", name.translate(_WIDTH))


def _drop_unseen(name: str) -> str:
    return "".join(visible(name).split())


def _blank_placeholder(name: str) -> str:
    return name if _LETTER_OR_DIGIT.search(name) and not is_blank(name) else ""


def _drop_quotes(name: str) -> str:
    return _QUOTES.sub("", name)


def _drop_bare_markers(name: str) -> str:
    return "" if _NOTHING_BUT_MARKERS.fullmatch(name) else name


def _drop_leading_bracket(name: str) -> str:
    """A bracket before the name goes only when it holds markers: （平安）科技 is a name."""
    return _LEADING_BRACKET.sub("", name, count=1) if name.startswith("（") else name


def _drop_leading_marker(name: str) -> str:
    """A marker before the name needs a dash behind it: 原野集团 and 集合科技 are names."""
    found = _LEADING_MARKER.match(name)
    return name[found.end() :] if found else name


def _drop_subsidiaries(name: str) -> str:
    return name.replace("及下属子企业", "")


def _drop_account_suffix(name: str) -> str:
    return _ACCOUNT_SUFFIX.sub("", name)


def _drop_trailing_marker(name: str) -> str:
    return _TRAILING_MARKER.sub("", name)


def _drop_trailing_bracket(name: str) -> str:
    start = _closing_group(name)
    if start <= 0 or any(kind in name[start:] for kind in ENTERPRISE_TYPES):
        return name
    return name[:start]


def _closing_group(name: str) -> int:
    """Return where the bracket group that ends the name begins, -1 when none does."""
    depth = 0
    for place in range(len(name) - 1, -1, -1):
        depth += {"）": 1, "（": -1}.get(name[place], 0)
        if depth == 0:
            return place if name[place] == "（" else -1
    return -1


def _trim_end(name: str) -> str:
    return name.rstrip(f"{_DASHES}.。").removesuffix("（）").rstrip(_DASHES)


RULES: tuple[Rule, ...] = (
    Rule(
        name="width",
        says="Letters, digits and signs become half-width, brackets full-width; what looks alike gets one code.",
        apply=_fold_width,
        takes_words=False,
    ),
    Rule(
        name="white space",
        says="White space and characters that nobody sees are dropped.",
        apply=_drop_unseen,
        takes_words=False,
    ),
    Rule(
        name="placeholder",
        says="空白, 无, N/A, null, a dash and what has no letter or digit is no name.",
        apply=_blank_placeholder,
    ),
    Rule(name="quotes", says='「 」 『 』 and " are dropped.', apply=_drop_quotes, takes_words=False),
    Rule(
        name="nothing but markers",
        says="A text of status markers alone is no name; 保留账户管理 is one.",
        apply=_drop_bare_markers,
    ),
    Rule(
        name="leading bracket",
        says="A bracket in front is dropped when it holds nothing but markers: (原)中国平安; （平安）科技 stays.",
        apply=_drop_leading_bracket,
    ),
    Rule(
        name="leading marker",
        says="A marker in front is dropped when a dash follows: 已转出-中国平安; 原野集团 stays.",
        apply=_drop_leading_marker,
    ),
    Rule(
        name="subsidiaries",
        says="及下属子企业 (and subsidiaries) is dropped wherever it stands.",
        apply=_drop_subsidiaries,
    ),
    Rule(
        name="account suffix",
        says="（团托）, -A1, -123, -养老 or -福利 at the end is dropped; letters behind a Latin name stay: COCA-COLA.",
        apply=_drop_account_suffix,
    ),
    Rule(
        name="trailing marker",
        says="A marker at the end is dropped behind a dash or a bracket: 中国平安-已转出, 中国平安（终止）.",
        apply=_drop_trailing_marker,
    ),
    Rule(
        name="trailing bracket",
        says="A closing bracket is dropped unless it names a type of enterprise: 公司（集团）, not 公司（普通合伙）.",
        apply=_drop_trailing_bracket,
    ),
    Rule(
        name="trailing punctuation",
        says="Dashes, full stops and an empty bracket at the end are dropped.",
        apply=_trim_end,
        takes_words=False,
    ),
    Rule(name="capitals", says="Letters become capitals.", apply=str.upper, takes_words=False),
)
"""The rules in order, applied until none changes anything; the first ones settle width and blanks for the others."""

TAKES_WORDS = frozenset(rule.name for rule in RULES if rule.takes_words)
"""The names of the rules that may take words away."""
