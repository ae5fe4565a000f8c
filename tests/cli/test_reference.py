"""`wdh reference` as people and machines use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tests.hub import PROJECT, Hub
from tests.legacy import Legacy, legacy_beside

pytestmark = pytest.mark.integration


@pytest.fixture
def legacy(hub: Hub) -> Iterator[Legacy]:
    """A legacy database with a plan and a customer."""
    with legacy_beside(hub.url) as legacy:
        legacy.run("insert into enterprise.annuity_plan values ('P1', '壹号', '单一计划', '甲公司', '2024-10-01')")
        legacy.run("insert into enterprise.customer values ('600001', '甲公司', '甲', '2024-10-01')")
        yield legacy


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration with plans and customers switched on, and portfolios off."""
    folder = tmp_path / "config"
    (folder / "reference_data").mkdir(parents=True)
    for file in (PROJECT / "config" / "reference_data").iterdir():
        (folder / "reference_data" / file.name).write_bytes(file.read_bytes())
    text = (PROJECT / "config" / "reference_sync.yml").read_text(encoding="utf-8")
    for name in ("plans", "customers"):
        text = text.replace(f"name: {name}\n    enabled: false", f"name: {name}\n    enabled: true")
    (folder / "reference_sync.yml").write_text(text, encoding="utf-8")
    return folder


def derive(hub: Hub, *codes: str) -> None:
    """Plans as a load derives them from facts."""
    for code in codes:
        write(
            hub,
            "insert into mapping.年金计划"
            " (年金计划号, 计划全称, _source, _needs_review, _derived_from_domain, _derived_at)"
            f" values ('{code}', '计划{code}', 'auto_derived', true, 'annuity_performance', '2024-11-05')",
        )


def write(hub: Hub, statement: str) -> None:
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def plan(hub: Hub, code: str) -> list[tuple[Any, ...]]:
    return hub.query(
        "select 计划全称, _source, _needs_review, _derived_from_domain, _derived_at"
        f" from mapping.年金计划 where 年金计划号 = '{code}'"
    )


def test_the_shipped_jobs_have_nothing_to_do_on_a_new_warehouse(hub: Hub) -> None:
    answer = hub.wdh("reference", "sync")

    assert (answer.code, answer.stderr) == (0, "")
    first, titles, *_ = answer.stdout.splitlines()
    assert first.startswith("PLAN — nothing was written · wdh_test")
    assert titles.split() == ["table", "←", "source", "read", "insert", "update", "unchanged", "delete"]
    assert "  mapping.产品线 ← reference_data/product_lines.csv" in answer.stdout
    assert "switched off in reference_sync.yml: mapping.年金计划, mapping.组合计划, customer.客户明细" in answer.stdout
    assert answer.stdout.endswith("nothing to do: every row read is as its source\n")


def test_a_plan_names_the_command_that_does_it(hub: Hub) -> None:
    write(hub, "delete from mapping.组织架构 where 机构代码 = 'G01'")

    answer = hub.wdh("reference", "sync", "--table", "组织架构", "--full")

    assert "next: wdh reference sync --table '组织架构' --full --execute" in answer.stdout
    assert "产品线" not in answer.stdout


def test_execute_brings_what_was_planned(hub: Hub, legacy: Legacy, config: Path) -> None:
    derive(hub, "P1")
    place = {"WDH_CONFIG_DIR": str(config), "WDH_LEGACY__URI": legacy.url}
    planned = hub.wdh("reference", "sync", "--report", "json", **place).report

    done = hub.wdh("reference", "sync", "--report", "json", "--execute", **place)

    assert (done.code, done.report["mode"], done.report["status"], done.report["error"]) == (
        0,
        "execute",
        "synced",
        None,
    )
    assert done.report["tables"] == planned["tables"]
    assert [(table["table"], table["inserted"], table["updated"]) for table in planned["tables"]] == [
        ("mapping.产品线", 0, 0),
        ("mapping.组织架构", 0, 0),
        ("mapping.年金计划", 0, 1),
        ("customer.客户明细", 1, 0),
    ]
    assert plan(hub, "P1") == [("壹号", "authoritative", False, None, None)]
    assert hub.wdh("reference", "sync", "--report", "json", "--execute", **place).report["status"] == "unchanged"


def test_the_legacy_database_may_be_named_in_parts(hub: Hub, legacy: Legacy, config: Path) -> None:
    given = psycopg2.extensions.parse_dsn(legacy.url)
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "DB": "dbname"}
    parts = {f"WDH_LEGACY__{name}": str(given[key]) for name, key in names.items()}

    answer = hub.wdh("reference", "sync", "--table", "plans", WDH_CONFIG_DIR=str(config), **parts)

    assert answer.code == 0
    assert "mapping.年金计划 ← legacy enterprise.annuity_plan" in answer.stdout


@pytest.mark.parametrize("point", ["after_running", "before_copy", "before_commit"])
def test_a_killed_sync_leaves_everything_as_before(hub: Hub, legacy: Legacy, config: Path, point: str) -> None:
    derive(hub, "P1")
    before = hub.contents()
    place = {"WDH_CONFIG_DIR": str(config), "WDH_LEGACY__URI": legacy.url}

    killed = hub.process("reference", "sync", "--execute", WDH_FAULT=point, **place)

    assert killed.code == -9
    assert hub.contents() == before
    assert hub.wdh("reference", "sync", "--execute", "--lock-wait", "10", **place).code == 0
    executions = (
        "select status from public.pipeline_executions where pipeline_name = 'reference_sync' order by started_at"
    )
    assert hub.query(executions) == [("failed",), ("success",)]


