"""台账: what branches report of mandates won and lost; both registers have one form but for the day and the table."""

from work_data_hub.domain.plan_steps import complete_plan
from work_data_hub.domain.spec import Column, Step, code, count, day, money, month, text
from work_data_hub.domain.steps import (
    copy,
    fill_missing,
    identify_company,
    normalise_company,
    standardise,
    translate,
)

INDEXES = (("上报月份",), ("业务类型",), ("company_id",), ("年金计划号",))

IGNORED_HEADINGS = (
    *("区域", "年金中心", "上报人", "insert_sql", "考核标签"),
    *("战区前五大", "中心前十大", "机构前十大", "五亿以上"),
    *("机构代码", "产品线代码", "id"),
)

STEPS: tuple[Step, ...] = (
    standardise("业务类型", using="business_types"),
    translate("产品线代码", source="业务类型", using="product_lines", tells=False),
    standardise("计划类型", using="plan_types"),
    translate("机构代码", source="机构名称", using="branches", unknown="G00"),
    copy("客户名称", source="上报客户名称"),
    normalise_company("客户名称"),
    identify_company(
        "company_id",
        plan="年金计划号",
        plan_type="计划类型",
        customer="客户名称",
        existing="delivered_company_id",
        written="上报客户名称",
    ),
    complete_plan(
        "年金计划号",
        source="年金计划号来源",
        month="上报月份",
        company="company_id",
        product_line="产品线代码",
        plan_type="计划类型",
    ),
    fill_missing("年金计划号", by="计划类型", using="plan_defaults"),
)


def register_columns(day_column: str) -> tuple[Column, ...]:
    """The columns of a register; `day_column` is the heading of the day on which the mandate was won or lost."""
    return (
        month("上报月份"),
        text("业务类型", required=True, nullable=False, length=20, note="受托 is 企年受托; 投资 and 投管 are 企年投资"),
        text("产品线代码", computed=True, length=10, note="from 业务类型; empty when unknown"),
        text("上报客户名称", headings=("客户全称", "上报客户名称"), required=True, nullable=False, note="as reported"),
        text("客户名称", computed=True, note="上报客户名称 in its comparable form"),
        code("年金计划号", length=50, note="when blank, from an older contract of the company, else by 计划类型"),
        text(
            "年金计划号来源",
            computed=True,
            length=10,
            note="上报 or 合同; empty where 计划类型 gave a default, or nothing",
        ),
        text("company_id", computed=True, length=50, note="temporary (IN…) until the company is known"),
        text("机构名称", headings=("机构", "机构名称"), length=100),
        text("机构代码", computed=True, nullable=False, length=10, note="from 机构名称; G00 when blank or unknown"),
        day(day_column, lenient=True, note="empty when it cannot be read"),
        money("计划规模", unit="亿元"),
        money("年缴规模", unit="亿元"),
        text("客户类型", length=50),
        text("原受托人", headings=("受托人", "原受托人")),
        text("计划类型", length=50, note="集合 is 集合计划, 单一 is 单一计划"),
        text("证明材料"),
        count("考核有效", note="0 or 1"),
        text("备注", length=None),
        text(
            "delivered_company_id",
            headings=("company_id",),
            stored=False,
            length=50,
            note="an existing company id, where the source has one",
        ),
    )
