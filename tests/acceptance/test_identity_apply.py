"""`wdh identity apply` as people use it: planned, executed, killed, locked out, and as if loads had known all along."""

from typing import Any

import pytest
from psycopg2 import sql
from tests.changing_companies import AWARD, INCOME, LOSS, PERFORMANCE
from tests.hub import DOMAIN, Answer, Hub
from tests.known_companies import know_everybody

from work_data_hub.io.locks import load_lock_key
from work_data_hub.io.postgres import Connection, transaction
from work_data_hub.io.sample_drop import write_sample_drop

pytestmark = pytest.mark.integration

MONTH = "202410"
DOMAINS = (AWARD, LOSS, PERFORMANCE, INCOME)
TEMPORARY = """
    select count(*) from business.规模明细
    where company_id ~ '^IN[A-Z2-7]{16}$'
      and 客户名称 in (select lookup_key from enterprise.enrichment_index where lookup_type = 'customer_name')
"""


def apply(hub: Hub, *arguments: str, **extra: str) -> Answer:
    start = hub.process if "WDH_FAULT" in extra else hub.wdh
    return start("identity", "apply", "--report", "json", *arguments, **extra)


def loaded(hub: Hub, warehouse: Connection, *, rows: int = 200) -> None:
    """A month of 规模明细 whose companies the index knows by now."""
    hub.sample(rows=rows)
    assert hub.etl("--execute").code == 0
    know_everybody(warehouse)


def run(warehouse: Connection, statement: str) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(statement)


def test_a_plan_says_what_the_apply_then_does(hub: Hub, warehouse: Connection) -> None:
    loaded(hub, warehouse)
    before = hub.contents()

    planned = apply(hub)
    after_plan = hub.contents()
    done = apply(hub, "--execute")

    assert (planned.code, planned.report["status"], done.code, done.report["status"]) == (0, "planned", 0, "applied")
    assert after_plan == before
    for part in ("groups", "sums", "rows"):
        assert done.report[part] == planned.report[part]
    assert sorted(map(str, done.report["tables"])) == sorted(map(str, planned.report["tables"]))
    by_knowledge = "_identity_source in ('index_customer_name', 'same_load')"
    assert hub.query(f"select count(*) from business.规模明细 where {by_knowledge}") == [
        (done.report["rows"]["changed"],)
    ]


def test_people_read_who_goes_where_with_which_money(hub: Hub, warehouse: Connection) -> None:
    loaded(hub, warehouse)

    lines = hub.wdh("identity", "apply").stdout.splitlines()

    assert lines[0].startswith("PLAN — nothing was written")
    assert lines[1].split() == ["name", "plan", "from", "to", "by", "rows", "money"]
    assert any("index_customer_name" in line and "期末资产规模" in line for line in lines[2:])
    assert any(line.startswith("  sums     business.规模明细: 期初资产规模") for line in lines)
    assert lines[-1] == "next: wdh identity apply --execute"


def test_the_same_apply_again_has_nothing_to_do(hub: Hub, warehouse: Connection) -> None:
    loaded(hub, warehouse)
    first = hub.wdh("identity", "apply", "--execute")
    before = hub.contents()

    again = hub.wdh("identity", "apply", "--execute")

    assert first.stdout.splitlines()[-1].startswith("applied as load 2: ")
    assert again.stdout.splitlines()[-1].startswith("nothing to apply: ")
    assert hub.contents() == before


def test_without_a_database_there_is_nothing_to_look_at(hub: Hub) -> None:
    answer = apply(hub, DATABASE_URL="")

    assert (answer.code, answer.report["status"]) == (2, "failed")


@pytest.mark.parametrize("point", ["after_lock", "after_running", "inside_repoint", "before_commit", "after_commit"])
def test_a_killed_apply_is_whole_or_not_at_all(hub: Hub, warehouse: Connection, point: str) -> None:
    loaded(hub, warehouse)
    before = hub.contents()

    assert apply(hub, "--execute", WDH_FAULT=point).code == -9

    is_done = point == "after_commit"
    assert (hub.contents() != before) is is_done
    assert apply(hub, "--execute").report["status"] == ("unchanged" if is_done else "applied")
    assert apply(hub, "--execute").report["status"] == "unchanged"
    assert hub.query(TEMPORARY) == [(0,)]


def test_a_load_of_a_month_keeps_the_apply_out(hub: Hub, warehouse: Connection) -> None:
    loaded(hub, warehouse)
    before = hub.contents()
    with warehouse.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (load_lock_key(DOMAIN, MONTH),))
    warehouse.commit()

    answer = apply(hub, "--execute", "--lock-wait", "0.3")

    assert answer.code == 6
    assert f"{DOMAIN} {MONTH} is being loaded by" in answer.report["error"]["message"]
    assert hub.contents() == before
    assert apply(hub).code == 0  # a plan asks nobody