def test_an_error_of_a_json_report_is_in_the_one_document(hub: Hub, config: Path) -> None:
    answer = hub.wdh("reference", "sync", "--report", "json", WDH_CONFIG_DIR=str(config))

    assert (answer.code, answer.report["status"], answer.report["error"]["code"]) == (2, "failed", 2)
    assert answer.report["error"]["column"] == "WDH_LEGACY__HOST"
    assert answer.stderr.startswith("[CONFIG_ERROR] the legacy database is not configured")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sync", "--table", "没有"), "no sync job"),
        (("sync", "--table", "年金计划"), "switched off"),
        (("sync", "--report", "xml"), "text or json"),
        (("review", "--table", "没有"), "no table with rows to review"),
        (("accept", "没有", "P1"), "no table with rows to review"),
        (("accept", "年金计划", "P1"), "no such row"),
    ],
)
def test_what_cannot_be_done_is_a_wrong_use(hub: Hub, arguments: tuple[str, ...], words: str) -> None:
    answer = hub.wdh("reference", *arguments)

    assert (answer.code, answer.stdout) == (2, "")
    assert words in answer.stderr
    assert "hint: " in answer.stderr


def test_review_lists_what_waits_for_a_human(hub: Hub) -> None:
    derive(hub, "P1", "P2")

    lines = hub.wdh("reference", "review").stdout.splitlines()

    assert "mapping.产品线: 0 to review" in lines
    at = lines.index("mapping.年金计划: 2 to review")
    assert [line.split() for line in lines[at + 1 : at + 4]] == [
        ["年金计划号", "计划全称", "from", "since"],
        ["P1", "计划P1", "annuity_performance", "2024-11-05"],
        ["P2", "计划P2", "annuity_performance", "2024-11-05"],
    ]
    assert lines[-1].strip() == "wdh reference accept TABLE KEY [KEY…] --execute"


def test_a_long_review_is_cut_unless_its_table_is_named(hub: Hub) -> None:
    derive(hub, *(f"P{number:02}" for number in range(25)))

    assert "… and 5 more: wdh reference review --table mapping.年金计划" in hub.wdh("reference", "review").stdout
    assert "P24" in hub.wdh("reference", "review", "--table", "年金计划").stdout


def test_review_as_a_document(hub: Hub) -> None:
    derive(hub, "P1")

    report = hub.wdh("reference", "review", "--table", "年金计划", "--report", "json").report

    (table,) = report["tables"]
    assert (table["table"], table["key"], table["rows"]) == ("mapping.年金计划", "年金计划号", 1)
    assert table["waiting"][0]["domain"] == "annuity_performance"


def test_nothing_to_review_is_said(hub: Hub) -> None:
    assert hub.wdh("reference", "review").stdout.endswith("nothing to review\n")


def test_accept_plans_and_writes_nothing(hub: Hub) -> None:
    derive(hub, "P1", "P2")
    before = hub.contents()

    answer = hub.wdh("reference", "accept", "年金计划", "P1", "AN001", "P1")

    assert "mapping.年金计划: 1 to take over, 1 authoritative already" in answer.stdout
    assert "next: wdh reference accept 'mapping.年金计划' P1 --execute" in answer.stdout
    assert hub.contents() == before


def test_accepted_rows_are_authoritative_and_reviewed_as_they_stand(hub: Hub) -> None:
    derive(hub, "P1", "P2")

    answer = hub.wdh("reference", "accept", "mapping.年金计划", "P1", "--execute", "--report", "json")

    assert (answer.report["mode"], answer.report["accepted"]) == ("execute", ["P1"])
    assert plan(hub, "P1") == [("计划P1", "authoritative", False, None, None)]
    assert plan(hub, "P2")[0][1:3] == ("auto_derived", True)


def test_accepting_an_unknown_key_accepts_none(hub: Hub) -> None:
    derive(hub, "P1")
    before = hub.contents()

    answer = hub.wdh("reference", "accept", "年金计划", "P1", "P7", "--execute")

    assert (answer.code, "value 'P7'" in answer.stderr) == (2, True)
    assert hub.contents() == before


def test_an_incremental_sync_says_what_it_did_not_look_at(hub: Hub, legacy: Legacy, config: Path) -> None:
    place = {"WDH_CONFIG_DIR": str(config), "WDH_LEGACY__URI": legacy.url}
    command = ("reference", "sync", "--table", "plans")
    assert hub.wdh(*command, "--execute", **place).code == 0

    again, whole = hub.wdh(*command, **place).stdout, hub.wdh(*command, "--full", **place).stdout

    left_out = "; rows stamped before 2024-09-30 00:00:00 UTC are not looked at, --full reads all"
    assert again.endswith(f"nothing to do: every row read is as its source{left_out}\n")
    assert whole.endswith("nothing to do: every row read is as its source\n")


def test_every_answer_is_one_document(hub: Hub) -> None:
    derive(hub, "P1")

    for arguments in (("sync",), ("review",), ("accept", "年金计划", "P1"), ("accept", "年金计划", "nothing")):
        assert json.loads(hub.wdh("reference", *arguments, "--report", "json").stdout)
