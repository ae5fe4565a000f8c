"""A month's workbook into the warehouse, through the command line."""

import json
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from tests.hub import DOMAIN, Hub

pytestmark = pytest.mark.integration

MONEY = ["期初资产规模", "期末资产规模", "供款", "流失_含待遇支付", "流失", "待遇支付", "投资收益"]


def column_sums(hub: Hub) -> dict[str, Decimal]:
    sums = ", ".join(f'sum("{name}")' for name in MONEY)
    return dict(zip(MONEY, hub.query(f"select {sums} from business.规模明细")[0], strict=True))


def test_a_plan_writes_nothing(hub: Hub) -> None:
    hub.sample()
    before = hub.counts()

    answer = hub.etl()

    assert (answer.code, answer.report["status"]) == (0, "planned")
    assert hub.counts() == before
    assert answer.domain["tables"][0]["inserted"] == answer.domain["rows"]["read"]


def test_a_plan_needs_no_database(hub: Hub) -> None:
    hub.sample()

    answer = hub.etl(DATABASE_URL="")

    assert (answer.code, answer.report["status"], answer.report["database"]) == (0, "planned", None)
    assert any("warehouse" in line for line in answer.domain["quality"]["not_checked"])
    assert not (hub.home / "postgres").exists()


def test_plan_execute_again_and_correction(hub: Hub) -> None:
    drop = hub.sample()
    planned = hub.etl("--version", "V1").domain

    loaded = hub.etl("--version", "V1", "--execute")

    first = drop.sheet(DOMAIN, "V1")
    assert (loaded.code, loaded.report["status"]) == (0, "loaded"), loaded.stderr
    assert loaded.domain["rows"] == {"read": first.rows, "rejected": 0, "loaded": first.rows}
    assert hub.query("select count(*) from business.规模明细") == [(first.rows,)]
    assert list(column_sums(hub).values()) == list(first.sums.values())
    assert loaded.domain["tables"] == planned["tables"]
    assert loaded.domain["references"] == planned["references"]

    before = hub.contents()
    again = hub.etl("--version", "V1", "--execute")
    assert (again.code, again.report["status"]) == (0, "unchanged")
    assert hub.contents() == before

    planned = hub.etl().domain
    corrected = hub.etl("--execute").domain
    second = drop.sheet(DOMAIN, "V2")
    assert corrected["tables"] == planned["tables"]
    assert 0 < corrected["tables"][0]["deleted"] < 30
    assert corrected["tables"][0]["unchanged"] > 200
    assert list(column_sums(hub).values()) == list(second.sums.values())
    by_hook = hub.query(
        "select pipeline_name like 'customer-mdm%', status, count(*) from public.pipeline_executions"
        " group by 1, 2 order by 1"
    )
    assert by_hook == [(False, "success", 3), (True, "success", 4)]
    assert hub.query("select count(*) from ledger.loads") == [(2,)]


def test_the_same_in_processes_of_their_own(hub: Hub) -> None:
    drop = hub.sample()
    command = ["etl", "--domains", DOMAIN, "--period", "202410", "--report", "json"]

    answers = [hub.process(*command), hub.process(*command, "--execute"), hub.process(*command, "--execute")]

    assert [answer.report["status"] for answer in answers] == ["planned", "loaded", "unchanged"]
    assert hub.query("select count(*) from business.规模明细") == [(drop.sheet(DOMAIN, "V2").rows,)]


def test_another_month_is_left_alone(hub: Hub) -> None:
    hub.sample()
    hub.sample(period="202411", seed=9)
    hub.etl("--execute")
    october = hub.query("select sum(期末资产规模) from business.规模明细 where 月度 = '2024-10-01'")

    assert hub.etl("--execute", period="202411").code == 0

    assert hub.query("select sum(期末资产规模) from business.规模明细 where 月度 = '2024-10-01'") == october


def test_rejected_rows_stop_an_execute_and_stand_in_a_workbook(hub: Hub) -> None:
    drop = hub.sample(faults=["text_in_amount"])
    before = hub.contents()

    refused = hub.etl("--execute")

    assert refused.code == 4
    assert hub.contents() == before
    path = refused.domain["rejects_path"]
    rows = list(load_workbook(path)["规模明细"].iter_rows(min_row=2, values_only=True))
    assert {row[-1] for row in rows} == {cell.row for cell in drop.planted}
    assert refused.domain["error"]["hint"].endswith(path)


