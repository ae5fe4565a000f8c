"""What snapshots are made of, built from facts rows alone: contracts and history as the rules make them."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from work_data_hub.domain.customers.contracts import Timeline, states
from work_data_hub.domain.customers.history import thread
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import (
    AMOUNT_SCALE,
    ATTRIBUTES,
    CONTRACT_KEY,
    LINE_KEY,
    MONTHLY_FACTS,
    VERSIONS,
    month_number,
)
from work_data_hub.domain.customers.snapshots import Seen
from work_data_hub.domain.period import Period

A, LINE, PLAN = "600000001", "PL202", "P1"
RULES = CustomerRules(whitelist_top_n=0)
"""Strategic by amount only: in tables of a few contracts each would be among the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of facts; `amount` in 元."""

    month: str
    amount: int
    company: str = A
    plan: str = PLAN
    line: str = LINE
    paid: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One row of awards or losses."""

    month: str
    company: str | None = A
    plan: str | None = None
    line: str | None = LINE


def number(month: str) -> int:
    """The month number of `202410`."""
    return month_number(Period.parse(month).first_day)


def facts_frame(facts: Iterable[Fact]) -> pd.DataFrame:
    """The facts as MONTHLY_FACTS."""
    rows = [
        (f.company, f.plan, f.line, "G01", number(f.month), f.amount * AMOUNT_SCALE, f.paid * AMOUNT_SCALE)
        for f in facts
    ]
    frame = pd.DataFrame(rows, columns=list(MONTHLY_FACTS))
    texts = dict.fromkeys((*CONTRACT_KEY, "branch_code"), "string")
    return frame.astype({**texts, **dict.fromkeys(("month", "aum", "contributions"), "int64")})


def reports_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """The awards or losses as `Seen` has them."""
    rows = [(r.company, r.plan, r.line, number(r.month)) for r in reports]
    frame = pd.DataFrame(rows, columns=[*CONTRACT_KEY, "month"])
    return frame.astype({**dict.fromkeys(CONTRACT_KEY, "string"), "month": "int64"})


def history(facts: pd.DataFrame, *, months: Iterable[str], rules: CustomerRules = RULES) -> pd.DataFrame:
    """The whole history of the facts' contracts; `months` are those that are loaded."""
    timeline = Timeline(months=tuple(number(month) for month in months))
    nothing = pd.DataFrame(columns=list(VERSIONS)).astype(
        {
            **dict.fromkeys((*CONTRACT_KEY, "contract_status"), "string"),
            **dict.fromkeys(("valid_from", "valid_to"), "datetime64[s]"),
            **dict.fromkeys(ATTRIBUTES[1:3], "bool"),
            "status_year": "int64",
        }
    )
    return thread(nothing, states(facts, timeline, rules=rules), timeline=timeline, since=None)


def seen(
    month: str,
    facts: pd.DataFrame,
    *,
    months: Iterable[str],
    awards: Iterable[Report] = (),
    losses: Iterable[Report] = (),
) -> Seen:
    """What there is to see for the snapshot of a month; A and every company of the facts is in 客户明细."""
    at = number(month)
    return Seen(
        versions=history(facts, months=months),
        facts=_held(facts, at),
        before=_held(facts, at - 1),
        arrivals=_arrivals(facts),
        awards=reports_frame(awards),
        losses=reports_frame(losses),
        customers=pd.Series([A, *facts["company_id"]], dtype="string"),
    )


def _held(facts: pd.DataFrame, month: int) -> pd.DataFrame:
    return facts[facts["month"] == month].groupby(list(CONTRACT_KEY), as_index=False).agg(aum=("aum", "sum"))


def _arrivals(facts: pd.DataFrame) -> pd.DataFrame:
    sums = facts.groupby([*LINE_KEY, "month"], as_index=False).agg(aum=("aum", "sum"))
    first = sums.groupby(list(LINE_KEY))["month"].min().rename("first_row")
    positive = sums[sums["aum"] > 0].groupby(list(LINE_KEY))["month"].min().rename("first_positive")
    arrivals: pd.DataFrame = pd.concat([first, positive.astype("Int64")], axis=1).reset_index()
    return arrivals
