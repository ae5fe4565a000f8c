"""流失台账: mandates that branches report as lost, amounts in 亿元; one row a report."""

from work_data_hub.domain.catalog.register import IGNORED_HEADINGS, INDEXES, STEPS, register_columns
from work_data_hub.domain.spec import Domain, ReplaceMonth

ANNUAL_LOSS = Domain(
    name="annual_loss",
    title="流失客户明细",
    table="customer.流失客户明细",
    columns=register_columns("流失日期"),
    steps=STEPS,
    load=ReplaceMonth(column="上报月份"),
    indexes=INDEXES,
    ignored_headings=IGNORED_HEADINGS,
    load_order=20,
)
