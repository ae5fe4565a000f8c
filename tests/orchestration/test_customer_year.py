"""A year is opened early, put right when its December comes late, and judged by what it is."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.contract_facts import Fact, asked, contracts, day, put_month, ran
from tests.snapshot_rows import working_place

from work_data_hub.domain.customers.report import CustomerReport, TableCounts
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.year_checks import YearVerdict
from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError, LoadLocked, UsageError
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.customer_year import cut_over, init_year, validate_year
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

RULES = CustomerRules(whitelist_top_n=0)
A, B, C = "600000001", "600000002", "600000003"
OPEN, BIG = "9999-12-31", "600000000"
CONTRACTS = "customer.customer_plan_contract"
TABLES = (CONTRACTS, "customer.contract_periods", "customer.contract_years", "customer.客户明细", "mapping.产品线")


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path, actor="王五")


def sync(place: Workplace, month: str, *, rebuild: bool = False) -> CustomerReport:
    return sync_contract_status(Period.of(day(month)), place, rules=RULES, rebuild=rebuild)


def load(place: Workplace, warehouse: Connection, months: Sequence[str], *facts: Fact) -> None:
    """The same facts in each of the months, followed by what follows a load."""
    for month in months:
        put_month(warehouse, month, facts)
        sync(place, month)


def count(report: CustomerReport, table: str = CONTRACTS) -> TableCounts:
    return next(one for one in report.tables if one.table == table)


def contents(warehouse: Connection) -> list[Any]:
    """Every row of the tables that a year changes, and when it was written."""
    return [asked(warehouse, f"select xmin::text, t::text from {table} as t order by 2") for table in TABLES]


def of(warehouse: Connection, company: str) -> list[tuple[Any, ...]]:
    """From, to, existing, strategic and year of a company's versions."""
    return [(row[3], row[4], row[6], row[7], row[8]) for row in contracts(warehouse) if row[0] == company]


# cut-over


def test_a_cut_over_opens_the_year_for_every_contract_in_force(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-11"], Fact(company=A), Fact(company=C))
    load(place, warehouse, ["2024-12"], Fact(company=A, aum=BIG), Fact(company=B, aum="0"))

    report = cut_over(2025, place, rules=RULES)

    assert (report.status, report.period, count(report).closed, count(report).inserted) == ("done", "2025", 2, 2)
    assert of(warehouse, A)[-2:] == [
        ("2024-12-31", "2025-01-01", False, True, 2024),
        ("2025-01-01", OPEN, True, True, 2025),
    ]
    assert of(warehouse, B)[-1] == ("2025-01-01", OPEN, False, False, 2025)
    assert of(warehouse, C) == [("2024-11-30", "2024-12-31", False, False, 2024)]  # gone before the turn


def test_a_cut_over_is_put_on_record(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))

    report = cut_over(2025, place, rules=RULES)

    assert asked(warehouse, "select status_year, actor from customer.contract_years") == [(2025, "王五")]
    assert count(report, "customer.contract_years").inserted == 1
    executions = "select pipeline_name, status from public.pipeline_executions order by started_at desc limit 1"
    assert asked(warehouse, executions) == [("customer-mdm cutover", "success")]


def test_a_second_cut_over_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))
    cut_over(2025, place, rules=RULES)
    before = contents(warehouse)

    report = cut_over(2025, place, rules=RULES)

    assert (report.status, report.tables) == ("unchanged", ())
    assert report.warnings == ("2025 is open already: it was cut over before",)
    assert contents(warehouse) == before


def test_a_plan_of_a_cut_over_tells_what_it_does_and_writes_nothing(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-11", "2024-12"], Fact(company=A, aum=BIG), Fact(company=B))
    before = contents(warehouse)

    planned = cut_over(2025, place, rules=RULES, dry_run=True)

    assert contents(warehouse) == before
    assert planned.status == "planned"
    assert planned.tables == cut_over(2025, place, rules=RULES).tables


def test_a_year_that_was_opened_early_goes_on_as_any_other(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A), Fact(company=B))
    cut_over(2025, place, rules=RULES)

    load(place, warehouse, ["2025-01"], Fact(company=A, aum=BIG), Fact(company=C))

    assert of(warehouse, A)[1:] == [
        ("2025-01-01", "2025-01-31", True, False, 2025),
        ("2025-01-31", OPEN, True, True, 2025),
    ]
    early = contracts(warehouse)
    ran(warehouse, "delete from customer.contract_years")
    assert sync(place, "2025-01", rebuild=True).status == "unchanged"
    assert contracts(warehouse) == early


