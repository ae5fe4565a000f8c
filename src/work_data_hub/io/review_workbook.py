"""Names in doubt as a workbook: one row a name with its evidence, and columns to decide in."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from rich.cells import cell_len

from work_data_hub.domain.identity.review import UncertainName
from work_data_hub.io.cell_address import address
from work_data_hub.io.rejected_sheets import TEXT_FORMAT, printable
from work_data_hub.io.review_form import (
    ANSWERS,
    DECISIONS,
    FACTS,
    GUIDE,
    HEADINGS,
    ITEM,
    SHEET,
    ReviewFacts,
    ReviewItem,
    fact_lines,
)
from work_data_hub.io.whole_files import replace_file

_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_LONGEST_TEXT, _SHOWN = 32_767, 20
_NARROWEST, _WIDEST = 10, 42
_WIDTHS = {"decision": 16, "company": 16, "plan": 16, "why": 36}
_NUMBERS = {"confidence": "0.00", "rows": "#,##0", "money": "#,##0.00"}
_COLUMNS = list(HEADINGS)


def review_items(names: Sequence[UncertainName]) -> tuple[ReviewItem, ...]:
    """What the workbook keeps of each name, to take its decisions back by."""
    return tuple(
        ReviewItem(
            item=number,
            name=one.name,
            written=_text(one.written),
            proposed=one.proposal.company_id if one.proposal else None,
            present=list(one.companies),
            decisions=[made.decision_id for made in one.decisions if made.decision_id is not None],
        )
        for number, one in enumerate(names, start=1)
    )


def write_review(path: Path, names: Sequence[UncertainName], *, facts: ReviewFacts) -> Path:
    """Write the workbook, whole or not at all; returns its path. Texts are texts, never formulas."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as part, xlsxwriter.Workbook(part, _OPTIONS) as book:
        pen = _Pen(book)
        pen.guide(path.name, facts)
        pen.names(names, facts)
        pen.facts(facts)
    return path


class _Pen:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._ours = book.add_format({"bold": True, "bottom": 1, "bg_color": "#FFF2CC", "valign": "top"})
        self._answer = book.add_format({"bg_color": "#FFF2CC", "num_format": TEXT_FORMAT, "valign": "top"})
        look = {"bg_color": "#F2F2F2", "font_color": "#404040", "valign": "top", "text_wrap": True}
        self._evidence = book.add_format({**look, "num_format": TEXT_FORMAT})
        self._numbers = {name: book.add_format({**look, "num_format": form}) for name, form in _NUMBERS.items()}
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def guide(self, name: str, facts: ReviewFacts) -> None:
        page = self._book.add_worksheet(GUIDE)
        page.set_column(0, 0, 110, self._wrapped)
        title = f"{len(facts.items)} 个客户名称待确认 names in doubt · {facts.database} · {facts.written_at}"
        page.write_string(0, 0, printable(title), self._bold)
        for line, words in enumerate(_guide_lines(name), start=1):
            page.write_string(line, 0, words, self._wrapped)

    def names(self, names: Sequence[UncertainName], facts: ReviewFacts) -> None:
        page = self._book.add_worksheet(SHEET)
        rows = [_cells(one, item) for one, item in zip(names, facts.items, strict=True)]
        for column, (name, heading) in enumerate(HEADINGS.items()):
            page.write_string(0, column, heading, self._ours if name in ANSWERS else self._bold)
            page.set_column(column, column, _width(name, rows), None, {"hidden": name == ITEM})
        for line, row in enumerate(rows, start=1):
            for column, name in enumerate(_COLUMNS):
                self._cell(page, line, column, name=name, value=row.get(name))
        last, decision = len(_COLUMNS) - 1, _COLUMNS.index("decision")
        choice = {"validate": "list", "source": list(DECISIONS.values())}
        page.data_validation(1, decision, max(len(rows), 1), decision, choice)
        page.ignore_errors({"number_stored_as_text": f"A1:{address(len(rows) + 1, last)}"})
        page.freeze_panes(1, 2)
        # The hidden column belongs to it: sorted by Excel, it moves with its row.
        page.autofilter(0, 0, len(rows), last)

    def _cell(self, page: Any, line: int, column: int, *, name: str, value: Any) -> None:
        style = self._answer if name in ANSWERS else self._numbers.get(name, self._evidence)
        if value is None:
            page.write_blank(line, column, None, style)
        elif isinstance(value, str):
            page.write_string(line, column, value, style)
        else:
            page.write_number(line, column, value, style)

    def facts(self, facts: ReviewFacts) -> None:
        page = self._book.add_worksheet(FACTS)
        for line, pair in enumerate([("name", "value"), *fact_lines(facts)]):
            for column, text in enumerate(pair):
                page.write_string(line, column, text)
        page.very_hidden()