def test_no_load_of_the_month_can_run_while_rows_change(hub: Hub, warehouse: Connection) -> None:
    loaded(hub, warehouse)
    key = load_lock_key(DOMAIN, MONTH) & 0xFFFFFFFF
    run(warehouse, "create table held (locks bigint)")
    run(
        warehouse,
        "create function note() returns trigger language plpgsql as 'begin insert into held select count(*)"
        f" from pg_locks where locktype = ''advisory'' and pid = pg_backend_pid() and objid::bigint = {key};"
        " return new; end'",
    )
    run(
        warehouse,
        "create trigger note before update on business.规模明细 for each statement execute function note()",
    )

    assert apply(hub, "--execute").code == 0

    assert hub.query("select locks from held") == [(1,)]


def per_company(hub: Hub) -> dict[str, Any]:
    """Each table's rows and money by company."""
    found = {}
    for domain in DOMAINS:
        money = "计划规模" if domain in (AWARD, LOSS) else "期末资产规模" if domain is PERFORMANCE else "固费"
        found[domain.table] = hub.query(
            sql.SQL("select company_id, count(*), sum({}) from {} group by 1 order by 1").format(
                sql.Identifier(money), sql.Identifier(*domain.schema_and_table)
            )
        )
    return found


def customers(hub: Hub) -> list[tuple[Any, ...]]:
    columns = "company_id, 客户名称, 年金客户类型, 关键年金计划, 其他年金计划, 关联计划数, 主拓机构, tags::text"
    return hub.query(f"select {columns} from customer.客户明细 order by 1")


def test_every_company_has_the_money_that_a_load_knowing_it_would_have_given(hub: Hub, warehouse: Connection) -> None:
    write_sample_drop(hub.data, period=MONTH, rows=600)
    load = ("etl", "--domains", ",".join(domain.name for domain in DOMAINS), "--period", MONTH, "--execute")
    assert hub.wdh(*load).code == 0
    total = {table: sum(row[2] or 0 for row in rows) for table, rows in per_company(hub).items()}

    know_everybody(warehouse)
    assert apply(hub, "--execute").report["status"] == "applied"
    applied = per_company(hub), customers(hub)
    run(warehouse, "truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细")
    run(warehouse, "truncate customer.客户明细 cascade")
    assert hub.wdh(*load, "--force").code == 0

    assert applied == (per_company(hub), customers(hub))
    assert total == {table: sum(row[2] or 0 for row in rows) for table, rows in applied[0].items()}
    assert all(len(rows) > 10 for rows in applied[0].values())


def stored(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """Facts, reference rows and what the index knows, without when and by which load."""
    told = "(to_jsonb(t) - '{{id,created_at,updated_at,_load_id,_derived_at,hit_count,last_hit_at}}'::text[])::text"
    tables = ("business.规模明细", "mapping.年金计划", "customer.客户明细", "enterprise.enrichment_index")
    return {
        table: hub.query(
            sql.SQL("select " + told + " from {} as t order by 1").format(sql.Identifier(*table.split(".")))
        )
        for table in tables
    }


def decide(hub: Hub, *arguments: str) -> None:
    assert hub.wdh("identity", *arguments, "--why", "test", "--by", "tester").code == 0


def two_companies(hub: Hub) -> tuple[str, str]:
    """The two that most rows have."""
    first, second = hub.query(
        "select company_id from business.规模明细 where company_id !~ '^IN[A-Z2-7]{16}$' group by 1"
        " order by count(*) desc, 1 limit 2"
    )
    return first[0], second[0]


def test_a_merge_that_is_undone_leaves_no_trace_though_the_month_was_loaded_meanwhile(
    hub: Hub, warehouse: Connection
) -> None:
    loaded(hub, warehouse)
    assert apply(hub, "--execute").code == 0
    for _ in range(2):  # what the first load teaches, the second one knows
        assert hub.etl("--execute", "--force").code == 0
    before, (one, other) = stored(hub), two_companies(hub)

    decide(hub, "merge", one, other)
    assert apply(hub, "--execute").report["status"] == "applied"
    assert hub.etl("--execute", "--force").code == 0
    merged = hub.query(sql.SQL("select count(*) from business.规模明细 where company_id = {}").format(sql.Literal(one)))
    decide(hub, "undo", "1")
    undone = apply(hub, "--execute").report["status"]
    after = stored(hub)
    assert hub.etl("--execute", "--force").code == 0

    assert (merged, undone) == ([(0,)], "applied")
    assert after == before
    assert stored(hub) == before