def test_a_year_that_began_with_its_first_month_is_open_already(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12", "2025-01"], Fact(company=A))
    before = contents(warehouse)

    report = cut_over(2025, place, rules=RULES)

    assert report.status == "unchanged"
    assert report.warnings == ("2025 is open already: it began with its first month",)
    assert contents(warehouse) == before


@pytest.mark.parametrize(
    ("year", "told"),
    [
        (2019, "not a year that can be cut over"),
        (2051, "not a year that can be cut over"),
        (2025, "2024-12 is not synced"),
        (2024, "2023-12 is not synced"),
        (2026, "2026 is too far off: the newest synced month is 2024-11"),
    ],
)
def test_a_year_that_cannot_be_opened_is_refused(place: Workplace, warehouse: Connection, year: int, told: str) -> None:
    load(place, warehouse, ["2024-11"], Fact(company=A))

    with pytest.raises(UsageError, match=told) as raised:
        cut_over(year, place, rules=RULES)

    assert raised.value.hint
    assert asked(warehouse, "select count(*) from customer.contract_years") == [(0,)]


def test_a_december_that_is_loaded_but_not_synced_opens_no_year(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-11"], Fact(company=A))
    put_month(warehouse, "2024-12", [Fact(company=A)])

    with pytest.raises(UsageError, match="2024-12 is not synced"):
        cut_over(2025, place, rules=RULES, dry_run=True)


@pytest.mark.parametrize("change", [cut_over, init_year])
def test_without_a_synced_month_no_year_turns(place: Workplace, change: Any) -> None:
    with pytest.raises(UsageError, match="no month is synced"):
        change(2025, place, rules=RULES)


@pytest.mark.parametrize(("change", "year"), [(cut_over, 2025), (init_year, 2024)])
def test_a_what_if_year_is_only_looked_at(place: Workplace, warehouse: Connection, change: Any, year: int) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))
    before, what_if = contents(warehouse), replace(RULES, status_year=2026)

    assert change(year, place, rules=what_if, dry_run=True).status == "planned"
    with pytest.raises(ConfigError, match="customer_mdm"):
        change(year, place, rules=what_if)
    assert contents(warehouse) == before


def test_two_cut_overs_at_once_open_the_year_once(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A), Fact(company=B))

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(cut_over, 2025, place, rules=RULES) for _ in range(2)]

    assert sorted(run.result().status for run in running) == ["done", "unchanged"]
    assert len(contracts(warehouse)) == 4


@pytest.mark.parametrize("change", [cut_over, init_year])
def test_a_year_waits_for_whoever_changes_contracts(place: Workplace, warehouse: Connection, change: Any) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))
    with closing(connect(str(place.database_url), application_name="somebody")) as other, other.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=0)

        with pytest.raises(LoadLocked, match="somebody"):
            change(2025, place, rules=RULES, lock_wait_seconds=0)


# init-year


