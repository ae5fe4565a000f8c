"""`wdh customer-mdm history`: a company's contracts drawn month by month, told version by version."""

from collections.abc import Iterator, Sequence
from datetime import date

from rich.cells import cell_len

from work_data_hub.cli.customer_mdm_report import Asked, answered, print_json
from work_data_hub.cli.text_table import page_width, table_lines
from work_data_hub.domain.customers.shapes import NORMAL, OPEN_END, month_number, month_of
from work_data_hub.domain.period import Period
from work_data_hub.io.customer_history import MonthFlags, MonthSource
from work_data_hub.orchestration.customer_history import (
    COMMAND,
    ContractHistory,
    CustomerHistory,
    TracedVersion,
    customer_history,
)
from work_data_hub.orchestration.requests import Workplace

MOST_MONTHS = 24
_YEAR = 12
_AMOUNT_AT = 3
_INDENT = "  "
_NONE = "—"
_LEGEND = "━ 正常  ┄ 停缴  · gone  ★ strategic from here  | January"
_NORMAL, _STOPPED, _GONE, _STRATEGIC, _JANUARY = "━", "┄", "·", "★", "|"
_FLAGS = {
    "is_existing": "existing",
    "is_strategic": "strategic",
    "is_winning_this_year": "winning",
    "is_new": "new",
    "is_new_arrival": "new arrival",
    "is_loss_reported": "loss reported",
    "is_churned_this_year": "churned",
    "is_award_only": "award only",
}


def run_history(*, company: str, plan: str, report: str, debug: bool) -> int:
    """Print the history of a company, or of its contracts in one plan; returns the exit code."""
    asked = Asked(command=COMMAND, report=report, debug=debug)

    def work(place: Workplace) -> int:
        told = customer_history(company, place, plan=plan or None)
        if asked.as_json:
            print_json(told.as_json())
        else:
            print("\n".join(history_lines(told, by_plan=bool(plan), width=page_width())))
        return 0

    return answered(asked, work)


def history_lines(told: CustomerHistory, *, by_plan: bool = False, width: int | None = None) -> Iterator[str]:
    """The history as people read it: lines over months, versions with their reasons, and monthly flags."""
    yield f"{told.company_id} {told.name or '(no name)'}"
    yield from (f"  warning  {warning}" for warning in told.warnings)
    if told.contracts:
        yield from drawn_lines(told.contracts, told.months, width=width)
    else:
        yield "  no contract: none of its facts has a plan and a product line"
    for contract in told.contracts:
        yield ""
        yield _contract_title(contract)
        titles = ["from", "until", "year", "status", "is", "load", "because"]
        yield from table_lines([titles, *_version_rows(contract)], width=width)
    yield from _load_lines(told.contracts)
    yield from _month_lines(told, by_plan=by_plan, width=width)


def drawn_lines(
    contracts: Sequence[ContractHistory], months: Sequence[Period], *, width: int | None = None
) -> Iterator[str]:
    """One line a contract over the months that are synced, below a line of years; older years give way to `width`."""
    names = [f"{one.plan_code} {one.product_line_name or one.product_line_code}" for one in contracts]
    start = max(map(cell_len, names))
    room = width - start - 2 * len(_INDENT) if width else None
    span = _shown_months(months, room=room)
    yield _INDENT + " " * (start + len(_INDENT)) + _axis(span)
    for name, contract in zip(names, contracts, strict=True):
        blanks = " " * (start - cell_len(name) + len(_INDENT))
        yield f"{_INDENT}{name}{blanks}{timeline(contract.versions, span)}".rstrip()
    cut = "" if span[0] == _number(months[0]) else f"; from {month_of(span[0]):%Y-%m} on, --report json has all"
    yield f"{_INDENT}{' ' * (start + len(_INDENT))}{_LEGEND}{cut}"


def timeline(versions: Sequence[TracedVersion], months: Sequence[int]) -> str:
    """A character a month: what holds at its end. Blank before the first version, a bar before each January."""
    drawn, was_strategic = "", False
    for month in months:
        version = _in_force(versions, month)
        is_strategic = version is not None and version.is_strategic
        mark = _STRATEGIC if is_strategic and not was_strategic else _mark(version)
        if version is None and _month_end(month) < versions[0].valid_from:
            mark = " "
        drawn += _bar(month) + mark
        was_strategic = is_strategic
    return drawn


def _mark(version: TracedVersion | None) -> str:
    if version is None:
        return _GONE
    return _NORMAL if version.contract_status == NORMAL else _STOPPED


