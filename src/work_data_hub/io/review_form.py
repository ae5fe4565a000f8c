"""The form of a review workbook: its headings, its words for decisions, and its facts as lines of a hidden sheet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from work_data_hub.domain.identity.decisions import DecisionKind
from work_data_hub.errors import UnreadableWorkbook

FORMAT = 1
GUIDE, SHEET, FACTS = "说明 · guide", "待定 · review", "wdh.facts"
AGAIN = "take the review workbook as wdh wrote it, and decide in that one"

WRITTEN, NAME, ITEM = "written", "name", "item"
DECISION, PLAN, COMPANY, WHY = "decision", "plan", "company", "why"
HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        WRITTEN: "写法 · as written",
        NAME: "名称 · name",
        DECISION: "决定 · decision",
        COMPANY: "公司 · company",
        PLAN: "仅限计划 · only in plan",
        WHY: "理由 · why",
        "doubts": "存疑 · doubt",
        "proposed": "建议公司 · proposed",
        "official": "工商名称 · official name",
        "unite_code": "统一代码 · unified code",
        "match_type": "匹配 · match",
        "confidence": "置信度 · confidence",
        "candidates": "其他候选 · other candidates",
        "present": "现有公司 · present company",
        "plans": "计划代码 · plans",
        "months": "月份 · months",
        "rows": "行数 · rows",
        "money": "金额（元） · money",
        ITEM: "序号 · item",
    }
)
"""The headings by the name under which they are read, in order; the last is hidden."""
ANSWERS = (DECISION, COMPANY, PLAN, WHY)
TAKEN_BACK = (WRITTEN, NAME, *ANSWERS, ITEM)

LATER = "later"
DECISIONS: Mapping[str, str] = MappingProxyType(
    {
        DecisionKind.ACCEPT.value: "接受 · accept",
        DecisionKind.CHOOSE.value: "改选 · choose",
        DecisionKind.REJECT.value: "否决 · reject",
        DecisionKind.SPLIT.value: "拆出 · split",
        LATER: "稍后 · later",
    }
)
"""What may stand in the column for the decision, by its own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """One name as it was sent out: what was proposed, which companies its rows had, which decisions were in force."""

    item: int
    name: str
    written: str
    proposed: str | None
    present: Sequence[str]
    decisions: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFacts:
    """What a review workbook has to say about itself; `newest_decision` is the newest there was when it was written."""

    workbook: str
    written_at: str
    database: str
    newest_decision: int
    items: tuple[ReviewItem, ...]


def fact_lines(facts: ReviewFacts) -> list[tuple[str, str]]:
    """The facts as pairs of a word and JSON: one `review`, then each `item`."""
    review = {"format": FORMAT, **{key: value for key, value in asdict(facts).items() if key != "items"}}
    parts = [("review", review), *(("item", asdict(item)) for item in facts.items)]
    return [(word, json.dumps(value, ensure_ascii=False)) for word, value in parts]


def read_facts(lines: Sequence[tuple[str, str]], *, label: str) -> ReviewFacts:
    """Return what `fact_lines` wrote; raise UnreadableWorkbook where that is not what stands there."""
    try:
        parts = [(word, json.loads(value)) for word, value in lines]
        (review,) = (value for word, value in parts if word == "review")
        return _facts(review, [value for word, value in parts if word == "item"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableWorkbook(
            f"its hidden facts are damaged ({error})", file=label, sheet=FACTS, hint=AGAIN
        ) from error


def _facts(review: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> ReviewFacts:
    if review["format"] != FORMAT:
        raise ValueError(f"its format is {review['format']}, this version reads {FORMAT}")
    return ReviewFacts(
        workbook=str(review["workbook"]),
        written_at=str(review["written_at"]),
        database=str(review["database"]),
        newest_decision=int(review["newest_decision"]),
        items=tuple(ReviewItem(**item) for item in items),
    )
