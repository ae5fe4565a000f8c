"""Which columns of a sample play a part that the step library knows, and what follows: names, steps, indexes."""

from typing import Any

from work_data_hub.domain.draft_columns import (
    LONGEST_NAME_BYTES,
    DraftColumn,
    Sample,
    SampleColumn,
    column_name,
    draft_column,
)
from work_data_hub.domain.draft_kinds import bare_heading
from work_data_hub.domain.python_text import Call
from work_data_hub.domain.text import fold

BRANCHES = ("机构名称", "机构")
BUSINESSES = ("业务类型",)
CUSTOMERS = ("客户名称", "上报客户名称", "客户全称", "企业名称", "单位名称", "公司名称")
PLANS = ("计划代码", "计划号", "年金计划号")
KNOWN_IDS = ("公司代码", "company_id")
JUNK = frozenset({"id", "序号", "insert_sql"})
NOTES: dict[str, dict[str, Any]] = {
    "机构代码": {"note": "from 机构名称; G00, head office, when blank or unknown"},
    "产品线代码": {"note": "from 业务类型; empty when unknown"},
    "company_id": {"length": 50, "note": "temporary (IN…) until the company is known"},
}
"""The columns that steps write, and how they are declared."""


class Roles:
    """The parts of a sample's columns; `month` is the column that names the month."""

    def __init__(self, sample: Sample, *, month: SampleColumn) -> None:
        self.month = month
        self.branch, self.business = sample.named(BRANCHES), sample.named(BUSINESSES)
        self.customer, self.plan = sample.named(CUSTOMERS), sample.named(PLANS)
        self.known_id = sample.named(KNOWN_IDS) if self.customer else None
        causes = {"机构代码": self.branch, "产品线代码": self.business, "company_id": self.customer}
        self.computed = tuple(name for name, cause in causes.items() if cause)
        self.kept = tuple(column for column in sample.columns if not self._is_left_out(column))
        self.names: dict[str, str] = {}
        for column in self.kept:
            self.names[column.heading] = self._name(column)

    def declared(self, column: SampleColumn) -> DraftColumn:
        """How a kept column is declared."""
        name = self.names[column.heading]
        if column is self.month:
            return _fixed(column, "month", name=name, options={})
        if column is self.known_id:
            note = "an existing company id, where the source has one"
            return _fixed(column, "text", name=name, options={"stored": False, "length": 50, "note": note})
        if column is self.branch and bare_heading(column.heading) == "机构":
            return draft_column(column, name=name, headings=(column.heading, "机构名称"))
        return draft_column(column, name=name)

    def computed_columns(self) -> list[DraftColumn]:
        """The columns that the steps write."""
        return [
            DraftColumn(name=name, call=Call(function="text", args=(name,), options={"computed": True} | NOTES[name]))
            for name in self.computed
        ]

    def steps(self) -> list[Call]:
        """The steps that the columns suggest."""
        steps = []
        if self.branch:
            options = {"source": self._named(self.branch), "using": "branches", "unknown": "G00"}
            steps.append(Call(function="translate", args=("机构代码",), options=options))
        if self.business:
            options = {"source": self._named(self.business), "using": "product_lines"}
            steps.append(Call(function="translate", args=("产品线代码",), options=options))
        if self.customer:
            customer = self._named(self.customer)
            ids = {"plan": self._named(self.plan), "customer": customer, "existing": self._named(self.known_id)}
            steps.append(Call(function="normalise_company", args=(customer,)))
            steps.append(Call(function="identify_company", args=("company_id",), options=ids))
        return steps

    def indexes(self, *, table: str) -> tuple[tuple[str, ...], ...]:
        """By month and plan (or month alone), and by company; none whose name the server would cut."""
        month, plan = self.names[self.month.heading], self._named(self.plan)
        wanted = [(month, plan) if plan else (month,), *([("company_id",)] if self.customer else [])]
        return tuple(one for one in wanted if len(f"idx_{table}_{'_'.join(one)}".encode()) <= LONGEST_NAME_BYTES)

    def _is_left_out(self, column: SampleColumn) -> bool:
        """Junk, and what the warehouse works out itself."""
        heading = fold(column.heading)
        return heading in JUNK or (heading in self.computed and column is not self.known_id)

    def _name(self, column: SampleColumn) -> str:
        wanted = column.heading
        if column is self.branch:
            wanted = "机构名称"
        elif column is self.known_id:
            wanted = "公司代码"
        return column_name(wanted, taken={*self.names.values(), *self.computed})

    def _named(self, column: SampleColumn | None) -> str | None:
        return self.names[column.heading] if column else None


def _fixed(column: SampleColumn, function: str, *, name: str, options: dict[str, Any]) -> DraftColumn:
    headings = {} if fold(column.heading) == fold(name) else {"headings": (column.heading,)}
    first = next(iter(column.cells.dropna()), "")
    call = Call(function=function, args=(name,), options=headings | options)
    return DraftColumn(name=name, call=call, heading=column.heading, letter=column.letter, example=str(first))
