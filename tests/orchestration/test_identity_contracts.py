"""Contracts, snapshots and customers follow facts that were brought to another company, in the same transaction."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.changing_companies import AWARD, PERFORMANCE, Ledger, temporary
from tests.domain.domain_rows import CONFIG

from work_data_hub.errors import LoadLocked
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.postgres import connect
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

A, B = "600000001", "600000002"
NAME, OTHER = "平安科技有限公司", "泰康人寿有限公司"
T, T_OTHER = temporary(NAME), temporary(OTHER)


@pytest.fixture
def ledger(warehouse_url: str) -> Ledger:
    return Ledger(url=warehouse_url)


def kept_under(ledger: Ledger, *ids: str) -> None:
    """Let people keep customers under these ids."""
    for number in ids:
        ledger.run("insert into customer.客户明细 (company_id, 客户简称) values (%s, %s)", number, f"of {number}")


def short_names(ledger: Ledger) -> list[tuple[Any, ...]]:
    return ledger.run("select company_id, 客户简称 from customer.客户明细 order by 1")


def synced(ledger: Ledger, **asked: Any) -> None:
    """Sync and picture all months, as their loads would have been followed."""
    place = Workplace(
        data_root=Path(), config_dir=CONFIG, home=Path(), database_url=ledger.url, alias_salt="test", actor="tester"
    )
    sync_contract_status(None, place, rules=load_customer_rules(CONFIG), **asked)
    refresh_monthly_snapshot(None, place, status_rules=load_status_rules(CONFIG))


def contracts(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Each version's company, plan and days."""
    columns = "company_id, plan_code, valid_from::text, valid_to::text"
    return ledger.run(f"select {columns} from customer.customer_plan_contract order by 1, 2, 3")


def pictures(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Each snapshot row of a company and line."""
    columns = "snapshot_month::text, company_id, aum_balance, plan_count"
    return ledger.run(f"select {columns} from customer.fct_customer_product_line_monthly order by 1, 2")


def master(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Every customer, without when it was written."""
    return ledger.run(
        "select (to_jsonb(c) - '{id,created_at,updated_at,_derived_at}'::text[])::text from customer.客户明细 as c"
        " order by 1"
    )


def as_rebuilt(ledger: Ledger) -> bool:
    """Whether contracts, snapshots and customers are what they would be, made from nothing."""
    seen = contracts(ledger), pictures(ledger), master(ledger)
    synced(ledger, rebuild=True)
    return (contracts(ledger), pictures(ledger), master(ledger)) == seen


def test_contracts_and_snapshots_follow_the_facts(ledger: Ledger) -> None:
    for period in ("202410", "202411"):
        ledger.load(period=period, 计划代码="S1", 业务类型="企年受托", 期末资产规模=5.0)
    kept_under(ledger, T)
    synced(ledger)
    assert contracts(ledger) == [(T, "S1", "2024-10-31", "9999-12-31")]
    ledger.know(A, name=NAME)

    done = ledger.apply()

    assert contracts(ledger) == [(A, "S1", "2024-10-31", "9999-12-31")]
    assert pictures(ledger) == [("2024-10-31", A, 5, 1), ("2024-11-30", A, 5, 1)]
    assert "customer.客户明细" in {table.table for table in done.tables} | {table.table for table in done.followed}
    assert as_rebuilt(ledger)


def test_facts_of_a_customer_that_nobody_kept_get_their_contracts(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2"], 业务类型="企年受托", 客户名称=[NAME, OTHER])
    synced(ledger)
    assert contracts(ledger) == []
    ledger.know(A, name=NAME)

    followed = {table.table: table for table in ledger.apply().followed}

    assert contracts(ledger) == [(A, "S1", "2024-10-31", "9999-12-31")]
    assert followed["customer.customer_plan_contract"].inserted == 1
    assert followed["customer.fct_customer_plan_monthly"].inserted == 1
    assert as_rebuilt(ledger)


def test_contracts_of_several_ids_become_one_history(ledger: Ledger) -> None:
    ledger.load(period="202409", 计划代码="S1", 业务类型="企年受托", 公司代码=B, 客户名称="第三公司")
    ledger.load(period="202410", 计划代码=["S1", "S1"], 业务类型="企年受托", 客户名称=[NAME, OTHER])
    kept_under(ledger, T, T_OTHER)
    synced(ledger)
    assert [row[0] for row in contracts(ledger)] == [B, *sorted([T, T_OTHER])]
    ledger.know(B, name=NAME)
    ledger.know(B, name=OTHER)

    ledger.apply()

    assert contracts(ledger) == [(B, "S1", "2024-09-30", "9999-12-31")]
    assert [row[0] for row in short_names(ledger)] == [B]
    assert as_rebuilt(ledger)


def test_a_merge_that_is_undone_gives_the_contracts_back(ledger: Ledger) -> None:
    for period in ("202410", "202411"):
        ledger.load(period=period, 计划代码=["S1", "S2"], 业务类型="企年受托", 公司代码=[A, B], 客户名称=[NAME, OTHER])
    synced(ledger)
    before = contracts(ledger), pictures(ledger)
    number = ledger.decide("merge", start=A, end=B)
    ledger.apply()
    merged = {row[0] for row in contracts(ledger)}

    ledger.undo(number)
    ledger.apply()

    assert merged == {B}
    assert (contracts(ledger), pictures(ledger)) == before
    assert as_rebuilt(ledger)


def test_an_award_that_changes_its_company_changes_the_snapshots(ledger: Ledger) -> None:
    ledger.load(计划代码="S1", 业务类型="企年受托", 公司代码=A, 客户名称="第三公司")
    ledger.load(AWARD, 业务类型="企年受托", 年金计划号="S1")
    synced(ledger)
    ledger.know(A, name=NAME)

    ledger.apply()

    won = "select company_id, is_winning_this_year from customer.fct_customer_product_line_monthly"
    assert ledger.run(won) == [(A, True)]
    assert as_rebuilt(ledger)


def test_without_any_synced_month_nothing_follows(ledger: Ledger) -> None:
    ledger.load(计划代码="S1", 业务类型="企年受托")
    ledger.know(A, name=NAME)

    planned, done = ledger.apply(execute=False), ledger.apply()

    assert (planned.warnings, done.followed, contracts(ledger)) == ((), (), [])


def test_a_plan_says_that_contracts_follow(ledger: Ledger) -> None:
    ledger.load(计划代码="S1", 业务类型="企年受托")
    synced(ledger)
    ledger.know(A, name=NAME)

    planned = ledger.apply(execute=False)

    assert planned.warnings == (
        "contracts, snapshots and customers follow from 2024-10 on; counted once it is executed",
    )


def test_an_apply_waits_for_whoever_changes_contracts(ledger: Ledger) -> None:
    ledger.load(计划代码="S1", 业务类型="企年受托")
    ledger.know(A, name=NAME)
    before = ledger.everything(PERFORMANCE)

    with closing(connect(ledger.url, application_name="a sync")) as holder, holder.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=0)
        with pytest.raises(LoadLocked, match="contracts are being changed by a sync"):
            ledger.apply(lock_wait_seconds=0.2)

    assert ledger.everything(PERFORMANCE) == before
    assert ledger.apply().status == "applied"
