"""What follows a load: contracts and snapshots, their failure, and the way back from it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from dagster import DagsterInstance
from tests.customer_months import A, B, Customer, load_customers, write_customers
from tests.hub import DOMAIN, Hub

from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError, WarehouseError
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration.hooks import POST_ETL_HOOKS, PostEtlHook, due_hooks, run_post_etl_hooks
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

OCTOBER = Period(2024, 10)
HOOKS = ["contract_status_sync", "year_init", "snapshot_refresh"]


def run_sql(hub: Hub, statement: str) -> None:
    with closing(psycopg2.connect(hub.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def without_snapshots(hub: Hub) -> Iterator[None]:
    """A warehouse in which snapshots cannot be written."""
    table = "customer.fct_customer_plan_monthly"
    run_sql(hub, f"alter table {table} add constraint none check (aum_balance < 0) not valid")
    yield
    run_sql(hub, f"alter table {table} drop constraint none")


def place_of(hub: Hub) -> Workplace:
    return Workplace(
        data_root=hub.data,
        config_dir=Path(hub.environment()["WDH_CONFIG_DIR"]),
        home=hub.home,
        database_url=hub.url,
        alias_salt="test",
        actor="test",
    )


def customers(*amounts: float) -> list[Customer]:
    ids = (A, B)
    return [Customer(name=f"第{n}有限公司", amount=amount, delivered=ids[n]) for n, amount in enumerate(amounts)]


def test_contracts_and_snapshots_follow_an_executed_load(hub: Hub) -> None:
    write_customers(hub.data, customers(100, 0))

    answer = hub.etl("--execute")

    assert answer.code == 0, answer.stderr
    assert [(hook["name"], hook["domain"], hook["status"]) for hook in answer.report["hooks"]] == [
        ("contract_status_sync", DOMAIN, "succeeded"),
        ("year_init", DOMAIN, "skipped"),
        ("snapshot_refresh", DOMAIN, "succeeded"),
    ]
    assert answer.report["hooks"][0]["counts"]["customer.customer_plan_contract"] == {"inserted": 2}
    assert answer.domain["seconds"]["hooks"] > 0
    assert hub.query("select company_id, is_churned_this_year from customer.fct_customer_plan_monthly order by 1") == [
        (A, False),
        (B, True),
    ]


def test_a_plan_has_no_hooks_and_writes_nothing(hub: Hub) -> None:
    write_customers(hub.data, customers(100))
    before = hub.counts()

    answer = hub.etl()

    assert (answer.report["hooks"], hub.counts()) == ([], before)


def test_the_same_again_runs_no_hook(hub: Hub) -> None:
    load_customers(hub, *customers(100))
    before = hub.contents()

    again = hub.etl("--execute")

    assert (again.report["status"], again.report["hooks"]) == ("unchanged", [])
    assert hub.contents() == before


def test_a_failed_hook_leaves_the_load_and_runs_again_alone(hub: Hub) -> None:
    write_customers(hub.data, customers(100))
    with without_snapshots(hub):
        failed = hub.etl("--execute")
    again = hub.etl("--execute")

    assert (failed.code, failed.report["status"], failed.domain["status"]) == (8, "loaded", "loaded")
    assert [hook["status"] for hook in failed.report["hooks"]] == ["succeeded", "skipped", "failed"]
    assert "violates check constraint" in failed.report["hooks"][2]["error"]["message"]
    assert (again.code, again.report["status"]) == (0, "unchanged")
    assert [(hook["name"], hook["status"]) for hook in again.report["hooks"]] == [("snapshot_refresh", "succeeded")]
    assert hub.query("select count(*) from customer.fct_customer_plan_monthly") == [(1,)]


def test_what_builds_on_a_failed_hook_runs_again_with_it(hub: Hub) -> None:
    load_customers(hub, *customers(100))
    write_customers(hub.data, customers(7))
    table = "customer.customer_plan_contract"
    run_sql(hub, "create function public.no() returns trigger language plpgsql as $$begin raise 'no'; end$$")
    run_sql(hub, f"create trigger no before update or delete or insert on {table} execute function public.no()")
    write_customers(hub.data, customers(7, 50))

    failed = hub.etl("--execute")
    run_sql(hub, f"drop trigger no on {table}")
    again = hub.etl("--execute")

    assert [hook["status"] for hook in failed.report["hooks"]] == ["failed", "skipped", "succeeded"]
    assert (again.code, again.report["status"]) == (0, "unchanged")
    assert [hook["name"] for hook in again.report["hooks"]] == HOOKS
    assert hub.query("select sum(aum_balance) from customer.fct_customer_plan_monthly") == [(57,)]


def test_people_read_what_failed_and_what_to_do(hub: Hub) -> None:
    write_customers(hub.data, customers(100))
    with without_snapshots(hub):
        answer = hub.wdh("etl", "--domains", DOMAIN, "--period", "202410", "--execute")

    assert answer.code == 8
    assert "hook     contract_status_sync: customer.customer_plan_contract: inserted 1" in answer.stdout
    assert "hook     snapshot_refresh: failed" in answer.stdout
    assert "[HOOK_FAILED] snapshot_refresh:" in answer.stderr
    assert "hint: run the same command again" in answer.stderr


def test_later_hooks_run_after_a_failed_one(hub: Hub) -> None:
    load_customers(hub, *customers(100))
    run_sql(hub, "truncate ledger.hook_runs")
    heard: list[str] = []

    def fails(period: Period, place: Workplace) -> None:
        raise WarehouseError("of the test")

    broken = PostEtlHook(name="broken", domains=(DOMAIN,), needs_period=True, run=fails)
    runs = run_post_etl_hooks(DOMAIN, OCTOBER, heard.append, place=place_of(hub), hooks=(broken, *POST_ETL_HOOKS))

    assert heard == ["broken", *HOOKS]
    assert [run.status for run in runs] == ["failed", "succeeded", "skipped", "succeeded"]
    due = due_hooks(DOMAIN, OCTOBER, place=place_of(hub), hooks=(*POST_ETL_HOOKS, broken))
    assert [hook.name for hook in due] == ["broken"]


def test_two_hooks_of_one_name_are_refused(hub: Hub) -> None:
    with pytest.raises(ConfigError, match="two hooks"):
        due_hooks(DOMAIN, OCTOBER, place=place_of(hub), hooks=(*POST_ETL_HOOKS, POST_ETL_HOOKS[0]))


def test_hooks_left_out_run_with_the_next_call(hub: Hub) -> None:
    write_customers(hub.data, customers(100))

    without = hub.etl("--execute", "--no-post-hooks")
    contracts = hub.query("select count(*) from customer.customer_plan_contract")
    after = hub.etl("--execute")

    assert (without.report["hooks"], contracts) == ([], [(0,)])
    assert after.report["status"] == "unchanged"
    assert [hook["name"] for hook in after.report["hooks"]] == HOOKS


def test_the_year_begins_with_january(hub: Hub) -> None:
    load_customers(hub, *customers(100), period="202412")
    write_customers(hub.data, customers(100), period="202501")

    answer = hub.etl("--execute", period="202501")

    assert [hook["status"] for hook in answer.report["hooks"]] == ["succeeded"] * 3
    assert hub.query(
        "select valid_from::text, valid_to::text, is_existing from customer.customer_plan_contract order by 1"
    ) == [("2024-12-31", "2025-01-01", False), ("2025-01-01", "9999-12-31", True)]


def test_the_month_comes_from_the_rows_of_a_file(hub: Hub) -> None:
    path = write_customers(hub.data, customers(100))

    answer = hub.wdh("etl", "--domains", DOMAIN, "--file", str(path), "--execute", "--report", "json")

    assert [hook["name"] for hook in answer.report["hooks"]] == HOOKS


def test_an_award_refreshes_snapshots_alone(hub: Hub) -> None:
    write_sample_drop(hub.data, period="202410", rows=60, only=("annual_award",))

    answer = hub.wdh("etl", "--domains", "annual_award", "--period", "202410", "--execute", "--report", "json")

    assert answer.code == 0, answer.stderr
    assert [(hook["name"], hook["status"]) for hook in answer.report["hooks"]] == [("snapshot_refresh", "succeeded")]
    assert "no snapshot of 2024-10 yet" in " ".join(answer.report["hooks"][0]["warnings"])


def test_dagster_shows_each_hook_and_fails_the_run_of_a_failed_one(hub: Hub) -> None:
    write_customers(hub.data, customers(100))
    with without_snapshots(hub):
        hub.etl("--execute")

    with DagsterInstance.from_config(str(hub.home / "dagster")) as instance:
        (run,) = instance.get_runs()
        steps = {stats.step_key: str(stats.status) for stats in instance.get_run_step_stats(run.run_id)}

    assert run.status.value == "FAILURE"
    assert list(steps)[-4:] == [*HOOKS, "settle"]
    assert steps["settle"].endswith("FAILURE")
    assert steps["publish"].endswith("SUCCESS")
