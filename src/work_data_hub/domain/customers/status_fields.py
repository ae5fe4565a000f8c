"""What rules of a status can speak of: granularities, sources with their columns, and fields with their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from work_data_hub.domain.customers.shapes import CONTRACT_KEY, LINE_KEY, NORMAL, STOPPED

Value = bool | str | int | Decimal


class Granularity(StrEnum):
    """What one row of a snapshot is."""

    PRODUCT_LINE = "product_line"
    PLAN = "plan"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell rows of this granularity apart."""
        return LINE_KEY if self is Granularity.PRODUCT_LINE else CONTRACT_KEY


class TimeScope(StrEnum):
    """Over what time a condition looks."""

    YEARLY = "yearly"
    MONTHLY = "monthly"


class FieldKind(StrEnum):
    """What values a field has; amounts are written in 元."""

    FLAG = "true or false"
    STATUS = f"{NORMAL} or {STOPPED}"
    WHOLE = "a whole number"
    AMOUNT = "an amount in 元: whole, or in quotes with up to four decimals"
    MEAN = "a number: whole, or in quotes with up to four decimals"


class Aggregation(StrEnum):
    """How the contracts behind a row are taken together."""

    BOOL_OR = "BOOL_OR"
    BOOL_AND = "BOOL_AND"
    SUM = "SUM"
    COUNT = "COUNT"
    MAX = "MAX"
    MIN = "MIN"
    AVG = "AVG"


class Comparison(StrEnum):
    """How a field is compared with the value of a condition."""

    EQUALS = "equals"
    GT = "gt"
    LT = "lt"


PLAN_FACTS = "annuity_performance"
AWARDS = "annual_award"
LOSSES = "annual_loss"
MEASURE = "期末资产规模"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table that conditions look into; `columns` gives its column for each key of a snapshot row."""

    schema: str
    table: str
    columns: Mapping[str, str]
    month_column: str


SOURCES = {
    PLAN_FACTS: Source(
        schema="business",
        table="规模明细",
        columns={"company_id": "company_id", "plan_code": "计划代码", "product_line_code": "产品线代码"},
        month_column="月度",
    ),
    **{
        name: Source(
            schema="customer",
            table=table,
            columns={"company_id": "company_id", "plan_code": "年金计划号", "product_line_code": "产品线代码"},
            month_column="上报月份",
        )
        for name, table in ((AWARDS, "中标客户明细"), (LOSSES, "流失客户明细"))
    },
}

_COMMON_FIELDS = {
    "is_strategic": FieldKind.FLAG,
    "is_existing": FieldKind.FLAG,
    "is_award_only": FieldKind.FLAG,
    "aum_balance": FieldKind.AMOUNT,
}
ROW_FIELDS = {
    Granularity.PRODUCT_LINE: {**_COMMON_FIELDS, "plan_count": FieldKind.WHOLE},
    Granularity.PLAN: {**_COMMON_FIELDS, "contract_status": FieldKind.STATUS},
}
"""What a snapshot row holds besides its keys and flags."""

CONTRACT_FIELDS = {
    "contract_status": FieldKind.STATUS,
    "is_strategic": FieldKind.FLAG,
    "is_existing": FieldKind.FLAG,
    "status_year": FieldKind.WHOLE,
    "aum_balance": FieldKind.AMOUNT,
}
"""What each contract behind a snapshot row holds."""
