"""The invented pension plans that every sample month reports on."""

from dataclasses import dataclass
from random import Random

from work_data_hub.domain.sample.cells import Cell
from work_data_hub.domain.sample.names import WELL_KNOWN, company_names

COLLECTIVE, SINGLE, OCCUPATIONAL = "集合计划", "单一计划", "职业年金"

BRANCHES = str.split(
    "总部 北京 上海 天津 广东 深圳 辽宁 大连 吉林 湖北 江苏 青岛 浙江 福建 广西 海南 云南 陕西 重庆 黑龙江 "
    "湖南 山东 江西 新疆 河北 安徽 四川 青海 宁夏 宁波 厦门 内蒙古 河南 山西 甘肃 贵州 西藏 北总"
)
"""Branch names by code: the first is G00."""

_COMPANIES = 2_880
_SINGLE_PLANS, _COLLECTIVE_PLANS, _OCCUPATIONAL_PLANS = 470, 40, 117
_KNOWN_COLLECTIVE = (
    ("P0190", "平安相伴今生企业年金集合计划"),
    ("P0401", "平安阳光人生企业年金集合计划"),
    ("P0601", "平安精致人生企业年金集合计划"),
    ("P0290", "平安锦绣人生企业年金集合计划"),
    ("P0807", "平安和悦人生企业年金集合计划"),
    ("FP0001", "福享一号企业年金集合计划"),
    ("FP0002", "福享二号企业年金集合计划"),
    ("SC002", "四川统筹企业年金集合计划"),
)
_MOODS = str.split("安康 稳盈 祥和 常青 丰泽 瑞景 长安 睿选")
_ORDINALS = "壹贰叁肆"
_STYLES = ("固定收益型", "权益型", "混合型", "货币型", "养老金产品型")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """A part of a plan's assets; `code` as the workbook holds it: F-code, number or text."""

    code: Cell
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pension plan; `customer` is its one sponsor, None where many companies share it."""

    code: str
    name: str
    plan_type: str
    customer: str | None
    branch: str
    portfolios: tuple[Portfolio, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Companies and plans of one seed; the same in every month."""

    companies: tuple[str, ...]
    branch_of: dict[str, str]
    company_ids: dict[str, str]
    collective: tuple[Plan, ...]
    single: tuple[Plan, ...]
    occupational: tuple[Plan, ...]

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Every plan of the book."""
        return self.collective + self.single + self.occupational


def plan_book(seed: int) -> Book:
    """Return about 2,900 companies, 1,100 plans and 1,300 portfolios."""
    rng = Random(f"{seed}:book")
    companies = company_names(rng, _COMPANIES)
    branch_of = {name: rng.choice(BRANCHES) for name in companies}
    draft = _Draft(rng)
    return Book(
        companies=companies,
        branch_of=branch_of,
        company_ids={name: str(600_000_000 + rng.randrange(10**8)) for name in companies},
        collective=tuple(draft.collective()),
        single=tuple(draft.single(companies[len(WELL_KNOWN) :], branch_of)),
        occupational=tuple(draft.occupational()),
    )


class _Draft:
    """Draws plans one after the other; portfolio numbers run through all of them."""

    def __init__(self, rng: Random) -> None:
        self._rng, self._last_portfolio = rng, 0

    def collective(self) -> list[Plan]:
        known = dict(_KNOWN_COLLECTIVE)
        invented = {f"P{1000 + 7 * i}": f"{_MOODS[i % 8]}{i}号企业年金集合计划" for i in range(_COLLECTIVE_PLANS)}
        return [
            self._plan(code, name, COLLECTIVE, None, self._rng.choice(BRANCHES), portfolios=5)
            for code, name in {**known, **invented}.items()
        ]

    def single(self, companies: tuple[str, ...], branch_of: dict[str, str]) -> list[Plan]:
        old = [f"S{i:04d}" for i in range(1, _SINGLE_PLANS)]
        new = [f"XNP{i + 250}" for i in range(_SINGLE_PLANS)]
        return [
            self._plan(code, f"{name}企业年金计划", SINGLE, name, branch_of[name], portfolios=i % 5 != 0)
            for i, (code, name) in enumerate(zip([*old, *new], companies, strict=False))
        ]

    def occupational(self) -> list[Plan]:
        names = [f"{branch}{ordinal}号职业年金计划" for ordinal in _ORDINALS for branch in BRANCHES[1:-1]]
        return [
            self._plan(f"Z{i:04d}", name, SINGLE, name, name[: name.index("号") - 1], portfolios=3)
            for i, name in enumerate(names[:_OCCUPATIONAL_PLANS], start=1)
        ]

    def _plan(
        self, code: str, name: str, plan_type: str, customer: str | None, branch: str, *, portfolios: int
    ) -> Plan:
        parts = tuple(self._portfolio(name) for _ in range(portfolios))
        return Plan(code=code, name=name, plan_type=plan_type, customer=customer, branch=branch, portfolios=parts)

    def _portfolio(self, plan: str) -> Portfolio:
        self._last_portfolio += 1
        number, style = self._last_portfolio, self._rng.choice(_STYLES)
        codes: tuple[Cell, ...] = (f"F{number:04d}", f"{number:06d}", 10_000 + number, f"f{number:04d}")
        return Portfolio(code=codes[number % 4], kind=style, name=f"{plan[:8]}{style[:-1]}{number}号组合")
