"""What contracts and snapshots cost: 20,000 contracts over 24 months of about 33,000 facts.

python -m tests.benchmarks.customers [--contracts 20000] [--months 24] [--rounds 3]

CPU seconds of client and server together, in one process that has already imported everything. Every round
begins without contracts and goes through the cases in order; each case is one command with its commit.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.benchmarks.compare import PROJECT, server_seconds
from tests.benchmarks.server import bench_server
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.customers.shapes import month_number, month_of
from work_data_hub.domain.period import Period
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import connect
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.requests import Workplace

LAST = date(2024, 12, 1)
CORRECTED_MONTHS_BACK = 6
LOAD = """
insert into ledger.loads (run_id, domain, period, status, started_at, committed_at, actor)
values ('benchmark', 'annuity_performance', %(month)s, 'loaded', now(), now(), 'benchmark')
"""
# Companies have about two contracts; two of three contracts have two portfolios; a few come, pause and leave.
FACTS = """
insert into business.规模明细
  (月度, 业务类型, 计划类型, 计划代码, 组合代码, 客户名称, 期末资产规模, 供款, 机构代码, 产品线代码, company_id)
select %(month)s,
       case contract %% 4 when 0 then '企年投资' when 1 then '企年受托' when 2 then '职年投资' else '职年受托' end,
       '集合计划',
       'P' || lpad((contract / 2 %% 1158)::text, 4, '0'),
       'Z' || portfolio,
       '第' || contract / 2 || '号样本科技有限公司',
       case when contract %% 97 = %(number)s %% 97 then 0
            else ((contract * 7919 %% 9973)::numeric ^ 2 * 3 + %(number)s * 1000.0625) end,
       case when (contract + %(number)s / 7) %% 11 = 0 or contract %% 13 = 0 then 0 else 1000.5 end,
       'G' || lpad((contract %% 37)::text, 2, '0'),
       'PL20' || 1 + contract %% 4,
       (600000000 + contract / 2)::text
from generate_series(0, %(contracts)s - 1) as contract
cross join generate_series(1, 2) as portfolio
where (portfolio = 1 or contract %% 3 <> 0)
  and (contract * 31 + %(number)s) %% 211 <> 0
"""
CUSTOMERS = """
insert into customer.客户明细 (company_id, 客户名称, _source, _needs_review, _derived_from_domain, _derived_at)
select (600000000 + customer)::text, '第' || customer || '号样本科技有限公司', 'auto_derived', false,
       'annuity_performance', now()
from generate_series(0, %(contracts)s / 2) as customer
on conflict (company_id) do nothing
"""
REPORTS = """
insert into customer.{} (上报月份, 业务类型, 产品线代码, 上报客户名称, 客户名称, 年金计划号, company_id, 机构代码)
select %(month)s, '企年受托', 'PL202', '客户', '客户', 'P' || lpad(customer::text, 4, '0'),
       (600000000 + customer * 97 %% (%(contracts)s / 2))::text, 'G00'
