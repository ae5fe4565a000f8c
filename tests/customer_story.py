"""Two years of a few companies that come, grow, pay, pause, leave and come back, with awards and losses among them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from work_data_hub.domain.period import Period
from work_data_hub.io.sample_workbook import SheetContent, write_workbook

TRUSTEE, INVESTMENT = "企年受托", "企年投资"
LINES = (TRUSTEE, INVESTMENT)
BRANCHES = ("北京", "上海", "广东")
FIRST_MONTH, MONTHS, COMPANIES = Period.parse("202301"), 24, 24
EXTRA = "699999999"
"""The company of a row that stands in no right workbook."""

_DETAIL = (
    *("月度", "业务类型", "计划类型", "计划代码", "计划名称", "客户名称", "期初资产规模", "期末资产规模", "供款"),
    *("投资收益", "机构", "公司代码"),
)
_REGISTER = (
    *("上报月份", "业务类型", "客户全称", "机构", "受托人", "计划规模", "年缴规模", "计划类型", "{day}", "客户类型"),
    *("证明材料", "考核有效", "年金计划号", "company_id", "备注"),
)
_REGISTER_SHEETS = {
    "annual_award": ("中标日期", ("企年受托中标(空白)", "企年投资中标(空白)")),
    "annual_loss": ("流失日期", ("企年受托流失(解约)", "企年投资流失(解约)")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One row of 规模明细: who holds how much in which plan, line and branch, and paid how much that month."""

    company: str | None
    plan: str
    line: str
    branch: str
    amount: float
    paid: float

    @property
    def name(self) -> str:
        return f"第{self.company}号客户有限公司" if self.company else "未识别客户有限公司"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One row of a register: `domain` is annual_award or annual_loss."""

    domain: str
    company: str
    plan: str | None
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMonth:
    """What the workbooks of a month hold."""

    period: Period
    holdings: tuple[Holding, ...]
    reported: tuple[Reported, ...] = ()

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that have something to load, in the order of loads."""
        registers = sorted({one.domain for one in self.reported})
        return (*registers, "annuity_performance")


def tell_story(*, months: int = MONTHS, companies: int = COMPANIES, seed: int = 11) -> tuple[StoryMonth, ...]:
    """The months in order; the same seed tells the same story."""
    chance = random.Random(seed)
    lives = [life for number in range(companies) for life in _lives(chance, number, months)]
    told = []
    for at in range(months):
        holdings = [life[at] for life in lives if life[at] is not None]
        unnamed = Holding(company=None, plan="P0009", line=TRUSTEE, branch="北京", amount=10.5, paid=0.0)
        period = Period.of(_first_day(at))
        reported = tuple(_reports(chance, companies)) if at % 3 == 1 else ()
        told.append(StoryMonth(period=period, holdings=(*_present(holdings), unnamed), reported=reported))
    return tuple(told)


def told_wrong(month: StoryMonth) -> StoryMonth:
    """The month as somebody first delivered it: other amounts, a company missing, another too many."""
    first, *others = month.holdings
    changed = [replace(one, amount=one.amount * 7, paid=0.0) if at % 3 == 0 else one for at, one in enumerate(others)]
    extra = replace(first, company=EXTRA, plan="S9999", amount=900_000_000.0, paid=1.0)
    return replace(month, holdings=(*(one for one in changed if one.company != first.company), extra))


def write_story(data: Path, month: StoryMonth, *, version: str = "V1") -> None:
    """Write the month's workbooks; a later version of 规模明细 lies beside the earlier one."""
    detail = data / month.period.yyyymm / "收集数据" / "数据采集" / version
    detail.mkdir(parents=True)
    rows = [[*_DETAIL], *(_detail_row(month.period, one) for one in month.holdings)]
    write_workbook(detail / f"年金规模收入数据{version}.xlsx", [_sheet("规模明细", rows)])
    if month.reported and version == "V1":
        register = data / month.period.yyyymm / "收集数据" / "业务收集" / "V1"
        register.mkdir(parents=True)
        write_workbook(register / "【导入模板】台账登记.xlsx", list(_register_sheets(month)))


