"""What a cell says that names a total: 合计, 北京小计, Grand Total."""

import re
from dataclasses import dataclass

from work_data_hub.domain.text import narrow

_LABEL = re.compile(
    r"(?:(?P<group>.*?)(?P<chinese>总\s*合\s*计|合\s*计|小\s*计|总\s*计|共\s*计|汇\s*总|总\s*和|总\s*额)"
    r"|(?P<english>sub\s*-?\s*total|grand\s*total|total))"
    r"\s*(?:\([^()]{0,8}\))?\s*:?",
    re.IGNORECASE | re.DOTALL,
)
_SIMPLIFIED = str.maketrans("計總額匯彙", "计总额汇汇")
_SHORT_GROUP, _SPACED_GROUP, _LONGEST_LABEL = 12, 60, 100
_WHOLE_SHEET = re.compile(r"(?:全部|全国|全表|全公司|本表|本月|当月|[0-9年月份./-]+)?")

MAYBE_LABEL = r"[计計总總和额額LlＬｌ)）][\s\p{Z}\p{Cf}:：]*$"
"""What can be a label at all, in Arrow's regular expressions."""

PART, GROUP, SHEET, EVERYTHING = 10, 20, 30, 40
"""How high a total stands: 小计 below 北京合计 below 合计 below 总计."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a cell such as 北京小计 says: the words of it, and how high the total stands."""

    text: str
    rank: int


def read_label(text: str) -> Label | None:
    """The label that the text is; None for any other text.

    A Chinese label may have a group before it, short unless a space parts the two; an English one is the
    whole text, because names of companies end in Total.
    """
    written = narrow(text).strip()
    if len(written) > _LONGEST_LABEL:
        return None
    found = _LABEL.fullmatch(written.translate(_SIMPLIFIED))
    if found is None:
        return None
    group = found["group"] or ""
    if len(group.strip()) > (_SPACED_GROUP if group[-1:].isspace() else _SHORT_GROUP):
        return None
    word = re.sub(r"[\s-]", "", found["chinese"] or found["english"]).lower()
    return Label(text=written.rstrip(": "), rank=_rank(group.strip(), word))


def _rank(group: str, word: str) -> int:
    if word in ("小计", "subtotal"):
        return PART
    if not _WHOLE_SHEET.fullmatch(group):
        return GROUP
    return SHEET if word in ("合计", "共计", "total") else EVERYTHING