from generate_series(%(number)s %% 12 * 40, %(number)s %% 12 * 40 + 39) as customer
"""
EMPTY = """
truncate customer.customer_plan_contract, customer.contract_periods, customer.contract_years,
         customer.fct_customer_product_line_monthly, customer.fct_customer_plan_monthly
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The server, and how many contracts and months its warehouse has."""

    server: EmbeddedPostgres
    url: str
    contracts: int
    months: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    counted: dict[str, str] = field(default_factory=dict)

    def run(self, *statements: str, **values: Any) -> None:
        """Run statements and commit them."""
        with closing(connect(self.url, application_name="wdh benchmark")) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement, values or None)
            connection.commit()

    def settle(self) -> None:
        """Have statistics and the visibility map up to date, and nothing left to flush."""
        with closing(connect(self.url, application_name="wdh benchmark")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("vacuum analyze")
                cursor.execute("checkpoint")

    def measure(self, name: str, work: Callable[[], CustomerReport]) -> None:
        """Do the work once, and keep what it cost and what it says it did."""
        before = time.process_time() + server_seconds(self.server)
        report = work()
        self.seconds.setdefault(name, []).append(time.process_time() + server_seconds(self.server) - before)
        told = report.tables[:2] if "snapshot" in name else report.tables[:1]
        self.counted[name] = ", ".join(
            f"{word} {sum(getattr(table, word) for table in told):,}"
            for word in ("inserted", "closed", "updated", "deleted", "skipped")
            if any(getattr(table, word) for table in told)
        )

    def month(self, number: int) -> dict[str, Any]:
        """What the statements above are filled with."""
        return {"month": month_of(number), "number": number, "contracts": self.contracts}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--contracts", type=int, default=20_000)
    options.add_argument("--months", type=int, default=24)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    logging.disable(logging.INFO)
    with bench_server() as started:
        bench = Bench(server=started.server, url=started.url, contracts=given.contracts, months=given.months)
        _fill(bench)
        for _ in range(given.rounds):
            _round(bench, started.folder)
        _print(bench)


def _fill(bench: Bench) -> None:
    """Facts, awards and losses of all months, and of the January behind them."""
    bench.run(CUSTOMERS, contracts=bench.contracts)
    last = month_number(LAST)
    for number in range(last - bench.months + 1, last + 2):
        month = bench.month(number)
        bench.run(FACTS, LOAD, **month)
        bench.run(REPORTS.format("中标客户明细"), REPORTS.format("流失客户明细"), **month)


def _round(bench: Bench, folder: Path) -> None:
    place = Workplace(
        data_root=folder,
        config_dir=PROJECT / "config",
        home=folder,
        database_url=bench.url,
        alias_salt="salt",
        actor="benchmark",
    )
    rules, status_rules = load_customer_rules(place.config_dir), load_status_rules(place.config_dir)
    newest, older = month_number(LAST), month_number(LAST) - CORRECTED_MONTHS_BACK

    def sync(number: int, *, rebuild: bool = False) -> Callable[[], CustomerReport]:
        return lambda: sync_contract_status(Period.of(month_of(number)), place, rules=rules, rebuild=rebuild)

    def snapshot(number: int) -> Callable[[], CustomerReport]:
        return lambda: refresh_monthly_snapshot(Period.of(month_of(number)), place, status_rules=status_rules)

    bench.run(EMPTY)
    sync(newest - 1)()
    snapshot(newest - 1)()
    bench.settle()
    bench.measure("sync, a new month", sync(newest))
    bench.measure("snapshot of a new month", snapshot(newest))
    bench.settle()
    bench.measure("sync, the same month again", sync(newest))
    bench.measure("snapshot of the same month again", snapshot(newest))
    bench.measure("rebuild, nothing to change", sync(newest, rebuild=True))
    change = "update business.规模明细 set 期末资产规模 = 0 where 月度 = %(month)s and right(company_id, 2) = '77'"
    bench.run(change, LOAD, **bench.month(older))
    bench.measure(f"sync, a month corrected {CORRECTED_MONTHS_BACK} months back", sync(older))
    bench.measure(f"snapshots of {CORRECTED_MONTHS_BACK + 1} months that changed", snapshot(newest))
    bench.run("delete from business.规模明细 where 月度 = %(month)s", FACTS, **bench.month(older))
    bench.run(EMPTY)
    bench.settle()
    bench.measure(f"first sync, {bench.months} months", sync(newest))
    bench.measure(f"first snapshots, {bench.months} months", snapshot(newest))
    bench.settle()
    bench.measure("sync, a January: every contract turns", sync(newest + 1))


def _print(bench: Bench) -> None:
    rounds = len(next(iter(bench.seconds.values())))
    print(f"{bench.contracts:,} contracts, {bench.months} months, {rounds} rounds; CPU seconds of client and server\n")
    print("| case | CPU s, median | range | rows |")
    print("|---|--:|--:|---|")
    for name, seconds in bench.seconds.items():
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        print(f"| {name} | {statistics.median(seconds):.2f} | {spread} | {bench.counted[name]} |")


if __name__ == "__main__":
    main()
