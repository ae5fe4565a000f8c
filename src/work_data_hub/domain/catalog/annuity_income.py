"""收入明细: the fees that each plan and portfolio brought in a month, in 元; one row a detail line."""

from work_data_hub.domain.plan_steps import customer_of_single_plan
from work_data_hub.domain.spec import Domain, ReplaceMonth, code, money, month, text
from work_data_hub.domain.steps import (
    branch_of,
    clean_portfolio,
    copy,
    correct,
    fill_missing,
    fill_zero,
    identify_company,
    normalise_company,
    note_unknown,
    translate,
)

_NOT_GIVEN = "0 when blank"

ANNUITY_INCOME = Domain(
    name="annuity_income",
    title="收入明细",
    table="business.收入明细",
    columns=(
        month("月度"),
        text("业务类型", required=True),
        text("计划类型"),
        code("计划代码", headings=("计划代码", "计划号"), required=True, nullable=False),
        text("计划名称"),
        text("组合类型"),
        text("组合代码", note="without its leading F; a default by 业务类型 or 计划类型 when blank"),
        text("组合名称"),
        text("客户名称", required=True, note="comparable form; for a single plan without one, taken from 计划名称"),
        text("年金账户名", computed=True, note="客户名称 as delivered, or as taken from 计划名称"),
        money("固费", required=True, nullable=False, note=_NOT_GIVEN),
        money("浮费", required=True, nullable=False, note=_NOT_GIVEN),
        money("回补", required=True, nullable=False, note=_NOT_GIVEN),
        money("税", required=True, nullable=False, note=_NOT_GIVEN),
        code("机构代码", headings=("机构", "机构代码"), note="from 机构名称, else as delivered; G00 when unknown"),
        text("机构名称"),
        text("产品线代码", computed=True, note="from 业务类型; empty when unknown"),
        text("company_id", computed=True, length=50, note="temporary (IN…) until the company is known"),
        text("公司代码", stored=False, length=50, note="an existing company id, where the source has one"),
    ),
    steps=(
        correct("计划代码", using="plan_corrections"),
        fill_missing("计划代码", by="计划类型", using="plan_defaults"),
        note_unknown("计划类型", among="plan_types"),
        branch_of("机构代码", name="机构名称", using="branches", unknown="G00"),
        customer_of_single_plan("客户名称", plan_type="计划类型", plan_name="计划名称"),
        fill_zero("固费", "浮费", "回补", "税"),
        clean_portfolio("组合代码"),
        fill_missing("组合代码", by="业务类型", using="portfolio_defaults_by_business"),
        fill_missing("组合代码", by="计划类型", using="portfolio_defaults_by_plan_type"),
        translate("产品线代码", source="业务类型", using="product_lines"),
        copy("年金账户名", source="客户名称"),
        normalise_company("客户名称"),
        identify_company(
            "company_id",
            plan="计划代码",
            plan_type="计划类型",
            customer="客户名称",
            existing="公司代码",
            written="年金账户名",
        ),
    ),
    load=ReplaceMonth(column="月度"),
    indexes=(("月度", "计划代码", "company_id"), ("月度",), ("计划代码",), ("company_id",)),
    ignored_headings=("产品线代码", "备注", "id", "年", "月", "report_period", "company_id", "年金账户名"),
    load_order=40,
)
