"""The facts of each month at the grain of contracts, and which of them make a contract strategic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, CONTRACT_KEY, month_of
from work_data_hub.errors import DataError

AUM, CONTRIBUTIONS = "期末资产规模", "供款"
COUNTABLE = 2**61
"""Sums of absolute amounts (in AMOUNT_SCALE) below this cannot wrap an int64, whatever is added or taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractMonth:
    """One month of facts; the arrays are parallel, one place a contract that is there."""

    contracts: np.ndarray
    aum: np.ndarray
    contributions: np.ndarray
    is_strategic: np.ndarray


NO_FACTS = ContractMonth(
    contracts=np.empty(0, dtype="int64"),
    aum=np.empty(0, dtype="int64"),
    contributions=np.empty(0, dtype="int64"),
    is_strategic=np.empty(0, dtype=bool),
)


def by_month(facts: pd.DataFrame, codes: np.ndarray, *, rules: CustomerRules) -> dict[int, ContractMonth]:
    """Return MONTHLY_FACTS by month number, branches of a contract added up.

    `codes` number the contract of each row. Raises DataError for amounts too large to be added.
    """
    months, aum, paid = (facts[name].to_numpy(dtype="int64") for name in ("month", "aum", "contributions"))
    _refuse_uncountable(facts, "aum", codes=codes, column=AUM)
    _refuse_uncountable(facts, "contributions", codes=codes, column=CONTRIBUTIONS)
    strategic = _judged_strategic(facts, rules)
    order = np.lexsort((codes, months))
    months, codes = months[order], codes[order]
    first = _first_of_each(months, codes)
    if not len(first):
        return {}
    aum, paid = np.add.reduceat(aum[order], first), np.add.reduceat(paid[order], first)
    strategic, codes = np.logical_or.reduceat(strategic[order], first), codes[first]
    numbers, starts = np.unique(months[first], return_index=True)
    return {
        int(number): ContractMonth(
            contracts=codes[begin:end],
            aum=aum[begin:end],
            contributions=paid[begin:end],
            is_strategic=strategic[begin:end],
        )
        for number, begin, end in zip(numbers, starts, [*starts[1:], len(codes)], strict=True)
    }


def _judged_strategic(facts: pd.DataFrame, rules: CustomerRules) -> np.ndarray:
    """Say of each row whether it alone makes its contract strategic in its month."""
    aum = facts["aum"].to_numpy(dtype="int64")
    large = aum >= math.ceil(rules.strategic_threshold * AMOUNT_SCALE)
    return np.asarray((aum > 0) & (large | (_ranks(facts, aum) <= rules.whitelist_top_n)))


def _ranks(facts: pd.DataFrame, aum: np.ndarray) -> np.ndarray:
    """The place of each row by AUM among those of its month, branch and product line; equals share the best place."""
    # A missing branch has the code -1, and so is a group of its own.
    branches, lines = (pd.factorize(facts[name])[0].astype("int64") for name in ("branch_code", "product_line_code"))
    groups = facts["month"].to_numpy(dtype="int64") * (branches.max(initial=0) + 2) + branches + 1
    groups = groups * (lines.max(initial=0) + 1) + lines
    order = np.lexsort((-aum, groups))
    group_begins = _begin_of_each(groups[order])
    tie_begins = _begin_of_each(groups[order], aum[order])
    ranks = np.empty(len(order), dtype="int64")
    ranks[order] = tie_begins - group_begins + 1
    return ranks


def _first_of_each(*sorted_by: np.ndarray) -> np.ndarray:
    """The positions at which any of the parallel arrays changes, 0 included."""
    changes = np.zeros(len(sorted_by[0]), dtype=bool)
    changes[:1] = True
    for values in sorted_by:
        changes[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(changes)


def _begin_of_each(*sorted_by: np.ndarray) -> np.ndarray:
    """For each position, the first one with the same values."""
    firsts = _first_of_each(*sorted_by)
    return np.repeat(firsts, np.diff(firsts, append=len(sorted_by[0])))


def _refuse_uncountable(facts: pd.DataFrame, name: str, *, codes: np.ndarray, column: str) -> None:
    amounts = facts[name].to_numpy(dtype="int64")
    sizes = np.bincount(codes, weights=np.abs(amounts.astype("float64")))
    if not len(sizes) or sizes.max() < COUNTABLE:
        return
    theirs = np.where(codes == sizes.argmax(), np.abs(amounts.astype("float64")), -1)
    largest = facts.iloc[int(theirs.argmax())]
    raise uncountable(
        [largest[one] for one in CONTRACT_KEY],
        month=f"{month_of(int(largest['month'])):%Y-%m}",
        column=column,
        value=f"{Decimal(int(largest[name])) / AMOUNT_SCALE:,f}",
    )


def uncountable(key: Sequence[str], *, month: str, column: str, value: str) -> DataError:
    """The refusal of an amount that cannot be added exactly: whose it is, in which month, and what to do."""
    return DataError(
        f"{place_of_facts(key, month=month)}: an amount that cannot be added exactly",
        operation="contracts",
        field=column,
        input_data=value,
        rule=f"Σ {column} of a contract is a number below {COUNTABLE // AMOUNT_SCALE:,} 元 over all months",
        hint=f"correct {column} of these facts in the workbook and load the month again",
    )


def place_of_facts(key: Sequence[str | None], *, month: str) -> str:
    """The words that let somebody find facts: table, month, company, plan and product line."""
    company, plan, line = (one or "none" for one in key)
    return f"business.规模明细 {month}, company {company}, plan {plan}, product line {line}"
