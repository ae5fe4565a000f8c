"""The same again, the other's lock, the reader who left: answers that people and machines can build on."""

import json
import subprocess
from dataclasses import replace

import psycopg2
import pytest
from tests.hub import DOMAIN, Hub

from work_data_hub.io.locks import load_lock_key
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.requests import Tolerance

pytestmark = pytest.mark.integration

ETL = ("etl", "--domains", DOMAIN, "--period", "202410")


def rows(hub: Hub) -> int:
    return int(hub.query("select count(*) from business.规模明细")[0][0])


def test_what_was_appended_is_not_appended_again(hub: Hub) -> None:
    drop = hub.sample(rows=200)
    append = ("--mode", "append", "--execute")

    statuses = [hub.etl(*append, "--version", version).report["status"] for version in ("V1", "V2", "V1", "V2")]

    assert statuses == ["loaded", "loaded", "unchanged", "unchanged"]
    assert rows(hub) == drop.sheet(DOMAIN, "V1").rows + drop.sheet(DOMAIN, "V2").rows


def test_going_back_to_an_earlier_version_loads_it(hub: Hub) -> None:
    hub.sample(rows=200)

    statuses = [hub.etl("--execute", "--version", v).report["status"] for v in ("V1", "V2", "V1", "V1")]

    assert statuses == ["loaded", "loaded", "loaded", "unchanged"]


def test_another_salt_is_another_input(hub: Hub) -> None:
    hub.sample(rows=200)
    hub.etl("--execute")

    assert hub.etl("--execute", WDH_ALIAS_SALT="another").report["status"] == "loaded"


def test_a_sheet_by_number_is_named_in_the_report_and_known_again(hub: Hub) -> None:
    hub.sample(rows=200)

    first, second = (hub.etl("--execute", "--sheet", "0") for _ in range(2))

    assert first.domain["files"][0]["sheet"] == "规模明细"
    assert second.report["status"] == "unchanged"


def test_a_lock_held_by_another_role_is_still_a_lock(hub: Hub, warehouse: Connection) -> None:
    hub.sample(rows=200)
    warehouse.rollback()
    with warehouse.cursor() as cursor:
        cursor.execute("drop role if exists wdh_test_other")
        cursor.execute("create role wdh_test_other login password 'x'")
        cursor.execute("select pg_advisory_lock(%s)", (load_lock_key(DOMAIN, "202410"),))
        cursor.execute(
            "grant all on all tables in schema public, ledger, mapping, customer, business to wdh_test_other"
        )
        cursor.execute("grant usage on schema public, ledger, mapping, customer, business to wdh_test_other")
    warehouse.commit()
    other = replace(hub, url=hub.url.replace("//postgres:", "//wdh_test_other:").replace(_password(hub.url), ":x@"))

    locked = other.etl("--execute", "--lock-wait", "0.3")
    warehouse.close()
    hub.query("select 1")

    assert locked.code == 6, locked.stderr
    assert "is being loaded by" in locked.domain["error"]["message"]
    _drop_role(hub)


def _password(url: str) -> str:
    return ":" + url.split("//", 1)[1].split("@", 1)[0].split(":", 1)[1] + "@"


def _drop_role(hub: Hub) -> None:
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop owned by wdh_test_other")
        cursor.execute("drop role wdh_test_other")
    connection.close()


def test_a_reader_who_leaves_does_not_fail_the_run(hub: Hub) -> None:
    hub.sample(rows=200)
    process = subprocess.Popen(
        hub.command(*ETL, "--execute", "--report", "json"), env=hub.environment(), cwd=hub.home, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait() == 0
    assert rows(hub) > 0


@pytest.mark.parametrize("domains", [",", " , ", ""])
def test_an_empty_list_of_domains_is_not_a_green_run(hub: Hub, domains: str) -> None:
    assert hub.wdh("etl", "--domains", domains, "--period", "202410", "--execute").code == 2


def test_a_domain_named_twice_runs_once(hub: Hub) -> None:
    hub.sample(rows=200)

    answer = hub.wdh("etl", "--domains", f"{DOMAIN},{DOMAIN}", "--period", "202410", "--report", "json")

    assert len(answer.report["domains"]) == 1


def test_next_is_the_same_command_executed(hub: Hub) -> None:
    hub.sample(rows=200)

    answer = hub.wdh(*ETL, "--version", "V1", "--max-rejects", "1%")

    assert answer.stdout.splitlines()[-1] == (
        f"next: wdh etl --domains {DOMAIN} --period 202410 --version V1 --max-rejects 1% --execute"
    )


@pytest.mark.parametrize("arguments", [["--bogus"], ["--max-files", "x"], ["--mode", "upsert"]])
def test_machines_get_one_document_also_for_usage_errors(hub: Hub, arguments: list[str]) -> None:
    answer = hub.wdh(*ETL, "--report", "json", *arguments)

    assert (answer.code, json.loads(answer.stdout)["error"]["code"]) == (2, 2)


def test_machines_get_the_checks_of_the_database(hub: Hub) -> None:
    answer = hub.wdh("etl", "--check-db", "--report", "json")

    assert answer.code == 0
    assert len(answer.report["checks"]) > 10


@pytest.mark.parametrize(("tolerance", "bears"), [("29%", True), ("28.9%", False), ("29", True), ("28", False)])
def test_a_share_of_rejects_is_exact(tolerance: str, bears: bool) -> None:
    assert Tolerance.parse(tolerance).bears(rejected=29, read=100) is bears


def test_a_rejects_folder_that_cannot_be_made_is_named(hub: Hub) -> None:
    hub.sample(rows=200, faults=["text_in_amount"])

    answer = hub.etl("--rejects", "/proc/x")

    assert (answer.code, "--rejects" in answer.domain["error"]["message"]) == (2, True)
