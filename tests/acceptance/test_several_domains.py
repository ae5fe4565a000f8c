"""One call, several domains: their order, their isolation, one summary, and several files in one load."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql
from tests.customer_story import TRUSTEE, Holding, Reported, StoryMonth, write_story
from tests.hub import PROJECT, Answer, Hub

from work_data_hub.cli.etl_run import run_domain
from work_data_hub.cli.render import Progress
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop
from work_data_hub.orchestration.requests import FileRequest, Workplace
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

MONTHLY = ["annual_award", "annual_loss", "annuity_performance", "annuity_income"]


def drop(hub: Hub, **options: Any) -> SampleDrop:
    return write_sample_drop(hub.data, period="202410", rows=400, **options)


def everything(hub: Hub, *arguments: str) -> Answer:
    return hub.wdh("etl", "--all-domains", "--period", "202410", "--report", "json", *arguments)


def test_one_command_loads_every_domain_of_a_month_and_again_changes_nothing(hub: Hub) -> None:
    written = drop(hub)

    first = everything(hub, "--execute")
    before = hub.contents()
    second = everything(hub, "--execute")

    assert (first.code, first.report["status"]) == (0, "loaded"), first.stderr
    assert [domain["domain"] for domain in first.report["domains"]] == MONTHLY
    for name in MONTHLY:
        amounts = [column for column in DOMAINS[name].stored if column.kind == "money"]
        sheets = [sheet for sheet in written.sheets if sheet.domain == name and sheet.version == newest(written, name)]
        for column in amounts:
            headings = [heading for heading in column.headings if heading in sheets[0].sums]
            expected = sum(sheet.sums[headings[0]] for sheet in sheets)
            assert total(hub, DOMAINS[name].table, column.name) == expected, (name, column.name)
    assert (second.code, second.report["status"]) == (0, "unchanged")
    assert hub.contents() == before


def test_a_failed_domain_leaves_the_others_loaded(hub: Hub) -> None:
    drop(hub, faults=["text_in_amount"], fault_domain="annuity_income")

    answer = everything(hub, "--execute")

    assert (answer.code, answer.report["status"]) == (4, "partial")
    statuses = {domain["domain"]: domain["status"] for domain in answer.report["domains"]}
    assert statuses == dict.fromkeys(MONTHLY, "loaded") | {"annuity_income": "failed"}
    assert hub.counts()["business.收入明细"] == 0
    assert hub.counts()["business.规模明细"] == 399


def test_the_first_failing_domain_gives_the_exit_code(hub: Hub) -> None:
    drop(hub, faults=["text_in_amount"], fault_domain="annuity_income")
    (hub.data / "202410" / "收集数据" / "业务收集" / "V1" / "【导入模板】台账登记.xlsx").unlink()

    assert everything(hub).code == 3


def test_domains_run_in_their_order_however_they_are_asked_for(hub: Hub) -> None:
    drop(hub)

    answer = hub.wdh("etl", "--domains", "annuity_income, annual_award", "--period", "202410", "--report", "json")

    assert [domain["domain"] for domain in answer.report["domains"]] == ["annual_award", "annuity_income"]
    assert answer.report["status"] == "planned"


def test_the_summary_has_a_line_for_each_domain(hub: Hub) -> None:
    drop(hub)

    shown = hub.wdh("etl", "--all-domains", "--period", "202410").stdout

    summary = shown[shown.index("planned: 4 domains") :].splitlines()
    assert [line.split()[0] for line in summary[2:6]] == MONTHLY
    assert summary[1].split() == ["status", "read", "rejected", "delete", "insert", "update", "unchanged", "seconds"]


def test_a_fault_of_the_program_in_one_domain_is_its_own_failure(hub: Hub, tmp_path: Path) -> None:
    drop(hub)

    def no_day() -> date:
        raise ZeroDivisionError("of the test")

    place = Workplace(
        data_root=hub.data,
        config_dir=PROJECT / "config",
        home=tmp_path,
        database_url=None,
        alias_salt="test",
        actor="test",
        today=no_day,
    )
    request = FileRequest(run_id="r", domain="annuity_performance", period=Period.parse("202410"))
    quiet = Progress(StringIO(), quiet=True)

    broken = run_domain(request, place, get_settings(), quiet)
    whole = run_domain(request, replace(place, today=lambda: date(2024, 12, 1)), get_settings(), quiet)

    assert (broken.status, broken.error and broken.error.exit_code) == ("failed", 1)
    assert str(broken.error).startswith("[UNEXPECTED] ZeroDivisionError | Domain: annuity_performance | hint:")
    assert whole.status == "planned"


def test_several_files_become_one_load(hub: Hub) -> None:
    other = hub.home / "other"
    written = [drop(hub, only=["annuity_performance"], versions=["V1"])]
    written.append(write_sample_drop(other, period="202410", rows=200, seed=8, only=["annuity_performance"]))
    folder = hub.data / "202410" / "收集数据" / "数据采集" / "V1"
    second = written[1].sheet("annuity_performance").file
    shutil.copy(second, folder / f"z{second.name}")

    one = hub.etl("--execute")
    both = hub.etl("--execute", "--max-files", "2")

    assert one.code == 3, "two files and one asked for is ambiguous"
    assert (both.code, len(both.domain["files"])) == (0, 2), both.stderr
    assert sum(file["rows"] for file in both.domain["files"]) == both.domain["rows"]["loaded"] == 600
    assert hub.query("select count(distinct _source_file), count(distinct _load_id) from business.规模明细") == [(2, 1)]
    sums = [sheets.sheet("annuity_performance").sums["期末资产规模"] for sheets in written]
    assert total(hub, "business.规模明细", "期末资产规模") == sum(sums)


def newest(written: SampleDrop, domain: str) -> str:
    return max(sheet.version for sheet in written.sheets if sheet.domain == domain)


def total(hub: Hub, table: str, column: str) -> object:
    statement = sql.SQL("select coalesce(sum({}), 0) from {}")
    return hub.query(statement.format(sql.Identifier(column), sql.Identifier(*table.split("."))))[0][0]


def test_a_copy_under_another_name_is_refused_instead_of_loaded_twice(hub: Hub) -> None:
    written = drop(hub, only=["annuity_performance"], versions=["V1"])
    file = written.sheet("annuity_performance").file
    shutil.copy(file, file.with_name(f"z{file.name}"))

    answer = hub.etl("--execute", "--max-files", "2")

    assert answer.code == 3
    assert "a copy of" in answer.domain["error"]["message"]
    assert hub.counts()["business.规模明细"] == 0


def test_ctrl_c_between_domains_says_what_is_loaded(hub: Hub) -> None:
    drop(hub)
    write_sample_drop(hub.data, period="202410", rows=20_000, only=["annuity_performance"])
    process = subprocess.Popen(
        hub.command("etl", "--all-domains", "--period", "202410", "--execute", "--report", "json"),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not hub.query("select 1 from public.pipeline_executions where pipeline_name = 'annuity_performance'"):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()

    report = json.loads(stdout)
    assert (process.returncode, report["status"], report["error"]["code"]) == (130, "partial", 130), stderr
    assert [(domain["domain"], domain["status"]) for domain in report["domains"]] == [
        ("annual_award", "loaded"),
        ("annual_loss", "loaded"),
    ]
    assert hub.counts()["business.规模明细"] == 0


def test_new_contracts_are_new_input_for_a_register(hub: Hub) -> None:
    won = Reported(domain="annual_award", company="600000001", plan=None, line=TRUSTEE)
    held = Holding(company=won.company, plan="S7777", line=TRUSTEE, branch="北京", amount=100.0, paid=1.0)
    write_story(hub.data, StoryMonth(period=Period.parse("202409"), holdings=(held,)))
    write_story(hub.data, StoryMonth(period=Period.parse("202410"), holdings=(held,), reported=(won,)))
    register = ["etl", "--domains", "annual_award", "--period", "202410", "--execute", "--report", "json"]
    first = hub.wdh(*register)
    before = hub.query("select 年金计划号 from customer.中标客户明细")
    assert hub.etl("--execute", "--no-post-hooks", period="202409").code == 0
    assert hub.wdh("customer-mdm", "sync", "--period", "202409").code == 0

    second, third = hub.wdh(*register), hub.wdh(*register)

    assert (first.domain["status"], second.domain["status"], third.domain["status"]) == (
        "loaded",
        "loaded",
        "unchanged",
    )
    assert "completed 年金计划号" in second.domain["quality"]
    assert (before, hub.query("select 年金计划号 from customer.中标客户明细")) == ([("AN002",)], [("S7777",)])
