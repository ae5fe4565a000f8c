"""Customer names in the one form that index keys, queue keys and temporary ids share."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import pandas as pd

from work_data_hub.domain.text import WIDTH, is_blank

NORMALISER_VERSION = 1
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

# Suffix under suffix is peeled until nothing changes; the bound only stops a hostile cell.
_MOST_PASSES = 64
_DASHES = "-—–"
_MARKER = f"(?>{'|'.join(sorted(STATUS_MARKERS, key=len, reverse=True))})"
_WIDTH = {**WIDTH, **dict.fromkeys(map(ord, "(（"), "（"), **dict.fromkeys(map(ord, ")）"), "）")}

_UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_QUOTES = re.compile(r"[「」『』\"]")
_NOTHING_BUT_MARKERS = re.compile(f"{_MARKER}++")
_LEADING_BRACKET = re.compile(f"（{_MARKER}(?:[{_DASHES}、,/]?{_MARKER})*+）[{_DASHES}]*")
_LEADING_MARKER = re.compile(f"{_MARKER}[{_DASHES}]+")
_TRAILING_MARKER = re.compile(f"(?:[{_DASHES}]{_MARKER}|（[{_DASHES}]?{_MARKER}）?)$")
_ACCOUNT_SUFFIX = re.compile(r"(?:（团托）|-[A-Za-z][A-Za-z0-9]*|-[0-9]+|-养老|-福利)$")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


@lru_cache(maxsize=200_000)
def normalise_name(name: str | None) -> str:
    """Return the comparable form of a customer name, "" for a blank or missing one.

    Half-width characters, full-width brackets, capitals, no white space; status markers,
    account suffixes and a closing bracket that names no enterprise type are gone. The form
    of a form is itself. `0` stays: whether it is a customer is the caller's matter.
    """
    if not isinstance(name, str):
        return ""
    forms = [name, *(form for _, form in _changes(name))]
    return forms[-1]


def normalise_names(names: pd.Series) -> pd.Series:
    """Return `normalise_name` of every value as `string`, index kept; each distinct one is done once."""
    codes, distinct = pd.factorize(names)
    forms = pd.array([*map(normalise_name, distinct), ""], dtype="string")
    return pd.Series(forms.take(codes), index=names.index, name=names.name)


def explain_name(name: str | None) -> tuple[str, ...]:
    """Return the names of the rules that changed the name, in the order they first did."""
    if not isinstance(name, str):
        return ()
    return tuple(dict.fromkeys(rule for rule, _ in _changes(name)))


def _changes(name: str) -> Iterator[tuple[str, str]]:
    """Yield (rule, the name after it) for each change, until a whole pass changes nothing."""
    for _ in range(_MOST_PASSES):
        start = name
        for rule, apply in RULES:
            changed = apply(name)
            if changed != name:
                name = changed
                yield rule, name
        if name == start:
            return


def _fold_width(name: str) -> str:
    return name.translate(_WIDTH)


def _drop_unseen(name: str) -> str:
    return _UNSEEN.sub("", name)


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


RULES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("width", _fold_width),
    ("white space", _drop_unseen),
    ("placeholder", _blank_placeholder),
    ("quotes", _drop_quotes),
    ("nothing but markers", _drop_bare_markers),
    ("leading bracket", _drop_leading_bracket),
    ("leading marker", _drop_leading_marker),
    ("subsidiaries", _drop_subsidiaries),
    ("account suffix", _drop_account_suffix),
    ("trailing marker", _drop_trailing_marker),
    ("trailing bracket", _drop_trailing_bracket),
    ("trailing punctuation", _trim_end),
    ("capitals", str.upper),
)
"""The rules in order; the first ones settle width and blanks, so that the others see one form."""
