"""中标台账: mandates that branches report as won, amounts in 亿元; one row a report."""

from work_data_hub.domain.catalog.register import IGNORED_HEADINGS, INDEXES, STEPS, register_columns
from work_data_hub.domain.spec import Domain, ReplaceMonth

ANNUAL_AWARD = Domain(
    name="annual_award",
    title="中标客户明细",
    table="customer.中标客户明细",
    columns=register_columns("中标日期"),
    steps=STEPS,
    load=ReplaceMonth(column="上报月份"),
    indexes=INDEXES,
    ignored_headings=IGNORED_HEADINGS,
    load_order=10,
)