def _first_day(at: int) -> Any:
    first = FIRST_MONTH.first_day
    return first.replace(year=first.year + (first.month - 1 + at) // 12, month=(first.month - 1 + at) % 12 + 1)


def _present(holdings: Sequence[Holding | None]) -> Iterator[Holding]:
    return (one for one in holdings if one is not None)


def _lives(chance: random.Random, number: int, months: int) -> Iterator[list[Holding | None]]:
    """The months of each contract of a company: one or two, some of them held at two branches."""
    company, single = str(600000001 + number), number % 4 != 0
    plan = f"S{1000 + number}" if single else f"P{1000 + number // 8}"
    for line in LINES[: 1 + (number % 3 == 0)]:
        there = _presence(chance, months)
        paying = _spells(chance, months, off=(8, 16), share=0.5)
        holding = _spells(chance, months, off=(1, 3), share=0.2)
        amount, growth = chance.choice((2e6, 4e7, 3e8, 4.6e8)) * chance.uniform(0.8, 1.2), chance.uniform(0.97, 1.06)
        for branch in chance.sample(BRANCHES, 1 + (number % 5 == 0)):
            yield [
                Holding(
                    company=company,
                    plan=plan,
                    line=line,
                    branch=branch,
                    amount=round(amount * growth**at, 4) if holding[at] else 0.0,
                    paid=round(amount / 400, 2) if paying[at] else 0.0,
                )
                if there[at]
                else None
                for at in range(months)
            ]


def _presence(chance: random.Random, months: int) -> list[bool]:
    """Whether a contract is there, month by month: some come late, some leave, some of these come back."""
    begins = chance.choice((0, 0, chance.randrange(1, months - 3)))
    there = [at >= begins for at in range(months)]
    if chance.random() < 0.4:
        leaves = chance.randrange(begins + 1, months)
        returns = leaves + chance.randrange(1, 5) if chance.random() < 0.5 else months
        there[leaves:returns] = [False] * (min(returns, months) - leaves)
    return there


def _spells(chance: random.Random, months: int, *, off: tuple[int, int], share: float) -> list[bool]:
    """True in every month but, for such a share of contracts, one spell of so many months."""
    found = [True] * months
    if chance.random() < share:
        begins = chance.randrange(months)
        for at in range(begins, min(begins + chance.randint(*off), months)):
            found[at] = False
    return found


def _reports(chance: random.Random, companies: int) -> Iterator[Reported]:
    """Now and then an award or a loss: of companies that have contracts, and of some that never will."""
    for domain, likely in (("annual_award", 0.7), ("annual_loss", 0.5)):
        if chance.random() < likely:
            for _ in range(5):
                number = chance.randrange(companies + 3)
                plan = chance.choice((f"S{1000 + number}", None))
                yield Reported(domain=domain, company=str(600000001 + number), plan=plan, line=chance.choice(LINES))


def _detail_row(period: Period, one: Holding) -> list[Any]:
    plan_type = "单一计划" if one.plan.startswith("S") else "集合计划"
    who = (period.yyyymm, one.line, plan_type, one.plan, f"{one.plan}号计划", one.name)
    return [*who, 0.0, one.amount, one.paid, 0.0, one.branch, one.company]


def _register_sheets(month: StoryMonth) -> Iterator[SheetContent]:
    for domain, (day, sheets) in _REGISTER_SHEETS.items():
        for line, sheet in zip(LINES, sheets, strict=True):
            mine = [one for one in month.reported if (one.domain, one.line) == (domain, line)]
            headings = [heading.format(day=day) for heading in _REGISTER]
            yield _sheet(sheet, [headings, *(_register_row(month.period, one) for one in mine)])


def _register_row(period: Period, one: Reported) -> list[Any]:
    kind = "受托" if one.line == TRUSTEE else "投资"
    who = (period.yyyymm, kind, f"第{one.company}号客户有限公司", "北京", None, 1.5, 0.25, "单一计划")
    return [*who, None, None, None, 1, one.plan, one.company, None]


def _sheet(name: str, rows: Sequence[Sequence[Any]]) -> SheetContent:
    return SheetContent(name=name, rows=rows, height=len(rows), width=len(rows[0]))