def _axis(months: Sequence[int]) -> str:
    """The years, each above its first month; one that begins too late to be written before the next is left out."""
    line = ""
    for at, month in enumerate(months):
        is_january = month % _YEAR == 0
        has_room = at == 0 and _YEAR - month % _YEAR >= len("2024")
        line = line.ljust(at + sum(map(_is_january, months[:at]))) + _bar(month)
        line += str(month // _YEAR) if is_january or has_room else ""
    return line


def _shown_months(months: Sequence[Period], *, room: int | None) -> list[int]:
    """All months from the first to the last; where they do not fit, whole years from the last back that do."""
    first, last = _number(months[0]), _number(months[-1])
    starts = [first, *(month for month in range(first + 1, last + 1) if _is_january(month))]
    fitting = [start for start in starts if room is None or _drawn_width(start, last) <= room]
    return list(range(fitting[0] if fitting else starts[-1], last + 1))


def _drawn_width(first: int, last: int) -> int:
    return last - first + 1 + sum(map(_is_january, range(first, last + 1)))


def _contract_title(contract: ContractHistory) -> str:
    plan = f"{contract.plan_code} {contract.plan_name or ''}".rstrip()
    return f"{plan} · {contract.product_line_code} {contract.product_line_name or ''}".rstrip()


def _version_rows(contract: ContractHistory) -> list[list[str]]:
    begins = {version.valid_from for version in contract.versions}
    return [
        _version_cells(one, has_ended=bool(one.valid_to) and one.valid_to not in begins) for one in contract.versions
    ]


def _version_cells(version: TracedVersion, *, has_ended: bool) -> list[str]:
    marks = {"existing": version.is_existing, "strategic ★": version.is_strategic}
    return [
        str(version.valid_from),
        str(version.valid_to or "open"),
        str(version.status_year),
        version.contract_status,
        ", ".join(word for word, holds in marks.items() if holds) or _NONE,
        _load_number(version.source),
        "; ".join((*version.reasons, *([f"then {version.ending}"] if has_ended else []))),
    ]


def _load_number(source: MonthSource | None) -> str:
    return str(source.load_id) if source and source.load_id else _NONE


def _load_lines(contracts: Sequence[ContractHistory]) -> Iterator[str]:
    """The loads that the versions follow from, each once, with their months and files."""
    sources = {one.source.load_id: one.source for contract in contracts for one in contract.versions if one.source}
    rows = [
        [f"load {load}", str(source.period), " · ".join(source.files) or _NONE]
        for load, source in sorted(sources.items(), key=lambda item: item[1].period)
        if load is not None
    ]
    if rows:
        yield from ("", "loads that the versions follow from", *table_lines(rows))


def _month_lines(told: CustomerHistory, *, by_plan: bool, width: int | None) -> Iterator[str]:
    """What the snapshots say, the newest months only."""
    months = told.plan_months if by_plan else told.line_months
    if not months:
        yield from ("", "no monthly snapshot of it yet: wdh customer-mdm snapshot")
        return
    kept = sorted({one.month for one in months})[-MOST_MONTHS:]
    grain = "plan" if by_plan else "product line"
    yield ""
    yield f"month by month, by {grain}{f'; the last {MOST_MONTHS} months' if months[0].month < kept[0] else ''}"
    titles = ["month", grain, "status" if by_plan else "plans", "期末资产规模 元", "flags"]
    rows = [_flag_cells(one, told) for one in months if one.month >= kept[0]]
    yield from table_lines([titles, *_amounts_right(rows, titles[_AMOUNT_AT])], width=width)


def _flag_cells(one: MonthFlags, told: CustomerHistory) -> list[str]:
    line = told.product_line_names.get(one.product_line_code) or one.product_line_code
    flags = [word for name, word in _FLAGS.items() if getattr(one, name)]
    return [
        f"{one.month:%Y-%m}",
        f"{one.plan_code} {line}" if one.plan_code else line,
        (one.contract_status or _NONE) if one.plan_code else str(one.plan_count),
        f"{one.aum:,}",
        ", ".join(flags) or _NONE,
    ]


def _amounts_right(rows: Sequence[list[str]], title: str) -> Iterator[list[str]]:
    """The rows with their amounts under each other's last digit."""
    widest = max(cell_len(title), *(len(row[_AMOUNT_AT]) for row in rows))
    for row in rows:
        yield [*row[:_AMOUNT_AT], row[_AMOUNT_AT].rjust(widest), *row[_AMOUNT_AT + 1 :]]


def _in_force(versions: Sequence[TracedVersion], month: int) -> TracedVersion | None:
    day = _month_end(month)
    return next((one for one in versions if one.valid_from <= day < (one.valid_to or OPEN_END)), None)


def _is_january(month: int) -> bool:
    return month % _YEAR == 0


def _bar(month: int) -> str:
    return _JANUARY if _is_january(month) else ""


def _month_end(month: int) -> date:
    return Period.of(month_of(month)).last_day


def _number(period: Period) -> int:
    return month_number(period.first_day)
