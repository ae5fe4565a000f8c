from dataclasses import replace
from decimal import Decimal
from graphlib import CycleError

import pandas as pd
import pytest

from work_data_hub.domain.customers.conditions import (
    AbsentOrZero,
    AggregatedField,
    Condition,
    Disappeared,
    ExistsInYear,
    FieldCompares,
    FirstAppearance,
    Negation,
    Scene,
    StatusReference,
    is_among,
)
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, CONTRACT_KEY, LINE_KEY
from work_data_hub.domain.customers.status_fields import AWARDS, LOSSES, Aggregation, Comparison, Granularity
from work_data_hub.domain.customers.status_rules import Operator, StatusRule, StatusRules

pytestmark = pytest.mark.unit

NOW = 2024 * 12 + 5
ALL = ("A", "B", "C", "D")
"""A has two plans with money, B one with 0, C none this month any more, D only an award."""


def keyed(
    *rows: tuple[object, ...], columns: tuple[str, ...] = (), keys: tuple[str, ...] = CONTRACT_KEY
) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*keys, *columns]).astype(dict.fromkeys(keys, "string"))


def scene() -> Scene:
    contracts = keyed(
        ("A", "P1", "L", True, False, 2024, 10 * AMOUNT_SCALE, "正常"),
        ("A", "P2", "L", False, False, 2024, 2 * AMOUNT_SCALE, "停缴"),
        ("B", "P1", "L", False, True, 2024, 0, "停缴"),
        ("C", "P1", "L", True, True, 2023, 0, "停缴"),
        columns=("is_strategic", "is_existing", "status_year", "aum_balance", "contract_status"),
    )
    rows = keyed(
        ("A", "L", True, 12 * AMOUNT_SCALE, 2),
        ("B", "L", True, 0, 1),
        ("C", "L", True, 0, 0),
        ("D", "L", False, 0, 0),
        columns=("is_existing", "aum_balance", "plan_count"),
        keys=LINE_KEY,
    )
    facts = keyed(
        ("A", "P1", "L", 10), ("A", "P2", "L", 2), ("B", "P1", "L", 5), ("B", "P9", "L", -5), columns=("aum",)
    )
    return Scene(
        month=NOW,
        granularity=Granularity.PRODUCT_LINE,
        rows=rows,
        contracts=contracts,
        reported={
            AWARDS: keyed(("D", None, "L", NOW), ("A", "P1", "L", NOW), ("C", "P1", None, NOW), columns=("month",)),
            LOSSES: keyed(columns=("month",)),
        },
        facts=facts,
        before=keyed(("A", "P1", "L", 10), ("C", "P1", "L", 1), columns=("aum",)),
        arrivals=keyed(
            ("A", "L", NOW - 1, NOW), ("B", "L", NOW, None), ("C", "L", NOW - 9, NOW - 9),
            columns=("first_row", "first_positive"),
            keys=LINE_KEY,
        ).astype({"first_positive": "Int64"}),
        settled={"is_new": pd.Series([True, False, True, False])},
    )  # fmt: skip


def field_is(name: str, comparison: Comparison, value: bool | int | Decimal) -> FieldCompares:
    return FieldCompares(field=name, comparison=comparison, value=value)


def together(
    name: str, aggregation: Aggregation, comparison: Comparison | None = None, value: str | int | Decimal | None = None
) -> AggregatedField:
    return AggregatedField(field=name, aggregation=aggregation, comparison=comparison, value=value)


@pytest.mark.parametrize(
    ("condition", "holds_for"),
    [
        (ExistsInYear(source=AWARDS, keys=LINE_KEY), "AD"),
        (ExistsInYear(source=AWARDS, keys=("company_id",)), "ACD"),
        (ExistsInYear(source=LOSSES, keys=LINE_KEY), ""),
        (AbsentOrZero(keys=LINE_KEY), "BCD"),
        (FirstAppearance(keys=LINE_KEY, is_positive=True), "A"),
        (FirstAppearance(keys=LINE_KEY, is_positive=False), "B"),
        (Disappeared(keys=LINE_KEY), "C"),
        (StatusReference(status="is_new"), "AC"),
        (Negation(condition=StatusReference(status="is_new")), "BD"),
        (Negation(condition=Negation(condition=StatusReference(status="is_new"))), "AC"),
        (field_is("is_existing", Comparison.EQUALS, False), "D"),
        (field_is("plan_count", Comparison.GT, 0), "AB"),
        (field_is("plan_count", Comparison.LT, 1), "CD"),
        (field_is("aum_balance", Comparison.EQUALS, Decimal(12)), "A"),
        (field_is("aum_balance", Comparison.GT, Decimal("11.9999")), "A"),
        (field_is("aum_balance", Comparison.GT, Decimal(12)), ""),
        (together("is_strategic", Aggregation.BOOL_OR), "AC"),
        (together("is_strategic", Aggregation.BOOL_AND), "C"),
        (together("aum_balance", Aggregation.SUM, Comparison.EQUALS, Decimal(12)), "A"),
        (together("aum_balance", Aggregation.SUM, Comparison.LT, Decimal(1)), "BCD"),
        (together("aum_balance", Aggregation.MAX, Comparison.GT, Decimal(9)), "A"),
        (together("aum_balance", Aggregation.MIN, Comparison.LT, Decimal(3)), "ABC"),
        (together("is_strategic", Aggregation.AVG, Comparison.EQUALS, Decimal("0.5")), "A"),
        (together("is_existing", Aggregation.AVG, Comparison.GT, Decimal("0.9999")), "BC"),
        (together("aum_balance", Aggregation.AVG, Comparison.EQUALS, Decimal(6)), "A"),
        (together("aum_balance", Aggregation.AVG, Comparison.LT, Decimal(1)), "BC"),
        (together("status_year", Aggregation.AVG, Comparison.GT, Decimal("2023.5")), "AB"),
        (together("contract_status", Aggregation.COUNT, Comparison.EQUALS, 2), "A"),
        (together("contract_status", Aggregation.COUNT, Comparison.EQUALS, 0), "D"),
        (together("status_year", Aggregation.MAX, Comparison.LT, 2024), "C"),
    ],
    ids=repr,
)
def test_condition_holds_for(condition: Condition, holds_for: str) -> None:
    held = condition.holds(scene())
    assert held.dtype == bool
    assert "".join(company for company, holds in zip(ALL, held, strict=True) if holds) == holds_for


