"""Reference rows of a whole month of all domains, through the command line."""

from typing import Any

import psycopg2
import pytest
from tests.hub import Hub

from work_data_hub.io.sample_drop import write_sample_drop

pytestmark = pytest.mark.integration

MONTH = "202410"
DOMAINS = ("annual_award", "annual_loss", "annuity_performance", "annuity_income")


def empty(hub: Hub) -> None:
    """Take away what loads have written."""
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细")
        cursor.execute("truncate customer.客户明细 cascade")
    connection.close()


def load(hub: Hub, *domains: str, mode: str = "--execute", period: str = MONTH) -> dict[str, Any]:
    answer = hub.wdh("etl", "--domains", ",".join(domains), "--period", period, mode, "--force", "--report", "json")
    assert answer.code == 0, answer.stderr
    return {domain["domain"]: domain["references"] for domain in answer.report["domains"]}


def test_a_month_of_all_domains_gives_one_master_whatever_the_order(hub: Hub) -> None:
    write_sample_drop(hub.data, period=MONTH, rows=400, company_ids=True)
    columns = "company_id, 客户名称, 年金客户类型, 关键年金计划, 其他年金计划, 主拓机构, 管理资格, _derived_from_domain"
    master = f"select {columns} from customer.客户明细 order by 1"

    for name in DOMAINS:
        assert load(hub, name, mode="--plan-only") == load(hub, name)
    first = hub.query(master)
    empty(hub)
    for name in reversed(DOMAINS):
        load(hub, name)

    assert len(first) > 20
    assert {row[-1] for row in first} >= {"annual_award", "annuity_performance"}
    assert hub.query(master) == first
    assert hub.query("select count(*) from customer.客户明细 where company_id like 'IN%'") == [(0,)]


def test_months_in_either_order_tag_new_customers_alike(hub: Hub) -> None:
    months = ("202409", MONTH)
    for period in months:
        write_sample_drop(hub.data, period=period, rows=200, company_ids=True)
    tagged = "select company_id, tags from customer.客户明细 order by 1"
    seen = []

    # The first round teaches which company a name belongs to, so that the others begin alike.
    for order in (months, months, months[::-1]):
        empty(hub)
        for period in order:
            load(hub, *DOMAINS, period=period)
        seen.append(hub.query(tagged))

    assert seen[1] == seen[2]
    new = [tag for _, tags in seen[1] for tag in tags if tag.endswith("新建")]
    assert set(new) == {"2409新建", "2410新建"}


def test_the_same_files_again_change_no_reference_row(hub: Hub) -> None:
    write_sample_drop(hub.data, period=MONTH, rows=200, company_ids=True)
    # The second time the first domains know the companies that the later ones taught.
    for _ in range(2):
        load(hub, *DOMAINS)
    rows = "select customer::text from customer.客户明细 as customer order by company_id"
    before = hub.query(rows)

    load(hub, *DOMAINS)

    assert before
    assert hub.query(rows) == before


@pytest.mark.parametrize("point", ["before_references", "before_ledger", "before_commit"])
def test_a_killed_load_leaves_no_reference_behind(hub: Hub, point: str) -> None:
    hub.sample(company_ids=True)
    before = hub.contents()

    assert hub.etl("--execute", WDH_FAULT=point).code == -9

    assert hub.contents() == before
    assert hub.etl("--execute").code == 0
    assert hub.query("select count(*) > 0 from customer.客户明细") == [(True,)]