def test_after_a_sync_a_year_is_open_as_it_should_be(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12", "2025-01"], Fact(company=A, aum=BIG))
    before = contents(warehouse)

    report = init_year(2025, place, rules=RULES)

    assert (report.status, report.warnings) == ("unchanged", ())
    assert contents(warehouse) == before


def test_a_december_that_comes_late_is_taken_up(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-11", "2025-01"], Fact(company=A))
    assert of(warehouse, A)[1] == ("2025-01-01", OPEN, False, False, 2025)
    put_month(warehouse, "2024-12", [Fact(company=A, aum=BIG)])

    planned = init_year(2025, place, rules=RULES, dry_run=True)
    report = init_year(2025, place, rules=RULES)

    assert (planned.status, planned.tables) == ("planned", report.tables)
    assert of(warehouse, A) == [
        ("2024-11-30", "2024-12-31", False, False, 2024),
        ("2024-12-31", "2025-01-01", False, True, 2024),
        ("2025-01-01", OPEN, True, True, 2025),
    ]
    assert any("2024-12" in warning for warning in report.warnings)
    assert any("wdh customer-mdm snapshot" in warning for warning in report.warnings)
    early = contracts(warehouse)
    assert sync(place, "2025-01", rebuild=True).status == "unchanged"
    assert contracts(warehouse) == early


def test_a_year_that_was_cut_over_is_put_right_as_well(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))
    cut_over(2025, place, rules=RULES)
    put_month(warehouse, "2024-12", [Fact(company=A, aum=BIG)])

    report = init_year(2025, place, rules=RULES)

    assert report.status == "done"
    assert of(warehouse, A)[-1] == ("2025-01-01", OPEN, True, True, 2025)


def test_the_first_year_of_all_opens_without_a_december(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2025-01"], Fact(company=A))

    assert init_year(2025, place, rules=RULES).status == "unchanged"


def test_a_year_that_has_not_begun_is_not_put_right(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], Fact(company=A))

    with pytest.raises(UsageError, match="2025 has not begun") as raised:
        init_year(2025, place, rules=RULES)

    assert raised.value.hint == "open it: wdh customer-mdm cutover --year 2025"


# validate


def companies(count: int, *, strategic: int) -> list[Fact]:
    return [Fact(company=str(600000001 + at), aum=BIG if at < strategic else "100") for at in range(count)]


def snapshots(place: Workplace, month: str) -> None:
    status_rules = load_status_rules(place.config_dir)
    refresh_monthly_snapshot(Period.of(day(month)), place, status_rules=status_rules)


@pytest.fixture
def sound(place: Workplace, warehouse: Connection) -> Connection:
    """Twenty contracts over the turn of a year, one of them strategic."""
    load(place, warehouse, ["2023-11", "2023-12", "2024-01", "2024-02"], *companies(20, strategic=1))
    snapshots(place, "2023-11")
    return warehouse


def failed(verdict: YearVerdict) -> list[str]:
    return list(verdict.failed)


def test_a_sound_year_passes_every_check(place: Workplace, sound: Connection) -> None:
    before = contents(sound)

    verdict = validate_year(None, place, rules=RULES)

    assert (verdict.year, verdict.day, failed(verdict)) == (2024, Period(2024, 2).last_day, [])
    assert [check.name for check in verdict.checks] == [
        "strategic_share",
        "existing_share",
        "no_overlaps",
        "one_open_version",
        "status_year",
        "no_orphans",
        "contracts_equal_facts",
        "snapshots_equal_history",
        "snapshot_sums",
        "product_lines_known",
        "master_equals_facts",
        "months_synced",
    ]
    assert contents(sound) == before


ONE = "company_id = '600000002'"
INSERT = (
    "insert into customer.customer_plan_contract (company_id, plan_code, product_line_code, contract_status,"
    " is_existing, is_strategic, status_year, valid_from, valid_to)"
    " values ('600000002', 'P0001', 'PL202', '正常', false, false, "
)
APART = "alter table customer.customer_plan_contract drop constraint contract_versions_apart; "
WITHOUT_CUSTOMERS = "".join(
    f"alter table customer.{table} drop constraint {name}; "
    for table, name in (
        ("customer_plan_contract", "fk_contract_company"),
        ("fct_customer_product_line_monthly", "fk_fct_pl_company"),
        ("fct_customer_plan_monthly", "fk_fct_plan_company"),
    )
)


@pytest.mark.parametrize(
    ("broken", "fails"),
    [
        (APART + INSERT + "2023, '2023-12-10', '2023-12-20')", ["no_overlaps"]),
        (
            APART + "drop index customer.uq_contract_open; " + INSERT + "2024, '2024-03-10', '9999-12-31')",
            ["one_open_version"],
        ),
        (
            f"update customer.customer_plan_contract set status_year = 2022 where {ONE} and status_year = 2023",
            ["status_year"],
        ),
        (WITHOUT_CUSTOMERS + f"delete from customer.客户明细 where {ONE}", ["no_orphans"]),
        (
            f"delete from customer.customer_plan_contract where {ONE} and status_year = 2023",
            ["contracts_equal_facts"],
        ),
        (
            f"update customer.customer_plan_contract set contract_status = '停缴' where {ONE} and status_year = 2023",
            ["contracts_equal_facts"],
        ),
        (
            f"update business.规模明细 set 期末资产规模 = 0 where {ONE} and 月度 = '2023-11-01'",
            ["contracts_equal_facts"],
        ),
        (
            f"update customer.fct_customer_product_line_monthly set is_new = not is_new where {ONE}"
            " and snapshot_month = '2024-01-31'",
            ["snapshots_equal_history"],
        ),
        (
            f"delete from customer.fct_customer_plan_monthly where {ONE} and snapshot_month = '2024-01-31'",
            ["snapshots_equal_history", "snapshot_sums"],
        ),
        (
            f"update customer.fct_customer_plan_monthly set aum_balance = aum_balance + 0.0001 where {ONE}"
            " and snapshot_month = '2024-01-31'",
            ["snapshots_equal_history", "snapshot_sums"],
        ),
        (
            "insert into business.规模明细 (月度, 计划代码, 产品线代码) values ('2024-01-01', 'P0001', 'PL999')",
            ["product_lines_known"],
        ),
        (f"update customer.客户明细 set 计划层规模 = 计划层规模 + 1 where {ONE}", ["master_equals_facts"]),
        (
            "insert into ledger.loads (run_id, domain, period, status, started_at, actor)"
            " values ('test', 'annuity_performance', '2024-01-01', 'loaded', now(), 'tester')",
            ["months_synced"],
        ),
        (
            "insert into business.规模明细 (月度, 计划代码) values ('2023-10-01', 'P0001')",  # counts for nothing
            ["months_synced"],
        ),
    ],
    ids=[
        "overlap",
        "open-twice",
        "year",
        "customer-gone",
        "version-gone",
        "version-changed",
        "fact-changed",
        "flag-changed",
        "snapshot-gone",
        "amount-changed",
        "product-line",
        "master",
        "load",
        "month",
    ],
)
def test_what_is_broken_fails_its_check(place: Workplace, sound: Connection, broken: str, fails: list[str]) -> None:
    ran(sound, broken)

    assert failed(validate_year(2024, place, rules=RULES)) == fails


def test_too_many_strategic_contracts_fail_their_share(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2023-12", "2024-01"], *companies(20, strategic=3))
    snapshots(place, "2023-12")

    verdict = validate_year(2024, place, rules=RULES)

    assert failed(verdict) == ["strategic_share"]
    assert verdict.checks[0].seen == "3 of 20 (15.00 %)"


def test_too_few_existing_contracts_fail_their_share(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2023-12"], *companies(13, strategic=1))
    load(place, warehouse, ["2024-01"], *companies(20, strategic=1))
    snapshots(place, "2023-12")

    verdict = validate_year(2024, place, rules=RULES)

    assert failed(verdict) == ["existing_share"]
    assert verdict.checks[1].seen == "13 of 20 (65.00 %)"


def test_orphans_are_named_with_their_tables(place: Workplace, sound: Connection) -> None:
    ran(sound, WITHOUT_CUSTOMERS + f"delete from customer.客户明细 where {ONE}")

    check = next(one for one in validate_year(2024, place, rules=RULES).checks if one.name == "no_orphans")

    assert check.seen == "10 exceptions"
    assert check.examples == (
        "customer.customer_plan_contract: 2 rows of 600000002, which customer.客户明细 lacks",
        "customer.fct_customer_plan_monthly: 4 rows of 600000002, which customer.客户明细 lacks",
        "customer.fct_customer_product_line_monthly: 4 rows of 600000002, which customer.客户明细 lacks",
    )


def test_a_product_line_that_goes_leaves_orphans(place: Workplace, sound: Connection) -> None:
    lines = "alter table customer.{} drop constraint {}; "
    drops = [
        ("customer_plan_contract", "fk_contract_product_line"),
        ("fct_customer_product_line_monthly", "fk_fct_pl_product_line"),
        ("fct_customer_plan_monthly", "fk_fct_plan_product_line"),
    ]
    ran(sound, "".join(lines.format(*drop) for drop in drops) + "delete from mapping.产品线 where 产品线代码 = 'PL202'")

    assert failed(validate_year(2024, place, rules=RULES)) == [
        "no_orphans",
        "product_lines_known",
        "master_equals_facts",
    ]


def test_a_year_that_was_cut_over_is_judged_on_its_first_day(place: Workplace, warehouse: Connection) -> None:
    load(place, warehouse, ["2024-12"], *companies(20, strategic=1))
    snapshots(place, "2024-12")
    cut_over(2025, place, rules=RULES)

    verdict = validate_year(None, place, rules=RULES)

    assert (verdict.year, verdict.day.isoformat(), failed(verdict)) == (2025, "2025-01-01", [])


def test_a_year_is_judged_by_the_shares_it_is_given(place: Workplace, sound: Connection) -> None:
    rules = replace(RULES, most_strategic_share=Decimal("0.05"), least_strategic_share=Decimal("0.05"))

    assert failed(validate_year(2024, place, rules=rules)) == []


def test_a_what_if_year_does_not_change_the_verdict(place: Workplace, sound: Connection) -> None:
    assert failed(validate_year(2024, place, rules=replace(RULES, status_year=2030))) == []


def test_a_year_nobody_knows_is_refused(place: Workplace, sound: Connection) -> None:
    with pytest.raises(UsageError, match="no month of 2030 is synced") as raised:
        validate_year(2030, place, rules=RULES)

    assert raised.value.rule == "years that are: 2023, 2024"


def test_without_contracts_there_is_nothing_to_judge(place: Workplace) -> None:
    with pytest.raises(UsageError, match="no contracts to judge"):
        validate_year(None, place, rules=RULES)
