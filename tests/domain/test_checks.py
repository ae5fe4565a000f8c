"""The generated pandera schema and the column-wise checks judge alike."""

from datetime import date

import pandas as pd
import pandera.errors
import pytest
from tests.performance_rows import performance_rows, refined

from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.checks import gold_schema
from work_data_hub.domain.exact import decimal_series

pytestmark = pytest.mark.unit


def test_gold_passes_its_schema() -> None:
    outcome = refined(performance_rows(供款=["1万", None, "bad"], 当期收益率=[0.1, 20.0, None]))

    gold_schema(ANNUITY_PERFORMANCE).validate(outcome.gold, lazy=True)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("月度", pd.Series([pd.NA], dtype="date32[day][pyarrow]")),
        ("计划代码", pd.Series([pd.NA], dtype="string")),
        ("计划名称", pd.Series(["长" * 256], dtype="string")),
        ("月度", pd.Series([date(2024, 10, 1)], dtype="object")),
        ("供款", pd.Series([1.5])),
    ],
)
def test_what_the_checks_reject_the_schema_refuses(column: str, values: pd.Series) -> None:
    gold = refined(performance_rows()).gold.assign(**{column: values})

    with pytest.raises(pandera.errors.SchemaErrors):
        gold_schema(ANNUITY_PERFORMANCE).validate(gold, lazy=True)


def test_a_rate_out_of_range_is_refused_by_both() -> None:
    too_high = decimal_series(
        pd.array([10_000_001], dtype="int64").to_numpy(),
        pd.array([False]).to_numpy(bool),
        precision=10,
        scale=6,
        index=pd.RangeIndex(1),
    )
    gold = refined(performance_rows()).gold.assign(当期收益率=too_high)

    with pytest.raises(pandera.errors.SchemaErrors):
        gold_schema(ANNUITY_PERFORMANCE).validate(gold, lazy=True)
    assert refined(performance_rows(当期收益率=10.000001)).rejects["rule"].tolist() == ["WDH-V202"]
