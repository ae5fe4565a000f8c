"""The two detail sheets of a month, row by row: 规模明细 and 收入明细."""

from collections.abc import Iterator
from random import Random

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import Cell, Row
from work_data_hub.domain.sample.handwriting import Handwriting
from work_data_hub.domain.sample.layouts import INCOME, PERFORMANCE
from work_data_hub.domain.sample.plans import BRANCHES, COLLECTIVE, Book, Plan

_BRANCH_CODES = {name: f"G{number:02d}" for number, name in enumerate(BRANCHES)}
_COMPANY_LINES = (*("企年受托",) * 9, *("企年投资",) * 9, "企业年金", "团养")
_OCCUPATIONAL_LINES = ("职年受托", "职年投资")


def performance_rows(
    book: Book, *, period: Period, rows: int, seed: int | str, company_ids: bool = False
) -> Iterator[Row]:
    """Yield the 规模明细 rows of a month: cells in the layout's order, amounts exact.

    With `company_ids` a last cell holds the id of the company, where it is known.
    """
    rng = Random(f"{seed}:{period.yyyymm}:performance")
    hand = Handwriting(rng, period=period, amounts=len(PERFORMANCE.amounts))
    for _ in range(rows):
        plan = _drawn_plan(book, rng)
        rate = (rng.random() - 0.35) * 0.08
        amounts = hand.amounts(_movements(rng, rate=rate, occupational=plan.code.startswith("Z")))
        cells = _head(hand, plan, rng)
        customer = _performance_customer(book, plan, rng)
        cells.append(customer if customer is None or plan.code.startswith("Z") else hand.name(customer))
        cells.extend(cell for cell, _ in amounts)
        cells.append(hand.rate(rate))
        cells.extend(_tail(hand, plan, rng))
        if company_ids:
            cells.append(_known_id(book, customer))
        yield Row(cells, tuple(exact for _, exact in amounts))


def income_rows(book: Book, *, period: Period, rows: int, seed: int | str) -> Iterator[Row]:
    """Yield the 收入明细 rows of a month; most single plans name no customer, collective ones never do."""
    rng = Random(f"{seed}:{period.yyyymm}:income")
    hand = Handwriting(rng, period=period, amounts=len(INCOME.amounts))
    for _ in range(rows):
        plan = _drawn_plan(book, rng)
        amounts = hand.amounts(_fees(rng))
        cells = _head(hand, plan, rng)
        cells.append(_income_customer(hand, plan, rng))
        cells.extend(cell for cell, _ in amounts)
        cells.extend((_BRANCH_CODES[plan.branch], hand.branch(plan.branch)))
        yield Row(cells, tuple(exact for _, exact in amounts))


def _drawn_plan(book: Book, rng: Random) -> Plan:
    kind = rng.random()
    if kind < 0.45:
        return book.collective[int(rng.random() * len(book.collective))]
    if kind < 0.87:
        return book.single[int(rng.random() * len(book.single))]
    return book.occupational[int(rng.random() * len(book.occupational))]


def _head(hand: Handwriting, plan: Plan, rng: Random) -> list[Cell]:
    """Write the first eight columns, which both sheets share."""
    lines = _OCCUPATIONAL_LINES if plan.code.startswith("Z") else _COMPANY_LINES
    line = lines[int(rng.random() * len(lines))]
    plan_type, code = hand.plan_type(plan), hand.plan_code(plan)
    return [hand.month(), line, plan_type, code, plan.name, *hand.portfolio(plan)]


def _performance_customer(book: Book, plan: Plan, rng: Random) -> str | None:
    if plan.customer is None:
        return book.companies[int(rng.random() * len(book.companies))]
    return plan.customer if plan.code.startswith("Z") or rng.random() < 0.4 else None


def _known_id(book: Book, customer: str | None) -> str | None:
    """Return the id of two companies in three; drawing nothing, it leaves the other cells as they are."""
    found = book.company_ids.get(customer or "")
    return found if found and int(found) % 3 else None


def _income_customer(hand: Handwriting, plan: Plan, rng: Random) -> Cell:
    if plan.plan_type == COLLECTIVE or plan.customer is None:
        return None
    if rng.random() < 0.13:
        return hand.name(plan.customer)
    return "0" if rng.random() < 0.05 else None


def _movements(rng: Random, *, rate: float, occupational: bool) -> tuple[int, ...]:
    """Return opening, closing, paid in, outflow, of it lost and paid out, and gain, as counts of 0.01."""
    opening = int(10 ** (rng.random() * 5 + (6.5 if occupational else 5.5)))
    paid_in = int(opening * rng.random() * 0.04) if rng.random() < 0.6 else 0
    lost = int(opening * rng.random() * 0.02) if rng.random() < 0.2 else 0
    paid_out = int(opening * rng.random() * 0.01) if rng.random() < 0.4 else 0
    gain = int(opening * rate)
    return opening, opening + paid_in - lost - paid_out + gain, paid_in, lost + paid_out, lost, paid_out, gain


def _fees(rng: Random) -> tuple[int, ...]:
    fixed = int(10 ** (rng.random() * 4 + 3))
    floating = int(fixed * (rng.random() - 0.3)) if rng.random() < 0.3 else 0
    returned = -int(fixed * rng.random() * 0.1) if rng.random() < 0.1 else 0
    return fixed, floating, returned, (fixed + floating) * 6 // 100


def _tail(hand: Handwriting, plan: Plan, rng: Random) -> tuple[Cell, ...]:
    """Write branch code and name, subsidiary, and group, the last two mostly blank."""
    branch = hand.branch(plan.branch)
    code = _BRANCH_CODES.get(plan.branch) if rng.random() < 0.9 else None
    number = int(rng.random() * 900)
    subsidiary = (f"{number:06d}", f"第{number}分公司") if rng.random() < 0.03 else (None, None)
    group = (f"C{10_000 + number}", f"{plan.name[:4]}集团") if rng.random() < 0.1 else (None, None)
    return (code, branch, *subsidiary, *group)