def test_tolerated_rejects_load_the_rest(hub: Hub) -> None:
    drop = hub.sample(faults=["text_in_amount"])

    loaded = hub.etl("--execute", "--max-rejects", "10")

    assert loaded.code == 0
    rows = loaded.domain["rows"]
    assert rows["rejected"] == len({cell.row for cell in drop.planted})
    assert hub.query("select count(*) from business.规模明细") == [(rows["read"] - rows["rejected"],)]


def test_a_shrunken_month_needs_leave(hub: Hub) -> None:
    hub.sample(faults=["shrunken"])
    hub.etl("--version", "V1", "--execute")
    before = hub.contents()

    assert (hub.etl().code, hub.etl("--execute").code) == (4, 4)
    assert hub.contents() == before
    assert hub.etl("--execute", "--allow-shrink").code == 0


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("corrupt", 3, "UNREADABLE_WORKBOOK"),
        ("truncated", 3, "UNREADABLE_WORKBOOK"),
        ("encrypted", 3, "password"),
        ("xls_renamed", 3, ".xls"),
        ("csv_renamed", 3, "UNREADABLE_WORKBOOK"),
        ("html_renamed", 3, "UNREADABLE_WORKBOOK"),
        ("zip_bomb", 3, "UNREADABLE_WORKBOOK"),
        ("wrong_sheet", 3, "SHEET_MISSING"),
        ("empty_sheet", 3, "NO_DATA_ROWS"),
        ("header_only", 3, "NO_DATA_ROWS"),
        ("title_row", 3, "HEADINGS_MISSING"),
        ("missing_column", 3, "HEADINGS_MISSING"),
        ("duplicate_heading", 3, "HEADINGS_DUPLICATED"),
        ("future_date", 3, "WRONG_MONTH"),
        ("wrong_month", 3, "WRONG_MONTH"),
        ("two_candidates", 3, "AMBIGUOUS_WORKBOOK"),
        ("text_in_amount", 4, "WDH-V201"),
        ("error_cell", 4, "WDH-V401"),
        ("uncached_formula", 4, "WDH-V402"),
        ("boolean_in_amount", 4, "WDH-V403"),
        ("blank_month", 4, "WDH-V102"),
        ("rate_out_of_range", 4, "WDH-V202"),
        ("too_long_text", 4, "WDH-V301"),
    ],
)
def test_each_fault_has_its_one_line_error_and_code(hub: Hub, fault: str, code: int, words: str) -> None:
    hub.sample(rows=200, faults=[fault])

    answer = hub.wdh("etl", "--domains", DOMAIN, "--period", "202410", DATABASE_URL="")

    errors = [line for line in answer.stderr.splitlines() if line.startswith("[")]
    assert answer.code == code, answer.stderr
    assert len(errors) == 1
    assert words in errors[0]
    assert "hint:" in errors[0]


def test_no_file_says_where_it_looked(hub: Hub) -> None:
    (hub.data / "202410/收集数据/数据采集").mkdir(parents=True)

    answer = hub.etl(DATABASE_URL="")

    assert answer.code == 3
    assert "WORKBOOK_NOT_FOUND" in answer.domain["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--domains", "annuity_performence", "--period", "202410"],
        ["--domains", DOMAIN, "--period", "202413"],
        ["--domains", DOMAIN],
        ["--domains", DOMAIN, "--period", "202410", "--mode", "upsert"],
        ["--domains", DOMAIN, "--period", "202410", "--execute", "--plan-only"],
        ["--domains", DOMAIN, "--period", "202410", "--pk", "没有"],
        ["--domains", DOMAIN, "--period", "202410", "--max-files", "0"],
        ["--domains", DOMAIN, "--period", "202410", "--max-rejects", "many"],
        ["--period", "202410"],
    ],
)
def test_usage_errors_are_two(hub: Hub, arguments: list[str]) -> None:
    answer = hub.wdh("etl", *arguments, DATABASE_URL="")

    assert answer.code == 2
    assert answer.stdout == ""


def test_json_is_one_document_whatever_happens(hub: Hub) -> None:
    answer = hub.wdh("etl", "--domains", "nothing", "--period", "202410", "--report", "json", DATABASE_URL="")

    assert (answer.code, json.loads(answer.stdout)["error"]["code"]) == (2, 2)
