"""The eight ways a load has gone wrong before, each proven not to."""

import os
import signal
import subprocess

import psycopg2
import pytest
from tests.hub import DOMAIN, Hub
from tests.patience import until

from work_data_hub.io.faults import LOAD_POINTS
from work_data_hub.io.locks import load_lock_key

pytestmark = pytest.mark.integration


def test_flag_not_propagated_a_plan_flag_reaches_the_load(hub: Hub) -> None:
    hub.sample()
    before = hub.contents()

    for flags in ([], ["--plan-only"], ["--dry-run"]):
        assert hub.etl(*flags).report["mode"] == "plan"
    assert hub.contents() == before
    assert hub.query("select count(*) from public.pipeline_executions") == [(0,)]


@pytest.mark.parametrize("point", [point for point in LOAD_POINTS if point not in ("after_commit", "after_delete")])
def test_killed_before_the_commit_the_month_is_as_before(hub: Hub, point: str) -> None:
    hub.sample()
    before = hub.contents()

    killed = hub.etl("--execute", WDH_FAULT=point)

    assert killed.code == -signal.SIGKILL
    assert hub.contents() == before
    assert hub.etl("--execute").code == 0
    statuses = hub.query(
        "select status from public.pipeline_executions where pipeline_name not like 'customer-mdm%' order by started_at"
    )
    assert [status for (status,) in statuses] == (["success"] if point == "after_lock" else ["failed", "success"])


def test_killed_between_delete_and_insert_the_old_month_stands(hub: Hub) -> None:
    hub.sample()
    hub.etl("--version", "V1", "--execute")
    before = hub.contents()

    assert hub.etl("--execute", WDH_FAULT="after_delete").code == -signal.SIGKILL

    assert hub.contents() == before


def test_killed_after_the_commit_the_month_is_as_after(hub: Hub) -> None:
    drop = hub.sample()

    assert hub.etl("--execute", WDH_FAULT="after_commit").code == -signal.SIGKILL

    assert hub.query("select count(*) from business.规模明细") == [(drop.sheet(DOMAIN, "V2").rows,)]
    assert hub.query("select count(*) from ledger.loads") == [(1,)]
    assert hub.etl("--execute").report["status"] == "unchanged"


def test_exception_midway_rolls_everything_back(hub: Hub) -> None:
    hub.sample()
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table mapping.组合计划 add constraint refuse check (组合代码 like 'QTAN%')")
    connection.close()
    before = hub.contents()

    answer = hub.etl("--execute")

    assert answer.code == 5
    assert hub.contents() == before
    assert hub.query("select status from public.pipeline_executions") == [("failed",)]


def test_references_written_but_facts_failed_cannot_happen(hub: Hub) -> None:
    hub.sample()
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table business.规模明细 add constraint refuse check (期末资产规模 is null)")
    connection.close()
    before = hub.contents()

    assert hub.etl("--execute").code == 5
    assert hub.contents() == before


def test_wrong_database_is_refused_by_its_migration_head(hub: Hub) -> None:
    hub.sample()
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("update public.wdh_alembic_version set version_num = '0003'")
    connection.close()

    for flags in ([], ["--execute"]):
        answer = hub.etl(*flags)
        assert answer.code == 5
        assert "wdh db migrate" in answer.domain["error"]["message"]


def test_partial_batch_a_copy_cut_in_the_middle_leaves_nothing(hub: Hub) -> None:
    hub.sample(rows=25_000)
    before = hub.contents()

    assert hub.etl("--execute", WDH_FAULT="inside_copy").code == -signal.SIGKILL

    assert hub.contents() == before


def test_same_run_twice_gives_the_same_rows(hub: Hub) -> None:
    hub.sample()
    hub.etl("--execute")
    before = hub.query("select count(*), sum(期末资产规模) from business.规模明细")

    forced = hub.etl("--execute", "--force")

    assert forced.report["status"] == "loaded"
    assert forced.domain["tables"][0]["deleted"] == 0
    assert hub.query("select count(*), sum(期末资产规模) from business.规模明细") == before


def test_two_processes_on_one_domain_the_second_leaves_at_once(hub: Hub) -> None:
    hub.sample()
    holder = psycopg2.connect(hub.url, application_name="wdh etl annuity_performance 202410 first")
    with holder.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (load_lock_key(DOMAIN, "202410"),))

    second = hub.etl("--execute")
    holder.close()

    assert second.code == 6
    assert "wdh etl annuity_performance 202410 first" in second.domain["error"]["message"]
    assert hub.etl("--execute").code == 0


def test_table_without_the_expected_columns_is_a_drift_not_a_guess(hub: Hub) -> None:
    hub.sample()
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table business.规模明细 drop column 供款")
    connection.close()
    before = hub.contents()

    for flags in ([], ["--execute"]):
        answer = hub.etl(*flags)
        assert answer.code == 5
        assert "SCHEMA_DRIFT" in answer.domain["error"]["message"]
    assert hub.contents() == before


def test_ctrl_c_leaves_the_month_as_it_was_and_says_130(hub: Hub) -> None:
    hub.sample(rows=5_000)
    before = hub.contents()
    process = subprocess.Popen(
        hub.command("etl", "--domains", DOMAIN, "--period", "202410", "--execute"),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = "select count(*) from public.pipeline_executions where status = 'running'"
    until(lambda: hub.query(running) == [(1,)])
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate()

    assert process.returncode == 130, stderr
    assert stderr.splitlines()[-1] == "interrupted; nothing of an unfinished load was written"
    assert hub.contents() == before
