"""The customer master in the warehouse: recomputed, added to, tidied, and shown to reports."""

import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from psycopg2.extras import RealDictCursor
from tests.contract_facts import Fact, put_month
from tests.domain.domain_rows import CONFIG
from tests.reference_months import AWARD, INCOME, LOSS, PERFORMANCE, customers, load, month_of, run

from work_data_hub.domain.customers.master import PlannedMaster
from work_data_hub.domain.customers.report import TableCounts
from work_data_hub.domain.plans import LoadPlan
from work_data_hub.io.customer_master import (
    add_missing_customers,
    count_missing_customers,
    refresh_master,
)
from work_data_hub.io.postgres import Connection, read_only, transaction

pytestmark = pytest.mark.integration

A, B, C = "600000001", "600000002", "600000003"
AMOUNTS = "最新受托规模, 最新投管规模, 计划层规模, 年缴费规模"
NOTHING = PlannedMaster()


def refreshed(warehouse: Connection, *, config: Path = CONFIG) -> tuple[int, int, int]:
    """Refresh the master; a dry run must have told the same. Updated, deleted and skipped rows."""
    with read_only(warehouse), warehouse.cursor() as cursor:
        planned = refresh_master(cursor, config_dir=config, write=False)
    with transaction(warehouse), warehouse.cursor() as cursor:
        done = refresh_master(cursor, config_dir=config, write=True)
    assert done == planned
    return counted(done)


def counted(done: TableCounts) -> tuple[int, int, int]:
    assert (done.table, done.inserted, done.closed) == ("customer.客户明细", 0, 0)
    return done.updated, done.deleted, done.skipped


def considered(warehouse: Connection, *months: str) -> None:
    for month in months:
        run(warehouse, "insert into customer.contract_periods (period) values (%s)", f"{month}-01")


def customer(warehouse: Connection, company: str, source: str = "auto_derived", **more: Any) -> None:
    columns = ", ".join(("company_id", "_source", *more))
    places = ", ".join(["%s"] * (2 + len(more)))
    run(warehouse, f"insert into customer.客户明细 ({columns}) values ({places})", company, source, *more.values())


def contract(warehouse: Connection, company: str, status: str, *, plan: str = "P1", ends: str = "9999-12-31") -> None:
    run(
        warehouse,
        "insert into customer.customer_plan_contract (company_id, plan_code, product_line_code, is_strategic,"
        " is_existing, status_year, contract_status, valid_from, valid_to)"
        " values (%s, %s, 'PL202', false, false, 2024, %s, '2024-01-31', %s)",
        *(company, plan, status, ends),
    )


def amounts(warehouse: Connection) -> dict[str, list[str | None]]:
    found = customers(warehouse, AMOUNTS)
    return {
        company: [None if value is None else f"{value.normalize():f}" for value in row.values()]
        for company, row in found.items()
    }


# -- amounts and states


def test_amounts_are_those_of_the_newest_considered_month(warehouse: Connection) -> None:
    for company in (A, B, C):
        customer(warehouse, company)
    put_month(warehouse, "2023-10", [Fact(company=A, aum="1", paid="1000")])
    put_month(warehouse, "2023-11", [Fact(company=B, aum="9", paid="4")])
    put_month(
        warehouse,
        "2024-10",
        [
            Fact(company=A, aum="100.0001", paid="2"),
            Fact(company=A, aum="20", paid="0.5", line="PL201"),
            Fact(company=A, aum="3", paid="0", line="PL208"),
            Fact(company=A, aum="0.5", paid="0", line=None),
        ],
    )
    put_month(warehouse, "2024-11", [Fact(company=A, aum="7"), Fact(company=C)])
    considered(warehouse, "2023-10", "2023-11", "2024-10")

    assert refreshed(warehouse) == (2, 0, 1)

    assert amounts(warehouse) == {
        A: ["100.0001", "20", "123.5001", "2.5"],
        B: ["0", "0", "0", "4"],
        C: [None, None, None, None],
    }
    assert refreshed(warehouse) == (0, 0, 3)


def test_a_plan_is_in_the_state_of_its_best_contract(warehouse: Connection) -> None:
    companies = [f"60000001{at}" for at in range(4)]
    for company in companies:
        customer(warehouse, company)
    contract(warehouse, companies[0], "停缴")
    contract(warehouse, companies[0], "正常", plan="P2")
    contract(warehouse, companies[1], "停缴")
    contract(warehouse, companies[1], "正常", plan="P2", ends="2024-05-31")
    contract(warehouse, companies[2], "正常", ends="2024-05-31")
    put_month(warehouse, "2024-10", [Fact(company=company) for company in companies])

    refreshed(warehouse)

    states = [row["计划状态"] for row in customers(warehouse, "计划状态").values()]
    assert states == ["正常", "停缴", "已终止", None]


