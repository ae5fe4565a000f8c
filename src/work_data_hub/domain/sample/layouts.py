"""The sheets of a sample drop: their headings, and which of them hold what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One sheet of one domain; headings in the order of the sheet."""

    domain: str
    sheet: str
    headings: tuple[str, ...]
    amounts: tuple[str, ...]
    month: str
    text: str
    required: str
    rate: str | None = None

    def __post_init__(self) -> None:
        named = {*self.amounts, self.month, self.text, self.required, self.rate or self.month}
        if unknown := named - set(self.headings):
            raise ValueError(f"layout {self.sheet} names headings it does not have: {sorted(unknown)}")

    def position(self, heading: str) -> int:
        """Return the column of the heading, counted from 0."""
        return self.headings.index(heading)


_SHARED_HEAD = (
    *("月度", "业务类型", "计划类型", "计划代码", "计划名称"),
    *("组合类型", "组合代码", "组合名称", "客户名称"),
)
PERFORMANCE = Layout(
    domain="annuity_performance",
    sheet="规模明细",
    headings=(
        *_SHARED_HEAD,
        *("期初资产规模", "期末资产规模", "供款", "流失(含待遇支付)", "流失", "待遇支付", "投资收益", "当期收益率"),
        *("机构代码", "机构", "子企业号", "子企业名称", "集团企业客户号", "集团企业客户名称"),
    ),
    amounts=("期初资产规模", "期末资产规模", "供款", "流失(含待遇支付)", "流失", "待遇支付", "投资收益"),
    month="月度",
    text="计划名称",
    required="期末资产规模",
    rate="当期收益率",
)
INCOME = Layout(
    domain="annuity_income",
    sheet="收入明细",
    headings=(
        *("计划号" if heading == "计划代码" else heading for heading in _SHARED_HEAD),
        *("固费", "浮费", "回补", "税", "机构", "机构名称"),
    ),
    amounts=("固费", "浮费", "回补", "税"),
    month="月度",
    text="计划名称",
    required="固费",
)

_REGISTER = "上报月份 业务类型 客户全称 机构 受托人 计划规模 年缴规模 计划类型 {day} 客户类型 证明材料 考核有效"
_REGISTER_END = "年金计划号 company_id 备注 区域 年金中心 上报人"
_TOP_FLAGS = "战区前五大 中心前十大 机构前十大 五亿以上"


def _register(domain: str, sheet: str, *, day: str, extra: str) -> Layout:
    return Layout(
        domain=domain,
        sheet=sheet,
        headings=tuple(f"{_REGISTER.format(day=day)} {_REGISTER_END} {extra}".split()),
        amounts=("计划规模", "年缴规模"),
        month="上报月份",
        text="证明材料",
        required="客户全称",
    )


AWARDS = (
    _register("annual_award", "企年受托中标(空白)", day="中标日期", extra="insert_sql"),
    _register("annual_award", "企年投资中标(空白)", day="中标日期", extra=f"insert_sql {_TOP_FLAGS}"),
)
LOSSES = (
    _register("annual_loss", "企年受托流失(解约)", day="流失日期", extra="考核标签"),
    _register("annual_loss", "企年投资流失(解约)", day="流失日期", extra=f"考核标签 {_TOP_FLAGS}"),
)
TRUSTEE = Layout(
    domain="sandbox_trustee_performance",
    sheet="受托业绩",
    headings=("年", "月", "计划代码", "公司代码", "收益率", "净值", "规模"),
    amounts=("净值", "规模"),
    month="月",
    text="公司代码",
    required="计划代码",
    rate="收益率",
)

LAYOUTS = (PERFORMANCE, INCOME, *AWARDS, *LOSSES, TRUSTEE)
DOMAINS = tuple(dict.fromkeys(layout.domain for layout in LAYOUTS))
