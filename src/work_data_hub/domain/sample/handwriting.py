"""How clerks write the values of one sheet: mostly plainly, sometimes in another form."""

from collections.abc import Callable, Iterator
from random import Random

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import (
    AMOUNT_FORMS,
    Amount,
    Cell,
    as_it_is,
    dealt,
    month_forms,
    plain,
    rate_forms,
)
from work_data_hub.domain.sample.names import DIRT
from work_data_hub.domain.sample.plans import OCCUPATIONAL, Plan, Portfolio

_FIRST_LATE_TEXT = 1_200
_BRANCH_ALIASES = ("深圳分公司", "广州", "内蒙", "战略", "中国", "济南", "北京其他", "北分")
_BRANCH_DIRT = (*_BRANCH_ALIASES, None, "(空白)", "火星", "海外事业部", " 上海", "北京　")
_CORRECTED = {"P0290": "1P0290", "P0807": "1P0807"}


class Handwriting:
    """Deals the form in which each next value of a sheet is written; one per sheet and seed."""

    def __init__(self, rng: Random, *, period: Period, amounts: int) -> None:
        usual, *rare = month_forms(period)
        self._rng = rng
        self._months = dealt(rng, usual=usual, rare=rare, share=0.12)
        self._amounts = [self._amount_forms(late=place == amounts - 2) for place in range(amounts)]
        self._rates = dealt(rng, usual=_fraction, rare=rate_forms(), share=0.05)
        self._names = dealt(rng, usual=as_it_is, rare=DIRT, share=0.1)
        self._branches = dealt(rng, usual="", rare=_BRANCH_DIRT, share=0.03)
        self._codes = dealt(rng, usual=as_it_is, rare=(_small, _padded, _hyphenated), share=0.01)
        self._corrections = dealt(rng, usual=False, rare=(True,), share=0.1)
        self._no_codes = dealt(rng, usual=False, rare=(True,), share=0.015)

    def month(self) -> Cell:
        return next(self._months)

    def amounts(self, fen: tuple[int, ...]) -> list[Amount]:
        """Write one row's amounts, given in counts of 0.01."""
        return [next(forms)(value) for forms, value in zip(self._amounts, fen, strict=True)]

    def rate(self, rate: float) -> Cell:
        return next(self._rates)(rate)

    def name(self, name: str) -> str:
        return next(self._names)(name)

    def branch(self, branch: str) -> Cell:
        written = next(self._branches)
        return branch if written == "" else written

    def plan_code(self, plan: Plan) -> Cell:
        """Write the plan's code; blank at times where a default stands in for it."""
        if plan.code in _CORRECTED and next(self._corrections):
            return _CORRECTED[plan.code]
        if not plan.code.startswith("Z") and next(self._no_codes):
            return self._rng.choice((None, "", " "))
        return next(self._codes)(plan.code)

    def plan_type(self, plan: Plan) -> str:
        """Occupational plans call themselves 职业年金 at times; the rest go by their type."""
        if plan.code.startswith("Z") and self._rng.random() < 0.02:
            return OCCUPATIONAL
        return plan.plan_type

    def portfolio(self, plan: Plan) -> tuple[Cell, Cell, Cell]:
        """Return kind, code and name of one of the plan's portfolios, blanks for half of the rows."""
        if not plan.portfolios or self._rng.random() < 0.5:
            return None, None, None
        chosen: Portfolio = self._rng.choice(plan.portfolios)
        return chosen.kind, chosen.code, chosen.name

    def _amount_forms(self, *, late: bool) -> Iterator[Callable[[int], Amount]]:
        # One column shows its first text only after a thousand numbers.
        return dealt(self._rng, usual=plain, rare=AMOUNT_FORMS, share=0.04, after=_FIRST_LATE_TEXT if late else 0)


def _fraction(rate: float) -> Cell:
    return rate


def _small(code: str) -> str:
    return code.lower()


def _padded(code: str) -> str:
    return f" {code} "


def _hyphenated(code: str) -> str:
    return f"{code[:-4]}-{code[-4:]}" if len(code) > 5 else code
