"""The small sheets of a month: awards and losses as branches report them, and the trustee's figures."""

from collections.abc import Iterator
from random import Random

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import Amount, Cell, Row, as_it_is, dealt, month_forms
from work_data_hub.domain.sample.layouts import AWARDS, LOSSES, TRUSTEE, Layout
from work_data_hub.domain.sample.names import DIRT, WELL_KNOWN, company_names
from work_data_hub.domain.sample.plans import COLLECTIVE, SINGLE, Book, Plan

_TRUSTEES = ("国寿养老", "泰康养老", "长江养老", "人保养老", "工银瑞信", None)
_REGIONS = ("华北", "华东", "华南", "西南", "东北")


def register_rows(book: Book, layout: Layout, *, period: Period, rows: int, seed: int | str) -> Iterator[Row]:
    """Yield the rows of one award or loss sheet; amounts are in 亿元."""
    rng = Random(f"{seed}:{period.yyyymm}:{layout.sheet}")
    usual, *rare = month_forms(period)
    months = dealt(rng, usual=usual, rare=rare, share=0.1)
    businesses = ("受托", "企年受托") if layout in (AWARDS[0], LOSSES[0]) else ("投资", "投管", "企年投资")
    names = _reported_companies(book, layout, rng, rows)
    for name in names:
        scale, yearly = _hundred_millions(rng), _hundred_millions(rng)
        cells = [next(months), rng.choice(businesses), name, rng.choice((*book.branch_of.values(), "火星"))]
        cells += [rng.choice(_TRUSTEES), scale[0], yearly[0]]
        cells += [*_deal(book, rng, name=name, day=rng.choice(_days(period))), *_report(rng)]
        cells += [None] * (len(layout.headings) - len(cells))
        yield Row(cells, (scale[1], yearly[1]))


def trustee_rows(book: Book, *, period: Period, rows: int, seed: int | str) -> Iterator[Row]:
    """Yield the trustee's monthly figures, one row a plan and company."""
    rng = Random(f"{seed}:{period.yyyymm}:{TRUSTEE.domain}")
    years: tuple[Cell, ...] = (period.year, str(period.year), f"{period.year}年")
    months: tuple[Cell, ...] = (period.month, f"{period.month:02d}", f"{period.month}月")
    for plan in rng.sample(book.single, rows):
        value, scale = rng.randrange(8_000, 25_000), rng.randrange(10**10, 10**13)
        figures = [round((rng.random() - 0.3) * 0.1, 6), value / 10_000, scale // 100 / 100]
        cells = [rng.choice(years), rng.choice(months), plan.code, book.company_ids[str(plan.customer)], *figures]
        yield Row(cells, (value, scale // 100 * 100))


def _reported_companies(book: Book, layout: Layout, rng: Random, rows: int) -> list[str]:
    """Lost customers are known ones; half of the won ones are new."""
    known = rng.sample([str(plan.customer) for plan in book.single], rows)
    if layout in AWARDS:
        known[::2] = company_names(rng, rows + len(WELL_KNOWN))[-len(known[::2]) :]
    dirt = dealt(rng, usual=as_it_is, rare=DIRT[:8], share=0.15)
    return [next(dirt)(name) for name in known]


def _deal(book: Book, rng: Random, *, name: str, day: Cell) -> tuple[Cell, ...]:
    plan_type = rng.choice(("集合", "单一", COLLECTIVE, SINGLE))
    plan: Plan = rng.choice(book.collective if plan_type in ("集合", COLLECTIVE) else book.single)
    code = plan.code if rng.random() < 0.3 else None
    known_id = book.company_ids.get(name) if rng.random() < 0.2 else None
    kind = rng.choice(("空白", "已客", "新客"))
    return plan_type, day, kind, rng.choice((None, "中标通知书")), rng.choice((0, 1)), code, known_id


def _report(rng: Random) -> tuple[Cell, ...]:
    remark = rng.choice((None, None, "待补材料"))
    return remark, rng.choice(_REGIONS), f"{rng.choice(_REGIONS)}年金中心", rng.choice(("张三", "李四", None))


def _days(period: Period) -> tuple[Cell, ...]:
    first = period.first_day
    return None, None, first, first.isoformat(), f"{first.year}年{first.month}月", f"{first.year}年{first.month}月15日"


def _hundred_millions(rng: Random) -> Amount:
    """Return an amount in 亿元 with at most four decimals, and its exact count of 0.0001."""
    exact = int(10 ** (rng.random() * 4 + 1))
    if rng.random() < 0.1:
        return None, 0
    return (f"{exact / 10_000:.4f}" if rng.random() < 0.1 else exact / 10_000), exact
