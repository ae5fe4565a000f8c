"""A company's history as text: contracts drawn month by month, versions with their reasons, monthly flags."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len

from work_data_hub.cli.customer_mdm_history_run import drawn_lines, history_lines, timeline
from work_data_hub.domain.customers.shapes import month_number
from work_data_hub.domain.period import Period
from work_data_hub.io.customer_history import MonthFlags, MonthSource
from work_data_hub.orchestration.customer_history import ContractHistory, CustomerHistory, TracedVersion

pytestmark = pytest.mark.unit


def version(begins: str, ends: str | None = None, **facts: Any) -> TracedVersion:
    """A version; without an end it is open."""
    usual: dict[str, Any] = {"contract_status": "正常", "is_existing": False, "is_strategic": False}
    usual |= {"reasons": ("first facts",), "ending": "continues", "source": None, "status_year": int(begins[:4])}
    return TracedVersion(
        valid_from=date.fromisoformat(begins), valid_to=date.fromisoformat(ends) if ends else None, **usual | facts
    )


def contract(*versions: TracedVersion, **names: str) -> ContractHistory:
    usual = {"plan_code": "P0001", "plan_name": "甲计划", "product_line_code": "PL202", "product_line_name": "企年受托"}
    return ContractHistory(versions=versions, **usual | names)


def numbers(first: str, last: str) -> range:
    """The month numbers from `202410` to another one."""
    begin, end = (month_number(Period.parse(text).first_day) for text in (first, last))
    return range(begin, end + 1)


def months(first: str, last: str) -> tuple[Period, ...]:
    return tuple(Period(number // 12, number % 12 + 1) for number in numbers(first, last))


def history(*contracts: ContractHistory, **facts: Any) -> CustomerHistory:
    usual: dict[str, Any] = {"months": months("202410", "202503"), "line_months": (), "plan_months": ()}
    usual |= {"product_line_names": {"PL202": "企年受托"}, "warnings": ()}
    return CustomerHistory(company_id="600000001", name="甲公司", contracts=contracts, **usual | facts)


def flags(month: str, **facts: Any) -> MonthFlags:
    usual: dict[str, Any] = dict.fromkeys(MonthFlags.__slots__, False)
    usual |= {"month": date.fromisoformat(month), "product_line_code": "PL202", "plan_code": None}
    usual |= {"contract_status": None, "aum": Decimal("100.0000"), "plan_count": 1}
    return MonthFlags(**usual | facts)


@pytest.mark.parametrize(
    ("versions", "drawn"),
    [
        ([version("2024-10-31")], "━━━|━━━"),
        ([version("2024-10-31", contract_status="停缴")], "┄┄┄|┄┄┄"),
        ([version("2024-12-31")], "  ━|━━━"),
        ([version("2024-10-31", "2025-01-31")], "━━━|···"),
        ([version("2024-10-31", "2024-11-30"), version("2025-02-28")], "━··|·━━"),
        ([version("2024-10-31", "2024-12-31"), version("2024-12-31", is_strategic=True)], "━━★|━━━"),
        (
            [version("2024-10-31", "2025-01-01", is_strategic=True), version("2025-01-01", contract_status="停缴")],
            "★━━|┄┄┄",
        ),
    ],
)
def test_a_contract_is_drawn_month_by_month(versions: list[TracedVersion], drawn: str) -> None:
    assert timeline(versions, numbers("202410", "202503")) == drawn


def test_lines_of_contracts_stand_under_their_years() -> None:
    told = (contract(version("2024-06-30")), contract(version("2025-01-31"), product_line_name="企年投资业务"))
    axis, first, second, _ = drawn_lines(told, months("202406", "202502"))

    columns = [cell_len(line[: line.index("|")]) for line in (axis, first, second)]
    assert columns == [columns[0]] * 3
    assert axis.split() == ["2024", "|2025"]
    assert first.split() == ["P0001", "企年受托", "━━━━━━━|━━"]


def test_a_year_that_has_no_room_is_not_written_into_the_next() -> None:
    axis, *_ = drawn_lines((contract(version("2024-11-30")),), months("202411", "202502"))

    assert axis.split() == ["|2025"]


def test_on_a_narrow_page_whole_years_are_left_out_and_that_is_said() -> None:
    lines = list(drawn_lines((contract(version("2020-01-31")),), months("202001", "202503"), width=40))

    assert "2020" not in lines[0]
    assert lines[0].split() == ["|2024", "|2025"]
    assert max(map(cell_len, lines[:-1])) <= 40
    assert "from 2024-01 on" in lines[-1]


def test_a_version_says_why_and_which_load_it_follows_from() -> None:
    source = MonthSource(period=Period.parse("202410"), load_id=12, files=("24年10月.xlsx", "补充.xlsx"))
    begun = version("2024-10-31", "2025-01-31", source=source, ending="gone from the facts", is_existing=True)
    shown = "\n".join(history_lines(history(contract(begun))))

    assert "P0001 甲计划 · PL202 企年受托" in shown
    assert "2024-10-31  2025-01-31  2024  正常    existing  12    first facts; then gone from the facts" in shown
    assert "load 12  2024-10  24年10月.xlsx · 补充.xlsx" in shown


def test_a_version_of_no_known_load_has_a_dash() -> None:
    shown = "\n".join(history_lines(history(contract(version("2024-10-31")))))

    assert "2024-10-31  open   2024  正常    —   —     first facts" in shown
    assert "load " not in shown.replace("load  because", "")


def test_only_the_newest_two_years_of_snapshots_are_shown() -> None:
    ends = [period.last_day.isoformat() for period in months("202201", "202412")]
    told = history(contract(version("2022-01-31")), line_months=tuple(map(flags, ends)))
    shown = "\n".join(history_lines(told))

    assert "the last 24 months" in shown
    assert "2023-01" in shown
    assert "2022-12 " not in shown


def test_monthly_flags_are_words() -> None:
    told = history(contract(version("2024-10-31")), line_months=(flags("2024-10-31", is_new=True, is_strategic=True),))
    line = list(history_lines(told))[-1]

    assert re.split(r" {2,}", line.strip()) == ["2024-10", "企年受托", "1", "100.0000", "strategic, new"]