def test_a_dry_run_looks_at_contracts_that_are_not_written_yet(warehouse: Connection) -> None:
    customer(warehouse, A)
    customer(warehouse, B)
    run(warehouse, "update customer.客户明细 set 最新受托规模 = 0, 最新投管规模 = 0, 计划层规模 = 0, 年缴费规模 = 0")
    put_month(warehouse, "2024-10", [Fact(company=A, aum="0", paid="0")])
    versions = pd.DataFrame({"company_id": [A], "contract_status": ["停缴"], "valid_to": ["9999-12-31"]})
    versions["valid_to"] = versions["valid_to"].astype("datetime64[s]")
    planned = PlannedMaster(through=date(2024, 10, 1), versions=versions)

    with read_only(warehouse), warehouse.cursor() as cursor:
        assert counted(refresh_master(cursor, config_dir=CONFIG, write=False, planned=planned)) == (1, 1, 0)
        kept = replace(planned, in_snapshots=[B])
        assert counted(refresh_master(cursor, config_dir=CONFIG, write=False, planned=kept)) == (2, 0, 0)


def test_an_authoritative_row_follows_facts_where_no_sync_delivers(warehouse: Connection, tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    sync = yaml.safe_load((config / "reference_sync.yml").read_text(encoding="utf-8"))
    job = next(job for job in sync["jobs"] if job["name"] == "customers")
    job |= {"enabled": True, "columns": job["columns"] | {"scale": "计划层规模"}}
    (config / "reference_sync.yml").write_text(yaml.safe_dump(sync, allow_unicode=True), encoding="utf-8")
    for company in (A, B):
        customer(warehouse, company, "authoritative", 计划层规模=5, 最新受托规模=6, 计划状态="人工")
    put_month(warehouse, "2024-10", [Fact(company=A, aum="100")])
    considered(warehouse, "2024-10")

    assert refreshed(warehouse, config=config) == (1, 0, 1)

    assert amounts(warehouse) == {A: ["100", "0", "5", "10"], B: ["6", None, "5", None]}
    assert {row["计划状态"] for row in customers(warehouse, "计划状态").values()} == {"人工"}


def with_tiers(folder: Path, tiers: Any) -> Path:
    config = folder / "config"
    shutil.copytree(CONFIG, config)
    written = yaml.safe_load((config / "customer_mdm.yaml").read_text(encoding="utf-8"))
    written["customer_mdm"]["aum_tiers"] = tiers
    (config / "customer_mdm.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return config


def test_a_customer_is_in_the_tier_of_its_whole_money(warehouse: Connection, tmp_path: Path) -> None:
    config = with_tiers(tmp_path, [{"name": "小", "from": 10}, {"name": "大", "from": 100}])
    money = {f"60000001{at}": aum for at, aum in enumerate(("9.9999", "10", "99.9999", "100"))}
    for company in money:
        customer(warehouse, company)
    put_month(warehouse, "2024-10", [Fact(company=company, aum=aum) for company, aum in money.items()])
    considered(warehouse, "2024-10")

    refreshed(warehouse, config=config)

    assert [row["规模区间"] for row in customers(warehouse, "规模区间").values()] == [None, "小", "小", "大"]


# -- rows that come and go


def test_a_derived_customer_that_nobody_knows_goes(warehouse: Connection) -> None:
    customer(warehouse, "gone")
    customer(warehouse, "gone too", tags='["2410新建"]')
    customer(warehouse, "authoritative", "authoritative")
    customer(warehouse, "noted", 备注="问过")
    customer(warehouse, "named", 客户简称="短")
    customer(warehouse, "tagged", tags='["重点"]')
    customer(warehouse, "object", tags='{"by": "hand"}')
    customer(warehouse, "contract")
    contract(warehouse, "contract", "正常")
    customer(warehouse, "fact")
    put_month(warehouse, "2024-10", [Fact(company="fact")])
    customer(warehouse, "snapshot")
    run(
        warehouse,
        "insert into customer.fct_customer_plan_monthly select '2024-10-31', 'snapshot', 'P', 'PL202', null,"
        " false, false, false, false, false, true, 0",
    )
    for table, company in (("中标客户明细", "award"), ("流失客户明细", "loss")):
        customer(warehouse, company)
        run(
            warehouse,
            f"insert into customer.{table} (上报月份, 业务类型, 上报客户名称, company_id, 机构代码)"
            " values ('2024-10-01', '企年受托', 'x', %s, 'G00')",
            company,
        )

    assert refreshed(warehouse)[1] == 2

    assert set(customers(warehouse, "id")) == {
        *("authoritative", "noted", "named", "tagged", "object", "contract", "fact", "snapshot", "award", "loss")
    }


def test_customers_that_facts_have_and_the_master_lacks_are_added(warehouse: Connection) -> None:
    load(warehouse, month_of(PERFORMANCE, [A, B], 计划代码=["S1", "S2"], period="202409"))
    load(warehouse, month_of(AWARD, A))
    load(warehouse, month_of(INCOME, C, 计划代码="S3"))
    columns = "客户明细::text, 客户名称, 年金客户类型, 关键年金计划, tags, _source, _needs_review, _derived_from_domain"
    before = {company: list(row.values())[1:] for company, row in customers(warehouse, columns).items()}
    run(warehouse, "delete from customer.客户明细 where company_id <> %s", B)
    asked = [A, B, C, "600000009", "INABCDEFGHIJKLMNOP", "", "无"]

    with read_only(warehouse), warehouse.cursor() as cursor:
        assert count_missing_customers(cursor, asked, config_dir=CONFIG) == 2
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert add_missing_customers(cursor, asked, config_dir=CONFIG) == 2
        assert counted(refresh_master(cursor, config_dir=CONFIG, write=True)) == (0, 0, 1)
        assert add_missing_customers(cursor, asked, config_dir=CONFIG) == 0

    assert {company: list(row.values())[1:] for company, row in customers(warehouse, columns).items()} == before
    assert before[A][3] == ["2409新建", "2410中标"]


# -- the same master in whatever order months come

COMPANIES = [f"6000000{at:02}" for at in range(8)]
EMPTY = (
    "truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细,"
    " customer.客户明细 cascade"
)


def random_month(seen: random.Random, domain: Any, period: str) -> LoadPlan:
    some = [seen.choice(COMPANIES) for _ in range(seen.randint(1, 6))]
    plan = "年金计划号" if domain in (AWARD, LOSS) else "计划代码"
    weight = {PERFORMANCE.name: "期末资产规模", INCOME.name: "固费"}.get(domain.name, "计划规模")
    line = {PERFORMANCE.name: ("企年受托", "职年投资"), INCOME.name: ("企年投资",)}.get(domain.name, ("受托", "投资"))
    cells: dict[str, list[Any]] = {
        plan: [f"S{seen.randint(1, 5)}" for _ in some],
        weight: [float(seen.randint(1, 3)) for _ in some],
        "业务类型": [seen.choice(line) for _ in some],
        "机构名称": [seen.choice(["北京", "上海", "天津"]) for _ in some],
        "上报客户名称" if domain in (AWARD, LOSS) else "客户名称": [seen.choice(["甲公司", "乙公司"]) for _ in some],
    }
    return month_of(domain, some, period=period, **cells)


def master_after(warehouse: Connection, plans: list[LoadPlan]) -> list[dict[str, Any]]:
    run(warehouse, EMPTY)
    customer(warehouse, COMPANIES[0], "authoritative", 客户名称="本名", 管理资格="人工", tags='["重点"]')
    customer(warehouse, COMPANIES[1], "authoritative", 客户名称="别名", 年金计划类型="人工")
    for plan in plans:
        load(warehouse, plan)
    refreshed(warehouse)
    with transaction(warehouse), warehouse.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute("select * from customer.客户明细 order by company_id")
        own_time = ("id", "created_at", "updated_at", "_derived_at")
        return [{name: value for name, value in row.items() if name not in own_time} for row in cursor.fetchall()]


@pytest.mark.parametrize("seed", range(3))
def test_months_in_any_order_and_corrected_give_one_master(warehouse: Connection, seed: int) -> None:
    seen = random.Random(seed)
    places = [(domain, period) for domain in (PERFORMANCE, INCOME, AWARD, LOSS) for period in ("202409", "202410")]
    first = {(domain.name, period): random_month(seen, domain, period) for domain, period in places}
    corrected = {(domain.name, period): random_month(seen, domain, period) for domain, period in seen.sample(places, 5)}
    masters = []
    for _ in range(2):
        # A correction comes after what it corrects, and else whenever it likes.
        order = seen.sample([*first, *corrected], len(first) + len(corrected))
        left = {place: iter([first[place], *([corrected[place]] if place in corrected else [])]) for place in first}
        masters.append(master_after(warehouse, [next(left[place]) for place in order]))

    assert len(masters[0]) > 3
    assert masters[0] == masters[1]


# -- what reports see


def snapshot(warehouse: Connection, month_end: str, company: str) -> None:
    run(
        warehouse,
        "insert into customer.fct_customer_product_line_monthly"
        " select %s, %s, 'PL202', true, false, true, false, true, false, false, false, 12.5, 1",
        *(month_end, company),
    )
    run(
        warehouse,
        "insert into customer.fct_customer_plan_monthly"
        " select %s, %s, 'S1', 'PL202', '正常', true, false, true, false, false, false, 12.5",
        *(month_end, company),
    )


def view(warehouse: Connection, name: str) -> list[dict[str, Any]]:
    with transaction(warehouse), warehouse.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(f"select * from bi.{name} order by 1, 2")
        return [dict(row) for row in cursor.fetchall()]


def test_reports_see_the_customers_of_snapshots(warehouse: Connection) -> None:
    customer(
        warehouse, A, 客户名称="甲", 年金客户类型="新客", 客户简称="短", 最新受托规模=5, 规模区间="大", tags='["x"]'
    )
    customer(warehouse, B, 客户名称="乙")
    snapshot(warehouse, "2024-10-31", A)

    (found,) = view(warehouse, "dim_customer")

    assert list(found.values()) == [A, "甲", "新客", ["x"], "短", 5, None, "大", None]
    assert list(found) == [
        *("company_id", "customer_name", "customer_type", "customer_tags", "customer_short_name"),
        *("latest_trustee_aum", "latest_investment_aum", "aum_tier", "plan_count"),
    ]


def test_reports_see_names_as_they_are_now(warehouse: Connection) -> None:
    customer(warehouse, A, 客户名称="甲")
    run(warehouse, "insert into mapping.年金计划 (年金计划号, 计划全称) values ('S1', '一号')")
    snapshot(warehouse, "2024-10-31", A)
    run(warehouse, "update customer.客户明细 set 客户名称 = '新名'")
    run(warehouse, "update mapping.年金计划 set 计划全称 = '新计划' where 年金计划号 = 'S1'")
    run(warehouse, "update mapping.产品线 set 产品线 = '新线' where 产品线代码 = 'PL202'")

    (by_line,), (by_plan,) = (
        view(warehouse, name) for name in ("fct_customer_monthly_summary", "fct_customer_plan_monthly_summary")
    )

    assert (by_line["customer_name"], by_line["product_line_name"]) == ("新名", "新线")
    assert (by_plan["customer_name"], by_plan["plan_name"], by_plan["product_line_name"]) == ("新名", "新计划", "新线")
    assert list(by_line) == [
        *("snapshot_month", "company_id", "customer_name", "product_line_code", "product_line_name", "is_strategic"),
        *("is_existing", "is_new", "is_new_arrival", "is_winning", "is_loss_reported", "is_churned", "is_award_only"),
        *("aum_balance", "plan_count", "updated_at"),
    ]
    assert list(by_plan) == [
        *("snapshot_month", "company_id", "customer_name", "plan_code", "plan_name", "product_line_code"),
        *("product_line_name", "contract_status", "is_strategic", "is_existing", "is_winning", "is_loss_reported"),
        *("is_churned", "is_award_only", "aum_balance", "updated_at"),
    ]
    assert (by_line["is_strategic"], by_line["is_new"], by_line["is_winning"], by_line["is_churned"]) == (
        *(True, True, True, False),
    )


def test_reports_see_a_plan_that_no_list_names(warehouse: Connection) -> None:
    customer(warehouse, A)
    snapshot(warehouse, "2024-10-31", A)

    (found,) = view(warehouse, "fct_customer_plan_monthly_summary")

    assert (found["plan_code"], found["plan_name"]) == ("S1", None)


def test_reports_see_each_month_of_snapshots_once(warehouse: Connection) -> None:
    for company in (A, B):
        customer(warehouse, company)
        snapshot(warehouse, "2024-09-30", company)
    snapshot(warehouse, "2025-02-28", A)

    assert [list(row.values()) for row in view(warehouse, "dim_time")] == [
        [date(2024, 9, 30), 2024, 3, 9, "September", "2024-09"],
        [date(2025, 2, 28), 2025, 1, 2, "February", "2025-02"],
    ]


def test_reports_see_all_product_lines(warehouse: Connection) -> None:
    lines = view(warehouse, "dim_product_line")

    assert len(lines) == 12
    assert list(lines[0]) == ["product_line_code", "product_line_name", "business_category"]
    assert (lines[1]["product_line_code"], lines[1]["product_line_name"]) == ("PL202", "企年受托")