@pytest.mark.parametrize(
    ("amounts", "mean", "verdicts"),
    [
        # A double, or the 64 bits of mean times count, would call each of them equal.
        ((2**53, 2**53 + 1, 2**53 + 1), Decimal(2**53).scaleb(-4), (False, True, False)),
        ((10**18 - 1, 10**18, 10**18), Decimal(10**14), (False, False, True)),
        ((1, 1, 1), Decimal("0.0001"), (True, False, False)),
        ((10**18,) * 9, Decimal("99999999999999.9999"), (False, True, False)),
    ],
)
def test_a_mean_is_compared_exactly(amounts: tuple[int, ...], mean: Decimal, verdicts: tuple[bool, ...]) -> None:
    contracts = keyed(*(("A", f"P{at}", "L", amount) for at, amount in enumerate(amounts)), columns=("aum_balance",))
    given = replace(scene(), contracts=contracts)
    held = [
        bool(together("aum_balance", Aggregation.AVG, comparison, mean).holds(given).iloc[0])
        for comparison in (Comparison.EQUALS, Comparison.GT, Comparison.LT)
    ]
    assert tuple(held) == verdicts


def test_a_field_without_a_value_compares_with_nothing() -> None:
    rows = keyed(("A", "P1", "L", None), ("B", "P1", "L", "停缴"), columns=("contract_status",))
    given = Scene(
        month=NOW, granularity=Granularity.PLAN, rows=rows.astype("string"), contracts=rows, reported={},
        facts=rows, before=rows, arrivals=rows,
    )  # fmt: skip
    stopped = FieldCompares(field="contract_status", comparison=Comparison.EQUALS, value="停缴")
    assert stopped.holds(given).tolist() == [False, True]


def test_empty_keys_are_nobodys() -> None:
    rows = keyed(("A", None, "L"), ("A", "P1", "L"))
    assert is_among(rows, rows, keys=CONTRACT_KEY).tolist() == [False, True]


@pytest.mark.parametrize(("operator", "holds_for"), [(Operator.AND, "A"), (Operator.OR, "ABCD")])
def test_conditions_of_a_rule_are_joined(operator: Operator, holds_for: str) -> None:
    conditions = (ExistsInYear(source=AWARDS, keys=LINE_KEY), field_is("is_existing", Comparison.EQUALS, True))
    rule = StatusRule(name="is_new", granularity=Granularity.PRODUCT_LINE, operator=operator, conditions=conditions)
    held = rule.holds(scene())
    assert "".join(company for company, holds in zip(ALL, held, strict=True) if holds) == holds_for


def uses(name: str, other: str) -> StatusRule:
    return StatusRule(
        name=name,
        granularity=Granularity.PRODUCT_LINE,
        operator=Operator.AND,
        conditions=(Negation(condition=StatusReference(status=other)),),
    )


def test_a_rule_is_evaluated_after_those_it_uses() -> None:
    arrived = StatusRule(
        name="is_new_arrival",
        granularity=Granularity.PRODUCT_LINE,
        operator=Operator.AND,
        conditions=(FirstAppearance(keys=LINE_KEY, is_positive=True),),
    )
    rules = StatusRules(definitions={}, rules={"is_new": uses("is_new", "is_new_arrival"), "is_new_arrival": arrived})
    assert rules.flags(scene())["is_new"].tolist() == [False, True, True, True]


def test_rules_that_wait_for_each_other_are_refused() -> None:
    circle = {"is_new": uses("is_new", "is_new_arrival"), "is_new_arrival": uses("is_new_arrival", "is_new")}
    with pytest.raises(CycleError):
        StatusRules(definitions={}, rules=circle)
