"""受托业绩: the trustee's return, unit value and fund scale of each plan and company in a month; a trial domain."""

from decimal import Decimal

from work_data_hub.domain.spec import Domain, ReplaceMonth, code, flag, money, month, rate, text
from work_data_hub.domain.trustee_steps import month_from_parts, note_odd_figures, note_whether_any

_FIGURES = ("return_rate", "net_asset_value", "fund_scale")

SANDBOX_TRUSTEE_PERFORMANCE = Domain(
    name="sandbox_trustee_performance",
    title="受托业绩",
    table="sandbox.sandbox_trustee_performance",
    columns=(
        text("年", headings=("年", "year"), stored=False, length=20, note="年 and - / around the number are dropped"),
        text("月", headings=("月", "month"), stored=False, length=20, note="月 and - / around the number are dropped"),
        text("report_period", stored=False, length=50, note="the month where 年 or 月 is blank"),
        month("report_date", computed=True, note="from 年 and 月, or from report_period"),
        code("plan_code", headings=("计划代码", "plan_code"), required=True, nullable=False, length=50),
        code("company_code", headings=("公司代码", "company_code"), required=True, nullable=False, length=20),
        rate("return_rate", headings=("收益率", "return_rate")),
        money("net_asset_value", headings=("净值", "net_asset_value"), lowest=Decimal(0), note="0 is kept"),
        money("fund_scale", headings=("规模", "fund_scale"), scale=2, lowest=Decimal(0), note="0 is kept"),
        flag("has_performance_data", note="whether any of the three figures is there; 0 is"),
        text("validation_warnings", computed=True, length=None, note="what looks odd, parted by ;"),
    ),
    steps=(
        month_from_parts("report_date", year="年", month="月", text="report_period"),
        note_whether_any("has_performance_data", among=_FIGURES),
        note_odd_figures(
            "validation_warnings", month="report_date", rate="return_rate", value="net_asset_value", scale="fund_scale"
        ),
    ),
    load=ReplaceMonth(column="report_date"),
    unique_key=("report_date", "plan_code", "company_code"),
    ignored_headings=("id", "备注", "data_source", "processed_at", "has_performance_data", "validation_warnings"),
    load_order=50,
)