def _cells(one: UncertainName, item: ReviewItem) -> dict[str, str | int | float | Decimal | None]:
    """The cells of a name by heading; answers are left blank."""
    proposal = one.proposal
    texts = {
        "written": item.written,
        "name": one.name,
        "doubts": "; ".join((*one.doubts, *(f"decision {made.decision_id}: {made.says}" for made in one.decisions))),
        "proposed": proposal.company_id if proposal else "",
        "official": (proposal.name if proposal else None) or "",
        "unite_code": (proposal.unite_code if proposal else None) or "",
        "match_type": (proposal.match_type or proposal.source) if proposal else "",
        "candidates": _listed([candidate.words for candidate in one.candidates], by="; "),
        "present": _listed(one.companies, by=", "),
        "plans": _listed(one.plans, by=", "),
        "months": one.months,
    }
    cells: dict[str, str | int | float | Decimal | None] = {name: _text(text) for name, text in texts.items() if text}
    numbers = {"confidence": proposal.confidence if proposal else None, "rows": one.rows, "money": one.money}
    return {**cells, **numbers, ITEM: item.item}


def _listed(words: Sequence[str], *, by: str) -> str:
    more = f"{by}… {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return by.join(words[:_SHOWN]) + more


def _text(text: str) -> str:
    return printable(text)[:_LONGEST_TEXT]


def _width(name: str, rows: Sequence[dict[str, Any]]) -> int:
    if name in _WIDTHS:
        return _WIDTHS[name]
    longest = max((cell_len(str(row.get(name) or "")[: 2 * _WIDEST]) for row in rows[:200]), default=0)
    return min(max(longest, cell_len(HEADINGS[name]), _NARROWEST) + 2, _WIDEST)


def _guide_lines(name: str) -> Iterator[str]:
    yield (
        "1. 灰色是依据，请勿改动；在黄色列填写决定、公司和理由。可以排序、筛选、删行。 "
        "Grey cells are evidence; decide in the yellow ones. Rows may be sorted, filtered or deleted."
    )
    yield (
        "2. 接受：就是建议的公司。改选：是“公司”一列写的另一家。否决：不是建议的（或“公司”一列写的）那家。 "
        "拆出：不再属于“公司”一列写的那家（空白即现有的唯一一家）。稍后或空白：不作决定。 "
        "accept: it is the proposed company. choose: it is the one written in the company column. reject: it is not "
        "the proposed one (or the one written there). split: it no longer belongs to the one written there (blank: "
        "the only present one). later, or blank: nothing is decided."
    )
    yield (
        "3. 每个决定都要写理由。只对某个计划成立的，在“仅限计划”写计划代码；要按几个计划分别决定，复制该行。 "
        "Every decision needs a reason. One that holds in one plan only names the plan; copy the row to decide plan "
        "by plan."
    )
    yield (
        f"4. 存盘后交回：wdh identity review --take {name} 先显示，加 --execute 写入；明细用 wdh identity apply 更新。 "
        f"Save it as .xlsx; `wdh identity review --take {name}` shows what would be decided, --execute writes it, and "
        "`wdh identity apply` brings the facts to it."
    )
